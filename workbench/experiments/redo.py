"""The command that does one run again."""

from __future__ import annotations

from typing import Any

from workbench.experiments.grid import TRAINING, Grid
from workbench.experiments.job import Data


def grid_of(record: dict[str, Any]) -> Grid:
    """The grid whose only job is that of ``record`` (job.json, or a result): its key is the same."""
    job, changed = record["job"], record["changed"]
    axes = {f"{job['rule']}.{name}": (value,) for name, value in changed["settings"].items()}
    axes |= {f"{TRAINING}.{name}": (value,) for name, value in changed["training"].items()}
    return Grid(
        tasks=(job["task"],),
        rules=(job["rule"],),
        axes=axes,
        seeds=(job["seed"],),
        episodes=job["episodes"],
        data=Data(**job["data"]),
    )


def redo_command(record: dict[str, Any], store: str) -> str:
    """What to write to do the run again, into ``store``; a run that is done is found there and not repeated."""
    return grid_of(record).command(store)
