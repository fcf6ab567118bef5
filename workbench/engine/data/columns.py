"""From the columns of a file, whatever its format, to the plain form: one transition a row, with the row's number in the file.

A file holds ``observations`` (R, S), ``actions`` (R, D), ``rewards``, one of ``terminals`` and ``masks``, and optionally
``next_observations``, ``timeouts`` and ``ends``; what has one number a row may be (R,) or (R, 1). Rows follow in time.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from workbench.engine.data.boundaries import not_followed, resets, warn_of_guess
from workbench.engine.words import UserError

Arrays = dict[str, np.ndarray]

NEEDED = ("observations", "actions", "rewards", "terminals")
WIDE = ("observations", "actions", "next_observations")
FLAGS = ("terminals", "masks", "timeouts", "ends")
NAMES = (*NEEDED, "masks", "timeouts", "next_observations", "ends")
ROWS = "rows"  # the plain form's numbers of rows in the file


class DataFileError(UserError):
    """A data file that cannot be used; the message says which file, what is wrong, and the cure."""


def refuse_pictures(shape: tuple[int, ...], source: str) -> None:
    """Raise `DataFileError` where ``shape`` is that of pictures (R, H, W, C): they would become thousands of columns."""
    if len(shape) == 4:
        raise DataFileError(
            f"{source}: 'observations' are pictures of {' × '.join(map(str, shape[1:]))}, which are not read here. Encode "
            "them once with a network of your own and save what it returns as 'observations' (R, S); a policy over pictures that "
            "was trained elsewhere is steered behind its own encoder by wb.adapt.dict_observations"
        )


def check_columns(shapes: Mapping[str, tuple[int, ...]], source: str) -> None:
    """Raise `DataFileError` unless the arrays that are needed are there and all have as many rows as 'actions'."""
    missing = [name for name in NEEDED if name not in shapes and not (name == "terminals" and "masks" in shapes)]
    if missing:
        raise DataFileError(
            f"{source}: lacks {', '.join(map(repr, missing))}; D4RL's layout has {', '.join(NEEDED)} at the top of the file"
        )
    rows = shapes["actions"][0] if shapes["actions"] else 0
    for name, shape in shapes.items():
        squeezed = shape[:1] if name not in WIDE and shape == (rows, 1) else shape
        if len(squeezed) != (2 if name in WIDE else 1) or squeezed[0] != rows:
            raise DataFileError(
                f"{source}: '{name}' has shape {shape}, expected {'(R, …)' if name in WIDE else '(R,) or (R, 1)'} "
                f"with R = {rows} rows as in 'actions'"
            )


def plain_from_d4rl(arrays: Arrays, source: str) -> Arrays:
    """The plain form, one transition a row, and ``rows``: each one's number in the file.

    Without ``next_observations`` a row's next observation is the following row's observation, as in D4RL. Then nobody knows
    what followed a row where time ran out or the last row: these rows are dropped, and the row before becomes the last of
    its episode. A row that terminated is kept; what follows it does not matter.

    Episodes end where the file says so (``ends``, ``timeouts``, terminated rows). A file that marks no time limit at all
    ends them where the next observation is not the following row's; without next observations, where observations jump,
    and a warning says what was found. The last row ends one only where the file says so: another file may go on after it.

    Raises
    ------
    DataFileError
        A missing array, or shapes that do not fit.
    """
    arrays = {name: arrays[name] for name in NAMES if name in arrays}
    check_columns({name: array.shape for name, array in arrays.items()}, source)
    arrays = {name: array if name in WIDE else array.reshape(len(array)) for name, array in arrays.items()}
    flags = {name: _flag(arrays[name], name, source) for name in FLAGS if name in arrays}
    rows, observations = len(arrays["actions"]), arrays["observations"]
    terminated = ~flags["masks"] if "masks" in flags else flags["terminals"]
    marked = [flags[name] for name in ("timeouts", "ends") if name in flags]
    ends = np.logical_or.reduce([terminated, *marked])
    keep, following = np.ones(rows, dtype=bool), arrays.get("next_observations")
    if following is not None:
        if following.shape == observations.shape and "ends" not in flags and not any(mark.any() for mark in marked):
            ends[:-1] |= not_followed(observations, following)[:-1]  # of the last row it knows nothing
    elif rows:
        if not marked:
            guessed = resets(observations) & ~ends
            ends = ends | guessed
            if guessed.any() or not terminated[-1]:  # else every episode terminates, and there is nothing to guess
                warn_of_guess(ends, source)
        following = np.concatenate((observations[1:], observations[-1:]))
        following = np.where(terminated[:, None], observations, following)
        keep = terminated | ~ends
        keep[-1:] &= terminated[-1:]
        ends[:-1] |= ~keep[1:]
    if rows and not keep.any():
        raise DataFileError(
            f"{source}: no row is left, since 'timeouts' says for each that time ran out; is it inverted?"
        )
    plain = {
        "observations": observations,
        "actions": arrays["actions"],
        "rewards": arrays["rewards"],
        "masks": (~terminated).astype(np.float32),
        "next_observations": following if following is not None else observations,
        "ends": ends,
        ROWS: np.arange(rows),
    }
    return plain if keep.all() else {name: array[keep] for name, array in plain.items()}


def _flag(array: np.ndarray, name: str, source: str) -> np.ndarray:
    """An array of no and yes as bool: 0 and 1, or 0 and one other number, such as 255 of a picture's bytes."""
    if array.dtype.kind not in "biuf":
        raise DataFileError(f"{source}: '{name}' has dtype {array.dtype}; it must hold 0 or 1 in each row")
    if array.dtype.kind == "b":
        return array
    yes = 255 if (array == 255).any() and not (array == 1).any() else 1
    odd = ~np.isin(array, (0, yes))
    if odd.any():
        row = int(odd.argmax())
        raise DataFileError(f"{source}: '{name}' must be 0 or 1, got {array[row]:g} in row {row}")
    return np.asarray(array == yes)
