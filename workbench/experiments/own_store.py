"""Where a user's own store lies, when nobody names one."""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import user_data_path

STORE_VARIABLE = "WORKBENCH_STORE"  # how `workbench serve --store DIR` and `panel serve` say where the store is


def store_folder() -> Path:
    """The folder of the store: that of the environment variable, else one in the user's data folder."""
    named = os.environ.get(STORE_VARIABLE, "")
    return Path(named).expanduser().resolve() if named else user_data_path("workbench") / "store"
