"""Participants' copies: nothing of theirs is lost, and new versions reach them."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.course import copies
from workbench.course.collect import as_csv, collect, surprises
from workbench.course.copies import merge, new, text_of
from workbench.course.record import empty, write


def notebook(*cells: tuple[str, str]) -> dict:
    made = [{"id": key, "cell_type": "code", "source": text, "outputs": [], "metadata": {}} for key, text in cells]
    return {"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


def put(folder: Path, *cells: tuple[str, str], name: str = "01_a.ipynb") -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(json.dumps(notebook(*cells)))


def cells(folder: Path, name: str = "01_a.ipynb") -> list[tuple[str, str]]:
    return [(cell["id"], text_of(cell)) for cell in json.loads((folder / name).read_text())["cells"]]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    put(tmp_path / "home", ("a", "1"), ("b", "answer = ..."), ("c", "3"))
    (tmp_path / "home" / "instructor").mkdir()
    (tmp_path / "home" / "instructor" / "02_secret.ipynb").write_text("{}")
    (tmp_path / "home" / "data").mkdir()
    (tmp_path / "home" / "data" / "run.json").write_text("{}")
    return tmp_path / "home"


def test_the_pages_of_symbols_and_words_come_along(home, tmp_path):
    (home / "symbols.md").write_text("Symbols.")
    (home / "glossary.md").write_text("It is in docs.")
    new(tmp_path / "bare", home=home)
    assert (tmp_path / "bare" / "glossary.md").read_text() == "It is in docs."
    (home.parent / "docs").mkdir()
    (home.parent / "docs" / "glossary.md").write_text("# Glossary")
    (home / "symbols.md").write_text("More symbols.")
    new(tmp_path / "bare", update=True, home=home)
    assert (tmp_path / "bare" / "symbols.md").read_text() == "More symbols."
    assert (tmp_path / "bare" / "glossary.md").read_text() == "# Glossary"


def test_a_fresh_copy_has_lessons_data_and_a_record_but_no_solutions(home, tmp_path):
    report = new(tmp_path / "ann", home=home)
    assert report.copied == ["01_a.ipynb"]
    assert (tmp_path / "ann" / "data" / "run.json").exists()
    assert json.loads((tmp_path / "ann" / "course.json").read_text())["participant"] == "ann"
    assert not list((tmp_path / "ann").rglob("*secret*"))


def test_again_changes_nothing_and_says_so(home, tmp_path):
    new(tmp_path / "ann", home=home)
    put(tmp_path / "ann", ("a", "1"), ("b", "answer = 42"), ("c", "3"))
    before = (tmp_path / "ann" / "01_a.ipynb").read_bytes()
    assert new(tmp_path / "ann", home=home).same == ["01_a.ipynb"]
    put(home, ("a", "1!"), ("b", "answer = ..."), ("c", "3"))
    assert new(tmp_path / "ann", home=home).theirs == ["01_a.ipynb"]
    assert (tmp_path / "ann" / "01_a.ipynb").read_bytes() == before


def test_update_merges_cell_by_cell_and_keeps_the_version_before(home, tmp_path):
    new(tmp_path / "ann", home=home)
    put(tmp_path / "ann", ("a", "1"), ("b", "answer = 42"), ("own", "my note"), ("c", "3"))
    put(home, ("a", "1!"), ("b", "answer = ..."), ("new", "2.5"), ("c", "3!"))
    report = new(tmp_path / "ann", update=True, home=home)
    assert report.updated == ["01_a.ipynb"]
    assert not report.conflicts
    assert cells(tmp_path / "ann") == [
        ("a", "1!"),
        ("b", "answer = 42"),
        ("own", "my note"),
        ("new", "2.5"),
        ("c", "3!"),
    ]
    assert cells(tmp_path / "ann" / ".course" / "before")[1] == ("b", "answer = 42")
    assert new(tmp_path / "ann", update=True, home=home).same == ["01_a.ipynb"]


def test_a_cell_that_both_changed_stays_the_participants(home, tmp_path):
    new(tmp_path / "ann", home=home)
    put(tmp_path / "ann", ("a", "1"), ("b", "answer = 42"), ("c", "3"))
    put(home, ("a", "1"), ("b", "answer = None"), ("c", "3"))
    assert new(tmp_path / "ann", update=True, home=home).conflicts == [
        "01_a.ipynb, cell 2 from the top ('answer = 42')"
    ]
    assert cells(tmp_path / "ann")[1] == ("b", "answer = 42")


def test_a_deleted_cell_stays_away_and_a_withdrawn_one_goes_unless_it_holds_work():
    base = notebook(("a", "1"), ("b", "2"), ("c", "3"))
    theirs = notebook(("a", "1"), ("c", "work"))
    merged, _ = merge(base, theirs, notebook(("a", "1"), ("b", "2")))
    assert [(c["id"], c["source"]) for c in merged["cells"]] == [("a", "1"), ("c", "work")]
    merged, _ = merge(base, notebook(("a", "1"), ("b", "2"), ("c", "3")), notebook(("a", "1"), ("b", "2")))
    assert [c["id"] for c in merged["cells"]] == ["a", "b"]


versions = st.dictionaries(st.sampled_from("abcdef"), st.sampled_from("xyz"), max_size=6).map(lambda d: list(d.items()))


@given(versions, versions, versions)
def test_no_work_is_ever_lost(base, theirs, fresh):
    merged, _ = merge(notebook(*base), notebook(*theirs), notebook(*fresh))
    kept = {cell["id"]: cell["source"] for cell in merged["cells"]}
    assert len(kept) == len(merged["cells"])
    for key, text in theirs:
        if dict(base).get(key) != text:
            assert kept[key] == text
    for key, text in fresh:
        if key not in dict(base) and key not in dict(theirs):
            assert kept[key] == text


def test_what_is_no_notebook_is_left_alone(home, tmp_path):
    new(tmp_path / "ann", home=home)
    (tmp_path / "ann" / "01_a.ipynb").write_text("not json")
    put(home, ("a", "new"))
    with pytest.raises(ValueError, match="is not a notebook"):
        new(tmp_path / "ann", update=True, home=home)
    assert (tmp_path / "ann" / "01_a.ipynb").read_text() == "not json"
    with pytest.raises(ValueError, match="holds the course itself"):
        new(home, home=home)
    with pytest.raises(ValueError, match="needs a clone"):
        copies.lessons(tmp_path / "nowhere")


def test_the_table_has_a_row_per_participant_and_survives_a_damaged_record(tmp_path):
    for name in ("ann", "=bob", "cyd"):
        (tmp_path / name).mkdir()
    record = empty("Ann")
    record["exercises"]["flows.target"] = {"solved": True, "tries": 2, "hints": 1}
    record["predictions"]["first.push"] = {"guess": "hill", "measured": "hill", "right": True}
    record["scores"] = [{"return": 0.9, "valid": False}, {"return": 0.7, "valid": True}]
    write(record, tmp_path / "ann")
    write(empty(), tmp_path / "=bob")
    (tmp_path / "cyd" / "course.json").write_text("{")
    rows = {row["participant"]: row for row in collect([tmp_path])}
    assert rows.keys() == {"Ann", "=bob", "cyd"}
    assert (rows["Ann"]["solved"], rows["Ann"]["tries"], rows["Ann"]["best_score"]) == (1, 2, "")  # none is believed
    assert (rows["Ann"]["flows.target"], rows["Ann"]["predict first.push"], rows["Ann"]["qgf.step"]) == (1, 1, "")
    assert "unreadable" in rows["cyd"]["note"]
    table = as_csv(list(rows.values()))
    assert "\n=bob" not in table
    assert "'=bob" in table
    with pytest.raises(ValueError, match=r"no course\.json"):
        collect([tmp_path / "nobody"])


def test_what_most_people_missed_comes_first():
    right = {"predict first.push": 1, "flows.target": 1}
    rows = [right | {"predict qgf.noise": 0}, {"predict first.push": 0, "predict qgf.noise": 0, "vgf.adam": 0}, {}]
    assert surprises(rows) == [
        "predictions that surprised most: qgf.noise (0 of 2 right), first.push (1 of 2 right)",
        "exercises tried and still open: vgf.adam (0 of 1 right)",
    ]
    assert surprises([right]) == []
