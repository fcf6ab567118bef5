"""Where this server keeps its runs, and its sweeps: shared by the pages Budget and Runs."""

from __future__ import annotations

import atexit
import functools
import os
from pathlib import Path

from platformdirs import user_data_path

from workbench.experiments.launch import Sweeps

STORE_VARIABLE = "WORKBENCH_STORE"  # how `workbench serve --store DIR` and `panel serve` say where the store is


def store_folder() -> Path:
    """The folder of the store: that of the environment variable, else one in the user's data folder."""
    named = os.environ.get(STORE_VARIABLE, "")
    return Path(named).expanduser().resolve() if named else user_data_path("workbench") / "store"


@functools.cache
def sweeps() -> Sweeps:
    """The sweeps of this process; the child ends with it."""
    made = Sweeps(store_folder())
    atexit.register(made.close)
    return made
