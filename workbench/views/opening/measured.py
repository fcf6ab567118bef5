"""A sweep of one rule's strength on one task: where the particles go, what they earn, and what the critic promises."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from workbench.engine.digits import exact, rounded
from workbench.engine.metrics.evaluate import evaluate
from workbench.engine.models.parts import Parts
from workbench.engine.steering.finite import NonFiniteError
from workbench.engine.steering.rules import find_rule
from workbench.engine.tasks.abilities import HasTruth
from workbench.engine.tasks.protocol import Task
from workbench.engine.words import UserError
from workbench.views.fields import Field, fields_of
from workbench.views.opening.captions import Caption, captions_of
from workbench.views.question import NOISE_ROWS, Policy, Question, Scene, critic_values, plane

SHIPPED = Path(__file__).parent / "opening.json"
SECONDS = 10.0
FRAMES = 33
DRAWN = 160  # particles
MEASURED = 512
MOST_PARTICLES = 32  # of a group whose best is taken: more leave too few groups to see
EPISODES = 200  # at each strength, where a task pays for episodes only
EXTENT = 1.2
GRID = 40
FAR = 2.2  # it is too far at so many times the shift of the best, once half of the gain is lost
LEAST = 1 / 30  # of the default: a strength below it does nothing that is seen
DIGITS = 3


@dataclass(frozen=True)
class Opening:
    """A sweep from no steering to too far, F frames; numbers are rounded to a thousandth.

    Attributes
    ----------
    task, title, rule : str
        Names of task and rule; the task in words.
    words : tuple of str
        (F,), the strength of every frame, as "weight 0.3".
    strengths, shift, earned, promised : tuple of float
        (F,) each.
    places : tuple of tuple of float
        (F, 2P): where the first P particles end, x before y.
    ground : tuple of tuple of float
        (G, G), the critic's values over [−extent, extent]², the lowest row first.
    wrong : tuple of tuple of float
        (G, G), by how much they exceed the true reward; empty where the task does not know it.
    extent : float
    captions : tuple of Caption
    pace : tuple of (float, float)
        Seconds and the frame that is shown then, in ascending order; in between it is read off the straight line.
    """

    task: str
    title: str
    rule: str
    words: tuple[str, ...]
    strengths: tuple[float, ...]
    shift: tuple[float, ...]
    earned: tuple[float, ...]
    promised: tuple[float, ...]
    places: tuple[tuple[float, ...], ...]
    ground: tuple[tuple[float, ...], ...]
    wrong: tuple[tuple[float, ...], ...]
    extent: float
    captions: tuple[Caption, ...]
    pace: tuple[tuple[float, float], ...]

    @property
    def best(self) -> int:
        """The frame that earns most."""
        return int(np.argmax(self.earned))

    def as_json(self) -> str:
        """One line that `from_json` and the browser read."""
        return json.dumps(asdict(self) | {"captions": [list(one) for one in self.captions]}, separators=(",", ":"))


def from_json(text: str) -> Opening:
    """Invert `Opening.as_json`."""
    found = json.loads(text)
    for name, value in found.items():
        if isinstance(value, list):
            found[name] = tuple(tuple(one) if isinstance(one, list) else one for one in value)
    return Opening(**found | {"captions": tuple(Caption(*one) for one in found["captions"])})


@cache
def shipped() -> Opening:
    """The opening that comes with the package; ``workbench movie --out opening.json`` made it."""
    return from_json(SHIPPED.read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Point:
    """One strength, measured; ``places`` (R, 2) are the chosen actions at the state that is drawn."""

    strength: float
    shift: float
    earned: float
    promised: float
    places: np.ndarray


class Sweeper:
    """Measures one rule at any strength, on the same noise.

    Parameters
    ----------
    source : str
        A built-in task or ``run:NAME``, as links name it.
    task : Task
    parts : Parts
    state : tuple of float
        (S,), where the particles are drawn.
    policy : Policy
        The rule, and the settings that stay.
    seed : int
    """

    def __init__(
        self, source: str, task: Task, parts: Parts, state: tuple[float, ...], policy: Policy, seed: int
    ) -> None:
        kind = find_rule(policy.rule)
        if kind.bc_at is None or kind.strength not in kind.bc_at:
            raise UserError(f"rule {policy.rule} has no strength that can be swept: take one such as qgf or vgf")
        if parts.action_dim != 2:
            raise UserError(
                f"{task.info.title} acts with {parts.action_dim} numbers, and the film draws two: take a task such as bandit2d"
            )
        if kind.strength in policy.settings:
            raise UserError(f"{kind.strength} is what the film sweeps: leave it out of the settings")
        self.field: Field = next(field for field in fields_of(kind) if field.name == kind.strength)
        self.least = float(kind.bc_at[kind.strength])
        self.source, self.title, self.rule = source, task.info.title, policy.rule
        self.quick = isinstance(task, HasTruth)
        settings = dict(policy.settings)
        if kind.strength != "particles":
            settings = {"pick": "uniform"} | settings  # else the pick alone would steer, at no strength at all
        self._kept, self._question = settings, Question(source, (policy,), seed, 0, state)
        self._task, self._parts, self._scene = task, parts, Scene()

    @property
    def stops(self) -> list[float]:
        """Strengths from one that is hardly felt on, in ascending order."""
        floor = self.least if self.field.kind == "whole" else LEAST * float(self.field.default)
        most = MOST_PARTICLES if self.field.name == "particles" else float("inf")
        found = [float(stop) for stop in self.field.stops if floor < stop <= most]
        return found if self.quick or self.field.kind == "whole" else found[::2]

    @property
    def most(self) -> int:
        """Strengths that a sweep measures at most."""
        return len(self.stops) + FRAMES

    def at(self, strength: float) -> Point:
        """Measure one strength; NonFiniteError where the particles run away."""
        value = int(strength) if self.field.kind == "whole" else float(strength)
        policy = Policy(self._question.first.rule, self._kept | {self.field.name: value})
        rule = policy.make()
        shown = MEASURED if rule.particles == 1 else NOISE_ROWS
        answer = self._scene.answer(replace(self._question, policies=(policy,), shown=shown), self._parts, self._task)
        numbers = answer.numbers[1]
        shift, earned, promised = numbers.shift, numbers.earned, numbers.promised
        if earned is None:
            found = evaluate(rule, self._parts, self._task, EPISODES, self._question.seed)
            assert found.promised is not None, "a rule with a strength asks a critic"
            assert found.earned is not None
            shift, earned, promised = found.shift.w2, found.earned.mean, found.promised.mean
        return Point(value, shift, earned, promised, answer.traces[1].actions[:DRAWN].numpy())

    def ground(self, grid: int = GRID) -> np.ndarray:
        """The critic's values (G, G) at the state that is drawn."""
        rule = Policy(self._question.first.rule, self._kept).make()
        state = torch.tensor(self._question.state, dtype=torch.float32)
        how = rule.pick_aggregate, rule.pessimism
        values = critic_values(self._parts, state, plane(EXTENT, grid), rule.critic, *how)
        return values.view(grid, grid).numpy()

    def wrong(self, ground: np.ndarray) -> np.ndarray:
        """By how much ``ground`` (G, G) exceeds the true reward inside the box; (0, 0) where the task does not know it."""
        if not isinstance(self._task, HasTruth):
            return np.zeros((0, 0))
        actions = plane(EXTENT, len(ground))
        outside = (actions.abs().amax(1) > 1.0).view(len(ground), -1).numpy()
        truth = torch.as_tensor(self._task.true_reward(actions)).view(len(ground), -1).numpy()
        return np.where(outside, 0.0, ground - truth)


