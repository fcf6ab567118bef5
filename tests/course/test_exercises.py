"""Every exercise: right answers in several forms are right, typical wrong ones are told what is wrong with them."""

import json
import runpy
from pathlib import Path

import numpy as np
import pytest
import torch

import workbench as wb
from workbench.course.exercise import Compared
from workbench.course.exercises import EXERCISES
from workbench.course.exercises.shift import WAYS
from workbench.engine.steering.protocol import DuringFlow
from workbench.engine.steering.rules import RULES

NAMES = sorted(EXERCISES)
TYPICAL = [(name, index) for name in NAMES for index in range(len(EXERCISES[name].mistakes))]


@pytest.fixture(autouse=True)
def _folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_every_exercise_has_five_mistakes_and_two_hints_and_says_different_things():
    for exercise in EXERCISES.values():
        whys = [mistake.why for mistake in exercise.mistakes]
        assert len(whys) >= 5, exercise.name
        if isinstance(exercise, Compared):
            assert len(set(whys)) == len(whys), exercise.name
            assert exercise.otherwise not in whys, exercise.name
        assert len(set(exercise.hints)) == 2
        assert exercise.ask
        assert exercise.well


@pytest.mark.parametrize(("name", "index"), TYPICAL, ids=[f"{name}-{index}" for name, index in TYPICAL])
def test_a_typical_mistake_is_told_what_is_wrong(name, index):
    mistake = EXERCISES[name].mistakes[index]
    fault = EXERCISES[name].fault(mistake.answer)
    if isinstance(EXERCISES[name], Compared):
        assert fault == mistake.why
    else:
        assert mistake.why in fault


def test_the_instructors_solutions_are_right(root):
    solutions = runpy.run_path(str(root / "notebooks" / "instructor" / "solutions.py"))["SOLUTIONS"]
    try:
        assert solutions.keys() == EXERCISES.keys()
        for name, answer in solutions.items():
            assert EXERCISES[name].fault(answer) == "", name
    finally:
        for name in [name for name, rule in RULES.items() if not rule.__module__.startswith("workbench.")]:
            del RULES[name]


@pytest.mark.parametrize(
    "answer",
    [8.1, "8.1", "8,1", "81/10", " 8.100 ", np.float32(8.1), np.array([8.1]), torch.tensor(8.1), 8.1001, "810%"],
)
def test_a_number_in_any_form(answer):
    assert wb.course.check("critics.target", answer).right


@pytest.mark.parametrize(
    "answer",
    [
        "b",
        "B",
        "(b)",
        " b) ",
        WAYS["b"],
    ],
)
def test_a_choice_in_any_form(answer):
    assert wb.course.check("shift.honest", answer).right


def test_a_function_may_return_tensors_arrays_or_lists():
    for wrap in (lambda x: x, lambda x: x.numpy(), lambda x: x.tolist(), lambda x: x.double()):
        assert wb.course.check("flows.target", lambda x0, x1, wrap=wrap: wrap(x1 - x0)).right
        assert wb.course.check(
            "qgf.clean", lambda a, v, t, wrap=wrap: wrap(torch.clip(a + (1 - t) * v, -1.0, 1.0))
        ).right
    assert wb.course.check("first.moved", lambda a, b: ((a - b) ** 2).sum(-1).sqrt().mean().item()).right


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (8, "A function is wanted"),
        (lambda x0: x0, "with 2 arguments; yours is <lambda>(x0)"),
        (lambda x0, x1: None, "returns nothing yet"),
        (lambda x0, x1: "x1 - x0", "should return numbers"),
        (lambda x0, x1: x1[:1], "check the shape"),
        (lambda x0, x1: x1 * float("nan"), "not finite"),
        (lambda x0, x1: 3 * x1, "Think of a car"),
    ],
)
def test_odd_functions_are_told_so(answer, words):
    note = wb.course.check("flows.target", answer)
    assert not note.right
    assert words in note.text


