"""Lesson 4, QGF: the guess at the clean action, and the guided step."""

from __future__ import annotations

import torch

from workbench.course.answers import function, number
from workbench.course.exercise import Compared, Mistake

ACTIONS = torch.tensor([[0.6, -1.4], [2.0, 0.1], [-0.3, 0.4]])
VELOCITY = torch.tensor([[1.1, 0.5], [-0.4, 1.9], [0.2, -0.6]])
GRADIENT = torch.tensor([[0.3, -0.8], [1.2, 0.4], [-0.5, 0.9]])
PROBES = (
    (ACTIONS, VELOCITY, 0.2),
    (ACTIONS, VELOCITY, 0.7),
    (ACTIONS, VELOCITY, 0.0),
    (ACTIONS[:1], VELOCITY[:1], 0.9),
)
STEPS = (
    (ACTIONS, VELOCITY, GRADIENT, 0.3, 10),
    (ACTIONS, VELOCITY, GRADIENT, 2.0, 5),
    (ACTIONS[:2], VELOCITY[:2], GRADIENT[:2], 0.0, 4),
    (ACTIONS[:1], VELOCITY[:1], GRADIENT[:1], 3.0, 1),
)
# How often the behaviour policy acts in each of several ways, what each is worth, and β.
TILTS = (
    (torch.tensor([0.6, 0.3, 0.1]), torch.tensor([0.0, 1.0, 2.0]), 1.0),
    (torch.tensor([0.5, 0.5]), torch.tensor([-1.0, 0.4]), 0.25),
    (torch.tensor([0.2, 0.0, 0.5, 0.3]), torch.tensor([0.3, 9.0, 0.1, -0.7]), 3.0),
)


def _tilted(p: torch.Tensor, q: torch.Tensor, beta: float) -> torch.Tensor:
    tilted = p * (q / beta).exp()
    return tilted / tilted.sum()


EXERCISES = (
    Compared(
        name="qgf.tilted",
        ask="Write `tilted(p, q, beta)`: people act in n ways with probabilities `p` (n,), worth `q` (n,). Return the "
        "probabilities π* (n,) of the target, p · exp(q / beta), divided by their sum so that they add up to 1.",
        hints=(
            "Two factors for each way to act, then one division by the sum of all.",
            "`x = p * torch.exp(q / beta)`, then `return x / x.sum()`.",
        ),
        well="An action that nobody does (p = 0) keeps the probability 0, whatever it is worth: the target stays within the data.",
        read=function("tilted(p, q, beta)", *TILTS),
        right=_tilted,
        mistakes=(
            Mistake(lambda p, q, beta: p * (q / beta).exp(), "They do not add up to 1 yet: divide by their sum."),
            Mistake(
                lambda p, q, beta: _tilted(p, q, 1 / beta),
                "You multiplied q by beta. A large beta should leave the behaviour policy as it is: divide.",
            ),
            Mistake(
                lambda p, q, beta: _tilted(p, -q, beta), "The sign is turned: bad actions would become more likely."
            ),
            Mistake(
                lambda p, q, beta: torch.softmax(q / beta, 0),
                "The factor p is missing: an action that nobody does would be chosen for its value alone.",
            ),
            Mistake(
                lambda p, q, beta: torch.softmax(p * q / beta, 0),
                "p stands inside the exponential. It multiplies it from outside.",
            ),
            Mistake(
                lambda p, q, beta: (p + (q / beta).exp()) / (p + (q / beta).exp()).sum(),
                "You added the two factors. With a product, an action needs both: people do it, and it is worth something.",
            ),
            Mistake(
                lambda p, q, beta: _tilted(p, q, 1.0), "beta drops out of yours. It divides q, inside the exponential."
            ),
            Mistake(
                lambda p, q, beta: p * torch.softmax(q / beta, 0),
                "You divided the exponentials by their own sum, before the product with p. Divide at the end.",
            ),
            Mistake(
                lambda p, q, beta: p * (q / beta).exp() / (p * (q / beta).exp()).max(),
                "You divided by the largest. Divide by the sum.",
            ),
            Mistake(
                lambda p, q, beta: (p * q / beta) / (p * q / beta).sum(),
                "The exponential is missing. It makes every factor positive, also where q is below 0.",
            ),
        ),
        otherwise="First x = p · exp(q / β), one number for each way to act; then x divided by the sum of x.",
    ),
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
            Mistake(
                lambda a, v, t: a + ((1 - t) * v).clamp(-1, 1), "You clipped the step. Clip the place where it ends."
            ),
            Mistake(lambda a, v, t: (a + (1 - t) * v).clamp(0, 1), "Actions go from −1 to 1, not from 0 to 1."),
            Mistake(
                lambda a, v, t: (a + (1 - t) * v).tanh(),
                "`tanh` bends actions inside the limits too. Clip: what lies in [-1, 1] stays as it is.",
            ),
            Mistake(
                lambda a, v, t: (a + v / (1 - t)).clamp(-1, 1),
                "You divided by the time that is left. Distance is velocity times time.",
            ),
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
        read=function("step(a, v, g, w, T)", *STEPS),
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
            Mistake(
                lambda a, v, g, w, T: (a + (v + w * g) / T).clamp(-1, 1),
                "You clip on the way. Noise may lie outside [-1, 1]; only the finished action is clipped.",
            ),
            Mistake(
                lambda a, v, g, w, T: a + (v + w * torch.nn.functional.normalize(g, dim=1)) / T,
                "You made the gradient one unit long. QGF keeps its length: a steep critic pushes harder.",
            ),
            Mistake(
                lambda a, v, g, w, T: a + (v + g / w) / T if w else a + v / T,
                "You divided by w. w = 1/β is the weight itself: multiply.",
            ),
            Mistake(lambda a, v, g, w, T: a + w * g / T, "The flow's own velocity is missing."),
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
            Mistake(110, "Twice too many: count the runs forward only, not the derivatives backward."),
            Mistake(
                65,
                "You counted the flow's own ten steps too. Those move the action; asked are the runs for the gradients.",
            ),
            Mistake(90, "As if 9 steps remained every time: at the first there are 10, at the last 1."),
            Mistake(1, "There is a gradient at each of the ten steps, and each runs the rest of the flow."),
            Mistake(11, "One chain has 10 steps. At each of them the rest is run again."),
        ),
        otherwise="Add up how many steps remain at each of the ten.",
    ),
)
