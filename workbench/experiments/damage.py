"""Looking through a whole store for what is damaged, and putting it in order.

Nothing is deleted: what is damaged goes to the trash, and the next sweep that asks for it does it again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from workbench.engine.data.hold import is_held
from workbench.engine.data.records import Record
from workbench.engine.words import UserError, plain
from workbench.experiments import reading
from workbench.experiments.files import (
    INDEX,
    JOB,
    METRICS,
    RUNS,
    STORE,
    SWEEPS,
    TRAINED,
    TRASH,
    DamagedError,
    StoreFiles,
)
from workbench.experiments.owners import OWNERS
from workbench.experiments.place import open_place
from workbench.experiments.row import row_of_result
from workbench.experiments.store import LAYOUT, Store, line_of, to_json, trash_name


@dataclass(frozen=True)
class Damage:
    """Something in a store that is not what it should be.

    Attributes
    ----------
    name : str
        The file or folder, below the store.
    what : str
        What is wrong with it.
    cure : {"trash", "index", "lines", "layout"}
        What `repair` does: move it to the trash, make the index anew, leave out lines that are none, or write the layout.
    """

    name: str
    what: str
    cure: str

    def __str__(self) -> str:
        return plain(f"{self.name}: {self.what}")


CURES = {
    "trash": "goes to the trash; the sweep that asked for it does it again",
    "index": "is made anew from the results",
    "lines": "is written anew without the lines that are none",
    "layout": "is written anew",
}


def open_damaged(where: str | Path) -> tuple[StoreFiles, list[Damage]]:
    """The store at ``where``, also when its own file is damaged, which is then the first damage.

    Raises
    ------
    StoreError
        No store there, or one of another layout.
    """
    try:
        return Store(where), []
    except DamagedError as error:
        files = StoreFiles(open_place(where))
        if not (files.place.listing(RUNS) or files.place.files(SWEEPS)):
            raise
        return files, [Damage(STORE, error.what, "layout")]


def damaged_runs(files: StoreFiles, keys: Iterable[str] | None = None) -> dict[str, DamagedError]:
    """Runs of which a file is damaged, by key: why. Every file of each is read."""
    damaged: dict[str, DamagedError] = {}
    present = files.place.listing(RUNS)
    for key in present if keys is None else [key for key in keys if key in present]:
        try:
            if not reading.KEY.fullmatch(key):
                raise files.damaged(f"{RUNS}/{key}", "its name is not that of a run")
            record, result = files.job(key), files.result(key)
            if record is None and present[key]:
                raise files.damaged(f"{RUNS}/{key}", f"it has no {JOB}")
            if result is not None:
                files.episodes(key)
            files.failure(key)
            files.events(key)
        except DamagedError as error:
            damaged[key] = error
    return damaged


def check(files: StoreFiles) -> list[Damage]:
    """Everything in a store that is damaged; every file is read."""
    runs = damaged_runs(files)
    damages = [Damage(f"{RUNS}/{key}", error.about(f"{RUNS}/{key}/"), "trash") for key, error in runs.items()]
    damages += [Damage(name, error.what, "trash") for name, error in files.read_sweeps()[1].items()]
    damages += list(_odd_lines(files, [key for key in files.place.listing(RUNS) if key not in runs]))
    return damages + list(_damaged_trainings(files))


def repair(files: StoreFiles, damages: list[Damage]) -> list[str]:
    """Put in order what `check` found; says what was done, a line for each.

    Raises
    ------
    OSError
        The store cannot be written.
    """
    done, runs = [], files.place.listing(RUNS)
    for damage in damages:
        name, last = damage.name, damage.name.rpartition("/")[2]
        if damage.cure == "layout":
            files.place.write(STORE, to_json({"layout": LAYOUT}))
        elif damage.cure == "trash":
            run = (
                name == f"{RUNS}/{last}" and reading.KEY.fullmatch(last) and runs.get(last)
            )  # a folder with files in it
            place = f"{TRASH}/{trash_name(last if run else name.partition('/')[0] + '.damaged')}"
            files.place.move(name, place if run else f"{place}/{last[:100]}")
        elif name != INDEX:
            kind = reading.OwnerLine if name == OWNERS else reading.Event
            files.place.rewrite(name, reading.whole_lines(kind, files.lines(name)))
        done.append(f"{plain(name)} {CURES[damage.cure]}")
    rows = [row_of_result(result) for result, _ in files.measured()[0]]
    files.place.rewrite(INDEX, [line_of(row) for row in rows])
    return [*done, f"{INDEX} lists the {len(rows)} result(s)"]


def _odd_lines(files: StoreFiles, keys: list[str]) -> Iterator[Damage]:
    """Files of lines with lines that are none; a last line that a crash cut short is no damage."""
    named: list[tuple[str, type[Record]]] = [(OWNERS, reading.OwnerLine)]
    named += [(f"{RUNS}/{key}/{METRICS}", reading.Event) for key in keys]
    for name, kind in named:
        try:
            lines = files.lines(name)
        except DamagedError as error:
            yield Damage(name, error.what, "trash")
            continue
        odd = len(lines[:-1]) - len(reading.whole_lines(kind, lines[:-1]))
        if odd:
            yield Damage(name, f"{odd} of {len(lines)} lines are none", "lines")
    try:
        odd = reading.index_rows(files.lines(INDEX))[1]
    except DamagedError as error:
        yield Damage(INDEX, error.what, "trash")
    else:
        if odd:
            yield Damage(INDEX, f"{odd} line(s) are none", "index")


def _damaged_trainings(files: StoreFiles) -> Iterator[Damage]:
    from workbench.engine.training.loop.checkpoint import RUN_FILE, load_run  # torch, which lists do without

    for folder, present in files.place.listing(TRAINED).items():
        name = f"{TRAINED}/{folder}"
        if RUN_FILE not in present:
            yield Damage(name, f"it has no {RUN_FILE}", "trash")
            continue
        try:
            here = files.place.working_folder(name)
            if files.place.fetch(name, RUN_FILE) and is_held(here) is None:
                load_run(here).parts()
        except (UserError, OSError) as error:
            yield Damage(name, str(error).removeprefix(f"{files.where}/{name}/"), "trash")
