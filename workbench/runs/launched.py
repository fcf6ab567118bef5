"""Trainings in processes of their own: started, paused, resumed and cancelled from a page that may come and go.

Each is a ``workbench fit`` in a child process that writes into a run folder; this module only starts it, signals it and
reads what it writes. Nothing is lost when the page is reloaded. The trainings end with their server, and one that starts
again finds them paused where they were saved last.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from workbench.engine.data.atomic import write_atomic
from workbench.engine.data.hold import is_held
from workbench.engine.data.records import checked, read_json
from workbench.engine.data.regular import open_regular
from workbench.engine.steering.rules import find_rule
from workbench.engine.tasks.registry import make_task
from workbench.engine.training.config import make_config
from workbench.engine.words import UserError
from workbench.runs.child import GRACE, ChildProgram
from workbench.runs.notes import MOST_READ, PROGRESS, About, reports_in
from workbench.runs.owner import digest

State = Literal["running", "pausing", "paused", "finished", "failed"]
ABOUT = "about.json"
LOG = "log.txt"
RUN = "run"
DATA = "data"
TRASH = "trash"  # below the home: what was deleted, and can be put back
KEPT = 3600.0  # seconds for which it can
SNAPSHOTS = 20
SAVE_EVERY = 500  # updates
MEMORY = 16 * 2**30  # bytes that a training may take for itself: its data may be an upload


class TrainingRefusedError(UserError):
    """A training that cannot be started or touched; the message says why and what to do."""


@dataclass
class Training:
    """One training.

    Attributes
    ----------
    name : str
        Random; names the folder.
    folder : Path
    task : str
    settings : dict
        Of ``workbench fit``, as given.
    owner : str
        Digest of the owner's secret.
    shared : bool
        Everyone may look at it; only the owner may touch it.
    created : float
        Seconds since 1970.
    child : ChildProgram or None
        The process that trains, or that did last; None before this server has started one.
    """

    name: str
    folder: Path
    task: str
    settings: dict[str, Any]
    owner: str
    shared: bool
    created: float
    child: ChildProgram | None = field(default=None, repr=False)
    _read: tuple[int, list[dict[str, Any]]] = field(default=(0, []), repr=False)

    @property
    def run(self) -> Path:
        """The run folder; it appears with the first checkpoint."""
        return self.folder / RUN

    @property
    def state(self) -> State:
        """Whether it runs, and if not, why."""
        if self.child is not None and self.child.is_alive:
            return "pausing" if self.child.asked_to_stop else "running"
        last = self.progress()[-1:]
        if last and last[0]["step"] >= last[0]["total"]:
            return "finished"
        return "paused" if self.child is None or self.child.was_stopped or self.child.was_killed else "failed"

    @property
    def error(self) -> str:
        """Why it failed, in the words of the command line; "" when it did not."""
        if self.state != "failed":
            return ""
        assert self.child is not None
        return self.child.last_error() or "it stopped without saying why; start it again"

    def progress(self) -> list[dict[str, Any]]:
        """All reports so far (`engine.training.fit.Progress` as dicts); only what is new is read."""
        path, (place, reports) = self.run / PROGRESS, self._read
        try:
            size = path.stat().st_size
        except OSError:
            return []
        if size < place:  # a resumed run drops reports of steps that were never saved
            place, reports = 0, []
        if size > place:
            try:
                with open_regular(path) as file:
                    file.seek(place)
                    block = file.read(MOST_READ)
            except (OSError, UserError):
                return reports
            whole = block[: block.rfind(b"\n") + 1]
            reports = [*reports, *reports_in(whole)]
            place += len(whole)
        self._read = (place, reports)
        return reports


class Trainings:
    """All trainings of one server.

    Parameters
    ----------
    home : Path
        Where their folders are; those found there are taken up.
    most : int
        How many may run at once.
    """

    def __init__(self, home: Path, most: int = 2) -> None:
        self.home, self.most = home, most
        self._lock = threading.RLock()
        trainings = (_read_about(path) for path in sorted(home.glob(f"*/{ABOUT}")))
        self._all = {training.name: training for training in trainings if training is not None}
        self._empty_trash()

    def start(
        self,
        owner: str,
        task: str,
        settings: Mapping[str, Any],
        *,
        rules: tuple[str, ...] = (),
        data: bytes | None = None,
        data_name: str = "",
        shared: bool = False,
    ) -> Training:
        """Start a training.

        Parameters
        ----------
        owner : str
            The owner's secret; only its digest is kept.
        task : str
        settings : mapping
            Of `FitConfig`; what is missing takes the task's defaults.
        rules : tuple of str
            Rules whose learned parts are trained too.
        data : bytes, optional
            A dataset file's content, for tasks that do not make their own; checked by the engine's own door.
        data_name : str
            Its file name.
        shared : bool

        Raises
        ------
        TrainingRefusedError
            Too many are running.
        UserError
            No such task or rule, or settings that training does not have.
        """
        make_config(**(make_task(task).training_defaults(str(settings.get("critic", "iql"))) | dict(settings)))
        for rule in rules:
            find_rule(rule)
        with self._lock:
            self._refuse_too_many()
            name = f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}"
            folder = self.home / name
            folder.mkdir(parents=True)
            about = {
                "task": task,
                "settings": dict(settings),
                "rules": list(rules),
                "owner": digest(owner),
                "shared": shared,
                "created": time.time(),
                "data": data is not None,
            }
            if data is not None:
                (folder / DATA).mkdir()
                write_atomic(folder / DATA / Path(data_name).name, data)
            write_atomic(folder / ABOUT, (json.dumps(about, indent=1) + "\n").encode())
            training = _read_about(folder / ABOUT)
            assert training is not None
            self._all[name] = training
            self._launch(training)
            return training

    def visible(self, owner: str) -> list[Training]:
        """The trainings that ``owner`` may see, newest first."""
        mine = digest(owner)
        with self._lock:
            visible = [training for training in self._all.values() if training.shared or training.owner == mine]
        return sorted(visible, key=lambda training: training.created, reverse=True)

    def find(self, owner: str, name: str) -> Training:
        """One that ``owner`` may see.

        Raises
        ------
        TrainingRefusedError
            There is none of that name for this owner.
        """
        for training in self.visible(owner):
            if training.name == name:
                return training
        raise TrainingRefusedError("there is no such training, or it belongs to someone who did not share it")

    def pause(self, owner: str, name: str) -> None:
        """Ask it to save and stop; TrainingRefusedError unless it is the owner's own."""
        training = self._own(owner, name)
        if training.child is not None and training.child.is_alive:
            training.child.ask_to_stop(signal.SIGINT)

    def resume(self, owner: str, name: str) -> None:
        """Go on where it was saved; TrainingRefusedError unless it is the owner's own, paused, and there is room."""
        with self._lock:
            training = self._own(owner, name)
            if training.state != "paused":
                raise TrainingRefusedError(f"this training is {training.state}; only a paused one can be resumed")
            _refuse_held(training)
            self._refuse_too_many()
            self._launch(training)

    def share(self, owner: str, name: str, shared: bool) -> None:
        """Let everyone look at it, or not; TrainingRefusedError unless it is the owner's own."""
        training = self._own(owner, name)
        training.shared = shared
        about = _about_of(training).model_dump() | {"shared": shared}
        write_atomic(training.folder / ABOUT, (json.dumps(about, indent=1) + "\n").encode())

    def put_away(self, owner: str, name: str) -> None:
        """Stop it and move its folder to the trash, where it stays for `KEPT` seconds and can be put back.

        TrainingRefusedError unless it is the owner's own.
        """
        training = self._own(owner, name)
        if training.child is not None:
            training.child.stop()
        _refuse_held(training)
        with self._lock:
            if self._all.pop(name, None) is None:
                return  # a second press while the first one waited for the end
            self._empty_trash()
            place = self.home / TRASH / name
            place.parent.mkdir(exist_ok=True)
            training.folder.rename(place)
            os.utime(place)  # from now on it is deleted

    def put_back(self, owner: str, name: str) -> Training:
        """Take one out of the trash; it is paused or finished.

        Raises
        ------
        TrainingRefusedError
            It is gone for good, or somebody else's.
        """
        with self._lock:
            place = self.home / TRASH / name
            training = _read_about(place / ABOUT) if name in self._in_trash() else None
            if training is None:
                raise TrainingRefusedError(
                    f"this training is no longer in the trash, where one stays for {KEPT / 60:.0f} minutes"
                )
            if training.owner != digest(owner):
                raise TrainingRefusedError("this training belongs to someone else; only its owner can put it back")
            training.folder = self.home / name
            place.rename(training.folder)
            self._all[name] = training
            return training

    def close(self) -> None:
        """End all children: they get time to save, then they are killed."""
        with self._lock:
            running = [training.child for training in self._all.values() if training.child and training.child.is_alive]
        for child in running:
            child.ask_to_stop()
        deadline = time.monotonic() + GRACE
        for child in running:
            child.stop(max(0.0, deadline - time.monotonic()))

    def _in_trash(self) -> list[str]:
        return [path.parent.name for path in sorted((self.home / TRASH).glob(f"*/{ABOUT}"))]

    def _empty_trash(self) -> None:
        """Delete for good what has been in the trash for long enough."""
        for path in (self.home / TRASH).glob("*"):
            if time.time() - path.stat().st_mtime > KEPT:
                shutil.rmtree(path, ignore_errors=True)

    def _refuse_too_many(self) -> None:
        running = sum(training.state in ("running", "pausing") for training in self._all.values())
        if running >= self.most:
            raise TrainingRefusedError(
                f"{running} of at most {self.most} trainings are running on this server; wait for one to end, or pause one"
            )

    def _own(self, owner: str, name: str) -> Training:
        with self._lock:
            training = self._all.get(name)
        if training is None or training.owner != digest(owner):
            raise TrainingRefusedError("this training belongs to someone else; only its owner can change it")
        return training

    def _launch(self, training: Training) -> None:
        about = _about_of(training)
        words = ["fit", training.task, "--out", str(training.run)]
        words += ["--snapshots", str(SNAPSHOTS), "--save-every", str(SAVE_EVERY), "--device", "auto"]
        if training.run.exists():
            words.append("--resume")
        else:
            words += ["--data", str(training.folder / DATA)] if about.data else []
            words += ["--rule", *about.rules] if about.rules else []
            words += [word for key, value in training.settings.items() for word in ("--set", f"{key}={_value(value)}")]
        training.child = ChildProgram("workbench.cli", words, training.folder / LOG, append=True, memory=MEMORY)


def _about_of(training: Training) -> About:
    try:
        return checked(About, read_json(training.folder / ABOUT))
    except (OSError, UserError) as error:
        raise TrainingRefusedError(
            f"the note of this training is damaged ({error}); delete it and begin anew"
        ) from None


def _refuse_held(training: Training) -> None:
    """Raise `TrainingRefusedError` when a process that is not of this server works on it."""
    who = is_held(training.run)
    if who is not None:
        raise TrainingRefusedError(f"this training is being worked on by {who}; wait for it, or end it there")


def _value(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _read_about(path: Path) -> Training | None:
    """The training whose note is at ``path``; None when the note cannot be read."""
    try:
        about = checked(About, read_json(path))
    except (OSError, UserError):
        return None
    return Training(
        name=path.parent.name,
        folder=path.parent,
        task=about.task,
        settings=about.settings,
        owner=about.owner,
        shared=about.shared,
        created=about.created,
    )
