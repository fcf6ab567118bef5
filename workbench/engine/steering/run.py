"""Running a rule: `steer` keeps everything, `act` keeps nothing."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from workbench.engine.inference import outside_inference_mode
from workbench.engine.models.encoded import encoded_once
from workbench.engine.models.parts import Parts, q_values
from workbench.engine.steering.finite import find_non_finite, sum_of_all, unexplained
from workbench.engine.steering.inputs import check_inputs, explain_misfit
from workbench.engine.steering.loop import in_one_call
from workbench.engine.steering.noise import Noise
from workbench.engine.steering.pick import pick_particle
from workbench.engine.steering.protocol import Info, Rule, State
from workbench.engine.steering.pruning import everyone
from workbench.engine.steering.trace import Trace


def choose(rule: Rule, parts: Parts, state: State, noise: Noise) -> tuple[Tensor, Tensor | None]:
    """Pick one of the particles that are left at each state, (B,), and return their Q (B, K) where it had to be known."""
    b, n = state.actions.shape[:2]
    if n == 1:
        return torch.zeros(b, dtype=torch.long, device=state.actions.device), None
    q = None if rule.pick == "uniform" else final_q(rule, parts, state)
    choice = noise.choice if state.kept is None else noise.choice.gather(1, state.kept)
    return pick_particle(q, choice, rule.pick, rule.temperature), q


def final_q(rule: Rule, parts: Parts, state: State) -> Tensor:
    """Q (B, K) of the particles that are left, as the pick sees it."""
    flat = state.actions.flatten(0, 1)
    q = q_values(parts.pick_critic(rule.critic), state.rows, flat, rule.pick_aggregate, rule.pessimism)
    return q.view(state.actions.shape[:2])


@outside_inference_mode
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

    Raises
    ------
    UserError
        Parts, observations and noise do not fit together, or there is nothing to do; the words say what to change.
    NonFiniteError
        A number on the way was NaN or infinite; the words say where, and why.
    """
    return checked(decide, rule, parts, observations, noise)


def checked(
    decide: Callable[[Rule, Parts, Tensor, Noise], tuple[Tensor, Tensor]],
    rule: Rule,
    parts: Parts,
    observations: Tensor,
    noise: Noise,
) -> Tensor:
    """Check the inputs, call ``decide`` (compiled or not), check that its actions are finite, and return them."""
    check_inputs(rule, parts, observations, noise)
    try:
        actions, total = decide(rule, parts, observations, noise)
        if not math.isfinite(total):
            _refuse_non_finite(rule, parts, observations, noise, actions)
    except RuntimeError as error:
        explain_misfit(error, parts, observations, noise)
        raise
    return actions


def decide(rule: Rule, parts: Parts, observations: Tensor, noise: Noise) -> tuple[Tensor, Tensor]:
    """`act` without its checks: tensors in, tensors out, so that it can be compiled.

    Returns
    -------
    (Tensor, Tensor)
        Actions (B, D), and one number () that is NaN or infinite as soon as any number on the way was.
    """
    observations = parts.normalize(observations).to(noise.start.dtype)
    whole = in_one_call(rule, parts, observations, noise.start)
    if whole is not None:
        actions, total = whole
        return _chosen(rule, parts, noise, rule.init(parts, observations, actions), total)
    parts, seen = encoded_once(parts, observations)
    state, infos = rule.init(parts, seen, noise.start, noise.extra), []
    for _ in range(rule.ticks()):
        state, info = rule.step(parts, seen, state)
        infos.append(info)
    return _chosen(rule, parts, noise, state, _total(rule, observations, noise, state.actions, infos))


def _chosen(rule: Rule, parts: Parts, noise: Noise, state: State, total: Tensor) -> tuple[Tensor, Tensor]:
    """Actions (B, D), and ``total`` with what the choice added to it."""
    if state.actions.shape[1] == 1:
        return state.actions[:, 0], total
    picked, q = choose(rule, parts, state, noise)
    actions = state.actions[torch.arange(picked.shape[0], device=picked.device), picked]
    return actions, total + _total_of_choice(rule, noise, q)


def _total(rule: Rule, normalized: Tensor, noise: Noise, actions: Tensor, infos: list[Info]) -> Tensor:
    """One number () that is NaN or infinite as soon as any number is from which the particles were made.

    A NaN or an infinity stays in a particle until a clip; so the places before clips are enough, and the end.
    """
    unclipped = [info.unclipped for info in infos if info.unclipped is not None]
    asked = [info.q for info in infos if info.q is not None]
    if any(q.shape[1] != asked[0].shape[1] for q in asked):  # some particles were pruned on the way
        asked = [q.sum() for q in asked]
    end = [actions] if infos[-1].unclipped is None else []
    extra = [noise.extra] if rule.extra_draws() and noise.extra is not None else []
    return sum_of_all([normalized], unclipped, end, asked, extra)


