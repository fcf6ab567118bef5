"""The trainings and sweeps of this server, which all of its pages share."""

from __future__ import annotations

import atexit
import functools
import os
from pathlib import Path

from platformdirs import user_data_path

from workbench.experiments.launch import Sweeps
from workbench.experiments.own_store import store_folder
from workbench.runs.launched import Trainings
from workbench.ui.server.names import LOOPBACK, read_name

MOST_TRAININGS = 2  # at once, on one server
DATA_VARIABLE = "WORKBENCH_SERVED_DATA"  # how `workbench serve --data DIR` says which folder pages may open files of
SHARED_VARIABLE = "WORKBENCH_SHARED"  # set where several people use one server


@functools.cache
def sweeps() -> Sweeps:
    """The sweeps of this process, made on first use; their child process ends with it."""
    one = Sweeps(store_folder())
    atexit.register(one.close)
    return one


@functools.cache
def trainings() -> Trainings:
    """All trainings of this process, made on first use; its children end with it."""
    all_of_them = Trainings(user_data_path("workbench") / "trainings", MOST_TRAININGS)
    atexit.register(all_of_them.close)
    return all_of_them


def served_data() -> Path | None:
    """The folder of this machine whose files pages may open; None where the server's owner permits none."""
    named = os.environ.get(DATA_VARIABLE, "")
    return Path(named).expanduser().resolve() if named else None


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
