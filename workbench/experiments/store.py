"""The store: a folder for each run, which explains itself, and an index that makes the list of runs fast.

::

    STORE/
      store.json                 the version of this layout
      sweeps/ID.json             what was asked for: the grid, its command, the keys of its jobs
      runs/KEY/job.json          the job in full, with all settings
      runs/KEY/metrics.jsonl     what happened, as it came: attempts, training, evaluations; with versions and machine
      runs/KEY/result.json       the measurements, written once
      runs/KEY/episodes-*.npz    every episode behind them
      runs/KEY/failed.json       the error of the last attempt, when it failed
      trained/KEY/               the run folder of the training, as workbench fit makes it
      trash/TIME-KEY/            a run that was put away; it can be put back, until the trash is emptied
      trash/TIME-trained.KEY/    an imported run that was put away, likewise
      index.jsonl                a cache of the rows of results; when it is deleted it is made again

The folders are the truth. Nothing of torch is imported here, so that lists are quick.
"""

from __future__ import annotations

import io
import json
import re
import time
import uuid
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.engine.words import UserError, plain
from workbench.experiments import reading
from workbench.experiments.canonical import key_of
from workbench.experiments.files import (
    FAILED,
    INDEX,
    JOB,
    METRICS,
    RESULT,
    RUNS,
    STORE,
    SWEEPS,
    TRAINED,
    TRASH,
    StoreError,
    StoreFiles,
)
from workbench.experiments.place import never, open_place
from workbench.experiments.provenance import provenance
from workbench.experiments.row import Row, described, row_of_result

if TYPE_CHECKING:
    import numpy as np

LAYOUT = 1
PLANNED = ("task", "rule", "settings", "training", "seed", "episodes")  # of a job in a sweep's record
CLOCK = 1e-3  # seconds by which a file's time may be off: a result is older than its line in the index
AWAY = re.compile(rf"-{TRAINED}\.(\w+(?:-\w+)*)$", re.ASCII)  # how a training is called in the trash
ALIVE = 60.0  # seconds since the last sign of work on a run that counts as running


