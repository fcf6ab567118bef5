"""What an object can do is asked of its type, not guessed from the names of its attributes."""

import ast

import pytest
from contract.law import ROOT

# File, how many times, and why an attribute is asked for by its name there.
OPERATING_SYSTEM = "what this operating system offers"
NOTES = "Python puts __notes__ on an exception only when a note is added"
ANY_OBJECT = "a participant's answer can be any object"
OTHERS = "an object of another library, which states no type for this"
DOCUMENT = "a JSON document that someone else wrote or changed"
FAST = "asked at every step, also while torch compiles it: a runtime protocol costs 20 µs, and cannot be traced"
ALLOWED = {
    "commands/data.py": (1, "a function that the user names on the command line may not be there"),
    "commands/model_flags.py": (1, "a command may have no settings of a model"),
    "console.py": (1, NOTES),
    "course/answers.py": (1, ANY_OBJECT),
    "course/beside.py": (5, ANY_OBJECT),
    "course/collect.py": (1, DOCUMENT),
    "course/copies.py": (1, DOCUMENT),
    "course/judging_rules.py": (1, ANY_OBJECT),
    "course/player.py": (2, OPERATING_SYSTEM),
    "course/respond.py": (1, ANY_OBJECT),
    "course/stopped.py": (3, ANY_OBJECT),
    "engine/data/atomic.py": (1, OPERATING_SYSTEM),
    "engine/data/minari_data.py": (1, OTHERS),
    "engine/data/recorded_env.py": (1, OTHERS),
    "engine/data/regular.py": (3, OPERATING_SYSTEM),
    "engine/data/formats/zarr_store.py": (1, DOCUMENT),
    "engine/models/parts.py": (3, FAST),
    "engine/tasks/gym.py": (1, OTHERS),
    "engine/tasks/ogbench_batch.py": (1, OTHERS),
    "engine/tasks/ogbench_env.py": (2, OTHERS),
    "experiments/cluster.py": (1, "an older workbench on another machine may lack a function"),
    "experiments/processes.py": (1, OPERATING_SYSTEM),
    "experiments/work.py": (1, NOTES),
    "runs/launched.py": (1, OPERATING_SYSTEM),
    "ui/server/parts_cache.py": (1, "a function has a name, another callable may have none"),
    "ui/shell/binding.py": (2, "of each thread an own value, which only those have that set one"),
    "ui/shell/page.py": (1, OTHERS),
    "ui/shell/plain.py": (1, OTHERS),
}


def guesses(code: str) -> int:
    """How often ``code`` finds out by a name whether an object has something."""
    return sum(_guesses(node) for node in ast.walk(ast.parse(code)))


def _guesses(node: ast.AST) -> bool:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return node.func.id == "hasattr" or (node.func.id == "getattr" and len(node.args) + len(node.keywords) > 2)
    if isinstance(node, ast.ExceptHandler) and node.type is not None:
        return any(isinstance(one, ast.Name) and one.id == "AttributeError" for one in ast.walk(node.type))
    return False


@pytest.mark.parametrize(
    ("code", "count"),
    [
        ("if hasattr(task, 'floor'): pass", 1),
        ("x = getattr(task, 'floor', None)", 1),
        ("try:\n    task.floor\nexcept (KeyError, AttributeError):\n    pass", 1),
        ("x = getattr(rule, rule.strength)\nif isinstance(task, HasFloor): pass", 0),
    ],
)
def test_the_finder_finds_guesses_and_nothing_else(code, count):
    assert guesses(code) == count


def test_nothing_is_guessed_from_names_of_attributes():
    found = {}
    for path in sorted((ROOT / "workbench").rglob("*.py")):
        name, count = path.relative_to(ROOT / "workbench").as_posix(), guesses(path.read_text(encoding="utf-8"))
        if count > ALLOWED.get(name, (0, ""))[0]:
            found[name] = count
    assert found == {}, (
        "ask by isinstance(task, HasFloor) (workbench/engine/tasks/abilities.py has the list), or state the reason here"
    )
