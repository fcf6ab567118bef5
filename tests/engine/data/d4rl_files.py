"""Small files in exactly the layouts of D4RL's families, written by h5py as D4RL's own scripts do."""

from pathlib import Path

import h5py
import numpy as np

KITCHEN_GOAL = np.zeros(30, dtype=np.float32)


def write(path: Path, columns: dict[str, np.ndarray]) -> Path:
    with h5py.File(path, "w") as file:
        for name, array in columns.items():
            file.create_dataset(name, data=array, compression="gzip")
        file["metadata/algorithm"] = np.bytes_("probe")  # D4RL's files describe themselves here
    return path


def path_of(rows: int, size: int, seed: int) -> np.ndarray:
    """A smooth walk (rows, size)."""
    return np.cumsum(np.random.default_rng(seed).normal(0, 0.05, (rows, size)), axis=0).astype(np.float32)


def episodes(lengths: tuple[int, ...], size: int, actions: int, apart: float = 8.0) -> dict[str, np.ndarray]:
    """Walks far apart from one another, one after the other."""
    rows = sum(lengths)
    seen = [apart * number + path_of(length, size, number) for number, length in enumerate(lengths)]
    ends = np.zeros(rows, dtype=bool)
    ends[np.cumsum(lengths) - 1] = True
    return {
        "observations": np.concatenate(seen),
        "actions": np.random.default_rng(9).uniform(-1, 1, (rows, actions)).astype(np.float32),
        "rewards": np.zeros(rows, dtype=np.float32),
        "terminals": np.zeros(rows, dtype=np.bool_),
        "timeouts": ends,
    }


def antmaze(path: Path, marked: bool = True) -> Path:
    """Three episodes; the second reaches the goal in its last row. Unmarked, as version 0 left some resets."""
    data = episodes((6, 5, 7), 29, 8)
    data["rewards"][10], data["terminals"][10], data["timeouts"][10] = 1.0, True, False
    if not marked:
        data["timeouts"][:] = False
    rows = len(data["rewards"])
    infos = {"infos/goal": np.full((rows, 2), (0.5, 8.3), np.float32)}
    infos |= {"infos/qpos": data["observations"][:, :15], "infos/qvel": data["observations"][:, 15:]}
    return write(path, data | infos)


def maze2d(path: Path, waypoints: bool = False) -> Path:
    """One long way, without time limits; ``waypoints`` marks rows where the controller chose another one."""
    data = episodes((20,), 4, 2)
    del data["timeouts"]
    data["rewards"][7:10] = 1.0
    if waypoints:
        data["terminals"][[5, 12]] = True
        data["observations"][[6, 13]] = data["observations"][[5, 12]]  # the script does not step there
    goals = np.repeat(np.arange(4.0), 5)[:, None].repeat(2, 1)
    infos = {"infos/goal": goals, "infos/qpos": data["observations"][:, :2], "infos/qvel": data["observations"][:, 2:]}
    return write(path, data | infos)


def kitchen(path: Path) -> Path:
    """Three demonstrations that all end with `terminals`; the second has done all four tasks."""
    data = episodes((6, 5, 7), 60, 9)
    ends = data.pop("timeouts")
    data["rewards"][[3, 4, 5]] = 2.0
    data["rewards"][[9, 10]] = (3.0, 4.0)
    data["terminals"] = ends.astype(np.float32)
    return write(path, data | {"infos": np.repeat([0, 1, 2], (6, 5, 7))})


def adroit(path: Path, size: int = 45, actions: int = 24) -> Path:
    """Two human demonstrations, whose ends are time limits, with the simulator's state beside them."""
    data = episodes((5, 6), size, actions)
    rows = len(data["rewards"])
    infos = {"infos/qpos": np.zeros((rows, 30), np.float32), "infos/qvel": np.zeros((rows, 30), np.float32)}
    return write(path, data | infos | {"infos/env_state/desired_orien": np.zeros((rows, 4), np.float32)})


def locomotion(path: Path, size: int = 11, actions: int = 3) -> Path:
    """Version 2: with next observations."""
    data = episodes((5, 6), size, actions)
    data["terminals"][4], data["timeouts"][4] = True, False
    following = np.concatenate((data["observations"][1:], data["observations"][-1:] + 0.1)).astype(np.float32)
    infos = {"infos/qpos": data["observations"], "infos/action_log_probs": data["rewards"]}
    return write(path, data | infos | {"next_observations": following})
