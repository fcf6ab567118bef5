"""The files of a store, read and checked one by one: what each says, or which of them is damaged and the cure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from workbench.engine.data.records import Record
from workbench.engine.words import UserError, plain
from workbench.experiments import reading
from workbench.experiments.place import Place

if TYPE_CHECKING:
    import numpy as np

STORE = "store.json"
INDEX = "index.jsonl"
SWEEPS = "sweeps"
RUNS = "runs"
TRAINED = "trained"
TRASH = "trash"
JOB = "job.json"
METRICS = "metrics.jsonl"
RESULT = "result.json"
FAILED = "failed.json"


class StoreError(UserError):
    """A store that cannot be used, or a run that is not in it; the message says what to do."""


class DamagedError(StoreError):
    """A file of a store is damaged.

    Attributes
    ----------
    name : str
        The file, below the store.
    what : str
        What is wrong with it.
    """

    def __init__(self, where: str, name: str, what: object) -> None:
        super().__init__(f"{where}/{name} is damaged: {what}. Put it in order: workbench runs repair {where}")
        self.name, self.what = name, plain(str(what))

    def about(self, folder: str) -> str:
        """What is wrong, and in which file: its name without ``folder`` in front."""
        file = self.name.removeprefix(folder)
        return self.what if file == self.name else plain(f"{file}: {self.what}")


class StoreFiles:
    """The records in a place.

    Parameters
    ----------
    place : Place
    """

    def __init__(self, place: Place) -> None:
        self.place = place

    @property
    def where(self) -> str:
        """Path or URL."""
        return self.place.where

    def result(self, key: str) -> dict[str, Any] | None:
        """The measurements of a job; None when it has none yet. StoreError when they are damaged, as of all that follows."""
        return self._record(f"{RUNS}/{key}/{RESULT}", reading.Result, key)

    def results(self, keys: Iterable[str] | None = None) -> list[dict[str, Any]]:
        """All results, or those of ``keys`` that are there; damaged ones are left out."""
        return [result for result, _ in self.measured(keys)[0]]

    def measured(
        self, keys: Iterable[str] | None = None
    ) -> tuple[list[tuple[dict[str, Any], dict[str, np.ndarray]]], dict[str, DamagedError]]:
        """Results with their episodes, and what is damaged, by key: why."""
        measured: list[tuple[dict[str, Any], dict[str, np.ndarray]]] = []
        damaged: dict[str, DamagedError] = {}
        for key in self.place.listing(RUNS) if keys is None else keys:
            try:
                result = self.result(key) if reading.KEY.fullmatch(key) else None
                if result is not None:
                    measured.append((result, self._episodes(result)))
            except DamagedError as error:
                damaged[key] = error
        return measured, damaged

    def episodes(self, key: str) -> dict[str, np.ndarray]:
        """Every episode of a finished job: ``report.returns`` (E,), ``choose.returns`` (E,), and so on.

        Raises
        ------
        StoreError
            No result, or its file of episodes is missing or damaged.
        """
        result = self.result(key)
        if result is None:
            raise StoreError(f"{self.where} has no episodes of run {key}")
        return self._episodes(result)

    def job(self, key: str) -> dict[str, Any] | None:
        """The record of a job (job.json): ``key``, ``job`` in full, ``changed``."""
        return self._record(f"{RUNS}/{key}/{JOB}", reading.JobRecord, key)

    def events(self, key: str) -> list[dict[str, Any]]:
        """What happened to a job, oldest first; lines that a crash cut short, and others that are none, are left out."""
        return reading.events(self.lines(f"{RUNS}/{key}/{METRICS}"))[0]

    def failure(self, key: str) -> dict[str, Any] | None:
        """The last failure of a job: ``error``, ``traceback``, ``attempts``."""
        return self._record(f"{RUNS}/{key}/{FAILED}", reading.Failure)

    def sweeps(self) -> list[dict[str, Any]]:
        """The sweeps that were started here, oldest first; damaged records are left out."""
        return self.read_sweeps()[0]

    def read_sweeps(self) -> tuple[list[dict[str, Any]], dict[str, DamagedError]]:
        """The sweeps, oldest first, and by name of the file what is wrong with those whose record is damaged."""
        sweeps: list[dict[str, Any]] = []
        damaged: dict[str, DamagedError] = {}
        for name in self.place.files(SWEEPS):
            if name.endswith(".json"):
                try:
                    if (record := self._record(f"{SWEEPS}/{name}", reading.Sweep)) is not None:
                        sweeps.append(record)
                except DamagedError as error:
                    damaged[f"{SWEEPS}/{name}"] = error
        return sorted(sweeps, key=lambda record: str(record["started"][0])), damaged

    def damaged(self, name: str, what: object) -> DamagedError:
        """The error that says that the file ``name`` is damaged, and the cure."""
        return DamagedError(self.where, name, what)

    def _read(self, name: str) -> bytes | None:
        try:
            return self.place.read(name)
        except UserError as error:
            raise self.damaged(name, error) from None
        except OSError as error:
            raise self.damaged(name, error.strerror or error) from None

    def lines(self, name: str) -> list[str]:
        """The lines of a file that `Place.append` wrote."""
        try:
            return self.place.lines(name)
        except UserError as error:
            raise self.damaged(name, error) from None
        except OSError as error:
            raise self.damaged(name, error.strerror or error) from None

    def _record(self, name: str, kind: type[Record], key: str | None = None) -> dict[str, Any] | None:
        content = self._read(name)
        if content is None:
            return None
        try:
            return reading.record(kind, content, key)
        except UserError as error:
            raise self.damaged(name, error) from None

    def _episodes(self, result: dict[str, Any]) -> dict[str, np.ndarray]:
        name = f"{RUNS}/{result['key']}/{result['episodes_file']}"
        content = self._read(name)
        if content is None:
            raise self.damaged(name, "it is missing")
        try:
            played = None if reading.is_offline(result) else result["job"]["episodes"]
            return reading.episodes(content, played)
        except UserError as error:
            raise self.damaged(name, error) from None
