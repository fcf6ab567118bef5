"""``workbench generate``: make a dataset."""

from __future__ import annotations

import sys
import time
from contextlib import closing
from pathlib import Path

from workbench.commands.flags import TaskName, Whole, check_range, quoted
from workbench.console import Bar


def generate(task: TaskName, out: Path, rows: Whole = None, seed: int = 0, workers: Whole = None) -> None:
    """Make a dataset.

    Args:
        task: Name of the task (workbench tasks).
        out: Folder for the files; data that are there already are left untouched.
        rows: Transitions; without it the task's usual number.
        seed: The same seed gives the same files.
        workers: Processes; without it as many as are worth it. They do not change the files.
    """
    from workbench.engine.tasks.registry import make_task
    from workbench.engine.tasks.storage import save_generated

    if workers is not None:
        check_range("--workers", workers, 1, 4096)
    maker, started, made = make_task(task), time.perf_counter(), 0
    try:
        with closing(Bar(rows or 0, "generate", "rows")) as bar:
            show = bar.tick()

            def tick(done: int, total: int) -> None:
                nonlocal made
                made = done
                show(done, total)

            files = save_generated(maker, out, rows, seed, tick, workers)
    except KeyboardInterrupt:
        print("stopped; what a simulator made is kept, and the same command goes on", file=sys.stderr)
        raise SystemExit(130) from None
    spent = time.perf_counter() - started
    for path in files:
        print(f"{path}  {path.stat().st_size / 2**20:.1f} MiB")
    print(
        f"{made:,} rows in {spent:.1f} s, {made / max(spent, 1e-9):,.0f} a second; "
        f"train on it: workbench fit {task} --data {quoted(out)} --out RUN",
        file=sys.stderr,
    )