def _total_of_choice(rule: Rule, noise: Noise, q: Tensor | None) -> Tensor | float:
    """The same of what the choice among several particles was made from, Q (B, K) where it had to be known."""
    groups = [[] if q is None else [q], [noise.choice] if rule.pick != "greedy" else []]
    return sum_of_all(*groups) if any(groups) else 0.0


def _refuse_non_finite(rule: Rule, parts: Parts, observations: Tensor, noise: Noise, actions: Tensor) -> None:
    """Raise NonFiniteError, unless it was the sum alone that overflowed."""
    error = find_non_finite(rule, parts, observations, noise)
    if error is None and not bool(actions.isfinite().all()):
        error = unexplained(rule)
    if error is not None:
        raise error


@outside_inference_mode
@torch.no_grad()
def steer(rule: Rule, parts: Parts, observations: Tensor, noise: Noise, seed: int | None = None) -> Trace:
    """Run a rule and keep every particle position, push and query.

    Parameters
    ----------
    rule : Rule
    parts : Parts
    observations : Tensor
        (B, S), not normalised; any real dtype, the networks see that of the noise.
    noise : Noise
        ``start`` (B, N, D), ``choice`` (B, N), and ``extra`` for rules that ask for it. N counts here, not the rule's own
        number of particles: a picture may show more of them.
    seed : int, optional
        Where the noise came from; it is noted in the trace and changes nothing.

    Returns
    -------
    Trace

    Raises
    ------
    ValueError, NonFiniteError
        As `act`.
    """
    check_inputs(rule, parts, observations, noise)
    try:
        trace, total = _record(rule, parts, observations.detach(), noise, seed)
        if not math.isfinite(total):
            _refuse_non_finite(rule, parts, observations, noise, trace.positions)
    except RuntimeError as error:
        explain_misfit(error, parts, observations, noise)
        raise
    return trace


def _record(rule: Rule, parts: Parts, observations: Tensor, noise: Noise, seed: int | None) -> tuple[Trace, Tensor]:
    """The trace, and the number that `decide` returns."""
    normalized = parts.normalize(observations).to(noise.start.dtype)
    parts, shown = encoded_once(parts, normalized)
    state = rule.init(parts, shown, noise.start, noise.extra)
    positions, seen, infos, cut = [state.actions], [], [], noise.choice
    for _ in range(rule.ticks()):
        before = state.kept
        state, info = rule.step(parts, shown, state)
        positions.append(everyone(state.actions, state.kept, positions[-1]))
        seen.append(info)
        infos.append(info if before is None else _of_everyone(info, before, noise))
        if before is None and state.kept is not None and info.q is not None:
            cut = info.q  # the pruned ones' last word
    picked, q = choose(rule, parts, state, noise)
    total = _total(rule, normalized, noise, state.actions, seen) + _total_of_choice(rule, noise, q)
    if q is None and parts.critic is not None:
        q = final_q(rule, parts, state)
    kept = None
    if state.kept is not None:
        q, picked = None if q is None else everyone(q, state.kept, cut), state.kept.gather(1, picked[:, None])[:, 0]
        kept = torch.zeros_like(noise.choice, dtype=torch.bool).scatter(1, state.kept, True)
    trace = Trace(
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
        kept=kept,
    )
    return trace, total


def _of_everyone(info: Info, kept: Tensor, noise: Noise) -> Info:
    """``info`` of the particles ``kept`` as one of all N: the pruned ones are not pushed, and not asked about."""
    still, unknown = torch.zeros_like(noise.start), torch.full_like(noise.start, torch.nan)
    return info._replace(
        push=None if info.push is None else everyone(info.push, kept, still),
        terms={name: everyone(term, kept, still) for name, term in info.terms.items()},
        q=None if info.q is None else everyone(info.q, kept, unknown[..., 0]),
        query=None if info.query is None else everyone(info.query, kept, unknown),
    )


def _stack(items: list[Tensor | None], like: Tensor, fill: float) -> Tensor:
    """Stack over ticks, (ticks, ...), with ``fill`` where a tick has none."""
    empty = torch.full_like(like, fill)
    return torch.stack([empty if item is None else item for item in items])


def _terms(infos: list[Info], like: Tensor) -> dict[str, Tensor]:
    names = dict.fromkeys(name for info in infos for name in info.terms)
    return {name: _stack([info.terms.get(name) for info in infos], like, 0.0) for name in names}
