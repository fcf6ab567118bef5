"""Docstrings of the public names: NumPy's sections, every parameter, what comes back, what is raised."""

import ast
import dataclasses
import inspect
import re
import textwrap

import pytest
from contract.law import ROOT

import workbench as wb

NAMES = [name for name in wb.__all__ if not inspect.ismodule(getattr(wb, name))]
FUNCTIONS = [name for name in NAMES if inspect.isfunction(getattr(wb, name))]
CLASSES = [name for name in NAMES if inspect.isclass(getattr(wb, name))]
TABLES = sorted(set(NAMES) - set(FUNCTIONS) - set(CLASSES))  # RULES and TASKS
SECTIONS = ("Parameters", "Attributes", "Returns", "Yields", "Raises", "Notes", "References", "Examples")
ARRAYS = re.compile(r"ndarray|Tensor")
SHAPE = re.compile(r"\([^()]*\b[A-Z][\w·*+ ]*[,)]|\(ticks|as `|\(\)")  # (B, N, D), (M,), (K, M)


def sections(text: str) -> dict[str, str]:
    """The parts of a NumPy docstring by their titles; "" is what stands before the first."""
    found, title, lines = {}, "", inspect.cleandoc(text).splitlines()
    kept: list[str] = []
    for line, below in zip(lines, [*lines[1:], ""], strict=True):
        if line in SECTIONS and set(below) == {"-"}:
            found[title], title, kept = "\n".join(kept), line, []
        elif not (kept == [] and title and set(line) == {"-"}):
            kept.append(line)
    found[title] = "\n".join(kept)
    return found


def entries(section: str) -> dict[str, str]:
    """Name -> the rest, of a section that lists names; ``a, b : int`` names two."""
    found: dict[str, str] = {}
    names: list[str] = []
    for line in section.splitlines():
        if line and not line.startswith(" "):
            names = [name.strip().lstrip("*") for name in line.partition(" :")[0].split(",")]
            found |= dict.fromkeys(names, line)
        elif names:
            found |= {name: f"{found[name]}\n{line}" for name in names}
    return found


def asked_of(thing: object) -> list[str]:
    """Names that the caller gives: parameters of a function, fields of a record."""
    if inspect.isclass(thing) and dataclasses.is_dataclass(thing):
        return [field.name for field in dataclasses.fields(thing)]
    if inspect.isclass(thing) and issubclass(thing, tuple):
        return list(thing._fields)
    return [name for name in inspect.signature(thing).parameters if name not in ("self", "cls")]


def raised(function: object) -> set[str]:
    """Names of the exceptions that the body itself raises."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(inspect.unwrap(function))))
    calls = [node.exc for node in ast.walk(tree) if isinstance(node, ast.Raise) and node.exc is not None]
    named = {call.func.id for call in calls if isinstance(call, ast.Call) and isinstance(call.func, ast.Name)}
    return {name for name in named if not name.islower()}  # not a function that makes the error


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_says_what_it_takes_gives_and_raises(name):
    function = getattr(wb, name)
    parts = sections(function.__doc__)
    taken = entries(parts.get("Parameters", ""))
    assert list(taken) == asked_of(function)
    back = inspect.signature(function).return_annotation
    if back not in (None, "None"):
        assert parts.get("Yields" if "Iterator" in str(back) or "Generator" in str(back) else "Returns", "").strip()
    assert raised(function) <= set(re.findall(r"\w+", parts.get("Raises", "")))
    for key, value in inspect.signature(function).parameters.items():
        if ARRAYS.search(str(value.annotation)):
            assert SHAPE.search(taken[key]), f"{name}: which shape has {key}?"
    if ARRAYS.search(str(back)):
        assert SHAPE.search(parts.get("Returns", "")), f"{name}: which shape comes back?"


@pytest.mark.parametrize("name", CLASSES)
def test_a_class_says_what_it_holds(name):
    kind = getattr(wb, name)
    assert kind.__doc__, f"{name} has no docstring"
    if issubclass(kind, wb.Rule):
        assert kind.__doc__ != wb.Rule.__doc__ or kind is wb.Rule
        assert all(field.description for field in kind.model_fields.values())  # its settings say what they mean
        return
    parts = sections(kind.__doc__)
    listed = entries(parts.get("Parameters", "") + "\n" + parts.get("Attributes", ""))
    if name != "Task":  # a protocol: nobody makes one
        assert set(asked_of(kind)) <= set(listed)
    for key, hint in inspect.get_annotations(kind).items():
        if ARRAYS.search(str(hint)) and key in listed:
            assert SHAPE.search(listed[key]), f"{name}: which shape has {key}?"
    for key, member in vars(kind).items():
        function = member.fget if isinstance(member, property) else getattr(member, "__func__", member)
        if inspect.isfunction(inspect.unwrap(function)) and not key.startswith("_"):
            assert function.__doc__, f"{name}.{key} has no docstring"


@pytest.mark.parametrize("name", TABLES)
def test_a_table_says_what_it_holds(name):
    """Python has no docstring of a value: it is the string below the assignment."""
    home = ROOT / f"{wb._HOMES[name].replace('.', '/')}"
    path = home / "__init__.py" if home.is_dir() else home.with_suffix(".py")
    body = ast.parse(path.read_text(encoding="utf-8")).body
    place = next(i for i, node in enumerate(body) if isinstance(node, ast.AnnAssign) and node.target.id == name)
    below = body[place + 1]
    assert isinstance(below, ast.Expr)
    assert isinstance(below.value, ast.Constant)
    assert isinstance(below.value.value, str)


def test_the_reader_of_docstrings_sees_what_is_missing():
    parts = sections(
        "One line.\n\nParameters\n----------\na, b : int\n    Two.\n*more\n    Rest.\n\nReturns\n-------\nfloat\n"
    )
    assert list(entries(parts["Parameters"])) == ["a", "b", "more"]
    assert parts["Returns"].strip() == "float"
    assert "Raises" not in parts
    assert SHAPE.search("(M, D)")
    assert not SHAPE.search("some numbers (see below)")