class Store(StoreFiles):
    """Results of jobs, kept for good.

    Parameters
    ----------
    where : str or Path
        A folder, or a URL that fsspec knows.
    create : bool
        Make it when it is missing.

    Raises
    ------
    StoreError
        No store there, or one of another layout.
    """

    def __init__(self, where: str | Path, *, create: bool = False) -> None:
        super().__init__(open_place(where))
        content = self._read(STORE)
        if content is None:
            if not create:
                raise StoreError(f"{self.where} holds no store (no {STORE} there); make one: workbench sweep … --store")
            self.place.write_once(STORE, to_json({"layout": LAYOUT, "made": now(), "by": provenance()["packages"]}))
            return
        try:
            layout = reading.parsed(content)["layout"]
        except (UserError, KeyError, TypeError):
            raise self.damaged(STORE, "it does not say which layout the store has") from None
        if layout != LAYOUT:
            raise StoreError(
                f"{self.where} has layout {layout}, this workbench reads {LAYOUT}; use the version that made it"
            )

    # --- reading -----------------------------------------------------------------------------------------------

    def rows(self) -> list[Row]:
        """One row for each job, planned or begun; results come from the index where it has them.

        A result whose line the index lacks (it is written after the result) is read and added.
        """
        cached, written = self._index(), self.place.stamp((INDEX,))[0] / 1e9
        folders = self.place.listing(RUNS)
        rows: dict[str, Row] = {}
        records, damaged = self.read_sweeps()
        for name, error in damaged.items():
            rows[name] = Row(plain(name), "damaged", error=str(error))
        for record in records:
            for key, job in record["jobs"].items():
                rows[key] = Row(**{name: job[name] for name in PLANNED}, key=key, status="planned")
        for key, files in folders.items():
            changed = max(
                (when for name, when in files.items() if name == RESULT or name.endswith(".npz")), default=0.0
            )
            if RESULT in files and key in cached and changed <= written + CLOCK:
                rows[key] = cached[key]
            elif (row := self._read_row(key, files)) is not None:
                rows[key] = row
        return list(rows.values())

    def unfinished(self, keys: Iterable[str]) -> list[str]:
        """Those of ``keys`` that have no result, in their order."""
        done = {key for key, files in self.place.listing(RUNS).items() if RESULT in files}
        return [key for key in keys if key not in done]

    def find(self, prefix: str) -> str:
        """The key that begins with ``prefix``.

        Raises
        ------
        StoreError
            None does, or several.
        """
        keys = {row.key for row in self.rows()}
        matches = sorted(key for key in keys if key.startswith(prefix)) if prefix else []
        if len(matches) == 1:
            return matches[0]
        if not matches:
            raise StoreError(f"{self.where} has no run '{prefix}'; see workbench runs list {self.where}")
        raise StoreError(
            f"'{prefix}' is the beginning of {len(matches)} runs ({', '.join(matches[:3])}, …); write more of it"
        )

    def stamp(self) -> tuple[float, ...]:
        """Numbers that differ when something of the list has changed; cheap enough to ask every second."""
        return self.place.stamp((INDEX, RUNS, SWEEPS))

    # --- writing -----------------------------------------------------------------------------------------------

    def note_sweep(self, grid: dict[str, Any], command: str, records: Iterable[dict[str, Any]]) -> None:
        """Write down what was asked for; asking again for the same grid adds the time to its record."""
        name = f"{SWEEPS}/{key_of(grid)}.json"
        try:
            before = self._record(name, reading.Sweep)
        except StoreError:
            before = None  # what is written now takes the place of a damaged record
        started = before["started"] if before is not None else []
        jobs = {}
        for record in records:
            jobs[record["key"]] = {name: value for name, value in described(record).items() if name != "key"}
        note = {"grid": grid, "command": command, "started": [*started, now()], "by": provenance(), "jobs": jobs}
        self.place.write(name, to_json(note))

    def describe(self, record: dict[str, Any]) -> None:
        """Make a job's folder, with the job in it."""
        self.place.write_once(f"{RUNS}/{record['key']}/{JOB}", to_json(record))

    def begin(self, key: str) -> None:
        """Note that an attempt begins here and now."""
        self.note(key, "begun", by=provenance())

    def note(self, key: str, event: str, **facts: object) -> None:
        """Add a line to what happened to a job."""
        self.place.append(
            f"{RUNS}/{key}/{METRICS}", json.dumps({"time": now(), "event": event} | facts, allow_nan=False)
        )

    def finish(self, record: dict[str, Any], result: dict[str, Any], episodes: dict[str, np.ndarray]) -> bool:
        """Keep the result of a job; False when it had one already, which then stays."""
        import numpy as np

        key = record["key"]
        buffer = io.BytesIO()
        np.savez_compressed(buffer, allow_pickle=False, **episodes)
        name = f"episodes-{key_of(buffer.getvalue().hex())[:8]}.npz"
        self.place.write_once(f"{RUNS}/{key}/{name}", buffer.getvalue())
        whole = record | result | {"episodes_file": name, "finished": now(), "by": provenance()}
        if not self.place.write_once(f"{RUNS}/{key}/{RESULT}", to_json(whole)):
            return False
        self.place.append(INDEX, line_of(row_of_result(whole)))
        return True

    def fail(self, record: dict[str, Any], error: str, traceback: str = "") -> None:
        """Note that an attempt failed."""
        key = record["key"]
        self.describe(record)
        try:
            before = self.failure(key)
        except StoreError:
            before = None
        attempts = 1 + (before["attempts"] if before else 0)
        facts = {"error": error, "traceback": traceback, "attempts": attempts, "time": now(), "by": provenance()}
        self.place.write(f"{RUNS}/{key}/{FAILED}", to_json(facts))
        self.note(key, "failed", error=error)
        self.place.append(INDEX, json.dumps({"failed": key}))  # changes the stamp

    def remove(self, keys: Iterable[str]) -> None:
        """Delete runs for good; trained networks stay."""
        for key in keys:
            self.place.append(INDEX, json.dumps({"removed": key}))
            self.place.remove(f"{RUNS}/{key}")

    def put_away(self, keys: Iterable[str]) -> list[str]:
        """Move runs to the trash; trained networks stay.

        Returns
        -------
        list of str
            Their names in the trash, for `put_back`; a key that has no folder (a planned job) has none.

        Raises
        ------
        StoreError
            A worker is busy with one of them; none is moved then.
        """
        folders = self.place.listing(RUNS)
        wanted = [key for key in dict.fromkeys(keys) if key in folders]
        busy = [row.key[:8] for row in self.rows() if row.key in wanted and row.status == "running"]
        if busy:
            raise StoreError(f"run {', '.join(busy)} is being worked on; wait for it, or cancel its sweep first")
        names = []
        for key in wanted:
            name = trash_name(key)
            self.place.append(INDEX, json.dumps({"removed": key}))
            if self.place.move(f"{RUNS}/{key}", f"{TRASH}/{name}"):
                names.append(name)
        return names

    def put_back(self, names: Iterable[str]) -> list[str]:
        """Move runs, imported ones too, from the trash to where they were.

        Returns
        -------
        list of str
            Keys of those that are back. One that was done again in the meantime stays in the trash: it is there twice.
        """
        put_back, present = [], self.trash()
        for name in names:
            home = home_of(name)
            if name in present and home and self.place.move(f"{TRASH}/{name}", home):
                key = home.partition("/")[2]
                self.place.append(INDEX, json.dumps({"restored": key}))  # changes the stamp
                put_back.append(key)
        return put_back

    def trash(self) -> list[str]:
        """Names of what was put away, oldest first."""
        return sorted(self.place.listing(TRASH))

    def empty_trash(self, names: Iterable[str] | None = None) -> int:
        """Delete what was put away, or those ``names`` of it, for good.

        Returns
        -------
        int
            How many there were.
        """
        present = self.trash()
        gone = present if names is None else [name for name in names if name in present]
        for name in gone:
            self.place.remove(f"{TRASH}/{name}")
        return len(gone)

    def lock_job(self, key: str, should_stop: Callable[[], bool] = never) -> AbstractContextManager[None]:
        """A block that one worker at a time may be in for a job that is described."""
        return self.place.lock(f"{RUNS}/{key}/.lock", should_stop)

    def lock_training(self, name: str, should_stop: Callable[[], bool] = never) -> AbstractContextManager[None]:
        """A block that one worker at a time may be in for a training."""
        return self.place.lock(f"locks/{name.replace('/', '-')}.lock", should_stop)

    # --- what the files say -------------------------------------------------------------------------------------

    def _index(self) -> dict[str, Row]:
        try:
            return reading.index_rows(self.lines(INDEX))[0]
        except StoreError:
            return {}  # a cache: the folders are read instead

    def _read_row(self, key: str, files: dict[str, float]) -> Row | None:
        """The row of a folder, from its own files; a result is added to the index, where that can be written."""
        try:
            if not reading.KEY.fullmatch(key):
                raise self.damaged(f"{RUNS}/{key}", "its name is not that of a run")
            result = self.result(key)
            if result is None:
                return self._unfinished(key, files)
            self.episodes(key)
            row = row_of_result(result)
        except StoreError as error:
            return Row(plain(key), "damaged", error=str(error))
        with suppress(OSError):
            self.place.append(INDEX, line_of(row))
        return row

    def _unfinished(self, key: str, files: dict[str, float]) -> Row | None:
        record, failure = self.job(key), self.failure(key)
        if record is None:
            if files:
                raise self.damaged(f"{RUNS}/{key}/{JOB}", "it is missing")
            return None  # being made, or being removed
        last = files.get(METRICS, 0.0)
        if last > files.get(FAILED, 0.0) and self._alive(key, last):
            return Row(**described(record), status="running")
        if failure is not None:
            return Row(**described(record), status="failed", error=failure["error"])
        return Row(**described(record), status="stopped")

    def _alive(self, key: str, last: float) -> bool:
        if time.time() - last > ALIVE and last > 0.0:
            return False
        events = self.events(key)
        if not events or events[-1]["event"] in ("failed", "stopped"):
            return False
        return time.time() - datetime.fromisoformat(events[-1]["time"]).timestamp() <= ALIVE


def now() -> str:
    """UTC, ISO 8601, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def trash_name(key: str) -> str:
    """What a run is called in the trash, from now on."""
    return f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{uuid.uuid4().hex[:6]}-{key}"


def home_of(name: str) -> str:
    """Where something lay that is called ``name`` in the trash; "" for what no run is called."""
    trained = AWAY.search(name)
    if trained is not None:
        return f"{TRAINED}/{trained[1]}"
    key = name.rpartition("-")[2]
    return f"{RUNS}/{key}" if reading.KEY.fullmatch(key) else ""


def to_json(value: object) -> bytes:
    """A record as it is written."""
    return (json.dumps(value, indent=1, allow_nan=False) + "\n").encode()


def line_of(row: Row) -> str:
    """A row as the index has it."""
    return json.dumps(row.as_dict(), allow_nan=False)


__all__ = ["RUNS", "TRAINED", "Store", "StoreError", "now"]
