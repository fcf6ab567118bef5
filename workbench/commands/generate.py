"""``workbench generate``: make a dataset."""

from __future__ import annotations

import sys
import time
from contextlib import closing
from pathlib import Path

from workbench.commands.flags import TaskName, Whole, quoted
from workbench.console import Bar


def generate(task: TaskName, out: Path, rows: Whole = None, seed: int = 0) -> None:
    """Make a dataset.

    Args:
        task: Name of the task (workbench tasks).
        out: Folder for the files; data that are there already are left untouched.
        rows: Transitions; without it the task's usual number.
        seed: The same seed gives the same files.
    """
    from workbench.engine.tasks.registry import make_task
    from workbench.engine.tasks.storage import save_generated

    maker, started = make_task(task), time.perf_counter()
    with closing(Bar(rows or 0, "generate", "rows")) as bar:
        files = save_generated(maker, out, rows, seed, bar.tick())
    for path in files:
        print(f"{path}  {path.stat().st_size / 2**20:.1f} MiB")
    print(
        f"done in {time.perf_counter() - started:.1f} s; "
        f"train on it: workbench fit {task} --data {quoted(out)} --out RUN",
        file=sys.stderr,
    )
