"""The store: a folder per run that explains itself, and a list of runs that is fast because it only caches.

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
      index.jsonl                a cache of result rows; delete it and it is made again

The folders are the truth. Nothing of torch is imported here, so that lists are quick.
"""

from __future__ import annotations

import io
import json
import time
import uuid
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.experiments.canonical import key_of
from workbench.experiments.place import Place, never, open_place
from workbench.experiments.provenance import provenance
from workbench.experiments.row import Row, described, row_of_result

if TYPE_CHECKING:
    import numpy as np

LAYOUT = 1
STORE, INDEX, SWEEPS, RUNS, TRAINED, TRASH = "store.json", "index.jsonl", "sweeps", "runs", "trained", "trash"
JOB, METRICS, RESULT, FAILED = "job.json", "metrics.jsonl", "result.json", "failed.json"
ALIVE = 60.0  # seconds since the last sign of work on a run that counts as running


class StoreError(ValueError):
    """A store that cannot be used, or a run that is not in it; the message says what to do."""


class Store:
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
        self.place: Place = open_place(where)
        content = self.place.read(STORE)
        if content is None:
            if not create:
                raise StoreError(f"{self.where} holds no store (no {STORE} there); make one: workbench sweep … --store")
            self.place.write_once(STORE, _json({"layout": LAYOUT, "made": now(), "by": provenance()["packages"]}))
            return
        try:
            layout = json.loads(content)["layout"]
        except (ValueError, KeyError, TypeError):
            raise StoreError(f"{self.where}/{STORE} is damaged; restore it: echo '{{\"layout\": 1}}' > …") from None
        if layout != LAYOUT:
            raise StoreError(
                f"{self.where} has layout {layout}, this workbench reads {LAYOUT}; use the version that made it"
            )

    @property
    def where(self) -> str:
        """Path or URL."""
        return self.place.where

    # --- reading -----------------------------------------------------------------------------------------------

    def rows(self) -> list[Row]:
        """One row for each job, planned or begun; results come from the index where it has them.

        A result whose line the index lacks (it is written after the result) is read and added.
        """
        cached = self._index()
        folders = self.place.listing(RUNS)
        found: dict[str, Row] = {}
        for record in self.sweeps():
            for key, job in record["jobs"].items():
                found[key] = Row(**job | {"key": key}, status="planned")
        for key, files in folders.items():
            done = RESULT in files
            row = (cached.get(key) or self._read_row(key)) if done else self._unfinished(key, files)
            if row is not None:
                found[key] = row
        return list(found.values())

    def unfinished(self, keys: Iterable[str]) -> list[str]:
        """Those of ``keys`` that have no result, in their order."""
        done = {key for key, files in self.place.listing(RUNS).items() if RESULT in files}
        return [key for key in keys if key not in done]

    def result(self, key: str) -> dict[str, Any] | None:
        """The measurements of a job; None when it has none yet."""
        content = self.place.read(f"{RUNS}/{key}/{RESULT}")
        return None if content is None else _parsed(content, f"{self.where}/{RUNS}/{key}/{RESULT}")

    def results(self, keys: Iterable[str] | None = None) -> list[dict[str, Any]]:
        """All results, or those of ``keys`` that are there."""
        wanted = self.place.listing(RUNS) if keys is None else keys
        return [result for key in wanted if (result := self.result(key)) is not None]

    def episodes(self, key: str) -> dict[str, np.ndarray]:
        """Every episode of a finished job: ``report.returns`` (E,), ``choose.returns`` (E,), and so on.

        Raises
        ------
        StoreError
            No result, or its file of episodes is missing or damaged.
        """
        import numpy as np  # here, as in `finish`: a list of runs does without

        result = self.result(key)
        name = f"{RUNS}/{key}/{result['episodes_file']}" if result else ""
        content = self.place.read(name) if name else None
        if content is None:
            raise StoreError(f"{self.where} has no episodes of run {key}")
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as file:
                return {item: file[item] for item in file.files}
        except (ValueError, OSError, EOFError) as error:
            raise StoreError(f"{self.where}/{name} is damaged ({error}); remove the run: workbench runs rm") from None

    def job(self, key: str) -> dict[str, Any] | None:
        """The record of a job (job.json): ``key``, ``job`` in full, ``changed``."""
        content = self.place.read(f"{RUNS}/{key}/{JOB}")
        return None if content is None else _parsed(content, f"{self.where}/{RUNS}/{key}/{JOB}")

    def events(self, key: str) -> list[dict[str, Any]]:
        """What happened to a job, oldest first; lines that a crash cut short are left out."""
        return list(_whole(self.place.lines(f"{RUNS}/{key}/{METRICS}")))

    def failure(self, key: str) -> dict[str, Any] | None:
        """The last failure of a job: ``error``, ``traceback``, ``attempts``."""
        content = self.place.read(f"{RUNS}/{key}/{FAILED}")
        return None if content is None else _parsed(content, f"{self.where}/{RUNS}/{key}/{FAILED}")

    def sweeps(self) -> list[dict[str, Any]]:
        """The sweeps that were started here, oldest first."""
        found = []
        for name in self.place.files(SWEEPS):
            content = self.place.read(f"{SWEEPS}/{name}")
            if content is not None and name.endswith(".json"):
                found.append(_parsed(content, f"{self.where}/{SWEEPS}/{name}"))
        return sorted(found, key=lambda record: str(record["started"][0]))

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
        before = self.place.read(name)
        started = _parsed(before, name)["started"] if before is not None else []
        jobs = {}
        for record in records:
            jobs[record["key"]] = {name: value for name, value in described(record).items() if name != "key"}
        note = {"grid": grid, "command": command, "started": [*started, now()], "by": provenance(), "jobs": jobs}
        self.place.write(name, _json(note))

    def describe(self, record: dict[str, Any]) -> None:
        """Make a job's folder, with the job in it."""
        self.place.write_once(f"{RUNS}/{record['key']}/{JOB}", _json(record))

    def begin(self, key: str) -> None:
        """Note that an attempt begins here and now."""
        self.note(key, "begun", by=provenance())

    def note(self, key: str, event: str, **facts: Any) -> None:
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
        if not self.place.write_once(f"{RUNS}/{key}/{RESULT}", _json(whole)):
            return False
        self.place.append(INDEX, _line(row_of_result(whole)))
        return True

    def fail(self, record: dict[str, Any], error: str, traceback: str = "") -> None:
        """Note that an attempt failed."""
        key = record["key"]
        self.describe(record)
        before = self.failure(key)
        attempts = 1 + (before["attempts"] if before else 0)
        facts = {"error": error, "traceback": traceback, "attempts": attempts, "time": now(), "by": provenance()}
        self.place.write(f"{RUNS}/{key}/{FAILED}", _json(facts))
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
        when, names = time.strftime("%Y%m%d-%H%M%S", time.gmtime()), []
        for key in wanted:
            name = f"{when}-{uuid.uuid4().hex[:6]}-{key}"
            self.place.append(INDEX, json.dumps({"removed": key}))
            if self.place.move(f"{RUNS}/{key}", f"{TRASH}/{name}"):
                names.append(name)
        return names

    def put_back(self, names: Iterable[str]) -> list[str]:
        """Move runs from the trash to where they were.

        Returns
        -------
        list of str
            Keys of those that are back. One that was done again in the meantime stays in the trash: it is there twice.
        """
        found, present = [], self.trash()
        for name in names:
            key = name.rpartition("-")[2]
            if name in present and self.place.move(f"{TRASH}/{name}", f"{RUNS}/{key}"):
                self.place.append(INDEX, json.dumps({"restored": key}))  # changes the stamp
                found.append(key)
        return found

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

    # --- the index ---------------------------------------------------------------------------------------------

    def _index(self) -> dict[str, Row]:
        found: dict[str, Row] = {}
        for item in _whole(self.place.lines(INDEX)):
            try:
                if "removed" in item:
                    found.pop(item["removed"], None)
                elif "failed" not in item and "restored" not in item:
                    found[item["key"]] = Row(**item)
            except (TypeError, KeyError):
                continue  # another version's line: the folder is read instead
        return found

    def _read_row(self, key: str) -> Row | None:
        try:
            result = self.result(key)
            row = None if result is None else row_of_result(result)
        except (StoreError, KeyError, TypeError) as error:
            return Row(key, "failed", error=f"{RESULT} is damaged ({error}); remove the run: workbench runs rm")
        if row is not None:
            self.place.append(INDEX, _line(row))
        return row

    def _unfinished(self, key: str, files: dict[str, float]) -> Row | None:
        try:
            record = self.job(key)
            failure = self.failure(key) if FAILED in files else None
        except StoreError as error:
            return Row(key, "failed", error=str(error))
        if record is None:
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


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=1, allow_nan=False) + "\n").encode()


def _line(row: Row) -> str:
    return json.dumps(row.as_dict(), allow_nan=False)


def _parsed(content: bytes, name: str) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        raise StoreError(f"{name} is not valid JSON: it was edited or the disk is damaged; delete it") from None


def _whole(lines: Iterable[str]) -> Iterable[dict[str, Any]]:
    """The lines that are complete JSON objects."""
    for line in lines:
        try:
            item = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(item, dict):
            yield item


__all__ = ["Store", "StoreError", "now"]
