"""What lies under particles in a picture: the critic, the true reward, or what they differ by, over a plane of actions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from workbench.engine.models.critic import Aggregate, aggregate
from workbench.engine.models.parts import Parts
from workbench.engine.steering.rules import make_rule
from workbench.engine.steering.run import act
from workbench.engine.tasks.abilities import HasTruth
from workbench.engine.tasks.protocol import Task
from workbench.engine.words import UserError
from workbench.plots.lines import Dims, shown_dims
from workbench.views.question import EXTENT, GRID, shared_noise
from workbench.views.terrain import member_values

What = Literal["learned", "true", "difference", "spread"]
WHATS: tuple[What, ...] = ("learned", "true", "difference", "spread")
DRAWS = 256  # behaviour actions whose mean stands for the coordinates that are not shown


@dataclass(frozen=True)
class Ground:
    """Values over a plane of actions.

    Attributes
    ----------
    dims : tuple of int
        The coordinates of the action that are shown, one or two.
    places : ndarray
        (G,) of each coordinate, action units.
    values : ndarray
        (G, G), row i at the i-th place of the second coordinate; (G,) of one coordinate.
    through : ndarray
        (D,), the action whose other coordinates are kept.
    """

    dims: Dims
    places: np.ndarray
    values: np.ndarray
    through: np.ndarray


@torch.no_grad()
def ground_of(
    parts: Parts,
    state: Any,
    what: What = "learned",
    task: Task | None = None,
    dims: Dims | None = None,
    through: Any = None,
    how: Aggregate = "min",
) -> Ground:
    """Values at one state over one or two coordinates of the action.

    Parameters
    ----------
    parts : Parts
    state : Tensor or sequence of float
        (S,), the observation, not normalised.
    what : {"learned", "true", "difference", "spread"}
        The target critic's Q; the true reward; Q minus that; the standard deviation of the critic's members. Task units.
    task : Task, optional
        One that knows its true reward, for "true" and "difference".
    dims : tuple of int, optional
        Which coordinates; all of one or two.
    through : Tensor or sequence of float, optional
        (D,), the action that gives the other coordinates; the behaviour policy's mean action at the state without it.
    how : {"min", "mean"}
        How the critic's members are combined.

    Raises
    ------
    UserError
        What the parts, the state or the task cannot give; the words say what would do.
    """
    if what not in WHATS:
        raise UserError(f"what is one of {', '.join(WHATS)}, got {what!r}")
    size = parts.action_dim
    dims = shown_dims(size, dims)
    seen = observed(state, parts)
    if through is not None:
        middle = _numbers(through, size, "through", "an action")
    else:
        middle = _mean_action(parts, seen) if len(dims) < size else torch.zeros(size)
    places = (np.arange(GRID) + 0.5) / GRID * 2 * EXTENT - EXTENT
    grid = np.stack(np.meshgrid(*[places] * len(dims), indexing="xy"), -1).reshape(-1, len(dims))
    actions = np.tile(middle.numpy(), (len(grid), 1))
    actions[:, list(dims)] = grid
    values = _values(parts, seen, actions.astype(np.float32), what, task, how)
    return Ground(dims, places, values.reshape((GRID,) * len(dims)), middle.numpy())


def observed(state: Any, parts: Parts) -> Tensor:
    """``state`` as an observation (S,) of these parts; UserError where it is none."""
    return _numbers(state, parts.observation_dim, "state", "the observation")


def _numbers(given: Any, size: int, name: str, meaning: str) -> Tensor:
    try:
        found = torch.as_tensor(given, dtype=torch.float32).detach().cpu()
    except (TypeError, ValueError, RuntimeError):
        raise UserError(f"{name} is {meaning}, {size} numbers; got {given!r}") from None
    found = found[0] if found.dim() == 2 and len(found) == 1 else found
    if found.shape != (size,) or not bool(found.isfinite().all()):
        got = f"the shape {tuple(found.shape)}" if found.shape != (size,) else f"{found.tolist()}"
        raise UserError(f"{name} is {meaning}, {size} finite numbers; got {got}")
    return found


def _values(
    parts: Parts, state: Tensor, actions: np.ndarray, what: What, task: Task | None, how: Aggregate
) -> np.ndarray:
    truth: np.ndarray = np.zeros(())
    if what in ("true", "difference"):
        if not isinstance(task, HasTruth):
            named = "no task was given" if task is None else f"{task.info.title} does not know its own"
            raise UserError(
                f"what='{what}' needs the true reward of every action, and {named}: pass task=wb.make_task('bandit2d') or "
                "another task with true_reward(actions)"
            )
        truth = torch.as_tensor(task.true_reward(torch.from_numpy(actions))).numpy()
        if what == "true":
            return np.asarray(truth)
    members = member_values(parts, state.to(parts.device), actions, "target")
    if what == "spread":
        if len(members) < 2:
            raise UserError(
                "what='spread' needs a critic with several members, (K, M) with K of 2 or more; this has one"
            )
        return np.asarray(members.std(0))
    learned: np.ndarray = aggregate(torch.from_numpy(members), how).numpy()
    return np.asarray(learned - truth)


def _mean_action(parts: Parts, state: Tensor) -> Tensor:
    """The behaviour policy's mean action (D,) at one state."""
    noise = shared_noise(0, DRAWS, 1, parts.action_dim)
    where = parts.device
    noise = noise._replace(start=noise.start.to(where), choice=noise.choice.to(where))
    return act(make_rule("bc"), parts, state.to(where).expand(DRAWS, -1), noise).mean(0).cpu()
