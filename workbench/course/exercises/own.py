"""Lesson 8, your own: does a policy fit, and is a rule a rule."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from workbench.course.exercise import Judged, Mistake
from workbench.engine.models.parts import Parts
from workbench.engine.steering.noise import draw_noise
from workbench.engine.steering.protocol import DuringFlow, Rule
from workbench.engine.steering.rules import RULES
from workbench.engine.steering.run import steer
from workbench.engine.tasks.bandits import Bandit2D

STATES, PARTICLES = 4, 5


def judge_parts(answer: Any) -> str:
    """Try a policy: one behaviour sample and one guided one, in its own dimensions."""
    if not isinstance(answer, Parts):
        return f"Bundle them first: `wb.Parts(observation_dim, action_dim, reference=v, critic=q)`. Got {type(answer).__name__}."
    if answer.critic is None:
        return "There is no critic in these parts, so nothing can steer: pass critic=q."
    noise = draw_noise(STATES, PARTICLES, answer.action_dim, torch.Generator().manual_seed(0))
    observations = torch.randn(STATES, answer.observation_dim, generator=torch.Generator().manual_seed(1))
    try:
        found = [steer(RULES[name](), answer, observations, noise) for name in ("bc", "qgf")]
    except Exception as error:  # a participant's own code may fail in any way
        return f"Steering with these parts stops: {type(error).__name__}: {error}"
    if not all(bool(torch.isfinite(trace.positions).all()) for trace in found):
        return "Some actions are not finite: look for a division by zero or a logarithm of something negative."
    if torch.equal(found[0].positions, found[1].positions):
        return (
            "The critic moves nothing: its gradient in the action is 0 everywhere. Does it look at the actions at all?"
        )
    return ""


def judge_rule(answer: Any) -> str:
    """What every rule must satisfy: registered, ``bc`` at weight 0, no look at the neighbours, no dice of its own."""
    rule = type(answer) if isinstance(answer, Rule) else answer
    if not (isinstance(rule, type) and issubclass(rule, Rule)):
        return f"A rule is a class that extends `DuringFlow` (or `AfterFlow`); got {answer!r}."
    if not hasattr(rule, "name") or rule in _built_in():
        return "Give the class its own `name`, title, paper and equation: this one belongs to the workbench already."
    if RULES.get(rule.name) is not rule:
        return (
            f"Register it, so that the sliders and the dashboard find it: `wb.RULES['{rule.name}'] = {rule.__name__}`."
        )
    if not issubclass(rule, DuringFlow):
        return ""
    parts, observations = Bandit2D().parts(), torch.zeros(STATES, 1)
    try:
        extra = rule(weight=0.5).extra_draws()
        noise = draw_noise(STATES, PARTICLES, 2, torch.Generator().manual_seed(0), extra)
        still = steer(rule(weight=0.0), parts, observations, noise)
        moved = steer(rule(weight=0.5), parts, observations, noise)
        again = steer(rule(weight=0.5), parts, observations, noise)
        alone = steer(rule(weight=0.5), parts, observations[:1], noise.states(slice(1)))
    except Exception as error:
        return f"Steering with it stops: {type(error).__name__}: {error}"
    if not torch.allclose(still.positions, steer(RULES["bc"](), parts, observations, noise).positions):
        return "At weight 0 it must equal the behaviour flow exactly."
    if torch.equal(still.positions, moved.positions):
        return "At weight 0.5 it moves nothing: `guidance` returns zeros."
    if not torch.isfinite(moved.positions).all():
        return "Some particles ran off: the push is not finite."
    if not torch.equal(moved.positions, again.positions):
        return "Twice the same noise gave two results: a rule draws no random numbers of its own. Noise is an argument."
    if not torch.allclose(moved.positions[:, :1], alone.positions, atol=1e-5):
        return "One state's result depends on the other states of the batch: a mean or a norm goes over too many dimensions. Use dim=-1."
    return ""


def _built_in() -> tuple[type[Rule], ...]:
    return tuple(rule for rule in RULES.values() if rule.__module__.startswith("workbench."))


def _field(observations: Tensor, actions: Tensor, t: Tensor) -> Tensor:
    return -actions


def _parts(critic: Any = None, reference: Any = _field) -> Parts:
    return Parts(3, 2, reference=reference, critic=critic)


class _Named(DuringFlow):
    """A rule that nobody registered."""

    name, title, paper, equation = "course_unregistered", "Unregistered", "", "g"

    def guidance(
        self, parts: Parts, rows: Tensor, actions: Tensor, velocity: Tensor, t: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        """∇Q at a."""
        q, g = self.critic_gradient(parts, rows, actions)
        return g, q, actions


EXERCISES = (
    Judged(
        name="own.parts",
        ask="Bundle your velocity field and your critic as `wb.Parts`, and hand them in.",
        hints=(
            "`v(observations, actions, t)` gets (M, S), (M, D) and (M,), and returns (M, D). `q(observations, actions)` returns (M,).",
            "`wb.Parts(S, D, reference=v, critic=q)`; sum over dim 1 in the critic, so that one number per row remains.",
        ),
        well="They steer. Anything that is callable and differentiable works: your own torch modules too.",
        judge=judge_parts,
        mistakes=(
            Mistake(_field, "Bundle them first"),
            Mistake(_parts(), "There is no critic"),
            Mistake(_parts(lambda s, a: -a.square()), "(M,) or (K, M)"),
            Mistake(_parts(lambda s, a: -a.detach().square().sum(1)), "no gradient in the action"),
            Mistake(_parts(lambda s, a: a.sum(1), lambda s, a, t: a.sum(1)), "must return (M, D)"),
            Mistake(_parts(lambda s, a: 0.0 * a.sum(1)), "moves nothing"),
            Mistake(_parts(lambda s, a: (a - 9.0).log().sum(1)), "not finite"),
        ),
    ),
    Judged(
        name="own.rule",
        ask="Write a steering rule of your own, register it in `wb.RULES`, and hand in the class.",
        hints=(
            "Extend `DuringFlow`, give it a name, a title, a paper and an equation, and write `guidance`.",
            "`guidance` returns three things: the push g (B, N, D), Q (B, N), and the place where the critic was asked (B, N, D).",
        ),
        well="It keeps the promises of every rule: nothing at weight 0, no look at the neighbours, no dice of its own.",
        judge=judge_rule,
        mistakes=(
            Mistake("qgf", "A rule is a class"),
            Mistake(RULES["qgf"], "Give the class its own"),
            Mistake(_Named, "Register it"),
            Mistake(lambda parts: parts, "A rule is a class"),
            Mistake(None, "A rule is a class"),
        ),
    ),
)
