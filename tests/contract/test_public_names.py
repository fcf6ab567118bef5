"""The public names: typed, documented, complete, and free to import."""

import inspect
import re
import rlcompleter
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, get_type_hints

import numpy
import pytest
from contract.law import ROOT

import workbench as wb

# Where a public name may say Any, and why.
LEARNED_PART = "a learned part is whatever module or function the rule that needs it calls"
ANY = {
    "Parts": ("extra: Mapping[str, Any]", LEARNED_PART),
    "Grid": (
        "axes: dict[str, tuple[Any, ...]]",
        "the values of any setting, which the rule's or the training's model checks",
    ),
    "Parts.part": ("Any", LEARNED_PART),
}
ARRAY = re.compile(r"numpy\.ndarray\[tuple\[Any, \.\.\.\], numpy\.dtype\[Any\]\]")  # how mypy spells np.ndarray
PLAIN = [name for name in wb.__all__ if not inspect.ismodule(getattr(wb, name))]


def revealed(names: list[str], folder: Path) -> dict[str, str]:
    """What mypy takes each public name for."""
    from mypy import api  # in the extra for developers

    asked = folder / "asked.py"
    asked.write_text("import workbench\n" + "".join(f"reveal_type(workbench.{name})\n" for name in names))
    said, trouble, _ = api.run(["--config-file", str(ROOT / "pyproject.toml"), "--no-pretty", str(asked)])
    assert not trouble, trouble
    found = re.findall(r'^.*asked\.py:(\d+): note: Revealed type is "(.*)"$', said, re.MULTILINE)
    assert len(found) == len(names), said
    return {names[int(line) - 2]: ARRAY.sub("ndarray", text) for line, text in found}


def test_a_type_checker_knows_every_public_name(tmp_path, monkeypatch):
    pytest.importorskip("mypy")
    monkeypatch.chdir(ROOT)
    found = revealed([*wb.__all__, "__version__"], tmp_path)
    vague = {name: text for name, text in found.items() if re.search(r"\bAny\b", text)}
    for name, (allowed, _) in ANY.items():
        if name in vague and "." not in name:
            spelt = allowed.replace("Mapping", "typing.Mapping")
            assert spelt in vague[name]
            vague[name] = vague[name].replace(spelt, "")
    assert {name: text for name, text in vague.items() if re.search(r"\bAny\b", text)} == {}
    assert found["QGF"].endswith("QGF")
    assert found["make_rule"].endswith("Rule")


def test_a_type_checker_refuses_a_name_that_is_not_there(tmp_path, monkeypatch):
    api = pytest.importorskip("mypy.api")
    monkeypatch.chdir(ROOT)
    (tmp_path / "asked.py").write_text("import workbench\nworkbench.steeer\nworkbench.wasserstein2('a', 'b')\n")
    said, _, _ = api.run(["--config-file", str(ROOT / "pyproject.toml"), "--no-pretty", str(tmp_path / "asked.py")])
    assert 'Module has no attribute "steeer"' in said
    assert said.count("[arg-type]") == 2


def functions() -> list[tuple[str, Any]]:
    """Public functions, and the methods that public classes define in this package."""
    found = []
    for name in PLAIN:
        thing = getattr(wb, name)
        if inspect.isfunction(thing):
            found.append((name, thing))
        elif inspect.isclass(thing):
            for key, member in vars(thing).items():
                member = (
                    member.fget if isinstance(member, property) else inspect.unwrap(getattr(member, "__func__", member))
                )
                own = inspect.isfunction(member) and member.__module__.startswith("workbench.")
                if own and not key.startswith("_"):
                    found.append((f"{name}.{key}", member))
    return found


@pytest.mark.parametrize(("name", "function"), functions(), ids=lambda value: value if isinstance(value, str) else "")
def test_parameters_and_results_have_types(name, function):
    function = inspect.unwrap(function)
    hints = get_type_hints(function, localns={"np": numpy})  # which some modules import for type checkers alone
    asked = [key for key in inspect.signature(function).parameters if key not in ("self", "cls")]
    assert set(asked) | {"return"} <= set(hints)
    vague = [key for key, hint in hints.items() if hint is Any]
    assert not vague or name in ANY


def test_the_stub_names_what_is_there():
    for name in wb.__all__:
        assert getattr(wb, name) is not None
    assert {kind.__name__ for kind in wb.RULES.values()} <= set(wb.__all__)
    assert {"Trace", "Transitions", "Noise"} <= set(wb.__all__)
    assert wb.__all__ == sorted(set(wb.__all__))
    assert set(wb.__all__) <= set(dir(wb))
    with pytest.raises(AttributeError, match=r"no attribute 'steeer'; it has .*steer"):
        wb.steeer  # noqa: B018


def test_the_tab_key_finds_the_names():
    completer = rlcompleter.Completer({"wb": wb})
    found = {completer.complete("wb.QGF", i) for i in range(5)}
    assert {"wb.QGF(", "wb.QGFChain(", "wb.QGFJacobian("} <= found


def test_importing_the_workbench_loads_nothing_heavy():
    code = "import sys, workbench; dir(workbench); print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    heavy = {"torch", "numpy", "scipy", "pydantic", "panel", "bokeh", "holoviews", "matplotlib", "ipywidgets"}
    assert heavy & set(said.stdout.split()) == set()


def test_the_types_are_in_the_package(tmp_path):
    pytest.importorskip("setuptools")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "workbench", tmp_path / "workbench", ignore=shutil.ignore_patterns("__pycache__"))
    code = "import setuptools; setuptools.setup()"
    build = [sys.executable, "-W", "ignore", "-c", code, "-q", "build_py", "--build-lib", "built"]
    subprocess.run(build, cwd=tmp_path, check=True, capture_output=True)
    shipped = {path.name for path in (tmp_path / "built" / "workbench").iterdir()}
    assert {"__init__.py", "__init__.pyi", "py.typed"} <= shipped
