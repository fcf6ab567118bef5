"""OGBench's single-task problems: ``ogbench/pointmaze-medium-navigate-singletask-v0`` and all others with states.

Environments, rewards and file format are OGBench's (arXiv 2410.20092, package ogbench 1.2). Nothing here uses the
network except `OGBenchTask.download`.
"""

from __future__ import annotations

import difflib
import re
import shutil
import socket
from dataclasses import dataclass
from functools import cached_property, partial
from http.client import HTTPException
from pathlib import Path
from typing import Any, Literal

from workbench.engine.data.columns import ROWS, refuse_pictures
from workbench.engine.data.npz import (
    DataFileError,
    plain_transitions,
    read_arrays,
    read_outline,
    regular,
    row_of,
    write_arrays,
)
from workbench.engine.data.shards import find_shards, read_shards
from workbench.engine.data.transitions import OutOfBounds, Transitions, make_transitions
from workbench.engine.tasks.collect import Arrays, Tick, collect
from workbench.engine.tasks.generators import GENERATORS, generator_of
from workbench.engine.tasks.ogbench_batch import EnvBatch, base_env
from workbench.engine.tasks.ogbench_env import clone, horizon_of, numpy_seeded, require_ogbench
from workbench.engine.tasks.protocol import TaskInfo
from workbench.engine.words import UserError

PREFIX = "ogbench/"
PATTERN = re.compile(r"(?P<env>.+)-(?P<kind>[a-z]+)-singletask(?P<task>-task\d)?(?P<version>-v\d+)")
Split = Literal["train", "val"]
SPLITS: tuple[Split, ...] = ("train", "val")
DOWNLOAD_TIMEOUT = 30.0  # seconds without an answer

# What was collected for each family of environments, after its paper.
KINDS = {
    "pointmaze": ("navigate", "stitch"),
    "antmaze": ("navigate", "stitch", "explore"),
    "humanoidmaze": ("navigate", "stitch"),
    "antsoccer": ("navigate", "stitch"),
    "cube": ("play", "noisy"),
    "scene": ("play", "noisy"),
    "puzzle": ("play", "noisy"),
}
MAZES = ("pointmaze", "antmaze", "humanoidmaze", "antsoccer")
FEATURED = (
    "ogbench/pointmaze-medium-navigate-singletask-v0",
    "ogbench/cube-single-play-singletask-v0",
)

SHARED_DEFAULTS: dict[str, Any] = {
    "batch_size": 256,
    "learning_rate": 1e-3,
    "schedule": "cosine",
    "n_step": 10,
    "tau": 0.05,
    "reward_scale": 0.05,
    "expectile": 0.9,
    "flow_steps": 10,
    "critic": "iql",
}
MAZE_DEFAULTS = {**SHARED_DEFAULTS, "hidden": (128, 128, 128), "steps": 12_000, "discount": 0.995}
MANIPULATION_DEFAULTS = {
    **SHARED_DEFAULTS,
    "hidden": (256, 256, 256),
    "steps": 16_000,
    "discount": 0.99,
    "n_step": 5,  # longer returns carry more of the play data's detours: 10 steps gave half the success on the cube
    "tau": 0.02,
}


@dataclass(frozen=True)
class Names:
    """What OGBench calls the parts of one task.

    Attributes
    ----------
    task : str
        "ogbench/cube-single-play-singletask-task3-v0"
    family, kind : str
        "cube", "play"
    env : str
        Gymnasium id with the task's rewards: "cube-single-singletask-task3-v0"
    collecting : str
        Gymnasium id without a fixed task: "cube-single-v0"
    dataset : str
        "cube-single-play-v0", shared by all tasks of the environment
    """

    task: str
    family: str
    kind: str
    env: str
    collecting: str
    dataset: str


def known_tasks() -> tuple[str, ...]:
    """All OGBench single tasks with state observations, as this installation of ogbench registers them.

    Raises
    ------
    MissingExtraError
        ogbench is not installed.
    """
    require_ogbench()
    import gymnasium

    names = []
    for env_id in gymnasium.registry:
        found = re.fullmatch(r"([a-z]+)(.*)-singletask((?:-task\d)?-v\d+)", env_id)
        if found and found[1] in KINDS:
            names += [f"{PREFIX}{found[1]}{found[2]}-{kind}-singletask{found[3]}" for kind in KINDS[found[1]]]
    return tuple(names)


