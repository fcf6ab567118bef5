"""Decisions that are the same step T times: where all of it may be one call into C, it is.

On small networks nearly all of the time of a decision is the way to each of its 2T network evaluations and back.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, NamedTuple

from torch import Tensor, nn
from torch.nn.modules.module import _has_any_global_hook

from workbench.engine.models.critic import CriticEnsemble
from workbench.engine.models.mlp import Mlp, places
from workbench.engine.models.native.decision import Net, Pull, run_decision
from workbench.engine.models.native.operations import knows, may_decide, number_of
from workbench.engine.models.parts import Parts
from workbench.engine.models.velocity import VelocityField

if TYPE_CHECKING:
    from workbench.engine.steering.protocol import Rule


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
    if not may_decide() or _has_any_global_hook() or (loop := loop_of(rule, start.shape[1])) is None:
        return None
    acted, seen = start.shape[2], states.shape[1]
    field: Any = parts.reference
    flow = _plain(field, VelocityField)
    if flow is None or not knows(flow.shape, flow.theta, start, 0):
        return None
    times = field.embed_numbers(_times(rule.flow_steps), start)
    if (flow.shape.inputs, flow.shape.outputs) != (seen + acted + times.shape[1], acted):
        return None
    pull = None
    if loop.weight:
        pull = _pull(rule, parts.pick_critic(rule.critic), loop.weight, start, seen)
        if pull is None:
            return None
    return run_decision(_net(flow), states, start, times, pull)


def _pull(rule: Rule, critic: Any, weight: float, start: Tensor, seen: int) -> Pull | None:
    """What pulls the particles ``start`` (B, N, D) at states of ``seen`` numbers, if C knows it."""
    net = _plain(critic, CriticEnsemble)
    if net is None or not knows(net.shape, net.theta, start, start.shape[0] * start.shape[1]):
        return None
    if (net.shape.inputs, critic.observation_dim) != (seen + start.shape[2], seen):
        return None
    lowest = rule.aggregate == "min"
    return Pull(_net(net), weight, lowest) if lowest or not rule.pessimism else None


def _net(mlp: Mlp) -> Net:
    theta, packed = mlp.theta, mlp.packed
    return Net(number_of(mlp.shape, places), theta, None if packed is None else packed.of(theta))


@functools.cache
def _times(flow_steps: int) -> tuple[float, ...]:
    return tuple(step / flow_steps for step in range(flow_steps))


def _plain(part: Any, kind: type[nn.Module]) -> Mlp | None:
    """The network of our own ``part``, if nobody watches it: a subclass or a hook may do what C does not know."""
    net = part.net if type(part) is kind else None
    return net if type(net) is Mlp and not (_is_watched(part) or _is_watched(net)) else None


def _is_watched(module: nn.Module) -> bool:
    return bool(module._forward_hooks or module._forward_pre_hooks)
