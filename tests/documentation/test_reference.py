"""The reference has every public name, under the name by which it is imported."""

import importlib
import re
from pathlib import Path

import pytest

import workbench
from docs.making.homes import home_of
from docs.making.hooks import room_page, rooms

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "index.md"


def test_every_public_name_is_in_the_reference_once() -> None:
    listed = re.findall(r"^::: wb\.(\w+)$", PAGE.read_text(encoding="utf-8"), re.M)
    assert sorted([*listed, "course"]) == sorted(workbench.__all__), "add it to docs/reference/index.md"


@pytest.mark.parametrize("name", workbench.__all__)
def test_its_home_is_where_it_is_defined(name: str) -> None:
    home = home_of(name)
    module, _, last = home.rpartition(".")
    found = importlib.import_module(home) if name == "course" else getattr(importlib.import_module(module), last)
    assert found is getattr(workbench, name)


def test_a_name_that_is_not_public_is_refused() -> None:
    with pytest.raises(LookupError, match="'secret' is no public name"):
        home_of("secret")


def test_every_room_with_documented_names_has_a_page() -> None:
    assert {"engine.steering", "engine.training", "experiments", "plots", "course"} <= set(rooms())
    for name in rooms():
        text = room_page(name)
        assert text.startswith(f"# {name}\n")
        for module in re.findall(r"^::: ([\w.]+)$", text, re.M):
            assert importlib.util.find_spec(module) is not None, module
