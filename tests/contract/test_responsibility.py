"""How much one class and one function may be responsible for; and that nothing is packed to look smaller than it is.

The limits are what the largest needs today: lower them when it has become smaller; to let one be larger, say why.
"""

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

import pytest
from contract.law import ROOT, files

METHODS = 23  # of a class, properties too
ARGUMENTS = 7  # of a function, without self
LINES = 100  # of a function, from its name to its last line
# What stands above a limit, and why it may: at most this many.
MANY_ARGUMENTS = {
    "workbench/commands/suite.py:suite": 13,
    # One argument for each flag, from which the command line makes its help.
    "workbench/commands/online.py:online": 18,
    "workbench/commands/sweep.py:sweep": 18,
    "workbench/commands/checkpoints.py:import_run": 14,
    "workbench/commands/fit.py:fit": 15,
    "workbench/commands/tune.py:tune": 12,
    "workbench/commands/serve.py:serve": 10,
    "workbench/commands/steer.py:steer": 8,
    "workbench/commands/steer.py:evaluate": 9,
    "workbench/commands/export.py:export": 8,
    "workbench/commands/data.py:add": 8,
    "workbench/commands/data.py:describe": 8,
    # What a user may say of data, of an evaluation and of a lesson's figure, all by name and with defaults.
    "workbench/experiments/tune.py:tune": 13,
    "workbench/runs/importing.py:import_checkpoint": 13,
    "workbench/engine/models/published/load.py:load_published": 8,
    "workbench/engine/data/transitions.py:make_transitions": 9,
    "workbench/engine/data/replay.py:__init__": 9,
    "workbench/engine/metrics/evaluate.py:evaluate": 10,
    "workbench/engine/tasks/rollout.py:rollout": 10,
    "workbench/engine/tasks/film.py:film": 8,
    "workbench/engine/steering/finite.py:__init__": 9,
    "workbench/ui/notebook/widgets.py:__init__": 9,
    "workbench/ui/serve.py:serve": 8,
    # One compiled step: its arrays, which the compiler wants apart.
    "workbench/engine/training/fast/compiled.py:_update": 8,
    # A GPU's kernels, and the operations that call them: their arrays, which both want apart.
    "workbench/engine/models/fused/kernels.py:forward_layer": 14,
    "workbench/engine/models/fused/kernels.py:backward_layer": 17,
    "workbench/engine/models/fused/kernels.py:add_parts": 9,
    "workbench/engine/models/fused/kernels.py:adam": 11,
    "workbench/engine/models/fused/operations.py:_finish_back": 11,
    "workbench/engine/models/fused/operations.py:adam_step": 8,
    "workbench/engine/models/fused/operations.py:_adam": 9,
}
LONG_FUNCTIONS = {
    "workbench/experiments/tune.py:tune": 127,
    "workbench/engine/tasks/rollout.py:rollout": 114,
    "workbench/engine/metrics/evaluate.py:evaluate": 108,
    "workbench/commands/online.py:online": 109,
    "workbench/commands/sweep.py:sweep": 117,
}
FREE_OF_PACKING = ("workbench",)
# Tables that are read line by line, a line or a paragraph for each entry, and that the formatter would spread over pages.
TABLES = ("workbench/engine/glossary.py", "workbench/engine/steering/rules/__init__.py")

Function = ast.FunctionDef | ast.AsyncFunctionDef


@functools.cache
def parsed() -> list[tuple[str, ast.Module]]:
    """The modules of the package, by their path in the repository."""
    inside = [path for path in files() if path.is_relative_to(ROOT / "workbench")]
    return [(str(path.relative_to(ROOT)), ast.parse(path.read_text(encoding="utf-8"))) for path in inside]


def functions(tree: ast.AST) -> Iterator[Function]:
    """All functions and methods."""
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def methods(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """The classes, and how many methods each has."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            yield node.name, sum(isinstance(one, Function) for one in node.body)


def arguments(function: Function) -> int:
    """How many arguments a function takes, without self, ``*args`` and ``**settings``."""
    named = function.args
    return sum(one.arg not in ("self", "cls") for one in (*named.posonlyargs, *named.args, *named.kwonlyargs))


def lines(function: Function) -> int:
    """How many lines a function has."""
    return (function.end_lineno or function.lineno) - function.lineno + 1


def packed(tree: ast.Module) -> list[int]:
    """Lines of a module that give several constants their values at once."""
    return [
        node.lineno
        for node in tree.body
        if isinstance(node, ast.Assign)
        and any(isinstance(target, ast.Tuple) for target in node.targets)
        and isinstance(node.value, ast.Tuple)
    ]


def test_methods_of_a_class() -> None:
    counts = [(f"{path}:{name}", count) for path, tree in parsed() for name, count in methods(tree)]
    assert [(name, count) for name, count in counts if count > METHODS] == []


@pytest.mark.parametrize(
    ("measure", "limit", "above"), [(arguments, ARGUMENTS, MANY_ARGUMENTS), (lines, LINES, LONG_FUNCTIONS)]
)
def test_a_function(measure, limit: int, above: dict[str, int]) -> None:
    sizes: dict[str, int] = {}
    for path, tree in parsed():
        for function in functions(tree):
            name = f"{path}:{function.name}"
            sizes[name] = max(sizes.get(name, 0), measure(function))
    assert {name: size for name, size in sizes.items() if size > above.get(name, limit)} == {}


def test_nothing_is_packed() -> None:
    found = []
    for folder in FREE_OF_PACKING:
        for path in sorted((ROOT / folder).rglob("*.py")):
            text = path.read_text(encoding="utf-8")
            found += [f"{path.relative_to(ROOT)}:{line}" for line in packed(ast.parse(text))]
            found += [
                f"{path.relative_to(ROOT)}: skips the formatter"
                for mark in ("skip", "off")
                if f"# fmt: {mark}" in text and path.relative_to(ROOT).as_posix() not in TABLES
            ]
    assert found == []


def test_the_checks_catch() -> None:
    tree = ast.parse("A, B = 1, 2\nclass Box:\n    def f(self, a, *, b): ...\n    async def g(self):\n        return")
    assert packed(tree) == [1]
    assert list(methods(tree)) == [("Box", 2)]
    assert [(arguments(one), lines(one)) for one in functions(tree)] == [(2, 1), (0, 2)]


def test_the_package_is_seen() -> None:
    assert Path("workbench/ui/shell/page.py").as_posix() in {path for path, _ in parsed()}
