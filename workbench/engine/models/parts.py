"""What a policy is made of: the protocols that any torch code can satisfy, and the bundle that steering reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from workbench.engine.models.critic import Aggregate, aggregate
from workbench.engine.showing import Shown
from workbench.engine.words import UserError

Pull = Callable[[Tensor], Tensor]  # u (M, D) -> Jᵀ u (M, D)


@runtime_checkable
class Reference(Protocol):
    """A velocity field: any callable v(observations (M, S), actions (M, D), t (M,)) -> (M, D), t in [0, 1]."""

    def __call__(self, observations: Tensor, actions: Tensor, t: Tensor, /) -> Tensor: ...


@runtime_checkable
class StraightLines(Protocol):
    """A velocity field that says whether it leads along straight lines, on which noise and action belong together.

    A field that flow matching learns is the mean over all actions that x may become; on a straight line it may become one.
    """

    is_straight: bool


@runtime_checkable
class Critic(Protocol):
    """A critic: any callable Q(observations (M, S), actions (M, D)) -> (K, M) or (M,), differentiable in the action."""

    def __call__(self, observations: Tensor, actions: Tensor, /) -> Tensor: ...


@runtime_checkable
class GivesGradient(Protocol):
    """A critic that works out its gradient by itself, without an autograd graph."""

    def value_and_grad(self, observations: Tensor, actions: Tensor, how: Aggregate) -> tuple[Tensor, Tensor]:
        """Aggregated Q (M,) and the gradient of its sum (M, D), for rows (M, S) and (M, D)."""
        ...


@runtime_checkable
class GivesPessimisticGradient(Protocol):
    """A critic that works out by itself the gradient of its members' mean less standard deviations of them."""

    def pessimistic_gradient(self, observations: Tensor, actions: Tensor, deviations: float) -> tuple[Tensor, Tensor]:
        """Q (M,), the mean of the members less ``deviations`` standard deviations, and the gradient of its sum (M, D)."""
        ...


@runtime_checkable
class GivesAverage(Protocol):
    """A velocity field that also knows its average over a step, so that one step leads as far as many."""

    def average(self, observations: Tensor, actions: Tensor, t: Any, until: Any, /) -> Tensor:
        """u (M, D) at ``actions`` (M, D) and time ``t``: a + (until - t) u is where the flow is at ``until``."""
        ...

    def average_and_pull(self, observations: Tensor, actions: Tensor, t: Any, until: Any, /) -> tuple[Tensor, Pull]:
        """u (M, D), and the map w -> (∂u/∂a)ᵀ w of vectors (M, D)."""
        ...


class KnowsData(Protocol):
    """A dataset that can say how near its actions are."""

    def measure(self, observations: np.ndarray, actions: np.ndarray) -> Any:
        """Summarise the distances of ``actions`` (B, R, D) at ``observations`` (B, S) from the data's."""
        ...


@dataclass(frozen=True)
class Normalizer:
    """Observation normalisation, stored with the weights: (s - mean) / std, each (S,)."""

    mean: Tensor
    std: Tensor

    def __call__(self, observations: Tensor) -> Tensor:
        """Normalise ``observations`` (..., S)."""
        return (observations - self.mean) / self.std


