"""robomimic's HDF5: one group a demonstration, ``data/demo_0/{actions, rewards, dones, obs/*, next_obs/*}``.

Source: robomimic's documentation, "Dataset structure". What its ``dones`` mark depends on how the file was made
(``done_mode``): a success, the end of a demonstration, or both. So a row terminates where ``dones`` is 1 and its reward is above
zero; any other last row of a demonstration is where the recording stopped, and its value is bootstrapped.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from workbench.engine.data.columns import Arrays, DataFileError
from workbench.engine.data.formats.found import MOST_BYTES, ColumnNames, Found
from workbench.engine.data.hdf5_arrays import child, opened
from workbench.engine.data.npz import check_sizes
from workbench.engine.words import shown

DEMO = re.compile(r"demo_(\d{1,9})")
MOST_DEMOS = 1_000_000
MOST_KEYS = 1000


def is_robomimic(path: Path) -> bool:
    """Whether an HDF5 file has robomimic's group ``data`` of demonstrations."""
    with opened(path) as (h5py, file):
        link = file.get("data", getlink=True)
        group = file["data"] if isinstance(link, h5py.HardLink) else None
        return isinstance(group, h5py.Group) and any(DEMO.fullmatch(name) for name in group)


def read_robomimic(path: Path, names: ColumnNames) -> Found:
    """All demonstrations, one after the other in the order of their numbers.

    Parameters
    ----------
    path : Path
    names : ColumnNames
        ``observations`` chooses entries of ``obs``; without it all that hold one row of numbers a step, by name.

    Raises
    ------
    DataFileError
        A demonstration lacks something, or they differ in what they hold.
    """
    with opened(path) as (h5py, file):
        group = child(h5py, file, "data", path, "group")
        numbered = sorted((int(found[1]), name) for name in group if (found := DEMO.fullmatch(name)))
        if not 0 < len(numbered) <= MOST_DEMOS:
            raise DataFileError(
                f"{path}: has {len(numbered)} demonstrations (data/demo_0 …); 1 to {MOST_DEMOS:,} are read"
            )
        first = child(h5py, group, numbered[0][1], path, "group")
        keys, pictures = _keys(h5py, first, names.observations, path)
        demos = [_Demo(h5py, child(h5py, group, name, path, "group"), name, keys, path) for _, name in numbered]
        for demo in demos[1:]:
            if demo.widths != demos[0].widths:
                raise DataFileError(
                    f"{demo.where}: {demo.widths} numbers a step, {demos[0].widths} in {demos[0].where}"
                )
        check_sizes(str(path), sum(demo.bytes for demo in demos), path.stat().st_size, MOST_BYTES)
        parts = [demo.read() for demo in demos]
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    notes = [
        f"{int(columns['terminals'].sum()):,} of {len(parts):,} demonstrations end by a success; the others stop there, and "
        "are bootstrapped"
    ]
    if pictures:
        notes.append(f"pictures are left out: {', '.join(pictures)}; encode them with a network of your own first")
    if not (columns["rewards"] > 0).any():
        notes.append("no reward is above zero: the behaviour flow can be learned from it, a critic cannot")
    widths = demos[0].widths
    called = tuple(f"{key}[{i}]" if widths[key] > 1 else key for key in keys for i in range(widths[key]))
    return Found("robomimic HDF5", columns, {"observations": called}, tuple(notes))


def observed(path: Path) -> tuple[str, ...]:
    """The entries of ``obs`` that are rows of numbers, by name, as the first demonstration has them."""
    with opened(path) as (h5py, file):
        group = child(h5py, file, "data", path, "group")
        first = min((int(found[1]), name) for name in group if (found := DEMO.fullmatch(name)))[1]
        return _keys(h5py, child(h5py, group, first, path, "group"), (), path)[0]


def _keys(h5py: Any, demo: Any, wanted: tuple[str, ...], path: Path) -> tuple[tuple[str, ...], list[str]]:
    """The entries of ``obs`` that are rows of numbers, and those that are pictures."""
    seen = child(h5py, demo, "obs", path, "group")
    if seen is None:
        raise DataFileError(
            f"{path}: its demonstrations have no 'obs'; make them with robomimic's dataset_states_to_obs.py"
        )
    if len(seen) > MOST_KEYS:
        raise DataFileError(f"{path}: 'obs' has {len(seen):,} entries; {MOST_KEYS:,} are read at most")
    rows: list[str] = []
    pictures: list[str] = []
    for name in sorted(seen):
        array = child(h5py, seen, name, path)
        (rows if array.ndim <= 2 else pictures).append(name)
    unknown = [name for name in wanted if name not in rows]
    if unknown:
        raise DataFileError(
            f"{path}: 'obs' has no rows of numbers called {shown(unknown[0])}; it has {', '.join(rows)}"
        )
    if not rows:
        raise DataFileError(f"{path}: 'obs' holds pictures alone ({', '.join(pictures)}); encode them first")
    return wanted or tuple(rows), pictures


class _Demo:
    """One demonstration of T steps, not read yet."""

    def __init__(self, h5py: Any, group: Any, name: str, keys: tuple[str, ...], path: Path) -> None:
        self.where = f"{path}: data/{name}"
        seen = child(h5py, group, "obs", path, "group")
        following = child(h5py, group, "next_obs", path, "group")
        found = {name: child(h5py, group, name, path) for name in ("actions", "rewards", "dones")}
        entries = {f"obs/{key}": None if seen is None else child(h5py, seen, key, path) for key in keys}
        if following is not None:
            entries |= {f"next_obs/{key}": child(h5py, following, key, path) for key in keys}
        missing = [name for name, array in (found | entries).items() if array is None and name != "rewards"]
        if missing:
            raise DataFileError(
                f"{self.where} lacks {missing[0]}, which other demonstrations have; save the file without it"
            )
        self._arrays = {name: array for name, array in (found | entries).items() if array is not None}
        self._keys, self._follows = keys, following is not None
        steps = found["actions"].shape[0]
        for name, array in self._arrays.items():
            if array.shape[0] != steps or array.ndim > 2:
                raise DataFileError(
                    f"{self.where}/{name} has shape {array.shape}, expected ({steps}, …) as 'actions' has"
                )
        self.widths = {key: int(np.prod(self._arrays[f"obs/{key}"].shape[1:])) for key in keys}
        self.widths["actions"] = int(np.prod(found["actions"].shape[1:]))
        self.bytes = sum(array.nbytes for array in self._arrays.values())

    def read(self) -> Arrays:
        arrays = {name: np.asarray(array[()]) for name, array in self._arrays.items()}
        steps = len(arrays["actions"])
        rewards = arrays.get("rewards", np.zeros(steps)).reshape(steps).astype(np.float64)
        done = arrays["dones"].reshape(steps) != 0
        terminals = done & (rewards > 0)
        timeouts = np.zeros(steps, dtype=bool)
        timeouts[-1] = not terminals[-1]

        def joined(where: str) -> np.ndarray:
            return np.concatenate([arrays[f"{where}/{key}"].reshape(steps, -1) for key in self._keys], 1)

        columns = {
            "observations": joined("obs"),
            "actions": arrays["actions"].reshape(steps, -1),
            "rewards": rewards,
            "terminals": terminals,
            "timeouts": timeouts,
        }
        return columns | ({"next_observations": joined("next_obs")} if self._follows else {})
