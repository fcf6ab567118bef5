"""What a dataset holds, before anything is trained on it: format, sizes, bounds, ends, rewards, and what would be left out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from workbench.engine.data.boundaries import continues
from workbench.engine.data.columns import ROWS, Arrays, DataFileError, plain_from_d4rl
from workbench.engine.data.footprint import Footprint
from workbench.engine.data.formats import read_pieces
from workbench.engine.data.formats.found import ColumnNames, Found
from workbench.engine.data.npz import check_rows
from workbench.engine.words import counted

AT_BOUND = 1e-3  # of the range: an action so near to its smallest or largest value is at it
SHOWN_NAMES = 12
EDGE = 1.0 + 1e-5  # rounding of float32 beyond 1


@dataclass(frozen=True)
class Description:
    """A dataset in numbers.

    Attributes
    ----------
    format, source : str
    files, rows, largest : int
        Rows that a training would see, in all and in the largest file.
    dropped : int
        Rows that it would not: after them nobody knows what came.
    episodes, shortest, longest : int
    observation_dim, action_dim : int
        S and D.
    picture : tuple of int
        (H, W, C) where observations are pictures; S is 0 then.
    observation_names, action_names : tuple of str
        As the file calls them; empty where it does not.
    terminated, time_limits : int
        Episodes that ended by themselves, and that were cut off.
    not_finite : int
        Rows with NaN or infinity; such data are refused.
    normalised : bool
        Whether observations have mean 0 and spread 1 already, within a tenth.
    constant : int
        Columns of observations that never change.
    action_low, action_high : tuple of float
        (D,) the smallest and largest value of each.
    outside, at_bounds : float
        Share of rows with an action outside [-1, 1]; with one at its smallest or largest value.
    reward_low, reward_mean, reward_high, reward_zero : float
        The last one: share of rows whose reward is 0.
    notes : tuple of str
    """

    format: str
    source: str
    files: int
    rows: int
    largest: int
    dropped: int
    episodes: int
    shortest: int
    longest: int
    observation_dim: int
    action_dim: int
    picture: tuple[int, ...]
    observation_names: tuple[str, ...]
    action_names: tuple[str, ...]
    terminated: int
    time_limits: int
    not_finite: int
    normalised: bool
    constant: int
    action_low: tuple[float, ...]
    action_high: tuple[float, ...]
    outside: float
    at_bounds: float
    reward_low: float
    reward_mean: float
    reward_high: float
    reward_zero: float
    notes: tuple[str, ...]

    @property
    def footprint(self) -> Footprint:
        """How much memory and disk a training's data take."""
        return Footprint(self.rows, self.observation_dim, self.action_dim, self.largest)

    def as_dict(self) -> dict[str, Any]:
        """Plain types, ready for JSON."""
        return asdict(self)

    def account(self) -> list[tuple[str, str]]:
        """A table for people; a label that begins with two spaces belongs to the row above it."""
        low, high = self.action_low, self.action_high
        return [
            ("format", self.format + (f", {counted(self.files, 'shard')}" if self.files > 1 else "")),
            ("rows", f"{self.rows:,}" + (f" ({self.dropped:,} more are dropped)" if self.dropped else "")),
            ("episodes", f"{self.episodes:,} of {self.shortest:,} to {counted(self.longest, 'row')}"),
            ("ended by themselves", f"{self.terminated:,}"),
            ("cut off (time limit)", f"{self.time_limits:,}"),
            ("observations", self._observed()),
            ("  that never change", str(self.constant)),
            ("  normalised already", "yes" if self.normalised else "no"),
            ("actions", _columns(self.action_dim, self.action_names)),
            ("  range", f"{min(low):.4g} to {max(high):.4g}"),
            ("  rows outside [-1, 1]", f"{self.outside:.1%}" + (", scaled by data add" if self.outside else "")),
            ("  rows at a bound", f"{self.at_bounds:.1%}"),
            ("rewards", f"{self.reward_low:.4g} to {self.reward_high:.4g}, mean {self.reward_mean:.4g}"),
            ("  rows with reward 0", f"{self.reward_zero:.1%}"),
            ("rows with NaN or infinity", f"{self.not_finite:,}" + (": refused" if self.not_finite else "")),
            ("memory of a training", "" if self.picture else self.footprint.in_words()),
        ]

    def _observed(self) -> str:
        if self.picture:
            return f"pictures of {' × '.join(map(str, self.picture))}: not read here"
        return _columns(self.observation_dim, self.observation_names)

    def __str__(self) -> str:
        rows = [f"{label:27}{value}" for label, value in self.account()]
        return "\n".join([*rows, *(f"note: {note}" for note in self.notes)])


def describe(
    path: Path, names: ColumnNames | None = None, also: Callable[[Arrays], None] = lambda plain: None
) -> Description:
    """Read a dataset, one piece in memory at a time, and say what it holds.

    Parameters
    ----------
    path : Path
        A file or folder of any format of `workbench.engine.data.formats`.
    names : ColumnNames, optional
    also : callable
        ``also(plain)`` sees each piece in the plain form too.

    Raises
    ------
    DataFileError
        It cannot be read; the message says what is wrong and the cure.
    ImportError
        An optional package is missing.
    """
    total = _Total(str(path))
    for found in read_pieces(path, names or ColumnNames()):
        also(total.add(found))
    return total.description()


def plain_of(found: Found, source: str) -> dict[str, np.ndarray]:
    """The plain form (`workbench.engine.data.npz`) of what a format found."""
    if ROWS in found.columns:
        return found.columns
    check_rows(source, {name: array.shape for name, array in found.columns.items()})
    return plain_from_d4rl(found.columns, source)


