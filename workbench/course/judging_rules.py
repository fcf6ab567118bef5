"""Does a participant's class keep what every rule promises, and is it a rule of its own? (Lesson 8.)"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from workbench.course.stopped import why_stopped
from workbench.engine.models.mixture import MixtureFlow
from workbench.engine.models.parts import Parts
from workbench.engine.steering.finite import NonFiniteError
from workbench.engine.steering.noise import Noise, draw_noise
from workbench.engine.steering.protocol import AfterFlow, DuringFlow, Rule
from workbench.engine.steering.rules import RULES
from workbench.engine.steering.run import steer
from workbench.engine.tasks.bandits import Bandit2D

STATES = 4
PARTICLES = 5


class Family(NamedTuple):
    """What a rule extends, the setting that says how hard it steers, a value of it, and the method to write."""

    base: Any
    strength: str
    on: Any
    body: str
    call: str


FAMILIES = (
    Family(DuringFlow, "weight", 0.5, "guidance", "guidance(self, parts, rows, actions, velocity, t)"),
    Family(AfterFlow, "steps", 3, "move", "move(self, parts, state)"),
)


class LessonSignPush(DuringFlow):
    """The lesson's example, so that it is not handed in unchanged."""

    name, title, paper, equation = "lesson_sign_push", "Sign push", "lesson 8", "sign"

    def guidance(
        self, parts: Parts, rows: Tensor, actions: Tensor, velocity: Tensor, t: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The sign of QGF's gradient."""
        clean = (actions + (1 - t) * velocity).clamp(-1, 1)
        q, g = self.critic_gradient(parts, rows, clean)
        return g.sign(), q, clean


def judge_rule(answer: object) -> str:
    """What every rule must satisfy: registered, ``bc`` at strength 0, no look at the neighbours, no dice of its own."""
    rule = type(answer) if isinstance(answer, Rule) else answer
    if not (isinstance(rule, type) and issubclass(rule, Rule)):
        return f"A rule is a class that extends `DuringFlow` (or `AfterFlow`); got a {type(answer).__name__}."
    family = next((family for family in FAMILIES if issubclass(rule, family.base)), None)
    if family is None:
        return "Extend `DuringFlow` (a push while the flow runs) or `AfterFlow` (steps after it)."
    if rule in _built_in() or rule in (DuringFlow, AfterFlow):
        return "This class belongs to the workbench already. Write one that extends it, with a `name` of its own."
    missing = [
        word for word in ("name", "title", "paper", "equation") if not isinstance(getattr(rule, word, None), str)
    ]
    if missing:
        return f'Say its `{missing[0]}`: a line `{missing[0]} = "..."` in the class. Pages and tables show it.'
    if any(rule.name == other.name for other in _built_in()):
        return f"Give the class its own `name`: '{rule.name}' belongs to the workbench already."
    if inspect.isabstract(rule):
        return f"The class has no `{family.body}` yet. Write it: `def {family.call}:`."
    if RULES.get(rule.name) is not rule:
        return (
            f"Register it, so that the sliders and the dashboard find it: `wb.RULES['{rule.name}'] = {rule.__name__}`."
        )
    body = getattr(rule, family.body)
    if not _takes(body, family.call):
        yours = f"{family.body}{inspect.signature(body)}"
        return f"Write `def {family.call}:`, with these arguments in this order; yours is `{yours}`."
    try:
        return next(filter(None, (_promises(rule, family, *place) for place in _places())), "") or _own(rule, family)
    except Exception as error:  # a participant's own code may fail in any way
        return why_stopped(error, body, "steer(states, particles)", (STATES, PARTICLES))


def _takes(body: Callable[..., Any], call: str) -> bool:
    """Whether a method can be called as ``call``, with ``extra`` besides where it asks for further noise."""
    signature = inspect.signature(body)
    more = {"extra": None} if "extra" in signature.parameters else {}
    try:
        signature.bind(*call.split(","), **more)
    except TypeError:
        return False
    return True


def _set(rule: type[Rule], family: Family, strength: Any) -> Rule:
    settings: dict[str, Any] = {family.strength: strength}
    return rule(**settings)


def _built_in() -> tuple[type[Rule], ...]:
    return tuple(rule for rule in RULES.values() if rule.__module__.startswith("workbench."))


def _places() -> tuple[tuple[Parts, int], ...]:
    """Three places to try a rule in: the lesson's bandit with two seeds, and three action dimensions over two of a state."""
    flow = MixtureFlow(
        torch.tensor([[0.3, 0.1, -0.2], [-0.4, 0.0, 0.3]]), torch.tensor([0.2, 0.2]), torch.tensor([1.0, 1.0])
    )
    wide = Parts(2, 3, flow, lambda s, a: (a * torch.tensor([1.0, -0.5, 0.3])).sum(1) * (1.5 + s[:, 0].tanh()))
    bandit = Bandit2D().parts()
    return (bandit, 0), (bandit, 1), (wide, 2)


def _given(parts: Parts, seed: int, extra: int) -> tuple[Tensor, Noise]:
    generator = torch.Generator().manual_seed(seed)
    observations = torch.randn(STATES, parts.observation_dim, generator=generator)
    return observations, draw_noise(STATES, PARTICLES, parts.action_dim, generator, extra)


def _promises(rule: type[Rule], family: Family, parts: Parts, seed: int) -> str:
    off, on = _set(rule, family, 0), _set(rule, family, family.on)
    observations, noise = _given(parts, seed, on.extra_draws())
    if isinstance(on, DuringFlow):
        wrong = _answer_of(on, parts, observations, noise)
        if wrong:
            return wrong
    try:
        still, moved, again = (steer(steered, parts, observations, noise).positions for steered in (off, on, on))
    except NonFiniteError as error:
        return (
            f"Some particles ran off, the push is not finite: {error}. Is something divided by a length that can be 0?"
        )
    plain = steer(RULES["bc"](), parts, observations, noise).positions
    if still.shape != plain.shape or not torch.allclose(still, plain):
        return f"At {family.strength} 0 it must equal the behaviour flow exactly."
    if torch.equal(moved[-1], still[-1]):
        return f"At {family.strength} {family.on:g} it moves nothing: `{family.body}` returns zeros."
    if not torch.equal(moved, again):
        return "Twice the same noise gave two results: a rule draws no random numbers of its own. Noise is an argument."
    alone = steer(on, parts, observations[:1], noise.states(slice(1))).positions
    if not torch.allclose(moved[:, :1], alone, atol=1e-5):
        return (
            "One state's result depends on the other states of the batch: a mean or a norm goes over too many dimensions. "
            "Use dim=-1."
        )
    return ""


def _answer_of(rule: DuringFlow, parts: Parts, observations: Tensor, noise: Noise) -> str:
    """Ask `guidance` once by itself, and look at what comes back."""
    rows = parts.normalize(observations).repeat_interleave(PARTICLES, 0)
    actions, t = noise.start.clone(), 0.5
    velocity = rule.velocity(parts, rows, actions, t)
    try:
        answer: Any = rule.guided(parts, rows, actions, velocity.clone(), t, noise.extra)
    except Exception as error:  # as above
        return why_stopped(error, rule.guidance, "guidance(rows, actions, velocity, t)", (rows, actions, velocity, t))
    wanted = tuple(noise.start.shape)
    if not isinstance(answer, tuple) or len(answer) != 3:
        kind = f"{len(answer)} things" if isinstance(answer, tuple) else f"a {type(answer).__name__}"
        three = "the push g (B, N, D), Q (B, N), and where the critic was asked (B, N, D)"
        return f"`guidance` returns three things: {three}. Yours returned {kind}."
    push, q, query = answer
    for name, value, shape in (("push", push, wanted), ("Q", q, wanted[:2]), ("place", query, wanted)):
        if value is None and name != "push":
            continue
        if not isinstance(value, Tensor) or tuple(value.shape) != shape:
            got = f"shape {tuple(value.shape)}" if isinstance(value, Tensor) else f"a {type(value).__name__}"
            order = (
                "; the gradient comes second from `critic_gradient`, and first from `guidance`"
                if name in "push Q"
                else ""
            )
            return f"The {name} that `guidance` returns must have shape {shape} here, yours is {got}{order}."
    if not torch.equal(actions, noise.start):
        return "It writes into the actions that it was given. Make a new tensor: `a = a + …`, not `a += …`."
    return ""


def _own(rule: type[Rule], family: Family) -> str:
    """Refuse what moves exactly as a rule that is there already, or as the lesson's example."""
    (parts, seed), *_ = _places()
    on = _set(rule, family, family.on)
    observations, noise = _given(parts, seed, on.extra_draws())
    moved = steer(on, parts, observations, noise).positions
    others: tuple[type[Rule], ...] = (LessonSignPush, *_built_in())
    for other in others:
        if not issubclass(other, family.base) or set(other.needs) - {"reference", "critic"}:
            continue
        there = _set(other, family, family.on)
        if there.extra_draws() != on.extra_draws():
            continue
        if torch.allclose(moved, steer(there, parts, observations, noise).positions, atol=1e-6):
            whose = "the lesson's own example" if other is LessonSignPush else f"{other.title} of the workbench"
            change = "where the critic is asked, or what is made of its answer"
            return f"It moves every particle exactly as {whose}. Change one thing: {change}."
    return ""
