"""Policies of other conventions as the parts that steering takes: time, prediction, shape, scale and precision.

Each function takes a network (or any callable) and returns another one; nothing is copied, and gradients pass through.
`check_parts` says which one is needed.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Protocol

import torch
from torch import Tensor, nn

from workbench.engine.words import UserError

Velocity = Callable[[Tensor, Tensor, Tensor], Tensor]  # (observations (M, S), actions (M, D), t (M,)) -> (M, D)
Critic = Callable[[Tensor, Tensor], Tensor]  # (observations (M, S), actions (M, D)) -> (M,) or (K, M)
EARLY = 0.05  # flow time from which a schedule counts as one that begins with noise
Prediction = Literal["epsilon", "sample", "v_prediction"]


class Scheduler(Protocol):
    """What is asked of a scheduler of diffusers."""

    alphas_cumprod: Tensor
    config: Any  # a dict with attributes, whose ``prediction_type`` is read


class Adapted(nn.Module):
    """A network behind a function that calls it; it moves to devices and shows its weights as the network does.

    Parameters
    ----------
    inner : callable
        An `nn.Module` becomes a part of this one.
    call : callable
        ``call(*arguments)``, which asks ``inner``.
    """

    def __init__(self, inner: Callable[..., Any], call: Callable[..., Tensor]) -> None:
        super().__init__()
        self.inner = inner
        self._call = call

    def forward(self, *arguments: Tensor) -> Tensor:
        """As ``call``."""
        return self._call(*arguments)


def reversed_time(velocity: Velocity) -> Adapted:
    r"""A flow with t = 0 at the clean action and t = 1 at the noise, as π0 and LeRobot train it.

    .. math:: v(s, x, t) = -v'(s, x, 1 - t)
    """
    return Adapted(velocity, lambda s, a, t: -velocity(s, a, 1.0 - t))


def scaled_time(velocity: Velocity, scale: float = 1000.0) -> Adapted:
    """A flow whose time runs from 0 to ``scale``."""
    return Adapted(velocity, lambda s, a, t: velocity(s, a, scale * t))


def from_diffusion(
    network: Velocity, schedule: Scheduler | Tensor, prediction: Prediction | None = None, *, whole_steps: bool = False
) -> Adapted:
    r"""The velocity field of a diffusion policy that predicts the noise ε, the clean action x₀, or v.

    A diffusion model sees :math:`y = α_τ a + σ_τ ε` at its step τ. Along :math:`x_t = (1 - t) ε + t a` the same mixture of action
    and noise stands at the τ with :math:`σ_τ / α_τ = (1 - t) / t`, where :math:`y = (α_τ + σ_τ) x_t`. So

    .. math:: v(s, x, t) = \hat a - \hat ε, \qquad \hat a = (y - σ \hat ε) / α

    is exact: of the same network, at the same noise. Steps between two of the schedule are interpolated in
    :math:`\log(σ / α)`; before the first and after the last step these are used.

    Parameters
    ----------
    network : callable
        ``network(observations (M, S), y (M, D), step (M,)) -> (M, D)``.
    schedule : Scheduler or Tensor
        A scheduler of diffusers, which has ``alphas_cumprod`` and ``config.prediction_type``; or the tensor ``alphas_cumprod``
        (steps,), α² from almost clean to noise.
    prediction : {"epsilon", "sample", "v_prediction"}, optional
        Needed with a tensor.
    whole_steps : bool
        Ask only at whole steps, the nearest, for networks that look them up in a table. The mixture is then that of the step,
        and the field is exact at the times of these steps.

    Raises
    ------
    ValueError
        No schedule, or a prediction of another kind.
    """
    if isinstance(schedule, Tensor):
        cumulative, found = schedule.detach().double().cpu(), prediction
    else:
        cumulative = schedule.alphas_cumprod.detach().double().cpu()
        found = prediction or schedule.config.prediction_type
    if found not in ("epsilon", "sample", "v_prediction"):
        raise UserError(f"prediction must be 'epsilon', 'sample' or 'v_prediction', got {found!r}")
    if cumulative.dim() != 1 or len(cumulative) < 2 or not bool(((cumulative > 0) & (cumulative < 1)).all()):
        raise UserError(
            "the schedule must be alphas_cumprod, (steps,), each between 0 and 1; one that ends at exactly 0 (zero terminal SNR) "
            "has no clean action to divide by at its last step: leave that step out"
        )
    if not bool((cumulative.diff() < 0).all()):
        raise UserError("alphas_cumprod must fall from step to step: from almost clean to noise")
    farthest = float(((1.0 - cumulative[-1]) / cumulative[-1]).sqrt())
    if 1.0 / (1.0 + farthest) > EARLY:
        warnings.warn(
            f"the schedule ends at σ/α = {farthest:.3g}, before all is noise; below t = {1.0 / (1.0 + farthest):.2g} the "
            "network is asked at its last step, which is not exact",
            UserWarning,
            stacklevel=2,
        )
    return Adapted(network, velocity_of_diffusion(network, cumulative, found, whole_steps=whole_steps))


def velocity_of_diffusion(
    network: Velocity, cumulative: Tensor, found: Prediction, *, whole_steps: bool = False
) -> Velocity:
    """What `from_diffusion` makes of a checked schedule ``cumulative`` (steps,) in double precision and a known prediction."""
    log_ratio = 0.5 * ((1.0 - cumulative) / cumulative).log()  # log σ/α, rising

    def velocity(s: Tensor, x: Tensor, t: Tensor) -> Tensor:
        step, ratio = _step_at(log_ratio, t, whole_steps)
        scale = (1.0 + ratio.square()).rsqrt()  # α
        alpha, sigma = (part.to(x.dtype)[:, None] for part in (scale, scale * ratio))
        y = (alpha + sigma) * x
        said = network(s, y, step)
        if found == "epsilon":
            return (y - sigma * said) / alpha - said
        if found == "sample":
            return said - (y - alpha * said) / sigma
        return (alpha * y - sigma * said) - (sigma * y + alpha * said)  # v = α ε − σ a

    return velocity


def _step_at(log_ratio: Tensor, t: Tensor, whole: bool) -> tuple[Tensor, Tensor]:
    """Steps (M,) of the schedule for the times ``t`` (M,), and σ/α there."""
    known = log_ratio.to(t.device)
    time = t.detach().double().clamp(1e-9, 1.0 - 1e-9)
    wanted = ((1.0 - time) / time).log().clamp(known[0], known[-1])
    right = torch.searchsorted(known, wanted).clamp(1, len(known) - 1)
    share = (wanted - known[right - 1]) / (known[right] - known[right - 1])
    step = right - 1 + share
    if whole:
        step = step.round()
        return step.long(), known[step.long()].exp()
    return step.to(t.dtype), wanted.exp()


def flat_chunks(network: Callable[..., Tensor], steps: int) -> Adapted:
    """A flow or critic over action chunks (M, h, A), where steering has (M, h · A).

    Parameters
    ----------
    network : callable
    steps : int
        h.
    """

    def call(s: Tensor, a: Tensor, *rest: Tensor) -> Tensor:
        said = network(s, a.unflatten(1, (steps, -1)), *rest)
        return said.flatten(1) if said.dim() == 3 and said.shape[1] == steps else said

    return Adapted(network, call)


def standardised(velocity: Velocity, largest: float) -> Adapted:
    r"""A flow over actions of mean 0 and spread 1, as one over actions in [-1, 1].

    Steering keeps actions in [-1, 1], so the flow's own, b, become a = b / R with R = ``largest``, the farthest that b goes in
    the data (in any coordinate). The noise keeps its spread, so that the mixture at time t is the flow's own at
    :math:`u = tc / (1 - t + tc)`, c = 1/R, with :math:`x_u = x / (1 - t + tc)`: exact for one factor that all coordinates share.
    What leaves steering goes back by ``mean + std * R * a``.
    """
    if not largest > 0:
        raise UserError(f"largest must be above 0, got {largest}")
    c = 1.0 / largest

    def call(s: Tensor, x: Tensor, t: Tensor) -> Tensor:
        k = 1.0 - t + t * c
        own = x / k[:, None]
        v = velocity(s, own, t * c / k)  # b − ε of the flow's own mixture
        u = (t * c / k)[:, None]
        action, noise = own + (1.0 - u) * v, own - u * v
        return c * action - noise

    return Adapted(velocity, call)


def dict_observations(network: Callable[..., Tensor], entries: Mapping[str, int]) -> Adapted:
    """A network that takes a dict of observations, where steering has rows (M, S).

    Parameters
    ----------
    network : callable
    entries : mapping of str to int
        Names and widths, in the order of the row; Gymnasium's dicts are read in the order of their sorted names.
    """

    def call(s: Tensor, *rest: Tensor) -> Tensor:
        if s.shape[1] != sum(entries.values()):
            raise UserError(
                f"observations have {s.shape[1]} columns, the entries {sum(entries.values())}: {dict(entries)}"
            )
        return network(dict(zip(entries, s.split(list(entries.values()), 1), strict=True)), *rest)

    return Adapted(network, call)


def in_precision(
    network: Callable[..., Tensor], dtype: torch.dtype, device: torch.device | str | None = None
) -> Adapted:
    """A network in bf16, half or double precision, or on another device, between float32 inputs and results.

    Gradients are those of the network's own precision: bf16 has three digits.
    """

    def call(*arguments: Tensor) -> Tensor:
        home = arguments[-1].device
        said = network(*(x.to(device=device, dtype=dtype) for x in arguments))
        return said.to(device=home, dtype=torch.float32)

    return Adapted(network, call)


def ensemble_last(critic: Critic) -> Adapted:
    """A critic that returns (M, K), one column a member, (M, 1), or (M,)."""

    def call(s: Tensor, a: Tensor) -> Tensor:
        q = critic(s, a)
        return q if q.dim() == 1 else q[:, 0] if q.shape[1] == 1 else q.T

    return Adapted(critic, call)


def ensemble_of(critics: Sequence[Critic]) -> Adapted:
    """K critics of (M,) or (M, 1) each as one that returns (K, M)."""
    members = nn.ModuleList(
        [critic if isinstance(critic, nn.Module) else Adapted(critic, critic) for critic in critics]
    )
    return Adapted(members, lambda s, a: torch.stack([critic(s, a).reshape(len(a)) for critic in members]))


def of_cost(critic: Critic) -> Adapted:
    """A critic of costs: less is better. `Parts` then promises minus the cost."""
    return Adapted(critic, lambda s, a: -critic(s, a))


def categorical(critic: Callable[[Tensor, Tensor], Tensor], atoms: Tensor) -> Adapted:
    """A critic of logits over ``atoms`` (C,): (M, C) or (K, M, C); Q is the mean of the distribution (C51, HL-Gauss)."""

    def call(s: Tensor, a: Tensor) -> Tensor:
        logits = critic(s, a)
        if logits.shape[-1] != len(atoms):
            raise UserError(f"the critic returns {logits.shape[-1]} logits, there are {len(atoms)} atoms")
        return logits.softmax(-1) @ atoms.to(logits)

    return Adapted(critic, call)


def quantiles(critic: Callable[[Tensor, Tensor], Tensor]) -> Adapted:
    """A critic of quantiles, (M, C) or (K, M, C); Q is their mean (QR-DQN, TQC)."""
    return Adapted(critic, lambda s, a: critic(s, a).mean(-1))


def units_of(critic: Critic, low: Tensor, high: Tensor) -> Adapted:
    """A critic that takes actions in units of their own, from ``low`` to ``high`` (D,), where steering has [-1, 1]."""
    if not bool((low < high).all()):
        raise UserError("low must be below high in every action")
    return Adapted(critic, lambda s, a: critic(s, low.to(a) + 0.5 * (a + 1.0) * (high - low).to(a)))
