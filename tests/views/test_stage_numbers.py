"""Two large numbers, one warning, the rest; and how numbers are written for people."""

from dataclasses import replace

import numpy as np
import pytest

from workbench.engine.digits import exact, figure
from workbench.views.episodes import Play
from workbench.views.numbers import Numbers
from workbench.views.stage_numbers import stage_numbers

KNOWN = Numbers(1.0, 0.4, 0.6, 0.2, 0.1, 0.01, 0.3, 0.0, 0.9, 2.0, 2, 0.1)


def test_the_two_large_numbers_are_earned_and_shift_and_nothing_is_said_twice():
    told = stage_numbers(KNOWN, None, "", 4)
    assert [row[:2] for row in told.heads] == [["Earned", "0.40"], ["Shift", "0.30"]]
    names = [name for name, _, _ in told.rows]
    assert len(names) == len(set(names)) == 8


@pytest.mark.parametrize(("error", "wrong"), [(0.1, True), (0.59, True), (0.61, False), (float("nan"), True)])
def test_the_warning_is_loud_when_the_gap_is_beyond_its_interval(error, wrong):
    told = stage_numbers(replace(KNOWN, gap_error=error), None, "", 4)
    assert told.wrong is wrong
    assert told.warning[0].startswith("The critic is wrong by 0.60" if wrong else "The critic is right within 0.61")
    assert "promised 1.00 − earned 0.40 = 0.60" in told.warning[2]


def test_a_critic_that_promises_too_little_is_wrong_too():
    told = stage_numbers(replace(KNOWN, promised=0.1, gap=-0.3), None, "", 4)
    assert told.wrong
    assert told.warning[0] == "The critic is wrong by −0.30"


def test_with_episodes_earned_is_what_they_earned_discounted():
    rng = np.random.default_rng(0)
    discounted, promised = rng.normal(0.3, 0.1, 48), np.full(48, 0.5)
    play = Play(np.zeros((48, 3, 2)), discounted * 2, discounted, promised, "main exit", 0.5)
    unknown = replace(KNOWN, earned=None, gap=None, gap_error=None)
    waiting = stage_numbers(unknown, None, "main exit", 4)
    assert waiting.heads[0][1] == "…"
    assert not waiting.wrong
    told = stage_numbers(unknown, play, "main exit", 4)
    half = 1.96 * discounted.std(ddof=1) / 48**0.5
    assert told.heads[0][1] == f"{discounted.mean():.2f} ± {half:.2f}"
    assert told.wrong
    assert told.warning[0] == f"The critic is wrong by {0.5 - discounted.mean():.2f}"
    assert [name for name, _, _ in waiting.rows if name != "Gap"] == [name for name, _, _ in told.rows if name != "Gap"]


def test_without_episodes_and_without_a_formula_it_says_that_nothing_was_measured():
    told = stage_numbers(replace(KNOWN, earned=None, gap=None), None, "", 4)
    assert told.warning[0] == "What it earns is not measured here"
    assert not told.wrong
    assert "There is no critic" in stage_numbers(replace(KNOWN, promised=float("nan")), None, "", 4).warning[0]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (9012.3, "9,012"), (-9012.3, "−9,012"), (999.4, "999.40"), (999.6, "1,000"), (123456.0, "123,456"),
        (999_999.9, "1.0 million"), (2.5e6, "2.5 million"), (1.2e9, "1.2 billion"), (7e13, "70.0 trillion"),
        (3e20, "3.0 × 10²⁰"), (-0.001, "0.00"), (float("inf"), "not finite"), (1.005, "1.00"),
    ],
)  # fmt: skip
def test_numbers_are_written_for_people(value, text):
    assert figure(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.00001, "0.00001"), (100000, "100000"), (0.3, "0.3"), (30.0, "30"), (1e-7, "0.0000001"), (0, "0")],
)
def test_settings_are_written_as_they_are_typed(value, text):
    assert exact(value) == text