@dataclass(frozen=True)
class Parts(Shown):
    """The trained (or user-made) parts of a policy.

    Modules are called as they are: put those with dropout or batch normalisation in ``eval()`` mode first.

    Parameters
    ----------
    observation_dim, action_dim : int
        S and D; with action chunks D is that of the whole chunk, ``chunk`` times the environment's.
    reference : Reference
        The behaviour flow's velocity field.
    critic : Critic, optional
        The online critic.
    target_critic : Critic, optional
        Its EMA target; where it is missing, the online critic stands in.
    value : callable, optional
        V(s): (M, S) -> (M,).
    normalizer : Normalizer, optional
        Applied once to every observation that enters `steer` or `act`; the networks see normalised observations.
    reward_scale : float
        Rewards were multiplied by this in training; Q divided by it is in the task's own units.
    discount : float
        γ of the critic, per environment step.
    chunk : int
        h, environment steps of one action: it is h of the environment's actions in a row, played open loop.
    extra : mapping of str to callable
        Further learned parts by the names that rules ask for (``needs``): "robust_critic", "one_step", …; on the command
        line ``workbench fit --rule NAME`` trains those of a rule.
    behaviour_states : Tensor, optional
        (P, S), not normalised: a fixed sample of the states that the behaviour policy visits, where shift is measured. Runs
        bring rows of their dataset; without it `workbench.engine.metrics.visited.behaviour_states` plays the behaviour flow.
    data : KnowsData, optional
        The dataset, ready to be asked how near its actions are (`workbench.engine.metrics.support.DataSupport`); without it
        support is not measured.
    """

    observation_dim: int
    action_dim: int
    reference: Reference
    critic: Critic | None = None
    target_critic: Critic | None = None
    value: torch.nn.Module | None = None
    normalizer: Normalizer | None = None
    reward_scale: float = 1.0
    discount: float = 0.99
    extra: Mapping[str, Any] = field(default_factory=dict)
    chunk: int = 1
    behaviour_states: Tensor | None = None
    data: KnowsData | None = None

    def __post_init__(self) -> None:
        if self.observation_dim < 1 or self.action_dim < 1:
            raise UserError(
                f"observation_dim = {self.observation_dim} and action_dim = {self.action_dim} must both be at least 1; "
                "a policy that sees nothing gets one constant column"
            )
        if self.chunk < 1 or self.action_dim % self.chunk:
            raise UserError(
                f"action_dim = {self.action_dim} is not a chunk of {self.chunk} actions; it must be chunk times the "
                "environment's own number of action dimensions"
            )
        states = self.behaviour_states
        if states is not None and (states.dim() != 2 or states.shape[1] != self.observation_dim or len(states) < 1):
            raise UserError(
                f"behaviour_states must be (P, S) with S = observation_dim = {self.observation_dim} and at least one row, "
                f"got {tuple(states.shape)}"
            )

    @property
    def step_dim(self) -> int:
        """Action dimensions of one environment step: D of the chunk over h."""
        return self.action_dim // self.chunk

    def normalize(self, observations: Tensor) -> Tensor:
        """Return the observations (B, S) as the networks expect them."""
        return observations if self.normalizer is None else self.normalizer(observations)

    @property
    def device(self) -> torch.device:
        """Where the behaviour flow lives (the CPU when it is a plain function)."""
        if isinstance(self.reference, torch.nn.Module):
            for tensor in (*self.reference.parameters(), *self.reference.buffers()):
                return tensor.device
        return torch.device("cpu")

    def available(self) -> tuple[str, ...]:
        """Names of the parts that are present."""
        names = ("reference", "critic", "target_critic", "value")
        return tuple(name for name in names if getattr(self, name) is not None) + tuple(self.extra)

    def part(self, name: str) -> Any:
        """The part ``name``, one of those that every policy has or one of ``extra``.

        Raises
        ------
        UserError
            It is missing; the message says how to get it.
        """
        if name not in self.available():
            raise UserError(
                f"part '{name}' is missing; these parts have {', '.join(self.available())}. "
                f"Train it: workbench fit TASK --out RUN --rule RULE, with a rule that needs '{name}' (workbench rules)"
            )
        return self.extra[name] if name in self.extra else getattr(self, name)

    def pick_critic(self, which: str) -> Critic:
        """Return the online or the target critic (the online one where there is no target)."""
        critic = self.target_critic if which == "target" and self.target_critic is not None else self.critic
        if critic is None:
            raise UserError(
                f"steering needs part 'critic'; these parts have {', '.join(self.available())}. "
                "Pass critic=... to Parts, or train one: workbench fit TASK --out RUN"
            )
        return critic


