"""Predict, try, reveal."""

import json
from pathlib import Path

import pytest

import workbench as wb
from workbench.course.questions import QUESTIONS


@pytest.fixture(autouse=True)
def _folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def kept(name: str) -> dict:
    return json.loads(Path("course.json").read_text())["predictions"][name]


def test_a_form_stores_what_was_chosen_and_shows_it_again():
    form = wb.course.predict("first.push")
    form.store()
    assert form.said.value == "Choose an answer first."
    assert not Path("course.json").exists()
    form.guess.value = "rises"
    form.button.click()
    assert "It keeps rising" in form.said.value
    assert kept("first.push") == {"guess": "rises"}
    assert wb.course.predict("first.push").guess.value == "rises"


def test_a_number_is_typed():
    form = wb.course.predict("vgf.alpha")
    form.guess.value = "a hundred"
    form.store()
    assert "cannot be read" in form.said.value
    form.guess.value = "100"
    form.store()
    assert kept("vgf.alpha") == {"guess": 100.0}


def test_reveal_compares_and_the_first_guess_stays():
    wb.course.predict("first.push", "rises")
    wb.course.predict("first.push", "hill")  # changed before the reveal: allowed
    note = wb.course.reveal("first.push", "hill")
    assert note.right
    assert "You predicted It rises, then falls" in note.text
    assert "stays" in wb.course.predict("first.push", "rises").text
    assert kept("first.push") == {"guess": "hill", "measured": "hill", "right": True}


@pytest.mark.parametrize(
    ("guess", "measured", "right"), [(100, 1.0, False), (1, 1.0, True), (1.4, 1.0, True), (0, 1.0, False)]
)
def test_numbers_agree_within_a_factor(guess, measured, right):
    wb.course.predict("vgf.alpha", guess)
    assert wb.course.reveal("vgf.alpha", measured).right is right
    assert kept("vgf.alpha")["right"] is right


@pytest.mark.parametrize(("guess", "right"), [(0, True), ("5%", True), (50, False)])
def test_a_measured_zero_allows_for_what_is_near(guess, right):
    wb.course.predict("real.clone", guess)
    assert wb.course.reveal("real.clone", 0.0).right is right


def test_reveal_without_a_prediction_tells_all_the_same():
    note = wb.course.reveal("first.push", "hill")
    assert note.kind == "open"
    assert "not predicted yet" in note.text
    assert not Path("course.json").exists()


def test_wrong_names_and_answers():
    with pytest.raises(ValueError, match=r"did you mean 'first.push'"):
        wb.course.predict("first.psh")
    with pytest.raises(ValueError, match="Answer with one of"):
        wb.course.predict("first.push", "sideways")


def test_every_question_explains_itself():
    for question in QUESTIONS.values():
        assert question.why.endswith(".")
        assert len(question.options) != 1
        assert question.factor > 1.0
