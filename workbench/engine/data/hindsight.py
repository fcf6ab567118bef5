"""A goal for every row, wherever the rows lie: in memory, or in a file of goals beside rows on disk.

The file has a record for each row: its goal's row, the last one of its trajectory, what is paid, and the goal's state. It is
made once, in blocks, and found again by the rows' fingerprint; goals that a minibatch draws anew are read from the rows.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from workbench.engine.data.atomic import explained, made_folder
from workbench.engine.data.footprint import KEEP, size
from workbench.engine.data.goals import GoalTransitions, Way, goals_in_memory, own_draws, towards
from workbench.engine.data.mapped import ROWS, MappedTransitions, goal_type, header, open_records, read_records
from workbench.engine.data.transitions import BLOCK, Transitions
from workbench.engine.data.unpack import (
    OnDisk,
    alone,
    check_disk,
    name_of,
    read_at,
    rows_folder,
    write_about,
    write_at,
    write_header,
)
from workbench.engine.words import UserError


def with_goals(data: Transitions, discount: float, seed: int = 0) -> GoalTransitions:
    """Give every row of ``data`` (R rows of S observations, whose rewards are not read) a goal.

    Parameters
    ----------
    data : Transitions
        In memory or on disk; the goals are the same, and lie there too.
    discount : float
        γ of the geometric distribution of later states.
    seed : int
        The same one gives the same goals.

    Raises
    ------
    UserError
        There is too little disk for the goals of rows on disk; nothing is left behind.
    OSError
        Their folder cannot be written.
    """
    if not isinstance(data, MappedTransitions):
        return goals_in_memory(data, discount, seed)
    home = rows_folder()
    place = home / name_of("goals", data.fingerprint(), discount, seed)
    if (found := _open(place, data, discount)) is not None:
        return found
    keep = KEEP.get()
    with made_folder(home), alone(home, place.name, keep) as work:
        if (found := _open(place, data, discount)) is not None:  # another process made it meanwhile
            return found
        shutil.rmtree(place, ignore_errors=True)  # touched since it was written
        draft, needed = work / "rows", len(data) * goal_type(2 * data.observation_dim).itemsize
        shutil.rmtree(draft, ignore_errors=True)
        check_disk(home, f"writing the goals of {len(data):,} rows", needed)
        keep.tell(f"writing the goals of {len(data):,} rows to disk, {size(needed)} in {home}")
        draft.mkdir()
        try:
            with explained(draft, needed):
                _write(draft, data, discount, seed)
            draft.rename(place)
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise
    found = _open(place, data, discount)
    if found is None:
        raise UserError(f"{place}: was changed while it was written; try again")
    return found


@dataclass(frozen=True)
class MappedGoals(GoalTransitions, MappedTransitions):
    """`GoalTransitions` on disk; `with_goals` makes it. Observations are put together when they are asked for.

    Attributes
    ----------
    states : MappedTransitions
        The rows without goals.
    """

    states: MappedTransitions = field(repr=False)

    def fingerprint(self) -> str:
        """As of the same rows in memory; it was computed when the goals were written."""
        return self.about.fingerprint

    def final(self, rows: np.ndarray) -> np.ndarray:
        """As of `GoalTransitions`; read from the file."""
        return np.asarray(self._own(rows)["final"])

    def windows(self, rows: np.ndarray, length: int) -> tuple[GoalTransitions, np.ndarray]:
        """As of `MappedTransitions`, each window towards the goal of its first row."""
        own = self._own(rows)
        return self._towards(Way(rows, own["final"], own["goal"], own["seen"]), length - 1)

    def aimed(self, rows: np.ndarray, goals: np.ndarray, steps: int) -> tuple[GoalTransitions, np.ndarray]:
        """As of `GoalTransitions`; the rows, and the goals' states, are read."""
        seen, places = self.states.windows(goals, 1)
        return self._towards(Way(rows, self.final(rows), goals, seen.observations[places]), steps)

    def _towards(self, way: Way, steps: int) -> tuple[GoalTransitions, np.ndarray]:
        held, places = self.states.windows(way.rows, steps + 1)
        return towards(held, places, way, steps, self.discount)

    def _own(self, rows: np.ndarray) -> np.ndarray:
        return read_records(self.opened, rows, 1, self.folder)


