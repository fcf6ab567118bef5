"""Folders of shards for the tests, written by NumPy's own writer."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

Columns = dict[str, np.ndarray]


def walk(rows: int, width: int = 3, seed: int = 0, episode: int = 37) -> Columns:
    """Rows of a slow walk; every third episode terminates, time cuts off the others, and each begins anew far away."""
    rng = np.random.default_rng(seed)
    number = np.arange(rows) // episode
    seen = 10.0 * number[:, None] + rng.normal(0, 0.05, (rows, width))
    last = np.arange(rows) % episode == episode - 1
    following = np.where(last[:, None], seen + 0.01, np.concatenate((seen[1:], seen[-1:] + 0.01)))
    terminated = last & (number % 3 == 2)
    return {
        "observations": seen.astype(np.float32),
        "actions": rng.uniform(-2, 2, (rows, 1)).astype(np.float32),
        "rewards": rng.normal(size=rows).astype(np.float32),
        "terminals": terminated.astype(np.float32),
        "timeouts": (last & ~terminated).astype(np.float32),
        "next_observations": following.astype(np.float32),
    }


def write(folder: Path, columns: Columns, cuts: Sequence[int], packed: bool = True) -> list[Path]:
    """Write ``columns`` as shards that are cut before the rows ``cuts``."""
    folder.mkdir(exist_ok=True)
    rows, paths = len(columns["actions"]), []
    for number, (first, after) in enumerate(zip((0, *cuts), (*cuts, rows), strict=True)):
        paths.append(folder / f"walk-{number:03d}.npz")
        save = np.savez_compressed if packed else np.savez
        save(paths[-1], **{name: array[first:after] for name, array in columns.items()})  # type: ignore[arg-type]
    return paths
