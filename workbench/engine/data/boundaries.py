"""Where episodes end: one finder for every data file, which says what it found where it had to guess."""

from __future__ import annotations

import warnings

import numpy as np

from workbench.engine.words import counted, plain

ROUNDING = 8  # units in the last place that two copies of one observation may be apart
FAR = 8.0  # a step so many times the largest ordinary one is a reset
ORDINARY = 0.9  # quantile of the steps that counts as the largest ordinary one


def not_followed(observations: np.ndarray, following: np.ndarray) -> np.ndarray:
    """Rows (R,) bool whose next observation is not the following row's observation; the last row is one.

    Both are compared as the coarser of their two types, float32 at most, and up to rounding: files hold one observation
    in float32 and again in float64.
    """
    types = [array.dtype if array.dtype.kind == "f" else np.dtype(np.float32) for array in (observations, following)]
    coarse = min((*types, np.dtype(np.float32)), key=lambda dtype: dtype.itemsize)
    near = ROUNDING * float(np.finfo(coarse).eps)
    differs = np.zeros(max(len(observations) - 1, 0), dtype=bool)
    with np.errstate(over="ignore"):
        for column in range(observations.shape[1]):  # one at a time: copies of whole data would double their memory
            here, there = (array[:, column].astype(coarse).astype(np.float64) for array in (observations, following))
            differs |= ~np.isclose(there[:-1], here[1:], rtol=near, atol=0.0, equal_nan=True)
    return np.append(differs, True)


def continues(before: np.ndarray, after: np.ndarray) -> bool:
    """Whether the rows of a shard go on in the next: its last next observation, of ``before``, is the first of ``after``."""
    seen = np.concatenate((after[:1], after[:1]))
    return not bool(not_followed(seen, np.concatenate((before[-1:], before[-1:])))[0])


def resets(observations: np.ndarray) -> np.ndarray:
    """Rows (R,) bool after which the observation jumps, far beyond the file's ordinary steps."""
    largest = np.zeros(max(len(observations) - 1, 0))
    with np.errstate(over="ignore", invalid="ignore"):
        for column in observations.T:
            values = np.nan_to_num(
                column.astype(np.float64), posinf=0.0, neginf=0.0
            )  # the door refuses such rows later
            scale = values.std()
            steps = np.abs(np.diff(values)) / (scale if np.isfinite(scale) and scale > 0 else 1.0)
            largest = np.fmax(largest, np.nan_to_num(steps))
    if not len(largest):
        return np.zeros(len(observations), dtype=bool)
    return np.append(largest > FAR * max(float(np.quantile(largest, ORDINARY)), 1e-12), False)


def teleports(places: np.ndarray, leap: float) -> np.ndarray:
    """Rows (R,) bool after which a body whose places (R, 2) are known is farther away than it can move in a step, ``leap``."""
    steps = np.linalg.norm(np.diff(np.asarray(places, dtype=np.float64), axis=0), axis=1)
    return np.append(np.nan_to_num(steps) > leap, np.zeros(min(len(places), 1), dtype=bool))


def warn_of_unmarked(unmarked: np.ndarray, source: str) -> None:
    """Say how many resets a file that marks its time limits does not mark."""
    warnings.warn(
        f"{plain(source)}: {int(unmarked.sum()):,} resets are not marked in 'timeouts' (the body is elsewhere in the next row), "
        f"first after row {int(unmarked.argmax())}; they are taken as time limits",
        UserWarning,
        stacklevel=2,
    )


def episodes_in_words(ends: np.ndarray) -> str:
    """Such as "3 episodes of 40 to 200 rows"."""
    last = np.flatnonzero(np.append(ends[:-1], True))
    lengths = np.diff(last, prepend=-1)
    low, high = int(lengths.min()), int(lengths.max())
    return f"{counted(len(lengths), 'episode')} of {f'{low:,} to ' * (high > low)}{counted(high, 'row')}"


def warn_of_guess(ends: np.ndarray, source: str) -> None:
    """Say what was found where a file tells neither its time limits nor its next observations."""
    warnings.warn(
        f"{plain(source)}: has neither 'timeouts' nor 'next_observations', so that ends by a time limit are guessed from jumps "
        f"of the observations: {episodes_in_words(ends)}. If that is wrong, n-step returns and chunks cross resets; "
        "save 'timeouts' (1 in each episode's last row) with the data",
        UserWarning,
        stacklevel=2,
    )