def parse_name(name: str) -> Names:
    """The parts of a task's name; the prefix "ogbench/" and the suffix "-v0" may be left out.

    Raises
    ------
    UserError
        Not a known task; names the nearest ones.
    MissingExtraError
        ogbench is not installed.
    """
    short = name.removeprefix(PREFIX)
    short = short if re.search(r"-v\d+$", short) else f"{short}-v0"
    if short.startswith("visual-"):
        raise UserError(
            f"{name}: its observations are pictures, and its files are not read here; try {short[len('visual-') :]}, whose are "
            "states. A policy over pictures that was trained elsewhere is steered behind its own encoder: "
            "wb.adapt.dict_observations (docs/bring_your_own.md)"
        )
    known = known_tasks()
    found = PATTERN.fullmatch(short)
    if found is None or f"{PREFIX}{short}" not in known:
        near = difflib.get_close_matches(f"{PREFIX}{short}", known, n=3, cutoff=0.3) or list(FEATURED)
        raise UserError(f"{name}: not an OGBench single task; the nearest are {', '.join(near)}")
    env, kind, task, version = found["env"], found["kind"], found["task"] or "", found["version"]
    return Names(
        task=f"{PREFIX}{short}",
        family=env.split("-")[0],
        kind=kind,
        env=f"{env}-singletask{task}{version}",
        collecting=f"{env}{version}",
        dataset=f"{env}-{kind}{version}",
    )


