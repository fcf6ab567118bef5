"""The critic around the actions: planes, cross-sections, the ensemble's spread, and how far queries can be trusted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor

from workbench.engine.digits import exact
from workbench.engine.models.parts import Parts, q_values
from workbench.engine.steering.trace import Trace
from workbench.engine.tasks.abilities import HasTruth
from workbench.engine.tasks.protocol import Task
from workbench.engine.words import UserError
from workbench.views.csv_file import csv_of
from workbench.views.effort import Effort
from workbench.views.question import EXTENT, Answer, Question, answer, effort_of

Plane = tuple[int, int] | Literal["principal"]
GRID = 80
LINE = 161  # points of a cross-section
TRUSTED = 0.95  # a query counts as trusted inside this quantile of what is found on the behaviour's own actions


@dataclass(frozen=True)
class Basis:
    """A plane through the space of actions.

    Attributes
    ----------
    centre : ndarray
        (D,), where its own coordinates are 0.
    directions : ndarray
        (P, D) orthonormal, P = 1 or 2.
    names : tuple of str
        What to call its coordinates.
    share : float
        Share of the behaviour's variance that the plane shows, 0 to 1.
    """

    centre: np.ndarray
    directions: np.ndarray
    names: tuple[str, ...]
    share: float

    def coordinates(self, actions: np.ndarray) -> np.ndarray:
        """Coordinates (…, P) of ``actions`` (…, D)."""
        return np.asarray((actions - self.centre) @ self.directions.T, dtype=np.float32)

    def actions(self, coordinates: np.ndarray) -> np.ndarray:
        """Actions (…, D) at ``coordinates`` (…, P)."""
        return np.asarray(self.centre + coordinates @ self.directions, dtype=np.float32)


def basis_of(behaviour: np.ndarray, plane: Plane) -> Basis:
    """Lay a plane through the ``behaviour`` actions (M, D).

    Two coordinates keep their own origin, the others stand at the behaviour's mean; "principal" takes the two directions in
    which the behaviour varies most. With D = 1 there is one direction.

    Raises
    ------
    UserError
        A coordinate that the action does not have, or the same one twice.
    """
    dim = behaviour.shape[1]
    middle = behaviour.mean(0).astype(np.float64)
    spread = np.cov(behaviour.T).reshape(dim, dim)
    total = max(float(np.trace(spread)), 1e-12)
    if dim == 1:
        return Basis(np.zeros(1), np.eye(1), ("action",), 1.0)
    if plane == "principal":
        values, vectors = np.linalg.eigh(spread)
        directions = vectors[:, ::-1][:, :2].T
        signs = np.sign(directions[np.arange(2), np.abs(directions).argmax(1)])  # the same picture every time
        return Basis(middle, directions * signs[:, None], ("1st principal", "2nd principal"), values[-2:].sum() / total)
    first, second = plane
    if first == second or not {first, second} <= set(range(dim)):
        raise UserError(f"a plane needs two different coordinates of 0 to {dim - 1}, got {first} and {second}")
    centre = middle.copy()
    centre[[first, second]] = 0.0
    share = float(spread[first, first] + spread[second, second]) / total
    return Basis(centre, np.eye(dim)[[first, second]], (f"action {first + 1}", f"action {second + 1}"), share)


@torch.no_grad()
def member_values(parts: Parts, state: Tensor, actions: np.ndarray, which: str) -> np.ndarray:
    """Each member's Q (K, M) in task units at one state (S,) and ``actions`` (M, D)."""
    rows = parts.normalize(state[None]).expand(len(actions), -1)
    points = torch.from_numpy(np.ascontiguousarray(actions, dtype=np.float32))
    critic = parts.pick_critic(which)
    q_values(critic, rows[:1], points[:1], "mean")  # says in words what a foreign critic returns wrongly
    return np.asarray(critic(rows, points).reshape(-1, len(actions)) / parts.reward_scale)


@dataclass(frozen=True)
class Section:
    """The critic along a line.

    Attributes
    ----------
    place : ndarray
        (G,) coordinate.
    low, mean, high : ndarray
        (G,) least, mean and greatest member.
    """

    place: np.ndarray
    low: np.ndarray
    mean: np.ndarray
    high: np.ndarray


@dataclass(frozen=True)
class Trust:
    """How trustworthy a rule's queries are, tick by tick.

    Attributes
    ----------
    ticks : ndarray
        (Q,) the ticks at which the critic was asked.
    spread, distance : ndarray
        (Q,) mean spread of the members and mean distance to the nearest behaviour action, at the queries.
    usual_spread, usual_distance : float
        The 95% quantiles of both on the behaviour's own actions.
    share : float
        Share of all queries that are inside both; NaN when the critic was never asked.
    """

    ticks: np.ndarray
    spread: np.ndarray
    distance: np.ndarray
    usual_spread: float
    usual_distance: float
    share: float


@dataclass(frozen=True)
class View:
    """What is asked: a question of the particles page, a plane, and which critic."""

    question: Question
    plane: Plane = (0, 1)

    def effort(self) -> Effort:
        """What drawing it costs."""
        return effort_of(self.question, "landscape", GRID)


