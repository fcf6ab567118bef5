"""What is defined is used: by the product itself, not by its tests alone."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from contract.law import ROOT

WORD = re.compile(r"[A-Za-z_]\w*")
# What the product does not name, and why it is there all the same.
WAITING = {
    "abilities_of": "what a task can do, for the reference of tasks",
    "covariance": "Mixture's second moment, beside mean, which the samplers are held against",
}
# What a library calls by its name.
HOOKS = {
    "create_module": "Python's import",
    "_close": "atexit",
    "setup_context": "torch.autograd.Function",
    "_fill_in": "a validator of pydantic",
    "_one_each": "a validator of pydantic",
    "_low_below_high": "a validator of pydantic",
    "_together": "a validator of pydantic",
    "_off_a_mean": "a validator of pydantic",
    "_debounce": "Panel's model of the control",
    "prepare": "Tornado, before every request of a handler",
    "get_user_async": "Panel's module of an authentication",
    "get_login_url": "Panel's module of an authentication",
    "logout_url": "Panel's module of an authentication",
    "logout_handler": "Panel's module of an authentication",
}


def product() -> dict[Path, str]:
    places = ("workbench", "apps", "notebooks", "benchmarks")
    kinds = (".py", ".ipynb", ".js", ".html")
    return {
        path: path.read_text(encoding="utf-8")
        for place in places
        for path in sorted((ROOT / place).rglob("*"))
        if path.suffix in kinds and ".ipynb_checkpoints" not in path.parts
    }


def defined(body: list[ast.stmt]) -> Iterator[str]:
    """Functions, methods, classes and constants of a module."""
    for statement in body:
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield statement.name
            if isinstance(statement, ast.ClassDef):
                yield from defined(statement.body)
        elif isinstance(statement, ast.Assign):
            yield from (target.id for target in statement.targets if isinstance(target, ast.Name))


def unused(texts: dict[Path, str]) -> dict[str, str]:
    """Names that stand nowhere but where they are defined (and in ``__all__``), with their files."""
    words: Counter[str] = Counter()
    for text in texts.values():
        words.update(WORD.findall(text))
    return {
        name: str(path)
        for path, text in texts.items()
        if path.suffix == ".py" and (ROOT / "workbench") in path.parents
        for name in defined(ast.parse(text).body)
        if not name.startswith("__") and words[name] - text.count(f'"{name}"') <= 1
    }


def test_nothing_is_used_by_tests_alone() -> None:
    assert {name: path for name, path in unused(product()).items() if name not in WAITING | HOOKS} == {}


def test_the_reasons_are_of_names_that_are_there() -> None:
    assert sorted((WAITING.keys() | HOOKS.keys()) - unused(product()).keys()) == []


def test_an_unused_name_is_found() -> None:
    made = {ROOT / "workbench/made.py": "def used(): ...\nclass Dead:\n    def method(self): ...\nused()\n"}
    assert unused(made).keys() == {"Dead", "method"}
