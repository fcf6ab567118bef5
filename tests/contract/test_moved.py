"""Modules that moved are still found under the names that they had."""

import importlib
import sys

import pytest

from workbench.moved import MOVED, today


@pytest.mark.parametrize("old", MOVED)
def test_an_old_name_is_the_moved_module(old: str) -> None:
    sys.modules.pop(f"workbench.{old}", None)
    now = importlib.import_module(f"workbench.{MOVED[old]}")
    spec = now.__spec__
    with pytest.warns(DeprecationWarning, match=f"is workbench.{MOVED[old]} now"):
        found = importlib.import_module(f"workbench.{old}")
    assert found is now
    assert now.__spec__ is spec
    assert now.__name__ == f"workbench.{MOVED[old]}"


def test_what_did_not_move_is_left_alone() -> None:
    assert today("workbench.engine.steering.run") == ""
    assert today("torch.nn") == ""
    assert today("workbench.ui.runs.details") == "workbench.ui.pages.runs.details"
    with pytest.raises(ModuleNotFoundError), pytest.warns(DeprecationWarning, match="nothing"):
        importlib.import_module("workbench.ui.runs.nothing")
