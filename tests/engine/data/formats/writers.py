"""Small datasets in the formats of other projects, written by the libraries that these use."""

import json
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import zarr
from pyarrow import csv, parquet

from workbench.engine.data.npz import write_arrays

LENGTHS = (5, 3, 4)
ROWS = sum(LENGTHS)
S, D = 3, 2


def made(seed: int = 0, lengths: tuple[int, ...] = LENGTHS, scale: float = 1.0) -> dict[str, np.ndarray]:
    """Episodes of which the first and the last succeed."""
    generator = np.random.default_rng(seed)
    rows = sum(lengths)
    last = np.zeros(rows, dtype=bool)
    last[np.cumsum(lengths) - 1] = True
    success = last & (np.arange(rows) != sum(lengths[:2]) - 1)
    return {
        "observations": generator.normal(size=(rows, S)).astype(np.float32),
        "actions": scale * generator.uniform(-1, 1, (rows, D)).astype(np.float32),
        "rewards": success.astype(np.float64),
        "terminals": success,
        "last": last,
        "episode": np.repeat(np.arange(len(lengths)), lengths),
        "frame": np.concatenate([np.arange(length) for length in lengths]),
    }


def robomimic(folder: Path, data: dict[str, np.ndarray], following: bool = False) -> Path:
    path = folder / "low_dim.hdf5"
    with h5py.File(path, "w") as file:
        group = file.create_group("data")
        group.attrs["env_args"] = json.dumps({"env_name": "Lift", "type": 1})
        for number in np.unique(data["episode"]):
            rows = data["episode"] == number
            demo = group.create_group(f"demo_{number}")
            demo.attrs["num_samples"] = int(rows.sum())
            demo["actions"], demo["rewards"] = data["actions"][rows], data["rewards"][rows]
            demo["dones"] = data["last"][rows].astype(np.int64)
            seen = data["observations"][rows]
            demo["obs/b_pos"], demo["obs/a_grip"] = seen[:, 1:], seen[:, :1]
            demo["obs/agentview_image"] = np.zeros((rows.sum(), 4, 4, 3), dtype=np.uint8)
            if following:
                after = np.concatenate((seen[1:], seen[-1:] + 1))
                demo["next_obs/b_pos"], demo["next_obs/a_grip"] = after[:, 1:], after[:, :1]
    return path


def lerobot(folder: Path, data: dict[str, np.ndarray], version: str = "v2.1", success: bool = True) -> Path:
    root = folder / "lerobot"
    (root / "meta").mkdir(parents=True)
    features = {
        "observation.state": {"dtype": "float32", "shape": [S], "names": ["x", "y", "z"]},
        "observation.images.top": {"dtype": "video", "shape": [3, 8, 8], "names": None},
        "action": {"dtype": "float32", "shape": [D], "names": {"motors": ["m0", "m1"]}},
        "next.reward": {"dtype": "float32", "shape": [1], "names": None},
    }
    if success:
        features["next.success"] = {"dtype": "bool", "shape": [1], "names": None}
    info = {
        "codebase_version": version,
        "fps": 30,
        "total_frames": len(data["actions"]),
        "total_episodes": int(data["episode"].max()) + 1,
        "data_path": "../../../elsewhere/{episode_index}.parquet",
        "features": features,
    }
    (root / "meta" / "info.json").write_text(json.dumps(info))

    def write(path: Path, rows: np.ndarray) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        columns = {
            "observation.state": pa.FixedSizeListArray.from_arrays(data["observations"][rows].ravel(), S),
            "action": pa.array(list(data["actions"][rows])),
            "next.reward": data["rewards"][rows].astype(np.float32),
            "timestamp": np.arange(rows.sum()) / 30,
            "frame_index": data["frame"][rows],
            "episode_index": data["episode"][rows],
            "index": np.flatnonzero(rows),
            "task_index": np.zeros(rows.sum(), dtype=np.int64),
        }
        if success:
            columns["next.success"] = data["terminals"][rows]
        parquet.write_table(pa.table(columns), path)

    if version == "v3.0":
        half = data["episode"] < 2
        write(root / "data/chunk-000/file-000.parquet", half)
        write(root / "data/chunk-000/file-001.parquet", ~half)
    else:
        for number in np.unique(data["episode"]):
            write(root / f"data/chunk-000/episode_{number:06d}.parquet", data["episode"] == number)
    return root


def zarr_folder(folder: Path, data: dict[str, np.ndarray], version: int = 2) -> Path:
    path = folder / "replay.zarr"
    root = zarr.open_group(str(path), mode="w", zarr_format=version)
    group, meta = root.create_group("data"), root.create_group("meta")
    pictures = np.zeros((len(data["actions"]), 4, 4, 3), dtype=np.uint8)
    arrays = {"state": data["observations"], "action": data["actions"], "img": pictures, "reward": data["rewards"]}
    for name, array in (arrays | {"terminal": data["terminals"]}).items():
        group.create_array(name, data=array, chunks=(7, *array.shape[1:]))
    meta.create_array("episode_ends", data=np.flatnonzero(data["last"]) + 1)
    return path


def flat_table(data: dict[str, np.ndarray]) -> pa.Table:
    columns = {f"obs_{i}": data["observations"][:, i].astype(np.float64) for i in range(S)}
    columns |= {f"action.{name}": data["actions"][:, i].astype(np.float64) for i, name in enumerate("ab")}
    columns |= {"reward": data["rewards"], "terminated": data["terminals"], "episode": data["episode"]}
    return pa.table(columns | {"comment": ["=cmd()"] * len(data["actions"])})


def parquet_file(folder: Path, data: dict[str, np.ndarray]) -> Path:
    parquet.write_table(flat_table(data), folder / "log.parquet")
    return folder / "log.parquet"


def csv_file(folder: Path, data: dict[str, np.ndarray]) -> Path:
    csv.write_csv(flat_table(data), folder / "log.csv")
    return folder / "log.csv"


def plain_npz(folder: Path, data: dict[str, np.ndarray]) -> Path:
    columns = {name: data[name] for name in ("observations", "actions", "rewards", "terminals")}
    write_arrays(folder / "plain.npz", columns | {"timeouts": data["last"] & ~data["terminals"]})
    return folder / "plain.npz"


def d4rl_file(folder: Path, data: dict[str, np.ndarray]) -> Path:
    with h5py.File(folder / "d4rl.hdf5", "w") as file:
        for name in ("observations", "actions", "rewards", "terminals"):
            file[name] = data[name]
        file["timeouts"] = data["last"] & ~data["terminals"]
    return folder / "d4rl.hdf5"


WRITERS: dict[str, Callable[[Path, dict[str, np.ndarray]], Path]] = {
    "robomimic": robomimic,
    "lerobot v2.1": lerobot,
    "lerobot v3.0": lambda folder, data: lerobot(folder, data, "v3.0"),
    "zarr 2": zarr_folder,
    "zarr 3": lambda folder, data: zarr_folder(folder, data, 3),
    "parquet": parquet_file,
    "csv": csv_file,
    "npz": plain_npz,
    "d4rl": d4rl_file,
}
