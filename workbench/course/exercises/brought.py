"""Lesson 9, brought along: actions back in the units of a file, and the check that finds a wrong import."""

from __future__ import annotations

from workbench.course.answers import choice, function
from workbench.course.exercise import Compared, Mistake

CHECKS = {
    "a": "The import ended without an error.",
    "b": "The shapes of all arrays are those that the networks need.",
    "c": "At some states, with the same noise, its actions equal those of the code that wrote the file.",
    "d": "Its shift is small.",
    "e": "The critic promises as much as before.",
    "f": "The file has the size and the date that it had.",
}


def _units(a: float, low: float, high: float) -> float:
    return low + (a + 1) / 2 * (high - low)


EXERCISES = (
    Compared(
        name="brought.units",
        ask="Write `to_units(a, low, high)`: the action in the robot's units, where `a` lies between −1, which stands for `low`, "
        "and 1, which stands for `high`.",
        hints=(
            "First bring a from [−1, 1] to [0, 1], then from there to [low, high].",
            "(a + 1) / 2 is how much of the way from low to high has been gone.",
        ),
        well="It is what `box.from_unit` does. Use it on every action before a robot gets it.",
        read=function("to_units(a, low, high)", (0.5, -36.0, 36.0), (-1.0, -28.0, 36.0), (0.25, 0.0, 10.0)),
        right=_units,
        mistakes=(
            Mistake(
                lambda a, low, high: a, "That is the action as the policy gives it. The robot wants its own units."
            ),
            Mistake(
                lambda a, low, high: a * high,
                "Right only where low = −high. The range need not lie around zero: begin at low.",
            ),
            Mistake(
                lambda a, low, high: low + a * (high - low),
                "That would be right for a from 0 to 1. Here a begins at −1: bring it to [0, 1] first.",
            ),
            Mistake(
                lambda a, low, high: 2 * (a - low) / (high - low) - 1,
                "That is the other way, from the robot's units to [−1, 1].",
            ),
            Mistake(
                lambda a, low, high: (low + high) / 2 + a * (high - low),
                "The middle is right, but from there to high it is half of high − low.",
            ),
            Mistake(
                lambda a, low, high: (a + 1) / 2 * (high - low), "The width is right. Now begin at low instead of zero."
            ),
        ),
        otherwise="Try a = −1 and a = 1 on paper: low and high must come out.",
    ),
    Compared(
        name="brought.check",
        ask="You imported a checkpoint. Which check finds a lost normalisation *and* a wrong activation? "
        + " ".join(f"({key}) {text}" for key, text in CHECKS.items()),
        hints=(
            "Look at the three lines that were printed: which of their numbers says for sure that the first import is right?",
            "You need something that the other code says of the same question.",
        ),
        well="Ten states are enough. Do it once for every import, and keep the numbers beside the checkpoint.",
        read=choice(CHECKS),
        right="c",
        mistakes=(
            Mistake("a", "All three imports ended without an error, and two of them were wrong."),
            Mistake("b", "Shapes are checked already. A normalisation and an activation change no shape."),
            Mistake("d", "The wrong imports had small shifts too: each is compared with its own wrong behaviour flow."),
            Mistake("e", "The promise hardly changed, while the return fell: a wrong critic can promise anything."),
            Mistake("f", "Then the file is whole. How it is read is another question."),
        ),
        otherwise="Answer with one letter.",
    ),
)
