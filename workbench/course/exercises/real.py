"""Lesson 7, a real task: how far a discount sees, and what twenty successes prove."""

from __future__ import annotations

from workbench.course.answers import number
from workbench.course.exercise import Compared, Judged, Mistake


def judge_bound(answer: object) -> str:
    """A lower bound for the success rate after 20 of 20: between 0.83 and 0.87, depending on the method."""
    value = float(number("success rate")(answer))
    if 1.0 < value <= 100.0:
        return "A rate lies between 0 and 1 (or write it with a %)."
    if value == 1.0:
        return "A bootstrap says so: it has only ever seen successes. But a policy that fails once in 20 episodes passes this test often."
    if not 0.0 <= value <= 1.0:
        return "A rate lies between 0 and 1."
    if 0.83 <= value <= 0.87:
        return ""
    if value == 0.5:
        return "A coin would give 20 heads once in a million. You can claim more than that."
    if value < 0.83:
        return f"With success rate {value:g} twenty successes would come up with probability {value**20:.1g}: you may claim more."
    return f"A policy with success rate {value:g} makes 20 of 20 with probability {value**20:.2f}: often enough. Claim less, until it is 0.05."


EXERCISES = (
    Compared(
        name="real.horizon",
        ask="With discount γ = 0.995, after how many steps is a reward worth half as much?",
        hints=(
            "You look for n with 0.995ⁿ = 0.5. Take logarithms.",
            "n = log(0.5) / log(0.995).",
        ),
        well="About 138 steps: a maze of several hundred steps needs a discount this close to 1.",
        read=number("steps"),
        right=138.28,
        close=0.02,
        mistakes=(
            Mistake(
                200,
                "1 / (1 − γ) = 200 is the usual rule of thumb for the horizon: there a reward is worth 1/e = 0.37, not a half.",
            ),
            Mistake(69, "That is for γ = 0.99."),
            Mistake(
                100, "0.5 / 0.005 would be right if each step took away 0.005. Each takes away 0.5% of what is left."
            ),
            Mistake(
                -138, "The right size; the number of steps is positive: log(0.5) and log(0.995) are both negative."
            ),
            Mistake(0.5, "That is the worth. The question is after how many steps."),
            Mistake(460, "There a reward is worth a tenth: log(0.1) / log(0.995). A half is asked for."),
            Mistake(0.005, "That is what each step takes away, as a share. How many steps take away half?"),
            Mistake(2, "0.5 / 0.25? Worth falls by 0.5% a step, so it takes far more than two steps."),
            Mistake(60, "That is log10 of one and ln of the other. Use the same logarithm twice."),
        ),
        otherwise="0.995 multiplied with itself n times must give 0.5.",
    ),
    Judged(
        name="real.twenty",
        ask="A policy succeeds in 20 of 20 episodes. Which success rate can you claim with about 95% confidence? "
        "(The rate at which 20 of 20 would happen by luck one time in twenty.)",
        hints=(
            "With success rate p, 20 of 20 happens with probability p²⁰.",
            "p²⁰ = 0.05, so p = 0.05^(1/20).",
        ),
        well="About 0.86. (The rule of three says 1 − 3/20 = 0.85; a two-sided interval ends at 0.83.)",
        judge=judge_bound,
        mistakes=(
            Mistake(1.0, "A bootstrap says so"),
            Mistake(0.95, "Claim less"),
            Mistake(0.5, "A coin"),
            Mistake(86, "A rate lies between 0 and 1"),
            Mistake(0.7, "you may claim more"),
            Mistake(0.0025, "you may claim more"),
            Mistake(0.9, "Claim less"),
            Mistake(-0.86, "A rate lies between 0 and 1"),
            Mistake("sure", "cannot be read"),
        ),
    ),
)
