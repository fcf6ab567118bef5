"""Where a page's policy comes from: a built-in task, a run of the store, or a checkpoint that was uploaded.

A source has a name, which links carry: the task's own for a built-in one, ``run:NAME`` for a training of the store,
``upload:KEY`` for an uploaded checkpoint. The key is drawn at random and listed nowhere: only who uploaded, and whom they give
their link, can use it.
"""

from __future__ import annotations

import logging
import secrets
import shutil
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from workbench.engine.metrics.support import DataSupport
from workbench.engine.models.parts import Parts
from workbench.engine.settings import nearest
from workbench.engine.tasks import registry
from workbench.engine.tasks.floor import floor_of
from workbench.engine.tasks.protocol import Task
from workbench.engine.tasks.registry import make_listed
from workbench.engine.training.loop.checkpoint import RUN_FILE, CheckpointError, Run, load_run
from workbench.engine.words import UserError, shown
from workbench.experiments.own_store import store_folder
from workbench.runs.scratch import scratch_folder
from workbench.views.background import begin, ending
from workbench.views.contained import contained

if TYPE_CHECKING:
    from workbench.engine.data.transitions import Transitions
    from workbench.engine.training.config import FitConfig

log = logging.getLogger(__name__)
RUN = "run:"
UPLOAD = "upload:"
SEED = 0
UPLOADS = 8  # kept at once, on one server
LIMIT = 64 * 2**20  # bytes of an uploaded checkpoint
ALL_TASKS: dict[str, Any] = dict(registry.TASKS)


@dataclass(frozen=True, eq=False)
class Source:
    """A policy, and the task that it is for.

    Attributes
    ----------
    name, title : str
    task : Task
    run : Run or None
        None for a built-in task, whose policy is made on demand.
    """

    name: str
    title: str
    task: Task
    run: Run | None = None

    @cached_property
    def start(self) -> tuple[float, ...]:
        """The observation (S,) at which a picture begins: the task's own, or the first that the run kept of its data."""
        floor = floor_of(self.task)
        if floor is not None:
            return floor.start
        if self.run is not None:
            return tuple(float(number) for number in self.run.probes[0])
        return (0.0,) * int(self.task.info.observation_dim)

    def config(self) -> FitConfig:
        """How its networks were trained, or would be."""
        from workbench.engine.training.config import make_config

        return make_config(**self.task.training_defaults(), seed=SEED) if self.run is None else self.run.config

    def data(self) -> Transitions:
        """What it learned from; UserError or OSError when that is not here any more."""
        if self.run is None:
            rows: Transitions = self.task.generate(None, SEED)
            return rows
        from workbench.experiments.trained_parts import data_of

        try:
            return data_of(self.run)
        except (UserError, OSError) as error:
            raise UserError(
                f"The data that this policy learned from are not here. Train it with its part: workbench fit {self.run.task} "
                f"--data DIR --rule RULE --out RUN ({error})"
            ) from None

    def near(self) -> DataSupport | None:
        """Its data, ready to be asked how near its actions are; None where they are not here any more."""
        try:
            return DataSupport(self.data())
        except (UserError, OSError) as error:
            log.info("support of %s is not measured: %s", self.name, error)
            return None

    def parts(self) -> Parts:
        """The parts of a run."""
        assert self.run is not None
        return self.run.parts()


_found: dict[str, Source] = {}
_uploads: OrderedDict[str, Source] = OrderedDict()
_shown: WeakValueDictionary[str, Source] = WeakValueDictionary()  # uploads that a page still holds
_lock = threading.RLock()


def find(name: str) -> Source:
    """The source of that name.

    Raises
    ------
    UserError
        There is none, its run cannot be used, or its task would choose what this server imports or reads.
    ImportError
        Its task needs an optional package; the message says which.
    """
    with _lock:
        if name.startswith(UPLOAD):
            if name in _uploads:
                _uploads.move_to_end(name)
            if name not in _shown:
                raise UserError("this uploaded checkpoint is no longer here; upload it again")
            return _shown[name]
        if name not in _found:
            with contained(f"the policy '{name[:40]}'"):
                _found[name] = _read(name) if name.startswith(RUN) else _built_in(name)
        return _found[name]


def check_kept(source: Source) -> None:
    """Raise `UserError` for a run that was deleted from the store; pages that show it already go on showing it."""
    if source.run is not None and source.name.startswith(RUN) and not (source.run.folder / RUN_FILE).is_file():
        raise UserError(f"{source.title} was deleted; choose another policy")


def forgotten(name: str) -> bool:
    """Whether this was an upload that nobody can use any more."""
    return name.startswith(UPLOAD) and name not in _shown


def _built_in(name: str) -> Source:
    if name not in ALL_TASKS and name.partition("/")[0] not in registry.LISTED_FAMILIES:
        known = list(ALL_TASKS)
        raise UserError(
            f"no policy of the list is named '{name[:40]}'{nearest(name[:40], known)} There are runs, and {', '.join(known)}"
        )
    task = make_listed(name)
    return Source(name, task.info.title, task)


