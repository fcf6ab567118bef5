"""Lesson 4, QGF: the guess at the clean action, and the guided step."""

from __future__ import annotations

import torch

from workbench.course.answers import function, number
from workbench.course.exercise import Compared, Mistake

ACTIONS = torch.tensor([[0.6, -1.4], [2.0, 0.1], [-0.3, 0.4]])
VELOCITY = torch.tensor([[1.1, 0.5], [-0.4, 1.9], [0.2, -0.6]])
GRADIENT = torch.tensor([[0.3, -0.8], [1.2, 0.4], [-0.5, 0.9]])
PROBES = ((ACTIONS, VELOCITY, 0.2), (ACTIONS, VELOCITY, 0.7))

EXERCISES = (
    Compared(
        name="qgf.clean",
        ask="Write `clean(a, v, t)`: QGF's guess at the finished action. From `a` at time `t`, take one single Euler step with "
        "velocity `v` to t = 1, and clip the result to [-1, 1].",
        hints=(
            "How much time is left until t = 1?",
            "`(a + (1 - t) * v).clip(-1, 1)`",
        ),
        well="One step instead of all that remain: it costs nothing, since v is needed anyway.",
        read=function("clean(a, v, t)", *PROBES),
        right=lambda a, v, t: (a + (1 - t) * v).clamp(-1, 1),
        mistakes=(
            Mistake(
                lambda a, v, t: (a + t * v).clamp(-1, 1), "You step by the time that has passed. What remains is 1 − t."
            ),
            Mistake(
                lambda a, v, t: a + (1 - t) * v,
                "The clip is missing: actions live in [-1, 1], and so does what the critic learned.",
            ),
            Mistake(
                lambda a, v, t: (a + v).clamp(-1, 1),
                "A full step of length 1 goes too far once t > 0: only 1 − t is left.",
            ),
            Mistake(
                lambda a, v, t: a.clamp(-1, 1),
                "This is the noisy action itself. Asking the critic there is the rule `noisy`.",
            ),
            Mistake(
                lambda a, v, t: ((1 - t) * (a + v)).clamp(-1, 1),
                "The bracket is in the wrong place: a is kept whole, only v is scaled by 1 − t.",
            ),
            Mistake(
                lambda a, v, t: (a - (1 - t) * v).clamp(-1, 1), "The sign is turned: this goes back towards the noise."
            ),
            Mistake(lambda a, v, t: a.clamp(-1, 1) + (1 - t) * v, "Clip after the step, not before it."),
        ),
        otherwise="From a, with velocity v, for the remaining time 1 − t; then clip.",
    ),
    Compared(
        name="qgf.step",
        ask="Write `step(a, v, g, w, T)`: one guided Euler step of T, with velocity `v`, gradient `g` and weight `w`.",
        hints=(
            "Without guidance it is the flow's own step, a + v / T. Guidance changes the velocity.",
            "The velocity becomes v + w g; the whole of it is divided by T.",
        ),
        well="The gradient is treated as a second velocity. That is all there is to guidance.",
        read=function(
            "step(a, v, g, w, T)", (ACTIONS, VELOCITY, GRADIENT, 0.3, 10), (ACTIONS, VELOCITY, GRADIENT, 2.0, 5)
        ),
        right=lambda a, v, g, w, T: a + (v + w * g) / T,
        mistakes=(
            Mistake(
                lambda a, v, g, w, T: a + v / T + w * g,
                "The push is not divided by T: with twice as many steps it would be twice as strong.",
            ),
            Mistake(lambda a, v, g, w, T: a + v + w * g / T, "The flow's own velocity must be divided by T as well."),
            Mistake(lambda a, v, g, w, T: a + (v - w * g) / T, "This walks down the critic. Uphill is plus."),
            Mistake(lambda a, v, g, w, T: a + (v + g) / T, "The weight is missing."),
            Mistake(lambda a, v, g, w, T: a + v + w * g, "This is T steps in one: divide by T."),
            Mistake(
                lambda a, v, g, w, T: a + w * (v + g) / T,
                "The weight scales the gradient alone; the flow keeps its own speed.",
            ),
            Mistake(lambda a, v, g, w, T: (v + w * g) / T, "This is the change. Add it to where the particle is."),
        ),
        otherwise="a ← a + δ (v + w g), with δ = 1/T.",
    ),
    Compared(
        name="qgf.cost",
        ask="The flow takes T = 10 steps. BPTT asks, at each step, for the gradient through all steps that remain, so it runs the "
        "rest of the flow each time. How many times does it evaluate the velocity to find all gradients of one action? (QGF: 10.)",
        hints=(
            "At the first step 10 steps remain, at the second 9, …",
            "10 + 9 + … + 1.",
        ),
        well="55 forward (65 with the flow's own ten), and as many backward, where QGF needs 10. The number grows with T².",
        read=number("evaluations"),
        right=55,
        mistakes=(
            Mistake(10, "That is QGF. BPTT runs the rest of the flow again at every step."),
            Mistake(100, "As if all 10 steps remained every time. At the second step only 9 are left."),
            Mistake(45, "9 + 8 + … + 1: the first step counts too, with 10."),
            Mistake(
                20, "A forward and a backward run would be enough for one gradient. There is a new one at each step."
            ),
            Mistake(110, "Twice too many: backward passes are not asked for."),
            Mistake(11, "One chain has 10 steps. At each of them the rest is run again."),
        ),
        otherwise="Add up how many steps remain at each of the ten.",
    ),
)
