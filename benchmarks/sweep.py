"""A whole sweep by its command, data and training included: 8 weights × 5 seeds × 500 episodes on three_exits, on two workers.

Wall time is that of this machine as it is; processor time over two is what two idle cores would need at least, and says how
much of the wall time other work took.
"""

from __future__ import annotations

import os
import resource
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.timing import table

GRID = "--grid weight=0,0.03,0.1,0.3,1,3,10,30 --seeds 0..4 --episodes 500"
COMMAND = f"sweep --task three_exits --rule qgf {GRID} --workers 2 --store"
REACH = 180.0


def run() -> None:
    with tempfile.TemporaryDirectory() as name:
        place = str(Path(name) / "store")
        before, start = spent(), time.perf_counter()
        workbench(*shlex.split(COMMAND), place)
        wall, used = time.perf_counter() - start, spent() - before
        start = time.perf_counter()
        workbench(*shlex.split(COMMAND), place)
        again = time.perf_counter() - start
        rows = [
            ["first time", f"{wall:.0f}", f"{used / 2:.0f}", f"{REACH:.0f}"],
            ["again, nothing to do", f"{again:.1f}", "", ""],
        ]
        table("40 jobs, 2 workers", ("sweep", "wall s", "processor s / 2", "to reach"), rows)
        central(place)


def central(place: str) -> None:
    """The picture itself: return, shift and the critic's estimate against the weight."""
    from workbench.experiments.store import Store
    from workbench.experiments.summary import curves

    (curve,) = curves(Store(place))
    lines = [
        [
            f"{point.value:g}", f"{point.returns.mean:.3f} [{point.returns.low:.3f}, {point.returns.high:.3f}]",
            " ".join(f"{value:.2f}" for value in point.per_seed["return"]),
            f"{w2:.3f}", f"{q:.3f}",
        ]
        for point, w2, q in zip(curve.points, curve.column("shift.w2"), curve.column("promised"), strict=True)
    ]  # fmt: skip
    table("three_exits, QGF, reporting episodes", ("weight", "return, 95%", "each seed", "shift", "promised"), lines)
    assert curve.choice is not None
    choice = curve.choice
    print(f"  chosen on the choosing episodes: w = {choice.strength:g}, reported {choice.reported.mean:.3f}")


def workbench(*words: str) -> str:
    root = str(Path(__file__).resolve().parents[1])
    environment = os.environ | {"PYTHONPATH": root, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "workbench.cli", *words], env=environment, stdout=subprocess.PIPE, text=True
    )
    if done.returncode != 0:
        raise RuntimeError(f"workbench {' '.join(words)} ended with {done.returncode}")
    return done.stdout


def spent() -> float:
    """Processor seconds of all child processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
