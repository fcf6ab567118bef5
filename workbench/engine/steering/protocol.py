"""What a steering rule is.

A rule is a frozen, validated set of settings with three pure methods: ``init`` places the particles, ``step`` moves
them one tick, ``ticks`` says how often. Three shapes cover the family: `DuringFlow` adds a push to the velocity at each
denoising step, `AfterFlow` lets the flow finish and then moves the clean particles, `OneJump` maps noise to an action by a
policy that was trained for it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from workbench.engine.models.critic import Aggregate
from workbench.engine.models.parts import Parts, q_gradient, velocity_at
from workbench.engine.steering.ascent import Moments
from workbench.engine.steering.loop import Loop
from workbench.engine.steering.pick import Pick


def setting(
    default: Any,
    meaning: str,
    *,
    unit: str = "",
    low: float | None = None,
    high: float | None = None,
    log: bool = False,
    later: bool = False,
) -> Any:
    """Declare one setting of a rule: its default, bounds, unit, meaning, and whether a slider for it is logarithmic.

    A ``later`` one came after jobs had been named by all settings of their rule: `Rule.written` leaves it out at its default.
    """
    about: dict[str, Any] = {"unit": unit, "log": log, "later": later}
    return Field(default, ge=low, le=high, description=meaning, json_schema_extra=about)


SettingValue = bool | int | float | str  # the value of one field of a rule


class State(NamedTuple):
    """What the next step needs.

    Attributes
    ----------
    actions : Tensor
        (B, N, D), the particles.
    rows : Tensor
        (B·N, S), each state's observation once per particle.
    tick : int
        Steps taken so far.
    moments : Moments or None
        Adam's moments, for rules that use them.
    extra : Tensor or None
        (B, N, M, D), the noise of rules that draw samples on the way.
    kept : Tensor or None
        (B, N), which of the particles that began these are, ascending; None: all of them (see `Pruned`).
    """

    actions: Tensor
    rows: Tensor
    tick: int
    moments: Moments | None = None
    extra: Tensor | None = None
    kept: Tensor | None = None


class Info(NamedTuple):
    """What a reader wants to know about one tick.

    Attributes
    ----------
    time : float
        Flow time t in [0, 1] after the tick; it stays 1 while clean particles are moved.
    push : Tensor or None
        (B, N, D), the part of the movement that the critic caused; None where there was none.
    terms : dict of str to Tensor
        (B, N, D) each, by name: the terms whose sum made the movement; of clean actions the direction, which the ascent
        turned into a step.
    q : Tensor or None
        (B, N), Q at ``query``.
    query : Tensor or None
        (B, N, D), where the critic was asked for its gradient.
    unclipped : Tensor or None
        (B, N, D), where the tick led before it was clipped; None where nothing was clipped. A clip makes ±1 of an infinite
        number, so this is where `finite` looks.
    """

    time: float
    push: Tensor | None = None
    terms: dict[str, Tensor] = {}
    q: Tensor | None = None
    query: Tensor | None = None
    unclipped: Tensor | None = None


class Rule(BaseModel, ABC):
    """A steering rule with its settings.

    The docstring of each gives its equation, source, departures from the published code, and cost. Costs are network rows
    per particle and decision; the pick by value asks the critic once more for each of several particles. T, L, N and M are
    the settings ``flow_steps``, ``steps``, ``particles`` and ``samples``.

    Class attributes that every concrete rule states: ``name``, ``title``, ``paper``, ``equation`` (LaTeX), ``needs``
    (parts), ``strength`` (the setting that says how far to go), ``bc_at`` (settings at which the rule equals ``bc``
    exactly; None for methods whose strength is set in training, where ``trained_strength`` names the training setting).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: ClassVar[str]
    title: ClassVar[str]
    paper: ClassVar[str]
    equation: ClassVar[str]
    needs: ClassVar[tuple[str, ...]] = ("reference", "critic")
    strength: ClassVar[str]
    bc_at: ClassVar[dict[str, Any] | None]
    trained_strength: ClassVar[str | None] = None

    flow_steps: int = setting(10, "Euler steps T of the behaviour flow", unit="steps", low=1, high=100)
    particles: int = setting(1, "candidate actions N drawn per state", unit="particles", low=1, high=1024, log=True)
    pick: Pick = setting("greedy", "which particle becomes the action: arg max Q, softmax of Q, or any")
    temperature: float = setting(
        1.0, "softmax pick: Q differences below this count as ties", unit="Q", low=1e-4, high=1e4, log=True
    )
    critic: Literal["target", "online"] = setting("target", "the EMA target critic or the online one")
    aggregate: Aggregate = setting("min", "how the ensemble's members are combined for the gradient")
    pick_aggregate: Aggregate = setting("min", "how the ensemble's members are combined for the pick")
    pessimism: float = setting(
        0.0,
        "pessimism ρ: standard deviations of the critic's members that are taken off where they are combined by their mean",
        low=0.0,
        high=100.0,
        log=True,
        later=True,
    )

    @classmethod
    def describe(cls) -> dict[str, Any]:
        """Everything that a list of rules shows, as plain types: names, equation, needs, settings with their bounds."""
        settings = []
        for name, schema in cls.model_json_schema()["properties"].items():
            item = {
                "name": name,
                "default": schema["default"],
                "unit": schema.get("unit", ""),
                "meaning": schema["description"],
            }
            if "minimum" in schema:
                item |= {"low": schema["minimum"], "high": schema["maximum"], "log": schema["log"]}
            if "enum" in schema:
                item["choices"] = schema["enum"]
            settings.append(item | {"type": schema["type"]})
        about = {"name": cls.name, "title": cls.title, "paper": cls.paper, "equation": cls.equation}
        return about | {"needs": list(cls.needs), "strength": cls.strength, "settings": settings}

    def written(self) -> dict[str, SettingValue]:
        """The settings as jobs write them down: a later one only where it is not at its default, so that old jobs keep their
        names.
        """
        later = {
            name: field.default
            for name, field in type(self).model_fields.items()
            if isinstance(field.json_schema_extra, dict) and field.json_schema_extra.get("later")
        }
        everything = self.model_dump(mode="json")
        return {name: value for name, value in everything.items() if name not in later or value != later[name]}

    @abstractmethod
    def ticks(self) -> int:
        """Number of steps from noise to the end."""

    @abstractmethod
    def step(self, parts: Parts, observations: Tensor, state: State) -> tuple[State, Info]:
        """Move the particles by one tick; pure."""

    def loop(self, particles: int) -> Loop | None:
        """The decision for that many particles, where it is a `Loop`; only the very class that says so is believed."""
        return None

    def extra_draws(self) -> int:
        """M: normal vectors per particle that the rule needs beside the one where it begins (`Noise.extra`)."""
        return 0

    def flows(self) -> tuple[str, ...]:
        """The parts that are flows which the rule samples, where a chunk that is partly decided can be completed: the behaviour
        flow, and its average where training kept one.
        """
        return ("reference", "target_reference")

    def init(self, parts: Parts, observations: Tensor, start: Tensor, extra: Tensor | None = None) -> State:
        """Place the particles at ``start`` (B, N, D) for normalised ``observations`` (B, S)."""
        n = start.shape[1]
        return State(start, observations if n == 1 else observations.repeat_interleave(n, 0), 0, extra=extra)

    def critic_gradient(self, parts: Parts, rows: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
        """Q (B, N) and ∇_a Q (B, N, D) of the summed, aggregated critic at ``actions`` (B, N, D)."""
        flat = actions.flatten(0, 1)
        q, grad = q_gradient(parts.pick_critic(self.critic), rows, flat, self.aggregate, self.pessimism)
        return q.view(actions.shape[:2]), grad.view(actions.shape)

    def velocity(self, parts: Parts, rows: Tensor, actions: Tensor, t: float) -> Tensor:
        """The behaviour flow's velocity (B, N, D) at ``actions`` (B, N, D) and time ``t``, for a step of 1/T from there."""
        return velocity_at(parts.reference, rows, actions.flatten(0, 1), t, self.until(t)).reshape(actions.shape)

    def until(self, t: float) -> float:
        """Where the flow's step ends that begins at time ``t``."""
        return min(1.0, t + 1.0 / self.flow_steps)

    def denoise(self, parts: Parts, state: State) -> tuple[State, Info]:
        """One unguided Euler step; the last one clips to [-1, 1]."""
        t, delta = state.tick / self.flow_steps, 1.0 / self.flow_steps
        v = delta * self.velocity(parts, state.rows, state.actions, t)
        moved, unclipped = state.actions + v, None
        if state.tick == self.flow_steps - 1:
            unclipped, moved = moved, moved.clamp(-1.0, 1.0)
        info = Info(t + delta, None, {"velocity": v}, unclipped=unclipped)
        return state._replace(actions=moved, tick=state.tick + 1), info


class DuringFlow(Rule):
    """Rules that push while the action is being denoised: a ← a + δ (v + w g), clipped at the end.

    Source: methods.md, section 5.
    """

    strength: ClassVar[str] = "weight"
    bc_at: ClassVar[dict[str, Any] | None] = {"weight": 0.0, "particles": 1}
    weight: float = setting(
        0.3,
        "guidance weight w = 1/β: how hard the critic's gradient pushes",
        unit="action² / Q",
        low=0.0,
        high=1e4,
        log=True,
    )

    @abstractmethod
    def guidance(
        self, parts: Parts, rows: Tensor, actions: Tensor, velocity: Tensor, t: float
    ) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """Return the direction g (B, N, D); Q (B, N); and the actions (B, N, D) at which the critic gave that Q. The
        last two are None for a rule that asks no critic.

        Rules with `extra_draws` take ``extra`` (B, N, M, D) besides.
        """

    def guided(
        self, parts: Parts, rows: Tensor, actions: Tensor, velocity: Tensor, t: float, extra: Tensor | None
    ) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """`guidance`, which gets the extra noise where the rule asks for it."""
        more: dict[str, Any] = {"extra": extra} if self.extra_draws() else {}
        return self.guidance(parts, rows, actions, velocity, t, **more)

    def finish(self, parts: Parts, rows: Tensor, actions: Tensor, t: float) -> Tensor:
        """Take the remaining unguided Euler steps from ``actions`` (B, N, D) at time ``t``, and clip: (B, N, D)."""
        for i in range(round(t * self.flow_steps), self.flow_steps):
            actions = actions + self.velocity(parts, rows, actions, i / self.flow_steps) / self.flow_steps
        return actions.clamp(-1.0, 1.0)

    def ticks(self) -> int:
        """T."""
        return self.flow_steps

    def step(self, parts: Parts, observations: Tensor, state: State) -> tuple[State, Info]:
        """One guided Euler step. With weight 0 it is exactly the unguided step, and the critic is not called."""
        if self.weight == 0.0:
            return self.denoise(parts, state)
        delta, t = 1.0 / self.flow_steps, state.tick / self.flow_steps
        v = self.velocity(parts, state.rows, state.actions, t)
        g, q, query = self.guided(parts, state.rows, state.actions, v, t, state.extra)
        push = (delta * self.weight) * g
        moved, unclipped = state.actions + delta * v + push, None
        if state.tick == self.flow_steps - 1:
            unclipped, moved = moved, moved.clamp(-1.0, 1.0)
        info = Info(t + delta, push, {"velocity": delta * v, "guidance": push}, q, query, unclipped)
        return state._replace(actions=moved, tick=state.tick + 1), info


class AfterFlow(Rule):
    """Rules that let the flow finish (T ticks) and then move the clean particles (``steps`` more)."""

    strength: ClassVar[str] = "steps"
    bc_at: ClassVar[dict[str, Any] | None] = {"steps": 0, "particles": 1}
    steps: int = setting(3, "transport steps L after the flow", unit="steps", low=0, high=200)

    @abstractmethod
    def move(self, parts: Parts, state: State) -> tuple[Tensor, State, Info]:
        """Return the step (B, N, D) before clipping, the state with new moments, and the tick's info."""

    def ticks(self) -> int:
        """T + L."""
        return self.flow_steps + self.steps

    def step(self, parts: Parts, observations: Tensor, state: State) -> tuple[State, Info]:
        """One Euler step of the flow, or one transport step clipped to [-1, 1]."""
        if state.tick < self.flow_steps:
            return self.denoise(parts, state)
        step, after, info = self.move(parts, state)
        unclipped = state.actions + step
        moved = unclipped.clamp(-1.0, 1.0)
        info = info._replace(push=moved - state.actions, unclipped=unclipped)
        return after._replace(actions=moved, tick=state.tick + 1), info


class Unguided(Rule):
    """Rules that take the flow as it is: T Euler steps without a push; what is left to them is the choice of the particle."""

    def ticks(self) -> int:
        """T."""
        return self.flow_steps

    def step(self, parts: Parts, observations: Tensor, state: State) -> tuple[State, Info]:
        """One Euler step."""
        return self.denoise(parts, state)


class TrainedFlow(Unguided):
    """Policies that are a flow of their own, steered in training: the part ``field`` is sampled instead of the behaviour flow.

    At test time the number of particles is all that is left to choose; how far training went is ``trained_strength``.
    """

    field: ClassVar[str]
    strength: ClassVar[str] = "particles"
    bc_at: ClassVar[dict[str, Any] | None] = None

    def flows(self) -> tuple[str, ...]:
        """The trained field."""
        return (self.field,)

    def velocity(self, parts: Parts, rows: Tensor, actions: Tensor, t: float) -> Tensor:
        """The trained field's velocity (B, N, D)."""
        return velocity_at(parts.part(self.field), rows, actions.flatten(0, 1), t).reshape(actions.shape)


class OneJump(Rule):
    """Policies that were steered in training: one evaluation takes noise to an action, clipped to [-1, 1].

    At test time the number of particles is all that is left to choose; how far training went is ``trained_strength``.
    """

    strength: ClassVar[str] = "particles"
    bc_at: ClassVar[dict[str, Any] | None] = None

    @abstractmethod
    def jump(self, parts: Parts, rows: Tensor, start: Tensor) -> Tensor:
        """Return actions (M, D), before clipping, at ``rows`` (M, S) from the noise ``start`` (M, D)."""

    def flows(self) -> tuple[str, ...]:
        """None."""
        return ()

    def ticks(self) -> int:
        """One."""
        return 1

    def step(self, parts: Parts, observations: Tensor, state: State) -> tuple[State, Info]:
        """The jump. Nobody knows which part of it the critic caused, so no push is recorded."""
        unclipped = self.jump(parts, state.rows, state.actions.flatten(0, 1)).view(state.actions.shape)
        moved = unclipped.clamp(-1.0, 1.0)
        info = Info(1.0, None, {"jump": moved - state.actions}, unclipped=unclipped)
        return state._replace(actions=moved, tick=1), info
