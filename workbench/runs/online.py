"""Online training into a run folder: an offline run in, checkpoints and a log of returns against environment steps out."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from workbench.engine.data.atomic import explained, folder_at_once, write_atomic
from workbench.engine.data.hold import Hold, held_until_made
from workbench.engine.data.regular import read_regular
from workbench.engine.online.checkpoint import load_online, online_config, save_online
from workbench.engine.online.config import make_online_config
from workbench.engine.online.learner import Event, Learner, Tick
from workbench.engine.tasks.registry import make_task
from workbench.engine.training.loop.checkpoint import load_run, read_record
from workbench.engine.training.loop.checkpoint import resume as resume_trainer
from workbench.engine.words import UserError
from workbench.runs.devices import named_device
from workbench.runs.notes import PROGRESS as OFFLINE_LOG
from workbench.runs.training import MOST_LOG, SOURCE, Source

LOG = "online.jsonl"
LOGGED = ("played", "evaluated")


@dataclass(frozen=True)
class OnlineRun:
    """A learner and the folder it saves to, which this process holds until `events` have ended."""

    folder: Path
    learner: Learner
    hold: Hold

    @classmethod
    def start(cls, run: Path, folder: Path, settings: dict[str, Any], device: str = "auto") -> OnlineRun:
        """Go on with the offline run in ``run`` into the new ``folder``; ``run`` is left as it is.

        Raises
        ------
        UserError
            No run, or one that cannot go on (unfinished, lost data, a rule that it has no parts for); the folder exists;
            unknown settings.
        OSError
            The folder cannot be written.
        """
        if folder.exists():
            cure = "go on with the run in it: --resume" if (folder / LOG).exists() else "it is never written over"
            raise UserError(f"{folder} exists; choose another --out ({cure})")
        loaded = load_run(run)
        if loaded.online is not None:
            raise UserError(f"{run} is an online run; go on with it: workbench online {run} --out {run} --resume")
        task = make_task(loaded.task)
        where = named_device(loaded.device if device == "auto" else device)
        config = make_online_config(**({"seed": loaded.config.seed} | settings))
        source = Source.read(run / SOURCE, Source(None, loaded.config.seed, False))
        learner = Learner(resume_trainer(loaded, source.load(task), where), task, config)
        with folder_at_once(folder) as draft:
            write_atomic(draft / SOURCE, (json.dumps(asdict(source), indent=1) + "\n").encode())
            if (run / OFFLINE_LOG).exists():
                shutil.copyfile(run / OFFLINE_LOG, draft / OFFLINE_LOG)
            write_atomic(draft / LOG, b"")
            save_online(learner, draft)
        return cls(folder, learner, Hold(folder))

    @classmethod
    def resume(cls, folder: Path, settings: dict[str, Any], device: str = "auto") -> OnlineRun:
        """Take up the run in ``folder``; of its settings only ``steps`` may change.

        Raises
        ------
        UserError
            No such run, another process works in it, or other settings than it began with.
        """
        read_record(folder)
        # held before the checkpoint is read: another process may be writing the next one
        with held_until_made(folder) as hold:
            loaded = load_run(folder)
            before = online_config(loaded)
            config = make_online_config(**(before.model_dump() | settings))
            for name, value in config.model_dump(exclude={"steps"}).items():
                held = getattr(before, name)
                if value != held:
                    raise UserError(
                        f"the run in {folder} has {name} = {held}, not {value}; a resumed run keeps its settings, "
                        f"so leave {name} out, or begin a new run"
                    )
            task = make_task(loaded.task)
            where = named_device(loaded.device if device == "auto" else device)
            source = Source.read(folder / SOURCE, Source(None, loaded.config.seed, False))
            return cls(folder, load_online(loaded, source.load(task), task, where, config), hold)

    def events(self, should_stop: Callable[[], bool] | None = None, tick: Tick | None = None) -> Iterator[Event]:
        """Play and learn, yielding events; rounds and evaluations are also written to ``online.jsonl``, one a line."""
        try:
            yield from self._events(should_stop, tick)
        finally:
            self.hold.release()

    def _events(self, should_stop: Callable[[], bool] | None, tick: Tick | None) -> Iterator[Event]:
        log = self.folder / LOG
        if log.exists():  # a killed run may have logged what it did not save
            saved_lines = (
                read_regular(log, MOST_LOG).decode(errors="replace").splitlines()[: self.learner.counts.events]
            )
            write_atomic(log, "".join(f"{line}\n" for line in saved_lines).encode())
        for event in self.learner.run(lambda: save_online(self.learner, self.folder), should_stop, tick):
            if event.kind in LOGGED:
                line = json.dumps(asdict(event)) + "\n"
                with explained(log, len(line)), log.open("a", encoding="utf-8") as file:
                    file.write(line)
            yield event
