"""How long each lesson runs from top to bottom in a fresh kernel, cold (no policy trained yet) and warm, and on what.

Cold means an empty cache of the user: a lesson that needs the policy of ``three_exits`` trains it. Warm is the same
lesson again. The first of a run also pays for the machine's own cold files; the columns say which cells take longest.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from datetime import datetime
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from benchmarks.timing import table

ROOT = Path(__file__).resolve().parents[1]
MOST_EACH, MOST_ALL = 60, 480  # seconds, on two cores
SHOWN = 3  # cells named in the table


def run() -> None:
    rows, sums = [], [0.0, 0.0]
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        with tempfile.TemporaryDirectory() as cache:
            cold, _ = _time(path, cache)
            warm, cells = _time(path, cache)
        sums = [sums[0] + cold, sums[1] + warm]
        first, *others = cells
        slow = sorted(others, key=lambda cell: -cell[0])[:SHOWN]
        kernel = warm - sum(seconds for seconds, _ in cells)
        rows.append([
            path.stem, f"{cold:.0f}", f"{warm:.0f}", f"{kernel:.1f}", f"{first[0]:.1f}",
            ", ".join(f"{name} {seconds:.1f}" for seconds, name in slow),
        ])  # fmt: skip
    rows.append(["all", f"{sums[0]:.0f}", f"{sums[1]:.0f}", "", "", ""])
    table(
        f"lessons from top to bottom, seconds (to reach: {MOST_EACH} each, {MOST_ALL} all; "
        f"load of the machine in the last minute {os.getloadavg()[0]:.1f})",
        ("lesson", "cold", "warm", "kernel", "imports", "slowest cells, warm (number of the cell, seconds)"),
        rows,
    )


def _time(path: Path, cache: str) -> tuple[float, list[tuple[float, str]]]:
    """Seconds for one notebook, and for each of its code cells with its number."""
    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "data").symlink_to(ROOT / "notebooks" / "data")
        client = NotebookClient(notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": folder}})
        start = time.perf_counter()
        env = os.environ | {"PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": cache}
        client.execute(env=env, stderr=subprocess.DEVNULL)  # the kernel itself talks there
        took = time.perf_counter() - start
    cells = []
    for number, cell in enumerate((c for c in notebook.cells if c.cell_type == "code"), 1):
        stamps = cell.metadata["execution"]
        begin, end = (datetime.fromisoformat(stamps[key]) for key in ("iopub.execute_input", "shell.execute_reply"))
        cells.append(((end - begin).total_seconds(), f"[{number}]"))
    return took, cells
