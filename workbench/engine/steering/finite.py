"""Numbers that are not finite: one sum says that there are some, a second run of the rule says where and why.

The sum costs some microseconds a decision and can be compiled with the rule; the second run, tick by tick, is paid for only
when something is wrong.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from workbench.engine.models.parts import Parts, q_values
from workbench.engine.settings import allowed
from workbench.engine.steering.noise import Noise
from workbench.engine.steering.protocol import Info, Rule, State, TrainedFlow
from workbench.engine.words import DivergedError

FAR = 1e6  # a particle that is farther out was thrown there; actions live in [-1, 1]
ROOTS = (
    "a square root or a norm has none at 0 (add 1e-12 below the root), nor has a logarithm or a division by 0; "
    "wb.check_parts(parts, observations) tries the parts"
)


class NonFiniteError(DivergedError):
    """A rule met a number that is NaN or infinite.

    Attributes
    ----------
    rule : str
    tick : int or None
        The tick that went wrong, counted from 1; None where the fault lay in an input, or in the choice of the
        particle.
    time : float or None
        Flow time t before that tick.
    row, particle : int or None
        Which of the states, and which of its particles.
    what : str
        What is not finite: "position", "push", "Q", …
    cause : str
        The likely cause, with the cure.
    """

    def __init__(
        self,
        rule: str,
        what: str,
        value: float,
        cause: str,
        row: int | None = None,
        particle: int | None = None,
        tick: int | None = None,
        ticks: int = 0,
        time: float | None = None,
    ) -> None:
        self.rule, self.what, self.cause = rule, what, cause
        self.row, self.particle, self.tick, self.time = row, particle, tick, time
        places = (
            None if tick is None else f"tick {tick} of {ticks}" + ("" if time is None else f" (t = {time:.2f})"),
            None if row is None else f"state {row}",
            None if particle is None else f"particle {particle}",
        )
        where = ", ".join(place for place in places if place)
        super().__init__(f"rule '{rule}'{', ' if where else ''}{where}: {what} is {_word(value)}: {cause}")


def sum_of_all(*groups: list[Tensor]) -> Tensor:
    """The sum of all entries, (): NaN or infinite as soon as one entry is. The tensors of one group have the same
    shape.
    """
    total: Tensor | None = None
    for group in groups:
        if group:
            part = (group[0] if len(group) == 1 else torch.stack(group)).sum()
            total = part if total is None else total + part
    assert total is not None
    return total


@torch.no_grad()
def find_non_finite(rule: Rule, parts: Parts, observations: Tensor, noise: Noise) -> NonFiniteError | None:
    """Run ``rule`` again and stop at the first number that is not finite; None where all are (a sum can overflow)."""
    found = _in_inputs(rule, parts, observations, noise)
    if found is not None:
        return found
    normalized = parts.normalize(observations).to(noise.start.dtype)
    state, ticks = rule.init(parts, normalized, noise.start, noise.extra), rule.ticks()
    for tick in range(ticks):
        before = state
        state, info = rule.step(parts, normalized, state)
        for what, tensor in _of_tick(info, state):
            bad = _first_bad(tensor)
            if bad is None:
                continue
            (row, particle), value = bad
            cause, at = _cause(rule, parts, before, info, what, row, particle)
            time = None if info.time == 1.0 and tick >= rule.flow_steps else tick / max(ticks, 1)
            return NonFiniteError(rule.name, what, value, cause, row, _began(before, row, at), tick + 1, ticks, time)
    b, n = state.actions.shape[:2]
    if n == 1 or rule.pick == "uniform":
        return None
    flat = state.actions.flatten(0, 1)
    q = q_values(parts.pick_critic(rule.critic), state.rows, flat, rule.pick_aggregate, rule.pessimism)
    bad = _first_bad(without_never(q).view(b, n, 1))
    if bad is None:
        return None
    (row, particle), value = bad
    place = _at(state.rows, state.actions, row, particle)
    cause = f"the particle cannot be picked by Q; {_weights(parts, rule) or f'the critic returns it at {place}'}"
    return NonFiniteError(rule.name, "Q", value, cause, row, _began(state, row, particle))


def _began(state: State, row: int, particle: int) -> int:
    """The number of a particle among those that began, where some have been pruned since."""
    return particle if state.kept is None else int(state.kept[row, particle])


def without_never(q: Tensor) -> Tensor:
    """Q with 0 in place of −∞. A critic may say "never this action" by −∞, so that is an answer and no fault."""
    return q.where(q != -math.inf, 0.0)


def unexplained(rule: Rule) -> NonFiniteError:
    """The error for actions that are not finite when a second run of the rule finds nothing wrong."""
    cause = "a second run was finite: the parts answer differently each time; wb.check_parts(parts) says which"
    return NonFiniteError(rule.name, "position", math.nan, cause)


def _in_inputs(rule: Rule, parts: Parts, observations: Tensor, noise: Noise) -> NonFiniteError | None:
    for what, seen, cure in (
        ("the observation", observations, "look at the environment or the data that it came from"),
        ("the normalised observation", parts.normalize(observations), _normalizer(parts)),
    ):
        bad = _first_bad(seen[..., None])
        if bad is not None:
            (row, column), value = bad
            return NonFiniteError(rule.name, f"column {column} of {what}", value, cure, row)
    for name, drawn in noise._asdict().items():
        bad = None if drawn is None else _first_bad(drawn.reshape(*drawn.shape[:2], -1))
        if bad is not None:
            cure = "draw it with draw_noise(states, particles, action_dim, generator)"
            return NonFiniteError(rule.name, f"noise.{name}", bad[1], cure, *bad[0])
    return None


def _normalizer(parts: Parts) -> str:
    if parts.normalizer is not None:
        for name in ("mean", "std"):
            bad = _first_bad(getattr(parts.normalizer, name).reshape(1, -1, 1))
            if bad is not None:
                return f"the normalizer's {name} is {_word(bad[1])} there; take it from the data that the parts were trained on"
    return (
        "the normalizer's std is 0 or too small there, a coordinate that never varies in the data: std.clamp_min(1e-3)"
    )


def _of_tick(info: Info, state: State) -> Iterator[tuple[str, Tensor]]:
    """What a tick made, in an order in which causes come before their effects."""
    for name, term in info.terms.items():
        yield {"guidance": "the push", "jump": "the position"}.get(name, f"the {name}"), term
    if info.push is not None:
        yield "the push", info.push
    if info.q is not None:
        yield "Q", without_never(info.q)[..., None]
    if info.unclipped is not None:
        yield "the position", info.unclipped
    yield "the position", state.actions


def _cause(rule: Rule, parts: Parts, before: State, info: Info, what: str, row: int, particle: int) -> tuple[str, int]:
    """The likely cause with its cure, and the particle that it began with: a kernel hands one's NaN to all of its state."""
    spoilt = _weights(parts, rule)
    if spoilt:
        return spoilt, particle
    reached = float(before.actions[row].abs().max())
    if reached > FAR:
        return f"its particles had been thrown to |a| = {reached:.3g} before that; {_thrower(rule)}", particle
    place = _at(before.rows, before.actions, row, particle)
    if what == "the velocity":
        name = rule.field if isinstance(rule, TrainedFlow) else "reference"
        return (
            f"the velocity field (part '{name}') returns it at {place}; check its output for divisions by 0",
            particle,
        )
    learned = [name for name in rule.needs if name not in ("reference", "critic", "target_critic")]
    part = " or ".join(map(repr, learned))
    if info.query is None:
        source = f"the learned part {part} returns it" if learned else "the rule makes it"
        return f"{source} at {place}; {_outside(rule) or 'look for divisions by 0 in it'}", particle
    if not learned:
        q, gradient = rule.critic_gradient(parts, before.rows, info.query)
        for name, tensor in (("gradient", gradient), ("value", without_never(q)[..., None])):
            bad = _first_bad(tensor[row : row + 1])
            if bad is not None:
                at = _at(before.rows, info.query, row, bad[0][1])
                return f"the critic's {name} is {_word(bad[1])} at {at}: {ROOTS}", bad[0][1]
    if _outside(rule):
        return _outside(rule), particle
    who = (
        f"the value or the gradient of the learned part {' or '.join(map(repr, learned))}"
        if learned
        else "the critic's gradient"
    )
    at = _at(before.rows, info.query, row, particle)
    finite = "is not finite" if learned else "is finite, but not what the flow's Jacobian or the rule makes of it,"
    return f"{who} {finite} at {at}: {ROOTS}", particle