def rough(sweeper: Sweeper, tell: Callable[[float], None]) -> list[Point]:
    """No steering, and stops up to the end: far beyond the best, with half of its gain lost; else the last that holds."""
    points = [sweeper.at(sweeper.least)]
    best = first = points[0]
    for stop in sweeper.stops:
        try:
            points.append(point := sweeper.at(stop))
        except NonFiniteError:
            break
        tell(point.strength)
        if point.earned > best.earned:
            best = point
        half = (first.earned + best.earned) / 2.0
        if best is not first and point.shift >= FAR * best.shift and point.earned < half:
            break
    if len(points) == 1:
        raise UserError("the particles run away at the first strength already: nothing can be shown")
    return points


def even_strengths(points: Sequence[Point], whole: bool) -> np.ndarray:
    """Strengths from the first point to the last between which the particles move equally far."""
    count = min(len(point.places) for point in points)
    places = np.stack([point.places[:count] for point in points])
    way = np.concatenate(([0.0], np.linalg.norm(np.diff(places, axis=0), axis=2).mean(1).cumsum()))
    found = np.interp(np.linspace(0.0, way[-1], FRAMES), way, [point.strength for point in points])
    return np.unique(found.round() if whole else found.round(DIGITS))


def opening_of(sweeper: Sweeper, tell: Callable[[float], None] = lambda strength: None) -> Opening:
    """Sweep a rule's strength from nothing to too far; ``tell(strength)`` is called after each that was measured."""
    points = []
    for strength in even_strengths(rough(sweeper, tell), sweeper.field.kind == "whole"):
        points.append(sweeper.at(float(strength)))
        tell(float(strength))
    drawn = min(len(point.places) for point in points)
    shift, earned, promised = (
        np.array([getattr(point, name) for point in points]).round(DIGITS) for name in ("shift", "earned", "promised")
    )
    words = tuple(_words(sweeper.field, point.strength) for point in points)
    captions = captions_of(words, shift, earned, promised)
    ground = sweeper.ground()
    return Opening(
        sweeper.source,
        sweeper.title,
        sweeper.rule,
        words,
        tuple(point.strength for point in points),
        tuple(shift.tolist()),
        tuple(earned.tolist()),
        tuple(promised.tolist()),
        tuple(_rounded(point.places[:drawn].ravel()) for point in points),
        tuple(_rounded(row) for row in ground),
        tuple(_rounded(row) for row in sweeper.wrong(ground)),
        EXTENT,
        captions,
        pace_of(captions[1].frame, len(points) - 1),
    )


