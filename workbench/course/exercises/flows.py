"""Lesson 2, flows: what the network regresses on, and how the flow is followed."""

from __future__ import annotations

from collections.abc import Callable

import torch

from workbench.course.answers import function
from workbench.course.exercise import Compared, Mistake

Velocity = Callable[[torch.Tensor, float], torch.Tensor]
_generator = torch.Generator().manual_seed(1)
# (noise, data) of several shapes; the last row starts where it ends.
PAIRS = [tuple(torch.randn(2, *shape, generator=_generator)) for shape in ((5, 2), (1, 3), (2, 2))]
PAIRS.append((torch.tensor([[2.0, -1.5], [0.3, 0.4]]), torch.tensor([[-0.5, 0.5], [0.3, 0.4]])))
START = torch.tensor([[0.5, -0.4], [-1.0, 0.2], [0.1, 1.3]])
STEPS = (1, 4, 7, 10)  # ten tenths, added one by one, are less than 1: a loop over the time takes an eleventh step


def v(a: torch.Tensor, t: float) -> torch.Tensor:
    """A velocity that depends on place and time, so that mistakes show."""
    return 0.7 - 0.4 * a + 0.9 * t * t


def euler(v: Velocity, a: torch.Tensor, steps: int) -> torch.Tensor:
    """Follow v from t = 0 to t = 1 in equal steps."""
    for i in range(steps):
        a = a + v(a, i / steps) / steps
    return a


def _late(v: Velocity, a: torch.Tensor, steps: int) -> torch.Tensor:
    for i in range(steps):
        a = a + v(a, (i + 1) / steps) / steps
    return a


def _whole(v: Velocity, a: torch.Tensor, steps: int) -> torch.Tensor:
    for i in range(steps):
        a = a + v(a, i / steps)
    return a


def _short(v: Velocity, a: torch.Tensor, steps: int) -> torch.Tensor:
    for i in range(steps - 1):
        a = a + v(a, i / steps) / steps
    return a


def _count(v: Velocity, a: torch.Tensor, steps: int) -> torch.Tensor:
    for i in range(steps):
        a = a + v(a, i) / steps
    return a


def _clock(v: Velocity, a: torch.Tensor, steps: int) -> torch.Tensor:
    t = 0.0
    while t < 1.0:
        a = a + v(a, t) / steps
        t += 1 / steps
    return a


def _one_more(v: Velocity, a: torch.Tensor, steps: int) -> torch.Tensor:
    for i in range(steps + 1):
        a = a + v(a, i / steps) / steps
    return a


def _first_left_out(v: Velocity, a: torch.Tensor, steps: int) -> torch.Tensor:
    for i in range(1, steps):
        a = a + v(a, i / steps) / steps
    return a


def _to_the_end(v: Velocity, a: torch.Tensor, steps: int) -> torch.Tensor:
    for t in torch.linspace(0, 1, steps).tolist():
        a = a + v(a, t) / steps
    return a


def _clipped(v: Velocity, a: torch.Tensor, steps: int) -> torch.Tensor:
    for i in range(steps):
        a = (a + v(a, i / steps) / steps).clamp(-1, 1)
    return a


def _ten(v: Velocity, a: torch.Tensor, steps: int) -> torch.Tensor:
    return euler(v, a, 10)


def _forgets(v: Velocity, a: torch.Tensor, steps: int) -> torch.Tensor:
    for i in range(steps):
        moved = a + v(a, i / steps) / steps
    return moved


def _back(v: Velocity, a: torch.Tensor, steps: int) -> torch.Tensor:
    for i in range(steps):
        a = a - v(a, i / steps) / steps
    return a


def _frozen(v: Velocity, a: torch.Tensor, steps: int) -> torch.Tensor:
    start = a
    for i in range(steps):
        a = a + v(start, i / steps) / steps
    return a


