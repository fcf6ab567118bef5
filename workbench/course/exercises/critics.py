"""Lesson 3, critics: the expectile loss, and what a three-step target is."""

from __future__ import annotations

import torch

from workbench.course.answers import function, number
from workbench.course.exercise import Compared, Mistake

ADVANTAGE = torch.tensor([1.5, -0.5, 0.2, -2.0, 0.7])


def _weight(u, tau):
    return torch.where(u < 0, 1 - tau, torch.full_like(u, tau))


EXERCISES = (
    Compared(
        name="critics.expectile",
        ask="Write `expectile(u, tau)`: the mean over `u` of the squared error, where errors with u ≥ 0 weigh `tau` and errors "
        "with u < 0 weigh `1 - tau`. (u = Q − V: positive where the value is too low.)",
        hints=(
            "Two factors for each u: a weight, which depends on its sign, and the square of u.",
            "`weight = torch.where(u < 0, 1 - tau, tau)`, then the mean of `weight * u**2`.",
        ),
        well="At tau = 0.5 this is half the usual squared error. Near 1 it is nearly blind to values that are too high: V climbs "
        "towards the best actions of the data, without ever asking for an action that is not there.",
        read=function("expectile(u, tau)", (ADVANTAGE, 0.9), (ADVANTAGE, 0.6)),
        right=lambda u, tau: (_weight(u, tau) * u**2).mean(),
        mistakes=(
            Mistake(
                lambda u, tau: (_weight(-u, tau) * u**2).mean(),
                "The two weights are swapped: at tau = 0.9 yours sinks to the worst actions. u ≥ 0 must weigh tau.",
            ),
            Mistake(
                lambda u, tau: (_weight(u, tau) * u.abs()).mean(),
                "You took |u|, which gives quantiles. Expectiles come from u².",
            ),
            Mistake(
                lambda u, tau: (u**2).mean(), "This is the plain squared error: both signs weigh the same. Use tau."
            ),
            Mistake(
                lambda u, tau: (tau * u**2).mean(),
                "Every error weighs tau here. Those with u < 0 should weigh 1 - tau.",
            ),
            Mistake(
                lambda u, tau: (_weight(u, tau) * u**2).sum(),
                "Right weights, but summed. Take the mean, so that the batch size does not matter.",
            ),
            Mistake(
                lambda u, tau: (_weight(u, tau) * u).mean(), "The square is missing: errors of both signs would cancel."
            ),
            Mistake(lambda u, tau: _weight(u, tau) * u**2, "One number per row is right so far. Take their mean."),
        ),
        otherwise="Try u = [1] and u = [-1] at tau = 0.9 by hand: the loss should be 0.9 and 0.1.",
    ),
    Compared(
        name="critics.target",
        ask="Three steps pay 0, 0 and 1, the episode goes on, the discount is 0.9 per step and the state reached after the three "
        "steps has V = 10. What is the three-step target y for Q?",
        hints=(
            "The rewards are discounted one by one; the value at the end by three steps.",
            "y = 0 + 0.9 · 0 + 0.9² · 1 + 0.9³ · 10.",
        ),
        well="0.81 from the reward, 7.29 from the value of what follows. The mask would be 0, and the second part gone, had the "
        "episode ended.",
        read=number(),
        right=8.1,
        mistakes=(
            Mistake(
                0.81,
                "That is the reward's part. The episode goes on, so the value of the last state counts too: add 0.9³ · 10.",
            ),
            Mistake(
                7.29,
                "That is the value's part. Add the rewards on the way, each discounted by its own number of steps.",
            ),
            Mistake(
                10.0, "That is V alone, or 1 + 0.9 · 10: three steps have gone by, so V is discounted three times."
            ),
            Mistake(9.81, "V is discounted once here. Three steps lie between: 0.9³."),
            Mistake(8.29, "The reward came at the third step: two steps after the first, so it is discounted by 0.9²."),
            Mistake(11.0, "Nothing is discounted here: multiply by 0.9 for each step into the future."),
            Mistake(
                8.019, "You discounted the reward three times. The first reward is not discounted, the third twice."
            ),
            Mistake(1.0, "That is the undiscounted reward alone. Discount it, and add what comes after."),
        ),
        otherwise="Write the sum r1 + γ r2 + γ² r3 + γ³ V and put in the numbers.",
    ),
)