def _read(name: str) -> Source:
    from workbench.experiments.trained_parts import newest_trainings

    for training in newest_trainings(store_folder(), 10_000):
        if RUN + training.name == name:
            return _checked(name, load_run(training.folder))
    raise UserError(f"{store_folder()} has no finished training '{name.removeprefix(RUN)[:40]}'; choose another policy")


def _checked(name: str, run: Run) -> Source:
    """A source whose networks fit its task."""
    with contained(f"the task '{run.task[:60]}'"):
        task = make_listed(run.task)
        needed = task.info.observation_dim, task.info.action_dim
    parts = run.parts()
    if (parts.observation_dim, parts.step_dim) != needed:
        raise UserError(
            f"this checkpoint has {parts.observation_dim} observation and {parts.step_dim} action numbers, its task "
            f"'{run.task}' has {needed[0]} and {needed[1]}: it is of another version of the task"
        )
    return Source(name, title_of(run.task, name, run.config.seed), task, run)


def title_of(task: str, name: str, seed: int) -> str:
    """What a list calls a run: its task, its kind and name, and the seed."""
    short = task.rpartition("/")[2].removesuffix("-v0").removesuffix("-singletask")
    kind, _, rest = name.partition(":")
    return f"{short}, {kind} {rest[:6]}, seed {seed}"


def listed(most_dims: int, tasks: Sequence[str], current: str = "") -> dict[str, str]:
    """What a page offers: ``tasks``, then the newest runs of the store that act with at most ``most_dims`` numbers.

    ``current`` stands in the list too, where it can be found. Names by title.
    """
    from workbench.experiments.trained_parts import newest_trainings

    runs = [training for training in newest_trainings(store_folder()) if training.action_dim <= most_dims]
    _warm({training.task for training in runs})
    names = {find(name).title: name for name in tasks}
    names |= {title_of(training.task, RUN + training.name, training.seed): RUN + training.name for training in runs}
    if current and current not in names.values():
        names[find(current).title] = current
    return names


def _warm(tasks: set[str]) -> None:
    """Import what the listed tasks need, in the background: a simulator takes seconds, and the page should not wait."""
    fresh = tasks - _warmed
    _warmed.update(fresh)

    def make() -> None:
        for task in fresh:
            if ending():
                return
            try:
                with contained(task):
                    _ = make_listed(task).info
            except (UserError, OSError):
                continue  # said in words when it is chosen

    if fresh - set(ALL_TASKS):
        begin("import of tasks", make)


_warmed: set[str] = set()


def _check_untrusted(run: Run) -> None:
    """Refuse what would import more than a listed task does; UserError."""
    known = str(run.task) in ALL_TASKS or run.task.partition("/")[0] in registry.LISTED_FAMILIES
    if not known:
        families = ", ".join(f"{family}/…" for family in registry.LISTED_FAMILIES)
        raise UserError(
            f"uploads are taken for {', '.join(ALL_TASKS)} and {families}; this one is for {shown(run.task)}"
        )


def upload(files: Mapping[str, bytes]) -> Source:
    """Take a checkpoint: ``run.json`` and the state file that it names, by file name.

    It is read in this process, with limits that are strict enough: at most 64 MiB, a format that stores every byte it
    declares, and networks that are made only where the arrays of flow and critic have their shapes.

    Raises
    ------
    UserError
        Too large, not these two files, or refused by the engine: damaged, edited, another format, no such task.
    ImportError
        Its task needs an optional package.
    """
    size = sum(map(len, files.values()))
    if size > LIMIT:
        raise UserError(f"the files have {size / 2**20:.0f} MiB, this page takes {LIMIT >> 20}; use the command line")
    states = [name for name in files if name.endswith(".safetensors") and name.isprintable() and len(name) <= 200]
    if set(files) != {RUN_FILE, *states} or len(states) != 1:
        given = ", ".join(shown(name) for name in files) or "nothing"
        raise UserError(
            f"a checkpoint is two files of a run's folder, {RUN_FILE} and its .safetensors; choose both at once (got {given})"
        )
    folder = scratch_folder("upload")
    name = f"{UPLOAD}{secrets.token_hex(16)}"
    try:
        for file, content in files.items():
            (folder / Path(file).name).write_bytes(content)
        run = load_run(folder)
        _check_untrusted(run)
        source = _checked(name, run)
    except (CheckpointError, RuntimeError) as error:
        raise UserError(str(error).replace(f"{folder}/", "").replace(str(folder), "the checkpoint")) from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)  # everything is in memory
    with _lock:
        _uploads[name] = _shown[name] = source
        while len(_uploads) > UPLOADS:
            _uploads.popitem(last=False)
    return source