def pace_of(best: int, last: int) -> tuple[tuple[float, float], ...]:
    """Ten seconds: a breath, up to the best, a look at it, on to the end, a look at that."""
    share = min(0.6, max(0.35, best / last))
    reach = 0.6 + share * 6.2
    return (
        (0.0, 0.0),
        (0.6, 0.0),
        (reach, float(best)),
        (reach + 1.6, float(best)),
        (8.6, float(last)),
        (SECONDS, float(last)),
    )


def frame_at(opening: Opening, seconds: float) -> float:
    """The frame, with its fraction, that is shown so long after the beginning."""
    times, frames = zip(*opening.pace, strict=True)
    return float(np.interp(seconds, times, frames))


def caption_at(opening: Opening, frame: float) -> Caption:
    """What is said at a frame."""
    return [one for one in opening.captions if one.start <= frame or one is opening.captions[0]][-1]


def link_of(opening: Opening, frame: float) -> dict[str, Any]:
    """The link's arguments of the page of particles that shows a frame."""
    strength = opening.strengths[round(frame)]
    return {"task": opening.task, "rule": opening.rule, find_rule(opening.rule).strength: strength}


def _rounded(values: np.ndarray) -> tuple[float, ...]:
    return tuple(values.astype(float).round(DIGITS).tolist())


def _words(field: Field, strength: float) -> str:
    """A strength in words, as "weight 0.3"."""
    return (
        f"{field.name.replace('_', ' ')} {exact(rounded(strength, 2))}"
        if strength < 100
        else f"{field.name} {strength:.0f}"
    )