class OGBenchTask:
    """One OGBench single task; satisfies `Task`.

    Parameters
    ----------
    name : str
        See `parse_name`, which says what is raised.
    """

    def __init__(self, name: str) -> None:
        self.names = parse_name(name)

    @cached_property
    def info(self) -> TaskInfo:
        """Sizes, read from the environment (which is made once)."""
        env, _ = base_env(self.names.env)
        maze = self.names.family in MAZES
        summary = (
            "Reach the goal: reward −1 a step until then, and the episode ends there."
            if maze
            else "Bring every object to its place: reward −1 a step for each that is not, until all are."
        )
        return TaskInfo(
            name=self.names.task,
            title=f"OGBench {self.names.env.removesuffix('-v0').replace('-singletask', '')} ({self.names.kind})",
            observation_dim=int(env.observation_space.shape[0]),
            action_dim=int(env.action_space.shape[0]),
            horizon=horizon_of(self.names.env),
            summary=summary,
            extra="ogbench",
        )

    def training_defaults(self, critic: str = "iql") -> dict[str, Any]:
        """Settings of the training run; measured for pointmaze-medium and cube-single, a start for the others."""
        return dict(MAZE_DEFAULTS if self.names.family in MAZES else MANIPULATION_DEFAULTS)

    def environments(self, count: int, seed: int, **options: Any) -> EnvBatch:
        """``count`` environments; the first of them do not depend on ``count``; ``options`` as in `EnvBatch`."""
        return EnvBatch(self.names.env, count, seed, horizon_of(self.names.env), **options)

    def pictured(self, seed: int) -> EnvBatch:
        """One environment that renders pictures (`HasRenderer`)."""
        return self.environments(1, seed, render_mode="rgb_array")

    def generate(
        self, rows: int | None, seed: int, *, tick: Tick | None = None, processes: int | None = None
    ) -> Transitions:
        """Make the training data here, without a download.

        Parameters
        ----------
        rows : int or None
            Transitions; None for the usual size.
        seed : int
            Non-negative. The same seed gives the same bits, for any number of processes.
        tick : callable, optional
            Called as ``tick(done, rows)`` from time to time.
        processes : int, optional
            By default one for each core, as far as the work is worth it.

        Raises
        ------
        UserError
            This kind of data cannot be made here, or ``rows`` or ``seed`` are out of range.
        """
        generator = generator_of(self.names.family, self.names.kind, self.names.task)
        rows = generator.rows if rows is None else rows
        arrays = collect(generator, self.names.collecting, rows, (seed, 0), processes=processes, tick=tick)
        return self._transitions(arrays, f"{self.names.task} (generated)", "refuse")

    def files(self, folder: str | Path) -> dict[Split, Path]:
        """Where the training and the validation data of this task are, or would be, in ``folder``."""
        name, folder = self.names.dataset, Path(folder).expanduser()
        return {"train": folder / f"{name}.npz", "val": folder / f"{name}-val.npz"}

    def load(self, folder: str | Path, *, split: Split = "train", out_of_bounds: OutOfBounds = "refuse") -> Transitions:
        """Read the data from ``folder``: OGBench's own files or generated ones. Never downloads.

        Rewards and masks are the task's, by OGBench's own rule. Trajectories go on after a success, hence a success
        ends an episode here too, so that n-step returns stop at it.

        Raises
        ------
        DataFileError
            No such file, a damaged one, or data of another environment.
        UserError
            Actions outside [-1, 1].
        """
        path = self.files(folder)[split]
        if path.exists():
            return self.load_file(path, out_of_bounds=out_of_bounds)
        shards = self.shards(folder) if split == "train" else ()
        if shards:
            return read_shards(shards, partial(self.load_file, out_of_bounds=out_of_bounds))
        ways = f"download it: OGBenchTask({self.names.task!r}).download({str(folder)!r})"
        if (self.names.family, self.names.kind) in GENERATORS:
            ways = f"generate it: workbench generate {self.names.task} --out {folder}; or {ways}"
        raise DataFileError(f"{path}: no such file; {ways}. Its shards, {self.names.dataset}-000.npz …, do as well")

    def shards(self, folder: str | Path) -> tuple[Path, ...]:
        """The shards of the training data in ``folder``, in their order (`find_shards`)."""
        return find_shards(Path(folder).expanduser(), self.names.dataset)

    def load_file(self, path: Path, *, out_of_bounds: OutOfBounds = "refuse") -> Transitions:
        """Read one file of this task's data, such as one shard; raises as `load`."""
        refuse_pictures(read_outline(path, ("observations",)).get("observations", ((), 0))[0], str(path))
        arrays = read_arrays(path)
        if "next_observations" in arrays:
            self._check_sizes(arrays, str(path), simulator=False)
            return plain_transitions(arrays, str(path), out_of_bounds)
        return self._transitions(arrays, str(path), out_of_bounds)

    def write(
        self,
        folder: str | Path,
        rows: int | None,
        seed: int,
        *,
        tick: Tick | None = None,
        processes: int | None = None,
    ) -> tuple[Path, ...]:
        """Generate training data and a tenth of it for validation, and write both in OGBench's own format.

        Trajectories are kept in a hidden folder beside the files until both are written: one that was stopped, or whose
        process was killed, goes on where it was.

        Raises
        ------
        UserError
            As `generate`.
        OSError
            The files cannot be written; none is left behind.
        """
        generator = generator_of(self.names.family, self.names.kind, self.names.task)
        train = generator.rows if rows is None else rows
        sizes = {"train": train, "val": max(1, train // 10)}
        total, done = sum(sizes.values()), 0
        files, made, written = self.files(folder), [], []
        kept = Path(folder).expanduser() / f".{self.names.dataset}-seed{seed}.part"
        try:
            for stream, split in enumerate(files):
                found = collect(
                    generator,
                    self.names.collecting,
                    sizes[split],
                    (seed, stream),
                    processes=processes,
                    tick=_shifted(tick, done, total),
                    keep=kept / split,
                )
                made.append(found)
                done += sizes[split]
            for path, arrays in zip(files.values(), made, strict=True):
                write_arrays(path, arrays)
                written.append(path)
        except BaseException as error:
            for path in written:
                path.unlink(missing_ok=True)
            if isinstance(error, Exception):  # and not a person who stopped it, and may go on
                shutil.rmtree(kept, ignore_errors=True)
            raise
        shutil.rmtree(kept, ignore_errors=True)
        return tuple(written)

    def download(self, folder: str | Path) -> tuple[Path, ...]:
        """Fetch OGBench's own data (0.1 to 3 GB) with its own downloader; the only function here that uses the network.

        Raises
        ------
        ConnectionError
            The server cannot be reached or does not have the files.
        """
        ogbench = require_ogbench()
        folder = Path(folder).expanduser()
        before = socket.getdefaulttimeout()
        socket.setdefaulttimeout(DOWNLOAD_TIMEOUT)  # ogbench's downloader would wait for ever
        try:
            ogbench.download_datasets([self.names.dataset], str(folder))
        except (OSError, HTTPException) as error:
            raise ConnectionError(
                f"{self.names.dataset}: the download from {ogbench.utils.DATASET_URL} failed ({error}). Check the "
                f"connection, or copy {' and '.join(path.name for path in self.files(folder).values())} into {folder}"
            ) from error
        finally:
            socket.setdefaulttimeout(before)
            for path in self.files(folder).values():
                path.with_name(f"{path.name}.tmp").unlink(missing_ok=True)
        return tuple(self.files(folder).values())

    def _transitions(self, arrays: Arrays, source: str, out_of_bounds: OutOfBounds) -> Transitions:
        """Transitions with this task's rewards, from the compact form."""
        ogbench = require_ogbench()
        data = regular(arrays, source)
        self._check_sizes(data, source, simulator=True)
        env = clone(base_env(self.names.env)[0])
        with numpy_seeded(0):  # the relabelling resets the environment, which draws from the global generator
            ogbench.relabel_utils.relabel_dataset(self.names.env, env, data)
        return make_transitions(
            data["observations"],
            data["actions"],
            data["rewards"],
            data["masks"],
            data["next_observations"],
            (data["terminals"] > 0) | (data["masks"] == 0),
            out_of_bounds=out_of_bounds,
            source=source,
            place=row_of(data[ROWS]),
        )

    def _check_sizes(self, data: Arrays, source: str, *, simulator: bool) -> None:
        env = base_env(self.names.env)[0]
        sizes = {"observations": env.observation_space.shape[0], "actions": self.info.action_dim}
        if simulator:
            sizes["qpos"] = env.model.nq
            if self.names.family in ("scene", "puzzle"):
                sizes["button_states"] = env._num_buttons
        for name, size in sizes.items():
            if name not in data:
                raise DataFileError(
                    f"{source}: lacks '{name}', from which the rewards of {self.names.task} are computed; use a file "
                    "of OGBench's single-task datasets, or one made by `workbench generate`"
                )
            if data[name].shape[1:] != (size,):
                raise DataFileError(
                    f"{source}: '{name}' has shape {data[name].shape}, {self.names.task} needs {size} columns; "
                    "this is the data of another environment"
                )


def _shifted(tick: Tick | None, done: int, total: int) -> Tick | None:
    """``tick`` for one part of a longer job."""
    return None if tick is None else lambda part, _: tick(done + part, total)
