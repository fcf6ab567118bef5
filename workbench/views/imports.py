"""The imported runs of a server's store, for its pages: whose they are, how many one may keep, and deleting them with undo."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from workbench.engine.words import UserError, counted
from workbench.experiments.imported_runs import ImportedRun, digest_of, imported_runs, keep_run, put_away
from workbench.experiments.job import IMPORTED, Job
from workbench.experiments.own_store import store_folder
from workbench.experiments.owners import Owners
from workbench.experiments.store import Store
from workbench.views.policies import RUN, title_of

MOST_KEPT = 20  # imported runs of one visitor
MOST_SIZE = 2 * 2**30  # bytes of them together


def into_store(folder: Path, task: str, secret: str) -> str:
    """Move a run that was just imported into the server's store, where pages and sweeps find it; its name in links.

    Its own folder, and the one around it, are gone afterwards, whatever happens. One that is there already stays its owner's.
    """
    try:
        store = Store(store_folder(), create=True)
        job = Job(task=task, rule="bc", training={IMPORTED: digest_of(folder)})
        before = {run.name for run in imported_runs(store)}
        name = keep_run(store, folder, job)
        if name not in before:
            Owners(store).note(secret, [job.training_key])
        return RUN + name
    finally:
        shutil.rmtree(folder.parent, ignore_errors=True)


def deletable(store: Store | None, secret: str, anybody: bool) -> list[ImportedRun]:
    """The imported runs that a browser may delete, as it may other runs: its own, and all where the server is one person's."""
    there = [] if store is None else imported_runs(store)
    if store is None or anybody:
        return there
    foreign = set(Owners(store).foreign(secret, (run.key for run in there)))
    return [run for run in there if run.key not in foreign]


def check_room(store: Store | None, secret: str) -> None:
    """Raise `UserError` when a visitor keeps as many imported runs as one may."""
    if store is None:
        return
    there = imported_runs(store)
    own = set(Owners(store).own(secret, (run.key for run in there)))
    mine = [run for run in there if run.key in own]
    size = sum(run.size for run in mine)
    if len(mine) >= MOST_KEPT or size >= MOST_SIZE:
        raise UserError(
            f"you keep {counted(len(mine), 'imported run')} of {size / 2**20:,.0f} MiB here; {MOST_KEPT} and "
            f"{MOST_SIZE >> 20:,} MiB are kept at most: delete one first"
        )


def delete(store: Store, name: str, secret: str, anybody: bool) -> list[str]:
    """Put an imported run away; its name in the trash, for `Store.put_back`.

    Raises
    ------
    UserError
        It is not there, it is somebody else's, or a sweep steers it just now.
    """
    there = [run for run in imported_runs(store) if run.name == name]
    if not there:
        raise UserError("this imported run is not here any more; somebody has deleted it")
    if not any(run.name == name for run in deletable(store, secret, anybody)):
        raise UserError(
            "you did not import this run. On a server that several people use, a run is deleted by the browser that imported "
            "it; by everybody once that one has ticked “Others may delete my runs” on the page Runs"
        )
    return put_away(store, there)


def titles(runs: Sequence[ImportedRun]) -> dict[str, str]:
    """Names by what a list calls them, as the lists of policies do."""
    return {title_of(run.task, RUN + run.name, 0): run.name for run in runs}
