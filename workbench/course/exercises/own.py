"""Lesson 8, your own: does a policy fit, and is a rule a rule."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from workbench.course.exercise import Judged, Mistake
from workbench.course.judging_parts import judge_parts, lesson_critic, lesson_velocity
from workbench.course.judging_rules import judge_rule
from workbench.engine.models.parts import Parts
from workbench.engine.steering.protocol import DuringFlow, OneJump
from workbench.engine.steering.rules import RULES


def _field(observations: Tensor, actions: Tensor, t: Tensor) -> Tensor:
    return -actions


def _parts(critic: Any = None, reference: Any = _field) -> Parts:
    return Parts(3, 2, reference=reference, critic=critic)


def _slope(observations: Tensor, actions: Tensor) -> Tensor:
    return actions.sum(1)


class _Named(DuringFlow):
    """A rule that nobody registered."""

    name, title, paper, equation = "course_unregistered", "Unregistered", "", "g"

    def guidance(
        self, parts: Parts, rows: Tensor, actions: Tensor, velocity: Tensor, t: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        """∇Q at a."""
        q, g = self.critic_gradient(parts, rows, actions)
        return g, q, actions


class _Nameless(DuringFlow):
    """A rule without a name."""


class _Empty(DuringFlow):
    """A rule without a body."""

    name, title, paper, equation = "course_empty", "Empty", "", "g"


class _Borrowed(_Named):
    """A rule under the name of another."""

    name = "qgf"


EXERCISES = (
    Judged(
        name="own.parts",
        ask="Write a velocity field and a critic of your own, bundle them as `wb.Parts`, and hand them in.",
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
            Mistake(_parts(lambda s, a: -a.detach().square().sum(1)), "gradient"),
            Mistake(_parts(lambda s, a: a.sum(1), lambda s, a, t: a.sum(1)), "(M, D)"),
            Mistake(_parts(lambda s, a: 0.0 * a.sum(1)), "gradient"),
            Mistake(_parts(lambda s, a: (a - 9.0).log().sum(1)), "NaN"),
            Mistake(_parts(lambda s, a: s @ a), "do not fit together"),
            Mistake(_parts(lambda s, a: None), "returns nothing"),
            Mistake(_parts(_slope, lambda s, a: -a), "must take 3 arguments"),
            Mistake(_parts(_slope, "v"), "A function is wanted"),
            Mistake(Parts(1, 2, reference=lesson_velocity, critic=_slope), "lesson's own example"),
            Mistake(Parts(1, 2, reference=_field, critic=lesson_critic), "lesson's own example"),
        ),
    ),
    Judged(
        name="own.rule",
        ask="Write a steering rule of your own, register it in `wb.RULES`, and hand in the class.",
        hints=(
            "Extend `DuringFlow`, give it a name, a title, a paper and an equation, and write `guidance`.",
            "`guidance` returns three things: the push g (B, N, D), Q (B, N), and the place where the critic was asked (B, N, D).",
        ),
        well="It keeps the promises of every rule: nothing at strength 0, no look at the neighbours, no dice of its own.",
        judge=judge_rule,
        mistakes=(
            Mistake("qgf", "A rule is a class"),
            Mistake(lambda parts: parts, "A rule is a class"),
            Mistake(Parts, "A rule is a class"),
            Mistake(RULES["qgf"], "belongs to the workbench"),
            Mistake(DuringFlow, "belongs to the workbench"),
            Mistake(OneJump, "Extend `DuringFlow`"),
            Mistake(_Nameless, "Say its `name`"),
            Mistake(_Borrowed, "its own `name`"),
            Mistake(_Empty, "no `guidance` yet"),
            Mistake(_Named, "Register it"),
        ),
    ),
)
