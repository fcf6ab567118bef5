"""Where this server keeps its runs, and its sweeps: shared by the pages Budget and Runs."""

from __future__ import annotations

import atexit
import functools
import os
from pathlib import Path

from platformdirs import user_data_path

from workbench.experiments.launch import Sweeps
from workbench.ui.names import LOOPBACK, read_name

SHARED_VARIABLE = "WORKBENCH_SHARED"  # set where several people use one server
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


NO_STORE = (-1.0,)  # the stamp while there is none


def stamp_of_store() -> tuple[float, ...]:
    """Numbers that differ when the store has changed, or has been made."""
    store = sweeps().found()
    return NO_STORE if store is None else store.stamp()


def one_user() -> bool:
    """Whether this server is one person's: reached on loopback, without a sign-in, a proxy, or `SHARED_VARIABLE`.

    On such a server every browser may delete and cancel everything; elsewhere only what it launched.
    """
    import panel as pn  # here: the processes that draw come up without it

    if os.environ.get(SHARED_VARIABLE) or pn.config.basic_auth or pn.config.oauth_provider:
        return False
    headers = {name.lower(): value for name, value in pn.state.headers.items()}
    name = read_name(str(headers.get("host", "localhost")))
    return "x-forwarded-for" not in headers and name is not None and name.host in LOOPBACK
