"""Everything in this folder and in that of the attacks is run by ``make chaos`` too, without a mark in every file."""

from pathlib import Path

import pytest

HERE = Path(__file__).parent
ALL = (HERE, HERE.parent / "attacks")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if any(item.path.is_relative_to(folder) for folder in ALL):
            item.add_marker(pytest.mark.chaos)
