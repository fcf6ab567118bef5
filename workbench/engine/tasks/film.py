"""Rendered frames of one episode: the rule plays it, and another process plays the same actions again and renders.

A renderer needs a graphics context, which can be missing, belongs to one thread, and takes its process with it when it
crashes: so it runs in a child process. When it fails, the episode is not lost, and the error says why there is no
picture.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np

from workbench.engine.models.parts import Parts
from workbench.engine.steering.protocol import Rule
from workbench.engine.tasks.latency import Latency
from workbench.engine.tasks.protocol import BatchEnv, StepResult, Task
from workbench.engine.tasks.rollout import Episodes, rollout
from workbench.engine.words import UserError

FRAMES = 10
PATIENCE = 180.0
CLOSE = 1e-4  # observations of the same episode, played again, may differ by this


class PictureEnv(BatchEnv, Protocol):
    """Environments that can be looked at."""

    def picture(self, i: int) -> np.ndarray:
        """What environment ``i`` looks like now, (H, W, 3) uint8."""
        ...


@runtime_checkable
class HasRenderer(Protocol):
    """A task whose environment renders pictures of itself."""

    def pictured(self, seed: int) -> PictureEnv:
        """One environment with a renderer; its episode is the first of ``environments(count, seed)``."""
        ...


class NoPictureError(UserError):
    """An episode that cannot be shown; the message says why and what to do."""


@dataclass(frozen=True)
class Film:
    """One episode in pictures.

    Attributes
    ----------
    frames : ndarray
        (F, H, W, 3) uint8.
    steps : ndarray
        (F,) the environment steps at which they were taken, from 0 to the last.
    episode : Episodes
        E = 1.
    """

    frames: np.ndarray
    steps: np.ndarray
    episode: Episodes


def film(
    rule: Rule,
    parts: Parts,
    task: Task,
    seed: int,
    count: int = FRAMES,
    stopped: Callable[[], bool] = lambda: False,
    renderer: str | None = None,
    latency: Latency | None = None,
) -> Film:
    """Play one episode of ``seed`` with ``rule``, and render it.

    Parameters
    ----------
    rule, parts, task
    seed : int
        As in `rollout`: the episode is the first of those that this seed gives, however many are played.
    count : int
        Frames, evenly spaced over the episode, its start and end among them.
    stopped : callable
        Asked now and then; True gives up.
    renderer : str, optional
        MUJOCO_GL: "egl", "osmesa" or "glfw". Without it the environment variable, else "egl", which needs no display.
    latency : Latency, optional
        As for `rollout`.

    Raises
    ------
    NoPictureError
        The task has no renderer, none works here, or the episode does not repeat itself.
    """
    if not isinstance(task, HasRenderer):
        raise NoPictureError(f"{task.info.title} has no rendered pictures; its own drawing shows all of it.")
    actions: list[np.ndarray] = []
    last: list[np.ndarray] = []

    def record(_: np.ndarray, done: np.ndarray, __: np.ndarray, result: StepResult) -> None:
        if stopped():
            raise NoPictureError("Stopped.")
        actions.append(done[0].copy())
        last[:] = [result.observations[0].copy()]

    episode = rollout(rule, parts, task, 1, seed, record=record, latency=latency)
    steps = np.unique(np.linspace(0, len(actions), count).round().astype(int))
    frames, seen = _look(task.info.name, seed, np.stack(actions), steps, renderer, stopped)
    if not np.allclose(seen, last[0], atol=CLOSE, rtol=CLOSE):
        raise NoPictureError(
            f"{task.info.title} does not repeat itself from a seed, so its episode cannot be rendered."
        )
    return Film(frames, steps, episode)


def _look(
    name: str, seed: int, actions: np.ndarray, steps: np.ndarray, renderer: str | None, stopped: Callable[[], bool]
) -> tuple[np.ndarray, np.ndarray]:
    """Frames at ``steps`` and the last observation, from a process of its own."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    kind = renderer or os.environ.get("MUJOCO_GL") or "egl"
    child = context.Process(target=_replay, args=(there, kind, name, seed, actions, steps), daemon=True)
    child.start()
    there.close()
    deadline = time.monotonic() + PATIENCE
    try:
        while not here.poll(0.1):
            if stopped():
                raise NoPictureError("Stopped.")
            if time.monotonic() > deadline:
                raise NoPictureError(f"The renderer ({kind}) took more than {PATIENCE:.0f} s; try fewer frames.")
        answer: Any = here.recv()
    except EOFError:
        answer = "it ended without a word"
    finally:
        child.kill()
        child.join()
        here.close()
    if not isinstance(answer, tuple):
        raise NoPictureError(
            f"No picture can be rendered here ({answer}). MuJoCo's need a graphics library: apt-get install libegl1 "
            f"libgl1-mesa-dri, or libosmesa6 with MUJOCO_GL=osmesa; now it is MUJOCO_GL={kind}."
        )
    frames, last = answer
    return frames, last


def _replay(pipe: Any, kind: str, name: str, seed: int, actions: np.ndarray, steps: np.ndarray) -> None:
    """The child: one environment, the same seed, the same actions."""
    os.environ["MUJOCO_GL"] = kind  # read when mujoco is imported, which is below
    try:
        from workbench.engine.tasks.registry import make_task

        task = make_task(name)
        assert isinstance(task, HasRenderer)  # `film` asked
        batch = task.pictured(seed)
        observations, wanted, frames = batch.reset(), set(steps.tolist()), []
        for step in range(len(actions) + 1):
            if step in wanted:
                frames.append(np.asarray(batch.picture(0), dtype=np.uint8))
            if step < len(actions):
                observations = batch.step(actions[step][None], np.ones(1, dtype=bool)).observations
        pipe.send((np.stack(frames), observations[0]))
    except Exception as error:  # told to the parent in words
        pipe.send(f"{type(error).__name__}: {error}"[:300])
