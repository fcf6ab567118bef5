"""Lesson 1, first steps: how far a push moves the actions, and how hard to push."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch

from workbench.course.answers import function, number
from workbench.course.exercise import Compared, Judged, Mistake
from workbench.engine.steering.noise import draw_noise
from workbench.engine.steering.rules import make_rule
from workbench.engine.steering.run import steer
from workbench.engine.tasks.bandits import Bandit2D

ROWS = 512
_generator = torch.Generator().manual_seed(0)
BEFORE = torch.randn(6, 2, generator=_generator)
AFTER = BEFORE + 0.45 * torch.randn(6, 2, generator=_generator)


@cache
def _scene() -> tuple[Any, Any, Any]:
    task = Bandit2D()
    return task, task.parts(), draw_noise(ROWS, 1, 2, torch.Generator().manual_seed(3))


def truth_at(weight: float) -> float:
    """Mean true reward of QGF at this weight on the bandit of the lesson."""
    task, parts, noise = _scene()
    trace = steer(make_rule("qgf", weight=weight), parts, torch.zeros(ROWS, 1), noise)
    return float(task.true_reward(trace.actions).mean())


@cache
def best_truth() -> float:
    """The best mean true reward over a fine range of weights."""
    return max(truth_at(10.0 ** (power / 8.0)) for power in range(-16, 17))


def judge_weight(answer: Any) -> str:
    """Try the weight: within 0.02 of the best true reward it is right."""
    weight = float(number("weight")(answer))
    if weight < 0.0:
        return "A negative weight pushes away from what the critic likes. Weights start at 0."
    if weight == 0.0:
        return "At weight 0 nothing is pushed: these are the behaviour policy's own actions. Some push helps."
    if weight > 1e4:
        return "The rule allows weights up to 10000, and the best one is far below that."
    earned, best = truth_at(weight), best_truth()
    if earned >= best - 0.02:
        return ""
    here = f"At {weight:g} the actions really earn {earned:.2f}; {best:.2f} can be had."
    if earned < truth_at(0.0):
        return f"{here} That is even less than without any push: the critic is being exploited. Go down by a lot."
    if truth_at(weight * 1.1) < earned:
        return f"{here} You are past the top of the hill: the Q estimate still rises, the truth falls. Push less."
    return f"{here} You are on the way up: push harder."


EXERCISES = (
    Compared(
        name="first.moved",
        ask="Write `moved(steered, behaviour)`: how far the actions, each of shape (M, 2), were moved on average, in action "
        "units. (The same noise made both, so row i belongs to row i.)",
        hints=(
            "First the difference of each pair of rows, then the length of each difference, then the mean of the lengths.",
            "`(steered - behaviour).norm(dim=1)` gives one length per row.",
        ),
        well="One length per pair, then the mean: this is the displacement that the workbench reports as shift.",
        read=function("moved(steered, behaviour)", (AFTER, BEFORE)),
        right=lambda a, b: (a - b).norm(dim=1).mean(),
        mistakes=(
            Mistake(
                lambda a, b: (a - b).abs().mean(),
                "You averaged the coordinates one by one. A move has a length: the root of the sum of its squared coordinates.",
            ),
            Mistake(
                lambda a, b: (a - b).square().sum(1).mean(),
                "These are squared lengths. Take the root of each one before the mean.",
            ),
            Mistake(
                lambda a, b: (a.mean(0) - b.mean(0)).norm(),
                "You compared the two mean actions. Moves to the left and to the right cancel there; take lengths first, then the mean.",
            ),
            Mistake(
                lambda a, b: (a - b).norm(),
                "`norm()` without `dim=1` takes the length of the whole table. You want one length per row.",
            ),
            Mistake(
                lambda a, b: (a - b).norm(dim=1),
                "These are the right lengths, one per row. Now take their mean.",
            ),
            Mistake(
                lambda a, b: (a - b).norm(dim=1).sum(),
                "You added the lengths. Divide by how many there are: the mean does not grow with the number of particles.",
            ),
            Mistake(
                lambda a, b: (a - b).mean(),
                "Differences with their signs cancel in a mean. Take lengths first.",
            ),
        ),
        otherwise="Difference of each pair, length of each difference, mean of the lengths: one of the three is missing.",
    ),
    Judged(
        name="first.weight",
        ask="Which `weight` makes the actions of QGF really earn the most on `bandit2d`? Within 0.02 of the best reward counts.",
        hints=(
            "Move the slider and watch True reward, not the Q estimate.",
            "It lies between 0.4 and 1.",
        ),
        well="Close to the best there is. Note that the Q estimate could not have told you: it goes on rising past the top.",
        judge=judge_weight,
        mistakes=(
            Mistake(0, "At weight 0 nothing is pushed"),
            Mistake(-1, "negative weight"),
            Mistake(0.05, "push harder"),
            Mistake(100, "even less than without any push"),
            Mistake(1e6, "allows weights up to"),
            Mistake("a lot", "cannot be read"),
        ),
    ),
)
