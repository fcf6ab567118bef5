"""Episodes from several processes, joined into one dataset in OGBench's compact form. No torch here."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from workbench.engine.words import UserError

Arrays = dict[str, np.ndarray]
Column = np.ndarray | list[np.ndarray]  # row by row
Tick = Callable[[int, int], None]
Episode = Callable[[str, int, tuple[int, ...]], Arrays]
EPISODE_STEPS = 1000  # OGBench's usual length; one more row holds the last state


@dataclass(frozen=True)
class Generator:
    """How the data of one family of tasks are made.

    Attributes
    ----------
    episode : callable
        ``episode(env_id, steps, entropy)`` -> arrays of steps + 1 rows; a function of a module, so that it can be sent
        to another process. The same arguments give the same arrays in any process.
    rows : int
        The usual size of the dataset, in transitions.
    rows_per_process : int
        Fewer than this are not worth starting a process for.
    episode_steps : int
        Transitions of a trajectory.
    """

    episode: Episode
    rows: int
    rows_per_process: int
    episode_steps: int = EPISODE_STEPS


def collect(
    generator: Generator,
    env_id: str,
    rows: int,
    entropy: tuple[int, ...],
    *,
    processes: int | None = None,
    tick: Tick | None = None,
    keep: Path | None = None,
) -> Arrays:
    """Make a dataset; the number of processes does not change it.

    Parameters
    ----------
    generator : Generator
    env_id : str
        The registered environment to collect in.
    rows : int
        Transitions. Episodes have 1000, the last one what is left.
    entropy : tuple of int
        Names the stream of random numbers; episode i adds i to it, so that a larger dataset starts with a smaller one.
    processes : int, optional
        By default one for each core, as far as the work is worth it.
    tick : callable, optional
        Called as ``tick(done, rows)`` after each episode.
    keep : Path, optional
        A folder in which every trajectory is kept until the dataset is whole, so that a run that was stopped goes on: the
        same call reads what is there. It is not removed.

    Returns
    -------
    dict
        The compact form (see `workbench.engine.data.npz`): float32, ``terminals`` bool; rows + number of episodes rows.

    Raises
    ------
    UserError
        ``rows`` < 1 or a negative seed.
    RuntimeError
        The worker processes could not run.
    """
    if rows < 1 or min(entropy) < 0:
        raise UserError(f"{env_id}: needs rows >= 1 and a seed >= 0, got rows={rows}, seed={entropy[0]}")
    each = generator.episode_steps
    lengths = [each] * (rows // each) + ([rows % each] if rows % each else [])
    if processes is None:
        processes = max(1, min(os.cpu_count() or 1, rows // generator.rows_per_process))
    if multiprocessing.current_process().daemon:
        processes = 1  # such a process may not have children
    before = {} if keep is None else _kept(keep)
    left = [(number, steps) for number, steps in enumerate(lengths) if (number, steps) not in before]
    make = partial(_numbered, generator.episode, env_id, entropy)
    fresh = _run(make, left, max(1, min(processes, len(left))))
    done, episodes = 0, []
    for number, steps in enumerate(lengths):
        if (number, steps) in before:
            episode = _read(before[number, steps])
        else:
            episode = next(fresh)
            if keep is not None:
                _write(keep / f"{number}-{steps}.npz", episode)
        episodes.append(episode)
        done += steps
        if tick is not None:
            tick(done, rows)
    return {name: np.concatenate([episode[name] for episode in episodes]) for name in episodes[0]}


def _kept(folder: Path) -> dict[tuple[int, int], Path]:
    """The trajectories in ``folder`` by number and length; the folder is made where it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    found = {}
    for path in folder.glob("*-*.npz"):
        number, _, steps = path.stem.partition("-")
        if number.isdecimal() and steps.isdecimal():
            found[int(number), int(steps)] = path
    return found


def _read(path: Path) -> Arrays:
    from workbench.engine.data.npz import read_arrays  # here: it brings torch, which worker processes do without

    return read_arrays(path)


def _write(path: Path, episode: Arrays) -> None:
    from workbench.engine.data.npz import write_arrays

    write_arrays(path, episode)


def _numbered(episode: Episode, env_id: str, entropy: tuple[int, ...], number: int, steps: int) -> Arrays:
    return episode(env_id, steps, (*entropy, number))


def _run(make: Callable[[int, int], Arrays], left: list[tuple[int, int]], processes: int) -> Iterator[Arrays]:
    numbers, lengths = [number for number, _ in left], [steps for _, steps in left]
    if processes <= 1:
        yield from map(make, numbers, lengths)
        return
    # spawn: a fork of a process that runs torch's threads may hang.
    executor = ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn"))
    try:
        yield from executor.map(make, numbers, lengths)
    except BrokenProcessPool as error:
        raise UserError(
            "the processes that generate data stopped. In a script, put the call under `if __name__ == '__main__':` "
            "(each process imports the script); if memory is short, or in an interactive shell, pass processes=1"
        ) from error
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


def trajectory(observations: Column, actions: Column, qpos: Column, qvel: Column, **more: np.ndarray) -> Arrays:
    """The rows of one trajectory, in the order in which such files are read, so that what is read and written again has the
    same bytes: numbers as float32, ``terminals`` True in the last row, and what else a kind of data has.
    """
    seen, done, places, speeds = (
        np.asarray(column, dtype=np.float32) for column in (observations, actions, qpos, qvel)
    )
    terminals = end_of_trajectory(len(seen))
    return {"observations": seen, "actions": done, "terminals": terminals, "qpos": places, "qvel": speeds, **more}


def end_of_trajectory(rows: int) -> np.ndarray:
    """(rows,) bool, True in the last row."""
    terminals = np.zeros(rows, dtype=bool)
    terminals[-1] = True
    return terminals
