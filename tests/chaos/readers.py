"""Everything that is done with a file or folder of each kind, as the commands and pages do it."""

import os
from contextlib import suppress
from pathlib import Path

from workbench.course.board import SHARED, scoreboard
from workbench.engine.data.hdf5 import read_hdf5
from workbench.engine.data.npz import load_dataset
from workbench.engine.training.loop.checkpoint import load_run
from workbench.experiments.compare import compare
from workbench.experiments.damage import check
from workbench.experiments.owners import Owners
from workbench.experiments.store import Store
from workbench.experiments.summary import curves
from workbench.runs.launched import Trainings
from workbench.runs.training import SOURCE, Source
from workbench.ui.pages.runs.details import describe
from workbench.ui.serve import read_users
from workbench.views.runs import line_of


def run(folder: Path) -> None:
    Source.read(folder / SOURCE, Source(None, 0, False))
    load_run(folder).parts()


def store(folder: Path) -> None:
    opened = Store(folder)
    rows = opened.rows()
    for row in rows:
        line_of(row)
        with suppress(ValueError):  # shown on the page in its words
            describe(opened, [row])
    curves(opened)
    Owners(opened).foreign("x", ["a" * 20])
    with suppress(ValueError):
        compare(opened, [row.key for row in rows if row.status == "done"])
    damaged = [row for row in rows if row.status == "damaged"]
    if check(opened) or damaged:
        raise ValueError("; ".join(str(row.error) for row in damaged)[:2000] or "damaged")


def board(folder: Path) -> None:
    os.environ[SHARED] = str(folder)
    scoreboard()._repr_html_()


def trainings(folder: Path) -> None:
    for training in Trainings(folder).visible("x"):
        training.progress()
        _ = training.state, training.error


READERS = {
    "npz": load_dataset,
    "hdf5": read_hdf5,
    "run": run,
    "sealed": run,
    "store": store,
    "users": lambda path: read_users(str(path)),
    "board": board,
    "trainings": trainings,
}
