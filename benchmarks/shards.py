"""Training from shards: peak memory and updates a second with all rows in memory, and with the rows on disk."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.timing import table
from workbench.engine.data.footprint import Keep
from workbench.engine.tasks.registry import make_task
from workbench.engine.tasks.storage import load_saved
from workbench.engine.training.config import make_config
from workbench.engine.training.loop.trainer import Trainer

TASK, DATASET = "ogbench/cube-single-play-singletask-v0", "cube-single-play-v0"
OBSERVED, ACTED, POSITIONS, VELOCITIES = 28, 5, 21, 20
EPISODE = 1001  # rows of a trajectory as OGBench stores it: 1000 transitions, and the last state
UPDATES = 100
WAYS = ("memory", "disk", "disk again")


def write_shards(folder: Path, rows: int, shard: int, packed: bool = True) -> None:
    """Write ``rows`` transitions in shards of ``shard`` in OGBench's own format, by NumPy's own writer, as OGBench does.

    The numbers are random walks: what a row holds changes neither memory nor speed.
    """
    rng = np.random.default_rng(0)
    for number, first in enumerate(range(0, rows, shard)):
        count = min(shard, rows - first) // (EPISODE - 1) * EPISODE
        walk = rng.normal(0.0, 0.01, (count, OBSERVED)).astype(np.float32).cumsum(0, dtype=np.float32)
        save = np.savez_compressed if packed else np.savez
        save(
            folder / f"{DATASET}-{number:03d}.npz",
            observations=walk,
            actions=rng.uniform(-1, 1, (count, ACTED)).astype(np.float32),
            terminals=np.arange(count) % EPISODE == EPISODE - 1,
            qpos=rng.normal(size=(count, POSITIONS)).astype(np.float32),
            qvel=rng.normal(size=(count, VELOCITIES)).astype(np.float32),
        )


def measure(folder: str, where: str) -> dict[str, Any]:
    """Train QGF's losses from ``folder`` in this process; what it took."""
    task = make_task(TASK)
    rest, began = peak(), time.perf_counter()
    data = load_saved(task, folder, keep=Keep("memory" if where == "memory" else "disk"))
    read, loaded = time.perf_counter() - began, peak()
    trainer = Trainer(data, make_config(steps=10**9, hidden=(512,) * 4, n_step=5))
    for _ in range(20):
        trainer.step()
    began = time.perf_counter()
    for _ in range(UPDATES):
        trainer.step()
    rate = UPDATES / (time.perf_counter() - began)
    most = peak()
    return {"rest": rest, "read": read, "loaded": loaded, "peak": most, "rate": rate, "rows": minibatches(trainer)}


def minibatches(trainer: Trainer) -> str:
    """A digest of a hundred minibatches: what was trained on. (Weights of networks of this size depend on where memory lies.)"""
    digest, generator = hashlib.sha256(trainer.data.fingerprint().encode()), torch.Generator().manual_seed(1)
    for _ in range(100):
        batch = trainer.replay.batch(trainer.replay.draw(256, generator))
        for array in batch:
            digest.update(b"" if array is None else array.contiguous().numpy().tobytes())
    return digest.hexdigest()


def peak() -> int:
    """The most bytes of memory that this process has had so far (VmHWM)."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def run() -> None:
    """Print a row for each number of rows and each way; every one is measured in a process of its own."""
    parser = ArgumentParser(prog="python -m benchmarks shards")
    parser.add_argument("--rows", type=int, nargs="+", default=[2_000_000])
    parser.add_argument("--shard", type=int, default=250_000)
    parser.add_argument("--plain", action="store_true", help="shards without compression: np.savez")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS)
    options = parser.parse_known_args()[0]
    lines = []
    for rows in options.rows:
        with tempfile.TemporaryDirectory(prefix="workbench-shards-") as home:
            data, unpacked = Path(home, "data"), Path(home, "rows")
            data.mkdir()
            write_shards(data, rows, options.shard, packed=not options.plain)
            packed = sum(path.stat().st_size for path in data.iterdir())
            found = {}
            for way in options.ways:
                found[way] = _in_a_process(data, way.split()[0], unpacked)
            on_disk = sum(path.stat().st_size for path in unpacked.rglob("*.npy"))
            if len({result["rows"] for result in found.values()}) > 1:
                raise AssertionError(f"the ways gave different minibatches: {found}")
            for way, result in found.items():
                mib = [f"{result[name] / 2**20:,.0f}" for name in ("rest", "loaded", "peak")]
                disk = f"{packed / 2**20:,.0f}" + (f" + {on_disk / 2**20:,.0f}" if way != "memory" else "")
                lines.append([f"{rows:,}", way, *mib, f"{result['read']:.1f}", f"{result['rate']:.1f}", disk])
    heads = ["rows", "rows in", "before, MiB", "data read, MiB", "peak, MiB", "reading, s", "updates/s", "disk, MiB"]
    table("Training from shards (28 observations, 5 actions; QGF's losses, 512×4, batch 256)", heads, lines)


def _in_a_process(data: Path, where: str, unpacked: Path) -> dict[str, Any]:
    code = "import json, sys; from benchmarks.shards import measure; print(json.dumps(measure(*sys.argv[1:])))"
    command = [sys.executable, "-c", code, str(data), where]
    done = subprocess.run(
        command, env={**os.environ, "WORKBENCH_ROWS": str(unpacked)}, capture_output=True, text=True, check=True
    )
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result
