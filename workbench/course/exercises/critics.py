"""Lesson 3, critics: the expectile loss, and what a three-step target is."""

from __future__ import annotations

import torch

from workbench.course.answers import function, number
from workbench.course.exercise import Compared, Mistake

# Differences Q − V of several lengths, with the τ that they are weighed by; τ below 0.5 is allowed too.
PROBES = (
    (torch.tensor([1.5, -0.5, 0.2, -2.0, 0.7]), 0.9),
    (torch.tensor([-1.0, 3.0, 0.0]), 0.6),
    (torch.tensor([-0.4]), 0.95),
    (torch.tensor([0.3, 0.6, -0.1, 1.2]), 0.2),
)


def _weight(u: torch.Tensor, tau: float) -> torch.Tensor:
    return torch.where(u < 0, 1 - tau, torch.full_like(u, tau))


EXERCISES = (
    Compared(
        name="critics.expectile",
        ask="Write `expectile(u, tau)`: the mean over `u` of the squared error, where errors with u ≥ 0 weigh `tau` and errors "
        "with u < 0 weigh `1 - tau`. (`u` is a tensor (M,) of differences: what was seen minus what was said, positive where "
        "the answer was too low.)",
        hints=(
            "Two factors for each u: a weight, which depends on its sign, and the square of u.",
            "`weight = torch.where(u < 0, 1 - tau, tau)`, then the mean of `weight * u**2`.",
        ),
        well="At tau = 0.5 this is half the usual squared error. With tau near 1 an answer that is too high costs next to nothing, "
        "so the answer climbs towards the best values that were seen.",
        read=function("expectile(u, tau)", *PROBES),
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
            Mistake(lambda u, tau: _weight(u, tau) * u**2, "One number for each u is right so far. Take their mean."),
            Mistake(
                lambda u, tau: (_weight(u, tau) * u**2).sum() / _weight(u, tau).sum(),
                "You divided by the sum of the weights. Divide by how many errors there are: a plain mean.",
            ),
            Mistake(
                lambda u, tau: ((_weight(u, tau) * u) ** 2).mean(),
                "The weight is squared too. Square u alone, then weigh.",
            ),
            Mistake(
                lambda u, tau: (tau * u.clamp(min=0) ** 2).mean(),
                "Errors with u < 0 count for nothing here. They weigh 1 - tau: little, but not 0.",
            ),
            Mistake(
                lambda u, tau: (torch.where(u < 0, tau - 1, torch.full_like(u, tau)) * u**2).mean(),
                "Errors with u < 0 get a negative weight: a loss that rewards them. The weight is 1 - tau.",
            ),
            Mistake(
                lambda u, tau: (_weight(u, tau) * u**2).mean() / 2,
                "Half of it. There is no further factor: weight times square, then the mean.",
            ),
            Mistake(
                lambda u, tau: (_weight(u, tau) * u**2).mean().sqrt(),
                "Leave out the root: the loss is the mean of weighted squares.",
            ),
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
            Mistake(8.19, "The reward came at the third step, two steps after the first: 0.9², not 0.9."),
            Mistake(8.91, "V is discounted twice here. The state with V = 10 is reached after three steps: 0.9³."),
            Mistake(7.371, "V is discounted four times here. Three steps lead to its state: 0.9³."),
        ),
        otherwise="Write the sum r1 + γ r2 + γ² r3 + γ³ V and put in the numbers.",
    ),
)
