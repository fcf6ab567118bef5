"""Decisions that are the same step T times: where all of it may be one call into C, it is.

On small networks nearly all of the time of a decision is the way to each of its 2T network evaluations and back.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from torch import Tensor, nn
from torch.nn.modules.module import _has_any_global_hook

from workbench.engine.models.critic import CriticEnsemble
from workbench.engine.models.mlp import Mlp, places
from workbench.engine.models.native.decision import Pull, run_decision
from workbench.engine.models.native.operations import knows, may_decide, number_of
from workbench.engine.models.parts import Parts
from workbench.engine.models.velocity import VelocityField

if TYPE_CHECKING:
    from workbench.engine.steering.protocol import Rule

M = TypeVar("M", VelocityField, CriticEnsemble)


class Loop(NamedTuple):
    r"""What a rule of this shape does, T times and for each particle alone, with a clip at the end:

    .. math:: a \leftarrow a + \delta\,(v + w\, \nabla Q(s, \hat a)), \quad \hat a = \mathrm{clip}(a + (1-t)\, v, -1, 1)

    Attributes
    ----------
    weight : float
        w; 0 asks no critic.
    """

    weight: float = 0.0


def loop_of(rule: Rule, particles: int) -> Loop | None:
    """What the rule's own class says. A subclass may have changed any part of it, so it does not inherit the word."""
    return rule.loop(particles) if "loop" in vars(type(rule)) else None


def in_one_call(rule: Rule, parts: Parts, states: Tensor, start: Tensor) -> tuple[Tensor, Tensor] | None:
    """Take the particles ``start`` (B, N, D) to actions at the normalised ``states`` (B, S), if that may be one call.

    Returns
    -------
    (Tensor, Tensor) or None
        Particles (B, N, D), and one number () that is NaN or infinite as soon as one on the way was.
    """
    if not may_decide() or (loop := loop_of(rule, start.shape[1])) is None:
        return None
    rows, seen, inputs = start.shape[0] * start.shape[1], states.shape[1], states.shape[1] + start.shape[2]
    field = _plain(parts.reference, VelocityField)
    if field is None or not knows(field.net.shape, field.net.theta, start, 0):
        return None
    times = field.embed_numbers(_times(rule.flow_steps), start)
    if (field.net.shape.inputs, field.net.shape.outputs) != (inputs + times.shape[1], start.shape[2]):
        return None
    pull = None
    if loop.weight:
        critic = _plain(parts.pick_critic(rule.critic), CriticEnsemble)
        if critic is None or not knows(critic.net.shape, critic.net.theta, start, rows):
            return None
        mean = rule.aggregate == "mean"
        if (critic.net.shape.inputs, critic.observation_dim) != (inputs, seen) or (mean and rule.pessimism):
            return None
        pull = Pull(number_of(critic.net.shape, places), critic.net.theta.detach(), loop.weight, not mean)
    return run_decision(number_of(field.net.shape, places), field.net.theta.detach(), states, start, times, pull)


@functools.cache
def _times(flow_steps: int) -> tuple[float, ...]:
    return tuple(step / flow_steps for step in range(flow_steps))


def _plain(part: object, kind: type[M]) -> M | None:
    """``part``, if it is our own network and nobody watches it: a subclass or a hook may do what C does not know."""
    if type(part) is not kind or type(part.net) is not Mlp or _has_any_global_hook():
        return None
    return None if any(_is_watched(module) for module in (part, part.net)) else part


def _is_watched(module: nn.Module) -> bool:
    return bool(module._forward_hooks or module._forward_pre_hooks)
