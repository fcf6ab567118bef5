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


def _clouds(count: int, size: float, shift: tuple[float, float], seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """A cloud pushed by ``shift`` and by noise of ``size``, and the cloud before the push, (count, 2) each."""
    generator = torch.Generator().manual_seed(seed)
    before = torch.randn(count, 2, generator=generator)
    return before + torch.tensor(shift) + size * torch.randn(count, 2, generator=generator), before


# Pushed any way; pushed one way; a single particle; two that moved and three that stayed where they were.
PUSHED = [_clouds(6, 0.45, (0.0, 0.0), 0), _clouds(4, 0.02, (-0.3, -0.4), 1), _clouds(1, 0.3, (0.5, 0.0), 2)]
PUSHED.append((torch.tensor([[0.3, 0.4], [0.0, 0.0], [-0.6, 0.8], [0.1, 0.1], [0.2, 0.0]]), torch.zeros(5, 2)))
PUSHED[-1][0][3:] = 0.0


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


def judge_weight(answer: object) -> str:
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
        return f"{here} You are past the top of the hill: what the critic says still rises, the truth falls. Push less."
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
        well="One length per pair, then the mean. The workbench calls this number the *displacement*.",
        read=function("moved(steered, behaviour)", *PUSHED),
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
            Mistake(
                lambda a, b: (a - b).square().sum(1).mean().sqrt(),
                "The root comes too late: this is the root of the mean squared length, in which far moves count for more. Take the "
                "root of each squared length, then the mean.",
            ),
            Mistake(
                lambda a, b: (a - b).square().mean(1).sqrt().mean(),
                "Inside the root you took the mean of the two squared coordinates. A length needs their sum.",
            ),
            Mistake(
                lambda a, b: (a - b).norm(dim=0).mean(),
                "With `dim=0` you take the length of each column: of all first numbers, and of all second ones. A particle is a "
                "row: `dim=1`.",
            ),
            Mistake(
                lambda a, b: (a - b).abs().sum(1).mean(),
                "You added the absolute coordinates: that is the way along streets at right angles. The straight way is the root "
                "of the sum of squares.",
            ),
            Mistake(
                lambda a, b: (a - b).norm(dim=1).median(), "This is the median of the lengths. The mean is wanted."
            ),
            Mistake(lambda a, b: (a - b).norm(dim=1).max(), "This is the longest move alone. Take the mean of all."),
            Mistake(
                lambda a, b: (a.norm(dim=1) - b.norm(dim=1)).abs().mean(),
                "You compared how far both are from 0. A particle that moves around 0 moves as well: first the difference of the "
                "two rows, then its length.",
            ),
        ),
        otherwise="Difference of each pair, length of each difference, mean of the lengths: one of the three is missing.",
    ),
    Judged(
        name="first.weight",
        ask="Which `weight` makes the actions of QGF really earn the most on `bandit2d`? Within 0.02 of the best reward counts.",
        hints=(
            "Move the slider and watch the true reward, not what the critic says.",
            "It lies between 0.4 and 1.",
        ),
        well="Close to the best there is. What the critic says could not have told you: it goes on rising past the top.",
        judge=judge_weight,
        mistakes=(
            Mistake(0, "At weight 0 nothing is pushed"),
            Mistake(-1, "negative weight"),
            Mistake(0.05, "push harder"),
            Mistake(100, "even less than without any push"),
            Mistake(1e6, "allows weights up to"),
            Mistake("a lot", "cannot be read"),
            Mistake(1.0, "past the top"),
            Mistake(0.2, "push harder"),
            Mistake(True, "A number (weight) is wanted"),
            Mistake([0.3, 0.6], "One number (weight) is wanted, got 2"),
            Mistake(float("inf"), "A finite number"),
        ),
    ),
)
