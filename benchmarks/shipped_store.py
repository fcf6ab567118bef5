"""Makes the small measured store of three_exits that the package ships: its sweep, and its file.

Seeds 0 to 4, 100 episodes to choose on and 100 others to report on, every test-time rule at its strengths
(`workbench.experiments.shipped.GRID`); about a quarter of an hour of one idle processor. A run that was stopped goes on in the
same folder.
"""

from __future__ import annotations

import argparse
import shlex
import time
from pathlib import Path

from benchmarks.sweep import workbench
from workbench.experiments.shipped import FILE, GRID, pack
from workbench.experiments.store import Store


def run() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks shipped_store")
    parser.add_argument("--store", type=Path, default=Path("runs") / "shipped", help="where the sweep's results go")
    parser.add_argument("--out", type=Path, default=FILE)
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_known_args()[0]
    start = time.perf_counter()
    workbench(*shlex.split(GRID.command(str(options.store)))[1:], "--workers", str(options.workers))
    size = pack(Store(options.store), options.out)
    print(f"{options.out.name}: {len(GRID.jobs())} runs, {size:,} bytes, {time.perf_counter() - start:.0f} s")