class _Beside:
    """Two maps as one array (R, 2·S), of which a copy is made of what is asked for."""

    def __init__(self, states: Any, goals: Any) -> None:
        self._states, self._goals = states, goals
        self.dtype, self.shape = states.dtype, (len(states), 2 * states.shape[1])

    def __len__(self) -> int:
        return int(self.shape[0])

    def __getitem__(self, key: Any) -> np.ndarray:
        rows, *columns = key if isinstance(key, tuple) else (key,)
        both = np.concatenate((self._states[rows], self._goals[rows]), -1)
        return np.asarray(both[(..., *columns)])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self[:], dtype=dtype)


def _open(place: Path, states: MappedTransitions, discount: float) -> MappedGoals | None:
    """The goals in the folder ``place`` of the rows ``states``; None where there are none, or not as they were written."""
    opened = open_records(place, goal_type)
    if (
        opened is None
        or len(opened.records) != len(states)
        or opened.about.observation_dim != 2 * states.observation_dim
    ):
        return None
    seen = opened.records["seen"]
    columns: dict[str, Any] = {item.name: getattr(states, item.name) for item in fields(Transitions)}
    columns |= {name: opened.records[name] for name in ("rewards", "masks")}
    columns |= {name: _Beside(columns[name], seen) for name in ("observations", "next_observations")}
    return MappedGoals(
        **columns, folder=place, opened=opened, goal_rows=opened.records["goal"], discount=discount, states=states
    )


def _write(draft: Path, states: MappedTransitions, discount: float, seed: int) -> None:
    rows, kind = len(states), goal_type(2 * states.observation_dim)
    begins = range(0, rows, BLOCK)

    def block(first: int) -> Transitions:
        found, places = states.windows(np.array([first]), min(BLOCK, rows - first))
        assert places.tolist() == [0]
        return found

    (draft / ROWS).write_bytes(header(kind, 0))
    with (draft / ROWS).open("r+b") as file:
        following = rows - 1
        for first in reversed(begins):  # a trajectory's last row is known from behind
            ends = block(first).ends
            marked = np.append(first + np.flatnonzero(ends), following)
            records = np.zeros(len(ends), kind)
            records["final"] = marked[np.searchsorted(marked[:-1], first + np.arange(len(ends)))]
            write_at(file, kind, first, records)
            following = int(records["final"][0])
        for first, draw in zip(begins, own_draws(rows, discount, seed), strict=True):
            records = read_at(file, kind, first, min(BLOCK, rows - first))
            here = first + np.arange(len(records))
            goals = draw.of(here, records["final"])
            records["goal"] = goals
            records["rewards"] = (goals == here).astype(np.float32) - 1.0
            records["masks"] = (goals != here).astype(np.float32)
            records["seen"] = states.windows(goals, 1)[0].observations
            write_at(file, kind, first, records)
        write_header(file, kind, rows)
        columns: dict[str, Any] = {
            name: OnDisk(file, kind, name, rows) for name in ("rewards", "masks", "seen", "goal")
        }
        plain: dict[str, Any] = {item.name: _Read(states, item.name) for item in fields(Transitions)}
        for name in ("observations", "next_observations"):
            plain[name] = _Beside(plain[name], columns["seen"])
        plain |= {name: columns[name] for name in ("rewards", "masks")}
        write_about(draft, file, GoalTransitions(**plain, goal_rows=columns["goal"], discount=discount))


class _Read:
    """A column of rows on disk as what passes over all rows need of an array: its blocks, read from the file."""

    def __init__(self, rows: MappedTransitions, name: str) -> None:
        column: np.ndarray = getattr(rows, name)
        self._rows, self._name, self.dtype, self.shape = rows, name, column.dtype, column.shape

    def __len__(self) -> int:
        return int(self.shape[0])

    def __getitem__(self, rows: slice) -> np.ndarray:
        first, last, _ = rows.indices(len(self))
        found, places = self._rows.windows(np.array([first]), last - first)
        return np.asarray(getattr(found, self._name)[places[0] :])
