"""docs/architecture: picture and table are those of the import law."""

import re

import pytest
from contract.law import LAW, ROOT, within
from contract.rooms_page import PAGE, PICTURE, WHOLE, arrows, block, floors, may_import, picture, places, refreshed

FOLDER = ROOT / "docs" / "architecture"
CURE = "run: make architecture"


def test_the_page_and_its_picture_are_those_of_the_law() -> None:
    text = (FOLDER / PAGE).read_text(encoding="utf-8")
    assert block() in text, CURE
    assert refreshed(text) == text, CURE
    assert (FOLDER / PICTURE).read_text(encoding="utf-8") == picture(), CURE


def test_a_change_of_the_law_changes_the_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    before = picture(), block()
    monkeypatch.setitem(LAW, "workbench.attic", ("workbench.views",))
    assert ("workbench.attic", "workbench.views") in arrows(may_import())
    assert picture() != before[0]
    assert block() != before[1]


def test_a_circle_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(LAW, "workbench.engine.models", ("workbench.engine.steering",))
    with pytest.raises(ValueError, match="circle"):
        floors(may_import())


def test_every_arrow_points_down_and_no_boxes_overlap() -> None:
    where = places(may_import())
    assert all(where[name][1] < where[other][1] for name, other in arrows(may_import()))
    boxes = list(where.values())
    for number, (x, y) in enumerate(boxes):
        assert all(abs(x - other) >= 120 or y != level for other, level in boxes[:number])


def test_arrows_say_as_much_as_the_law() -> None:
    """What can be reached by arrows is what may be imported by some chain."""
    graph, lines = may_import(), arrows(may_import())

    def reach(name: str, step: dict[str, set[str]]) -> set[str]:
        found: set[str] = set()
        waiting = [name]
        while waiting:
            new = step[waiting.pop()] - found
            found |= new
            waiting += new
        return found

    drawn = {name: {other for who, other in lines if who == name} for name in graph}
    assert all(reach(name, drawn) == reach(name, graph) for name in graph)


def test_every_room_of_the_law_is_on_the_page() -> None:
    text = (FOLDER / PAGE).read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([\w.]+)` \| (.*?) \|", text, re.M)
    for place in set(LAW) - set(WHOLE):
        assert any(within(place.removeprefix("workbench."), name) for name, _ in rows), place
    assert [name for name, words in rows if not words] == [], (
        "say in the docstring of its __init__.py what the room holds"
    )