def velocity_at(
    reference: Reference, observations: Tensor, actions: Tensor, t: float, until: float | None = None
) -> Tensor:
    """Velocity (M, D) of any field at (M, S) and (M, D), all rows at the same time ``t``.

    A field with ``takes_number`` set (ours, which remember the embedding of a number) gets ``t`` itself, others (M,). With
    ``until``, where the step ends that is taken with this velocity, a field that gives averages gives that over the step.

    Raises
    ------
    UserError
        The field returned another shape.
    """
    if until is not None and isinstance(reference, GivesAverage):
        return reference.average(observations, actions, t, until)
    m = actions.shape[0]
    number = getattr(reference, "takes_number", False)
    time: Any = t if number else torch.full((m,), t, dtype=actions.dtype, device=actions.device)
    v = reference(observations, actions, time)
    if v.shape != actions.shape:
        raise UserError(f"the velocity field must return (M, D) = {tuple(actions.shape)}, got {tuple(v.shape)}")
    return v


def velocity_and_pull(
    reference: Reference, observations: Tensor, actions: Tensor, t: float, until: float | None = None
) -> tuple[Tensor, Pull]:
    """Velocity (M, D) of any field, as `velocity_at`, and the map u -> (∂v/∂a)ᵀ u of vectors (M, D) through its Jacobian.

    A field with a method ``value_and_pull`` (ours have one, without an autograd graph) is asked directly.
    """
    if until is not None and isinstance(reference, GivesAverage):
        return reference.average_and_pull(observations, actions, t, until)
    direct = getattr(reference, "value_and_pull", None)
    if direct is not None:
        velocity, own_pull = direct(observations, actions, t)
        return velocity, own_pull
    with torch.enable_grad():
        leaf = actions.detach().requires_grad_()
        v = velocity_at(reference, observations, leaf, t)

    def pull(u: Tensor) -> Tensor:
        if not v.requires_grad:  # the field does not look at the action
            return torch.zeros_like(u)
        grad = torch.autograd.grad(v, leaf, u, retain_graph=True, allow_unused=True, materialize_grads=True)
        return grad[0]

    return v.detach(), pull


def member_values(critic: Critic, observations: Tensor, actions: Tensor) -> Tensor:
    """Q of each member, (K, M), of any critic at (M, S) and (M, D); (M,) and one column (M, 1) count as one member.

    Raises
    ------
    UserError
        The critic returned another shape.
    """
    q, m = critic(observations, actions), actions.shape[0]
    if q.shape not in ((m,), (m, 1)) and (q.dim() != 2 or q.shape[1] != m):
        raise UserError(
            f"the critic must return (M,) or (K, M) with M = {m} rows, got {tuple(q.shape)}; transpose (M, K)"
        )
    return q.reshape(-1, m)


def q_values(critic: Critic, observations: Tensor, actions: Tensor, how: Aggregate, deviations: float = 0.0) -> Tensor:
    """Aggregated Q, (M,), of any critic at (M, S) and (M, D); UserError as `member_values`."""
    return aggregate(member_values(critic, observations, actions), how, deviations)


def q_gradient(
    critic: Critic, observations: Tensor, actions: Tensor, how: Aggregate, deviations: float = 0.0
) -> tuple[Tensor, Tensor]:
    """Aggregated Q (M,) and ∇_a of its sum over rows (M, D), for any critic.

    A critic with a method ``value_and_grad`` (ours have one, without an autograd graph) is asked directly.
    """
    if how == "mean" and deviations:
        if isinstance(critic, GivesPessimisticGradient):
            return critic.pessimistic_gradient(observations, actions, deviations)
    elif (direct := getattr(critic, "value_and_grad", None)) is not None:
        value, grad = direct(observations, actions, how)
        return value, grad
    with torch.enable_grad():
        leaf = actions.detach().requires_grad_()
        q = q_values(critic, observations, leaf, how, deviations)
        grad = torch.autograd.grad(q.sum(), leaf, allow_unused=True)[0] if q.requires_grad else None
    if grad is None:
        raise UserError("the critic has no gradient in the action: it ignores it, detaches it, or turns autograd off")
    return q.detach(), grad