class _Total:
    """Sums over the pieces of a dataset."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._found: list[Found] = []
        self._pieces: list[dict[str, Any]] = []
        self._lengths: list[np.ndarray] = []  # of episodes, for each piece
        self._open: np.ndarray | None = None  # what followed the last row of the piece before, where that is open

    def add(self, found: Found) -> Arrays:
        """Count one piece; it, in the plain form."""
        plain = plain_of(found, self._source)
        observations = plain["observations"].astype(np.float64)
        actions = plain["actions"].astype(np.float64)
        rewards, ends = plain["rewards"].astype(np.float64), np.asarray(plain["ends"], dtype=bool).copy()
        if not len(actions):
            raise DataFileError(f"{self._source}: the dataset has no rows")
        if self._pieces and (actions.shape[1], observations.shape[1]) != self._pieces[0]["dims"]:
            raise DataFileError(
                f"{self._source}: its shards have different columns; these are shards of different data"
            )
        joins = self._open is not None and continues(self._open, plain["observations"])
        self._open = None if ends[-1] else plain["next_observations"][-1:]
        ends[-1] = True
        finite = np.isfinite(observations).all(1) & np.isfinite(actions).all(1) & np.isfinite(rewards)
        last = np.flatnonzero(ends)
        lengths = np.diff(last, prepend=-1)
        if joins:  # the episode that the shard before left open
            lengths[0] += self._lengths[-1][-1]
            self._lengths[-1] = self._lengths[-1][:-1]
        self._lengths.append(lengths)
        seen, acted, paid = observations[finite], actions[finite], rewards[finite]
        low, high = (_extreme(acted, np.min), _extreme(acted, np.max))
        self._pieces.append(
            {
                "dims": (actions.shape[1], observations.shape[1]),
                "rows": len(actions),
                "stored": int(np.max(plain[ROWS])) + 1 if ROWS in plain else len(actions),
                "terminated": int((plain["masks"][last] == 0).sum()),
                "bad": int((~finite).sum()),
                "sum": seen.sum(0),
                "squares": (seen**2).sum(0),
                "count": len(seen),
                "seen": (_extreme(seen, np.min), _extreme(seen, np.max)),
                "low": low,
                "high": high,
                "outside": int((np.abs(acted) > EDGE).any(1).sum()),
                "bounds": int(
                    ((acted <= low + AT_BOUND * (high - low)) | (acted >= high - AT_BOUND * (high - low))).any(1).sum()
                ),
                "reward": (_extreme(paid, np.min), float(paid.sum()), _extreme(paid, np.max), int((paid == 0).sum())),
            }
        )
        self._found.append(replace(found, columns={}))
        return plain

    def description(self) -> Description:
        pieces, first = self._pieces, self._found[0]

        def summed(name: str) -> Any:
            return sum(piece[name] for piece in pieces)

        count = max(summed("count"), 1)
        mean = summed("sum") / count
        spread = np.sqrt(np.maximum(summed("squares") / count - mean**2, 0.0))
        low, high = (
            np.min([piece["low"] for piece in pieces], 0),
            np.max([piece["high"] for piece in pieces], 0),
        )
        seen = np.min([piece["seen"][0] for piece in pieces], 0), np.max([piece["seen"][1] for piece in pieces], 0)
        terminated, rows = summed("terminated"), summed("rows")
        lengths = np.concatenate(self._lengths)
        episodes = len(lengths)
        notes = list(dict.fromkeys(note for found in self._found for note in found.notes))
        if len(pieces) > 1:
            notes.append(
                f"{len(pieces)} shards, read in the order of their numbers; an episode goes on in the next where its rows do"
            )
        return Description(
            format=first.format,
            source=self._source,
            files=len(pieces),
            rows=rows,
            largest=max(piece["rows"] for piece in pieces),
            dropped=summed("stored") - rows,
            episodes=episodes,
            shortest=int(lengths.min()),
            longest=int(lengths.max()),
            observation_dim=pieces[0]["dims"][1],
            action_dim=pieces[0]["dims"][0],
            picture=first.picture,
            observation_names=tuple(first.names.get("observations", ())),
            action_names=tuple(first.names.get("actions", ())),
            terminated=terminated,
            time_limits=episodes - terminated,
            not_finite=summed("bad"),
            normalised=bool(count and mean.size and (np.abs(mean) < 0.1).all() and (np.abs(spread - 1.0) < 0.1).all()),
            constant=int((seen[0] == seen[1]).sum()),
            action_low=tuple(low.tolist()),
            action_high=tuple(high.tolist()),
            outside=summed("outside") / count,
            at_bounds=summed("bounds") / count,
            reward_low=float(min(piece["reward"][0] for piece in pieces)),
            reward_mean=sum(piece["reward"][1] for piece in pieces) / count,
            reward_high=float(max(piece["reward"][2] for piece in pieces)),
            reward_zero=sum(piece["reward"][3] for piece in pieces) / count,
            notes=tuple(notes),
        )


def _columns(count: int, names: tuple[str, ...]) -> str:
    listed = f": {', '.join(names[:SHOWN_NAMES])}{' …' if len(names) > SHOWN_NAMES else ''}"
    return str(count) + (listed if names else "")


def _extreme(values: np.ndarray, which: Any) -> Any:
    """``which`` over the rows; NaN where no row is finite."""
    return which(values, 0) if len(values) else np.full(values.shape[1:], np.nan)