def _thrower(rule: Rule) -> str:
    """What throws particles out of [-1, 1], with the cure."""
    if rule.strength == "weight":
        return _outside(rule) or f"weight = {rule.model_dump()['weight']:g} is too large for this critic: lower it"
    return "the velocity field drives them there; wb.check_parts(parts, observations) tries it"


def _outside(rule: Rule) -> str:
    """A setting beyond its bounds, where a rule was made past `make_rule`, in words; else nothing."""
    properties = type(rule).model_json_schema()["properties"]
    for name, value in rule.model_dump().items():
        schema = properties.get(name, {})
        if "minimum" in schema and not schema["minimum"] <= value <= schema["maximum"]:
            how = "small" if value < schema["minimum"] else "large"
            return f"{name} {value:g} is too {how}{allowed(type(rule), name)}"
    return ""


def _weights(parts: Parts, rule: Rule) -> str:
    """A network whose weights are not finite, in words; else nothing."""
    for name in dict.fromkeys((*rule.needs, "critic", "target_critic")):
        part = parts.part(name) if name in parts.available() else None
        if isinstance(part, nn.Module) and not all(bool(p.isfinite().all()) for p in part.parameters()):
            return (
                f"weights of part '{name}' are not finite: train it again, with a lower learning_rate, or load another"
            )
    return ""


def _first_bad(tensor: Tensor) -> tuple[tuple[int, int], float] | None:
    """Row and particle of the first entry of (B, N, D) that is not finite, and that entry."""
    bad = (~tensor.isfinite()).nonzero()
    if len(bad) == 0:
        return None
    row, particle, column = bad[0].tolist()
    return (row, particle), float(tensor[row, particle, column])


def _at(rows: Tensor, actions: Tensor, row: int, particle: int) -> str:
    """``s = (0, 0.5), a = (1, 1)``, normalised as the networks see it."""
    state = rows[row * actions.shape[1] + particle]
    return f"s = {_numbers(state)}, a = {_numbers(actions[row, particle])}"


def _numbers(vector: Tensor, most: int = 6) -> str:
    shown = [f"{value:.3g}" for value in vector[:most].tolist()]
    return f"({', '.join(shown)}{', …' if len(vector) > most else ''})"


def _word(value: float) -> str:
    return "NaN" if math.isnan(value) else "infinite"