@pytest.mark.parametrize(
    ("answer", "words"),
    [("lots", "cannot be read"), (True, "A number"), ([1, 2], "One number"), (float("inf"), "finite")],
)
def test_odd_numbers_are_told_so(answer, words):
    assert words in wb.course.check("critics.target", answer).text


def test_a_function_that_changes_its_inputs_is_told_so_and_spoils_nothing():
    def spoil(x0, x1):
        x1 -= x0
        return x1

    assert "writes into a tensor that it was given" in wb.course.check("flows.target", spoil).text
    assert wb.course.check("flows.target", lambda x0, x1: x1 - x0).right


def test_no_answer_yet_and_an_unknown_exercise():
    assert wb.course.check("flows.target").kind == "open"
    assert wb.course.check("flows.target", lambda x0, x1: ...).kind == "open"
    assert not Path("course.json").exists()
    with pytest.raises(ValueError, match=r"did you mean 'flows.target'"):
        wb.course.check("flow.target", 1)


def test_tries_hints_and_success_are_kept():
    wb.course.check("critics.target", 10)
    assert wb.course.hint("critics.target").text.startswith("The rewards")
    assert "0.9³" in wb.course.hint("critics.target").text
    assert "0.9³" in wb.course.hint("critics.target").text
    wb.course.check("critics.target", 8.1)
    wb.course.check("critics.target", 3)
    kept = json.loads(Path("course.json").read_text())["exercises"]["critics.target"]
    assert kept == {"solved": True, "tries": 2, "hints": 2}


def test_a_note_escapes_what_a_participant_typed():
    html = wb.course.check("critics.target", "<script>alert(1)</script>")._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt;" in html


def test_a_damaged_record_says_what_to_do():
    Path("course.json").write_text("{")
    with pytest.raises(ValueError, match="move it away"):
        wb.course.check("critics.target", 8.1)


class _Dice(RULES["qgf"]):
    """Draws random numbers of its own."""

    name, title = "course_dice", "Dice"

    def guidance(self, parts, rows, actions, velocity, t):
        g, q, at = super().guidance(parts, rows, actions, velocity, t)
        return g + torch.randn_like(g), q, at


class _Crowd(_Dice):
    """Divides by a norm over the whole batch."""

    name, title = "course_crowd", "Crowd"

    def guidance(self, parts, rows, actions, velocity, t):
        q, g = self.critic_gradient(parts, rows, actions)
        return g / g.norm(), q, actions


class _Lazy(_Dice):
    """Pushes nothing."""

    name, title = "course_lazy", "Lazy"

    def guidance(self, parts, rows, actions, velocity, t):
        q, g = self.critic_gradient(parts, rows, actions)
        return 0 * g, q, actions


class _Restless(_Dice):
    """Pushes at weight 0."""

    name, title = "course_restless", "Restless"

    def step(self, parts, observations, state):
        after, info = super(DuringFlow, self).denoise(parts, state)
        return after._replace(actions=after.actions + 0.1), info


class _Broken(_Dice):
    """Raises."""

    name, title = "course_broken", "Broken"

    def guidance(self, parts, rows, actions, velocity, t):
        return actions @ rows


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (_Dice, "no random numbers of its own"),
        (_Crowd, "depends on the other states"),
        (_Lazy, "moves nothing"),
        (_Restless, "equal the behaviour flow"),
        (_Broken, "`return actions @ rows`. The shapes of two tensors do not fit together"),
    ],
)
def test_a_rule_that_breaks_a_promise_is_told_which(rule, words, monkeypatch):
    monkeypatch.setitem(RULES, rule.name, rule)
    assert words in wb.course.check("own.rule", rule).text


class _Samples(RULES["qpilots_m"]):
    """Needs further draws of noise."""

    name, title = "course_samples", "Samples"

    def guidance(self, parts, rows, actions, velocity, t, extra):
        g, q, at = super().guidance(parts, rows, actions, velocity, t, extra)
        return 2 * g, q, at


def test_a_rule_with_further_draws_gets_them(monkeypatch):
    monkeypatch.setitem(RULES, _Samples.name, _Samples)
    assert wb.course.check("own.rule", _Samples).right
