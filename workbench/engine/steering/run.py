"""Running a rule: `steer` keeps everything, `act` keeps nothing."""

from __future__ import annotations

import torch
from torch import Tensor

from workbench.engine.models.parts import Parts, q_values
from workbench.engine.steering.noise import Noise
from workbench.engine.steering.pick import pick_particle
from workbench.engine.steering.protocol import Info, Rule
from workbench.engine.steering.trace import Trace


def check_inputs(rule: Rule, parts: Parts, observations: Tensor, noise: Noise) -> None:
    """Raise ValueError, saying what is wrong and the cure, unless parts, observations and noise fit together."""
    missing = [name for name in rule.needs if name not in parts.available()]
    if missing:
        have = ", ".join(parts.available())
        raise ValueError(
            f"rule '{rule.name}' needs part '{missing[0]}'; these parts have {have}. "
            f"Train it: workbench fit TASK --out RUN --rule {rule.name}; or pass your own to Parts."
        )
    if observations.dim() != 2 or observations.shape[1] != parts.observation_dim:
        raise ValueError(
            f"observations must be (B, {parts.observation_dim}) for these parts, got {tuple(observations.shape)}; "
            "a single observation needs a leading axis: observations[None]"
        )
    start = noise.start
    if start.dim() != 3 or start.shape[0] != observations.shape[0] or start.shape[2] != parts.action_dim:
        chunk = f" (chunks of h = {parts.chunk} actions of {parts.step_dim})" if parts.chunk > 1 else ""
        raise ValueError(
            f"noise.start must be (B, N, D) = ({observations.shape[0]}, N, {parts.action_dim}){chunk}, "
            f"got {tuple(start.shape)}; draw it with draw_noise(states, particles, parts.action_dim, generator)"
        )
    if noise.choice.shape != start.shape[:2]:
        raise ValueError(f"noise.choice must be (B, N) = {tuple(start.shape[:2])}, got {tuple(noise.choice.shape)}")
    b, n, d = start.shape
    wanted, extra = rule.extra_draws(), noise.extra
    if wanted and (extra is None or extra.shape != (b, n, max(wanted, *extra.shape[2:3]), d)):
        raise ValueError(
            f"rule '{rule.name}' needs noise.extra (B, N, M, D) = ({b}, {n}, {wanted}, {d}), "
            f"got {None if extra is None else tuple(extra.shape)}; draw it with "
            "draw_noise(states, particles, action_dim, generator, extra=rule.extra_draws())"
        )


def choose(rule: Rule, parts: Parts, rows: Tensor, actions: Tensor, noise: Noise) -> tuple[Tensor, Tensor | None]:
    """Pick a particle per state, (B,), and return Q (B, N) where it had to be known."""
    b, n = actions.shape[:2]
    if n == 1:
        return torch.zeros(b, dtype=torch.long, device=actions.device), None
    q = None
    if rule.pick != "uniform":
        q = q_values(parts.pick_critic(rule.critic), rows, actions.flatten(0, 1), rule.pick_aggregate).view(b, n)
    return pick_particle(q, noise.choice, rule.pick, rule.temperature), q


@torch.no_grad()
def act(rule: Rule, parts: Parts, observations: Tensor, noise: Noise) -> Tensor:
    """Choose an action per state; the fast path that keeps nothing.

    Parameters
    ----------
    rule : Rule
    parts : Parts
    observations : Tensor
        (B, S), not normalised; any real dtype, the networks see that of the noise.
    noise : Noise
        ``start`` (B, N, D), ``choice`` (B, N), and ``extra`` for rules that ask for it.

    Returns
    -------
    Tensor
        (B, D), in [-1, 1]. Equal to ``steer(...).actions`` for the same noise.
    """
    check_inputs(rule, parts, observations, noise)
    return decide(rule, parts, observations, noise)


def decide(rule: Rule, parts: Parts, observations: Tensor, noise: Noise) -> Tensor:
    """`act` without its checks: tensors in, tensors out, so that it can be compiled."""
    observations = parts.normalize(observations).to(noise.start.dtype)
    state = rule.init(parts, observations, noise.start, noise.extra)
    for _ in range(rule.ticks()):
        state, _ = rule.step(parts, observations, state)
    if state.actions.shape[1] == 1:
        return state.actions[:, 0]
    picked, _ = choose(rule, parts, state.rows, state.actions, noise)
    return state.actions[torch.arange(picked.shape[0], device=picked.device), picked]


@torch.no_grad()
def steer(rule: Rule, parts: Parts, observations: Tensor, noise: Noise, seed: int | None = None) -> Trace:
    """Run a rule and keep every particle position, push and query.

    Parameters and errors as for `act`; ``seed`` is recorded only. The number of particles is that of the noise, so a
    picture may show more of them than the rule's own setting draws.

    Returns
    -------
    Trace
    """
    check_inputs(rule, parts, observations, noise)
    normalized = parts.normalize(observations).to(noise.start.dtype)
    state = rule.init(parts, normalized, noise.start, noise.extra)
    positions, infos = [state.actions], []
    for _ in range(rule.ticks()):
        state, info = rule.step(parts, normalized, state)
        positions.append(state.actions)
        infos.append(info)
    picked, q = choose(rule, parts, state.rows, state.actions, noise)
    if q is None and parts.critic is not None:
        rows = state.rows, state.actions.flatten(0, 1)
        q = q_values(parts.pick_critic(rule.critic), *rows, rule.pick_aggregate).view(noise.choice.shape)
    return Trace(
        positions=torch.stack(positions),
        times=torch.tensor([0.0] + [info.time for info in infos]),
        pushes=_stack([info.push for info in infos], noise.start, 0.0),
        terms=_terms(infos, noise.start),
        queries=_stack([info.query for info in infos], noise.start, float("nan")),
        q_along=_stack([info.q for info in infos], noise.choice, float("nan")),
        q=q,
        picked=picked,
        observations=observations,
        rule=rule.name,
        settings=rule.model_dump(),
        seed=seed,
    )


def _stack(items: list[Tensor | None], like: Tensor, fill: float) -> Tensor:
    """Stack over ticks, (ticks, ...), with ``fill`` where a tick has none."""
    empty = torch.full_like(like, fill)
    return torch.stack([empty if item is None else item for item in items])


def _terms(infos: list[Info], like: Tensor) -> dict[str, Tensor]:
    names = dict.fromkeys(name for info in infos for name in info.terms)
    return {name: _stack([info.terms.get(name) for info in infos], like, 0.0) for name in names}
