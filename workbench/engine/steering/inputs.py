"""What `steer` and `act` are given, checked before a network sees it: shapes, kinds of numbers, and nothing empty."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from workbench.engine.models.parts import Parts
from workbench.engine.steering.noise import Noise
from workbench.engine.steering.protocol import Rule
from workbench.engine.words import UserError


def check_inputs(rule: Rule, parts: Parts, observations: Tensor, noise: Noise) -> None:
    """Raise UserError, saying what is wrong and the cure, unless parts, observations and noise fit together."""
    there = parts.available()
    missing = [name for name in rule.needs if name not in there]
    if missing:
        have = ", ".join(there)
        raise UserError(
            f"rule '{rule.name}' needs part '{missing[0]}'; these parts have {have}. "
            f"Train it: workbench fit TASK --out RUN --rule {rule.name}; or pass your own to Parts."
        )
    _check_numbers(rule, observations, noise)
    _check_pessimism(rule)
    if observations.dim() != 2 or observations.shape[1] != parts.observation_dim:
        raise UserError(
            f"observations must be (B, {parts.observation_dim}) for these parts, got {tuple(observations.shape)}; "
            "a single observation needs a leading axis: observations[None]"
        )
    start = noise.start
    if start.dim() != 3 or start.shape[0] != observations.shape[0] or start.shape[2] != parts.action_dim:
        chunk = f" (chunks of h = {parts.chunk} actions of {parts.step_dim})" if parts.chunk > 1 else ""
        raise UserError(
            f"noise.start must be (B, N, D) = ({observations.shape[0]}, N, {parts.action_dim}){chunk}, "
            f"got {tuple(start.shape)}; draw it with draw_noise(states, particles, parts.action_dim, generator)"
        )
    if 0 in start.shape:
        raise UserError(
            f"nothing to steer: noise.start is (B, N, D) = {tuple(start.shape)}; it needs one state, one particle and one "
            "action dimension at least"
        )
    if noise.choice.shape != start.shape[:2]:
        raise UserError(f"noise.choice must be (B, N) = {tuple(start.shape[:2])}, got {tuple(noise.choice.shape)}")
    b, n, d = start.shape
    wanted, extra = rule.extra_draws(), noise.extra
    if wanted and (extra is None or extra.shape != (b, n, max(wanted, *extra.shape[2:3]), d)):
        raise UserError(
            f"rule '{rule.name}' needs noise.extra (B, N, M, D) = ({b}, {n}, {wanted}, {d}), "
            f"got {None if extra is None else tuple(extra.shape)}; draw it with "
            "draw_noise(states, particles, action_dim, generator, extra=rule.extra_draws())"
        )


def _check_pessimism(rule: Rule) -> None:
    """A pessimism that would change nothing is refused."""
    if rule.pessimism and "mean" not in (rule.aggregate, rule.pick_aggregate):
        raise UserError(
            f"pessimism = {rule.pessimism:g} of rule '{rule.name}' is taken off the mean of the critic's members, and these are "
            "combined by their minimum: set aggregate=mean (the gradient), pick_aggregate=mean (the pick), or both"
        )


def _check_numbers(rule: Rule, observations: Any, noise: Any) -> None:
    """Tensors of a kind that can be steered with, and at least one step to take."""
    if not isinstance(observations, Tensor) or observations.is_complex():
        kind = _kind(observations) if isinstance(observations, Tensor) else type(observations).__name__
        raise UserError(f"observations must be a tensor of real numbers (B, S), got {kind}: torch.as_tensor(...)")
    drawn = "draw it with draw_noise(states, particles, action_dim, generator)"
    if not isinstance(noise, Noise):
        raise UserError(f"noise must be a Noise, got {type(noise).__name__}; {drawn}")
    for name, tensor in noise._asdict().items():
        if tensor is not None and not (isinstance(tensor, Tensor) and tensor.is_floating_point()):
            kind = _kind(tensor) if isinstance(tensor, Tensor) else type(tensor).__name__
            raise UserError(f"noise.{name} must be a tensor of floats, got {kind}; {drawn}")
    if rule.flow_steps < 1 or rule.ticks() < 1:
        raise UserError(
            f"rule '{rule.name}' has no step to take: flow_steps is {rule.flow_steps}, ticks() {rule.ticks()}; "
            "both must be at least 1"
        )


def explain_misfit(error: RuntimeError, parts: Parts, observations: Tensor, noise: Noise) -> None:
    """Turn torch's error about tensors that do not fit together into a ValueError that says what to change.

    The cause is looked for only after an error, so a decision that works pays nothing for it.
    """
    weights = {
        f"the weights of part '{name}'": tensor
        for name in parts.available()
        if isinstance(parts.part(name), nn.Module)
        for tensor in (*parts.part(name).parameters(), *parts.part(name).buffers())
        if tensor.is_floating_point()
    }
    given = {"observations": observations, "noise.start": noise.start, "noise.choice": noise.choice}
    if noise.extra is not None:
        given["noise.extra"] = noise.extra
    if parts.normalizer is not None:
        given |= {"the normalizer's mean": parts.normalizer.mean, "the normalizer's std": parts.normalizer.std}
    first = next(iter(weights.items()), ("noise.start", noise.start))
    for name, tensor in (*given.items(), *weights.items()):
        if tensor.device != first[1].device:
            raise UserError(
                f"{name} is on {tensor.device}, {first[0]} on {first[1].device}; move all to one device: "
                f"tensor.to('{first[1].device}'), and draw noise from a generator there"
            ) from error
    for name, tensor in {"noise.start": noise.start, **weights}.items():
        if tensor.dtype != first[1].dtype:
            raise UserError(
                f"{name} is {_kind(tensor)}, {first[0]} {_kind(first[1])}; noise and all parts need one kind of number: "
                "network.float(), and noise from draw_noise(states, particles, action_dim, generator)"
            ) from error
    if "inference tensor" in str(error).lower():
        raise UserError(
            "a part holds tensors that were made inside torch.inference_mode(), which have no gradient; "
            "build or load the parts outside of it"
        ) from error


def _kind(tensor: Any) -> str:
    return str(tensor.dtype).removeprefix("torch.")