@dataclass(frozen=True)
class Terrain:
    """What is drawn.

    Attributes
    ----------
    answer : Answer
    basis : Basis
    extent : float
        The plane reaches this far from its centre.
    values, spread : ndarray
        (G, G), or (1, G) with D = 1: mean and standard deviation of the members' Q.
    truth : ndarray or None
        As ``values``, the true reward where the task knows it.
    sections : tuple of Section
        Along each direction, through ``through``.
    through : ndarray
        (P,) coordinates of the steered policy's mean action.
    trust : Trust
    """

    answer: Answer
    basis: Basis
    extent: float
    values: np.ndarray
    spread: np.ndarray
    truth: np.ndarray | None
    sections: tuple[Section, ...]
    through: np.ndarray
    trust: Trust


def terrain(view: View, parts: Parts, task: Task) -> Terrain:
    """Answer a view; ValueError in the engine's words when rule, parts and plane do not fit together."""
    answered = answer(view.question, parts, task)
    behaviour, steered = (trace.actions.numpy() for trace in answered.traces)
    basis = basis_of(behaviour, view.plane)
    state, which = torch.tensor(view.question.state, dtype=torch.float32), str(answered.traces[1].settings["critic"])
    axis = np.linspace(-EXTENT, EXTENT, GRID)
    if len(basis.directions) == 1:
        places = np.linspace(-EXTENT, EXTENT, LINE)[None, :, None]
    else:
        places = np.stack(np.meshgrid(axis, axis, indexing="xy"), -1)
    actions = basis.actions(places)
    members = member_values(parts, state, actions.reshape(-1, actions.shape[-1]), which)
    size = places.shape[:2]
    truth = None
    if isinstance(task, HasTruth):
        flat = torch.from_numpy(actions.reshape(-1, actions.shape[-1]))
        truth = np.asarray(torch.as_tensor(task.true_reward(flat)).reshape(size))
    through = basis.coordinates(steered.mean(0))
    return Terrain(
        answered,
        basis,
        EXTENT,
        members.mean(0).reshape(size),
        members.std(0).reshape(size),
        truth,
        tuple(_section(parts, state, which, basis, through, number) for number in range(len(basis.directions))),
        through,
        trust(answered.traces[1], behaviour, parts, state, which),
    )


class Surveyor:
    """Draws the pictures of the page, as `workbench.ui.server.draw_processes` wants it; nothing is kept."""

    def draw(self, view: View, parts: Parts, task: Task) -> Terrain:
        """Pose the question, and answer the view."""
        return terrain(view, *view.question.posed(parts, task))


def _section(parts: Parts, state: Tensor, which: str, basis: Basis, through: np.ndarray, number: int) -> Section:
    place = np.linspace(-EXTENT, EXTENT, LINE)
    coordinates = np.tile(through, (LINE, 1))
    coordinates[:, number] = place
    members = member_values(parts, state, basis.actions(coordinates), which)
    return Section(place, members.min(0), members.mean(0), members.max(0))


def trust(trace: Trace, behaviour: np.ndarray, parts: Parts, state: Tensor, which: str) -> Trust:
    """Compare the places where ``trace`` asked the critic with the ``behaviour`` actions (M, D).

    A query is trusted when the members agree there as they do on the behaviour's actions, and when it is as near to a
    behaviour action as these are to each other (95% quantiles of both). Neither is a proof: members can agree and be wrong.
    """
    tree = cKDTree(behaviour)
    usual_spread = float(np.quantile(member_values(parts, state, behaviour, which).std(0), TRUSTED))
    usual_distance = float(np.quantile(tree.query(behaviour, k=2)[0][:, 1], TRUSTED))
    queries = trace.queries.flatten(1, 2).numpy()  # (ticks, M, D)
    asked = [tick for tick, points in enumerate(queries) if np.isfinite(points).all()]
    if not asked:
        nothing = np.zeros(0)
        return Trust(np.zeros(0, dtype=int), nothing, nothing, usual_spread, usual_distance, float("nan"))
    points = queries[asked]
    flat = points.reshape(-1, points.shape[-1])
    spread = member_values(parts, state, flat, which).std(0).reshape(points.shape[:2])
    distance = tree.query(flat)[0].reshape(points.shape[:2])
    inside = (spread <= usual_spread) & (distance <= usual_distance)
    return Trust(np.array(asked), spread.mean(1), distance.mean(1), usual_spread, usual_distance, float(inside.mean()))


def density(actions: np.ndarray, place: np.ndarray, width: float = 0.04) -> np.ndarray:
    """Density (G,) of one-dimensional ``actions`` (M,) at ``place`` (G,): a Gaussian of ``width`` on each."""
    offsets = (place[:, None] - actions[None]) / width
    return np.asarray(np.exp(-0.5 * offsets**2).mean(1) / (width * np.sqrt(2.0 * np.pi)))


def as_csv(ground: Terrain) -> bytes:
    """One line for each cell of the grid."""
    axis = np.linspace(-ground.extent, ground.extent, ground.values.shape[1])
    rows = []
    for row, column in np.ndindex(ground.values.shape):
        place = [axis[column]] if len(ground.basis.names) == 1 else [axis[column], axis[row]]
        truth = [] if ground.truth is None else [ground.truth[row, column]]
        numbers = (*place, ground.values[row, column], ground.spread[row, column], *truth)
        rows.append([exact(float(number)) for number in numbers])
    return csv_of([*ground.basis.names, "q", "spread", *(["true_reward"] if ground.truth is not None else [])], rows)