EXERCISES = (
    Compared(
        name="flows.target",
        ask="Write `target(x0, x1)`: the velocity that carries noise `x0` to the data point `x1` in one unit of time, along a "
        "straight line. It is what the network learns to predict.",
        hints=(
            "Velocity is distance covered, divided by the time it took. The time is 1.",
            "At t = 0 you are at x0, at t = 1 at x1. Differentiate x_t = (1 - t) x0 + t x1 by t.",
        ),
        well="Where you want to be minus where you are. The network sees x_t and t, and must guess this difference.",
        read=function("target(x0, x1)", *PAIRS),
        right=lambda x0, x1: x1 - x0,
        mistakes=(
            Mistake(
                lambda x0, x1: x0 - x1, "The sign is turned round: this velocity leads from the data to the noise."
            ),
            Mistake(lambda x0, x1: x1, "This is the goal, not the velocity: it forgets where the journey begins."),
            Mistake(
                lambda x0, x1: x0, "This is where the journey begins. The velocity is the difference of its two ends."
            ),
            Mistake(
                lambda x0, x1: (x0 + x1) / 2,
                "This is the point half way, a place. A velocity is a difference of places.",
            ),
            Mistake(
                lambda x0, x1: (x1 - x0) / 2,
                "Half of it would get you half way: the journey takes one unit of time, not two.",
            ),
            Mistake(
                lambda x0, x1: (x1 - x0).norm(dim=1),
                "This is the speed alone. A velocity has a direction: keep the (M, 2) rows.",
            ),
            Mistake(
                lambda x0, x1: torch.nn.functional.normalize(x1 - x0, dim=1),
                "You made every velocity one unit long; far goals would not be reached in time. Leave the length as it is.",
            ),
            Mistake(
                lambda x0, x1: (x1 - x0).abs(),
                "Without their signs the numbers no longer say which way to go. Leave out the `abs`.",
            ),
            Mistake(
                lambda x0, x1: (x1 - x0).clamp(-1, 1),
                "Actions are clipped to [-1, 1], velocities are not: noise may be far out and has a long way to go.",
            ),
            Mistake(
                lambda x0, x1: (x1 - x0).mean(0),
                "You took the mean over the pairs. Each pair has a velocity of its own: one row per pair. (The network will find "
                "the mean by itself.)",
            ),
            Mistake(
                lambda x0, x1: (x1 - x0).square().mean(),
                "This is the loss of a network that always answers 0. Only the target is wanted.",
            ),
            Mistake(
                lambda x0, x1: x0 + x1, "This adds the two places. Subtract where you are from where you want to be."
            ),
        ),
        otherwise="Think of a car that must be at x1 after one hour and starts at x0. What does it drive?",
    ),
    Compared(
        name="flows.euler",
        ask="Write `sample(v, a, T)`: follow the velocity `v(a, t)` from noise `a` in T equal Euler steps, from t = 0 to t = 1.",
        hints=(
            "A loop over i = 0 … T - 1. In each turn the time is i / T, and the step covers 1 / T of the journey.",
            "`for i in range(T): a = a + v(a, i / T) / T`, then `return a`.",
        ),
        well="This loop is the behaviour policy. All steering rules of the next lessons are small changes of it.",
        read=function("sample(v, a, T)", *((v, START, steps) for steps in STEPS)),
        right=euler,
        mistakes=(
            Mistake(_whole, "Each step has the full velocity: T steps go T times too far. Divide by T."),
            Mistake(_late, "Your time runs from 1/T to 1. Euler's step uses the velocity at its beginning: t = i / T."),
            Mistake(
                _short,
                "The last step is missing: `range(T)` has T turns, the last one with i = T - 1. `range(T - 1)` has one less.",
            ),
            Mistake(
                _clock,
                "For T = 10 you take eleven steps: ten times 0.1, added up by a computer, is 0.9999…, still below 1. Count the steps "
                "with `range(T)` and take t = i / T.",
            ),
            Mistake(
                _one_more,
                "One step too many: `range(T + 1)` and `while t <= 1` take T + 1 steps. The last step begins at t = (T - 1) / T.",
            ),
            Mistake(_first_left_out, "The first step is missing: `range(1, T)` begins at t = 1 / T. Begin at i = 0."),
            Mistake(
                _to_the_end,
                "`linspace(0, 1, T)` has its last time at 1, where no step begins, and its steps are 1 / (T - 1) apart. Take t = i / T.",
            ),
            Mistake(
                _clipped,
                "You clip at every step. On its way a particle may be outside [-1, 1], the noise is; this loop clips nothing.",
            ),
            Mistake(_ten, "You always take 10 steps. Take T."),
            Mistake(
                _forgets,
                "Each turn begins again at the noise: the new place is kept under another name. Write it back into `a`.",
            ),
            Mistake(
                _count, "You passed the number of the step as the time. The time is i / T, from 0 to just under 1."
            ),
            Mistake(_back, "You walk against the velocity. Add it."),
            Mistake(_frozen, "The velocity is always asked at the start. Ask it where the particle is now."),
            Mistake(
                lambda v, a, steps: a + v(a, 0.0),
                "That is a single step of length 1. The velocity changes on the way: take T short ones.",
            ),
        ),
        otherwise="Look at the loop: which time does the field get, where is it asked, and how long is a step?",
    ),
)
