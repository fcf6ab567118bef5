"""The four ways through the house: every function that the page names is there, and the counts are those of its tables."""

import re
from pathlib import Path
from typing import Any

import pytest
from contract.test_glossary import callable_of

from workbench.engine.glossary import Term

PAGE = Path(__file__).resolve().parents[2] / "docs/architecture/ways.md"
TEXT = PAGE.read_text(encoding="utf-8")
SECTIONS = {title: body for title, body in re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", TEXT, re.DOTALL | re.MULTILINE)}
COUNTS = re.findall(r"^\| (a .+?) \| \d+ \| (\d+) \| \d+ \| (\d+) \|$", TEXT, re.MULTILINE)


def hops(section: str) -> list[str]:
    return re.findall(r"^\| `([a-z_]+\.[\w.]+)` \|", SECTIONS[section], re.MULTILINE)


def room_of(name: str) -> str:
    parts = name.split(".")
    return ".".join(parts[:2]) if parts[0] in ("engine", "ui") else parts[0]


def place_of(name: str) -> Any:
    return callable_of(Term("", "", "", "", "", "", name))


@pytest.mark.parametrize("section", SECTIONS)
def test_every_hop_is_there(section: str) -> None:
    assert len(hops(section)) > 3
    assert [name for name in hops(section) if not callable(place_of(name))] == []


def test_the_counts_are_those_of_the_tables() -> None:
    assert len(COUNTS) == len(SECTIONS)
    for (title, count, rooms), (section, _) in zip(COUNTS, SECTIONS.items(), strict=True):
        assert section.lower() == title.lower()
        assert len(hops(section)) == int(count), section
        assert len({room_of(name) for name in hops(section)}) == int(rooms), section
