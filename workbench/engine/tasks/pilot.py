"""What is played at every environment step: chunks, one after the other or one decided while the other plays."""

from __future__ import annotations

import time
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from workbench.engine.models.parts import Parts
from workbench.engine.steering.finite import NonFiniteError
from workbench.engine.steering.graphs import Actor
from workbench.engine.steering.inpaint import act_on, held_parts
from workbench.engine.steering.noise import Noise, draw_noise
from workbench.engine.steering.protocol import Rule
from workbench.engine.tasks.latency import Latency


class _Chunk(NamedTuple):
    """Actions (E, h, A) that are ready at step ``ready``; their first one is for step ``begins``."""

    actions: np.ndarray
    ready: int
    begins: int


class Pilot:
    """Plays E episodes at once; asks the rule when a decision is due.

    Parameters
    ----------
    rule, parts
    task : str
        For what is said when something goes wrong.
    episodes : int
        E.
    seed : int
        Of the noise, which is drawn for every environment at every decision, active or not.
    latency : Latency

    Attributes
    ----------
    seconds : float
        Wall time inside `act` so far.
    decided : int
        Decisions so far, one an episode that played.
    first : (Tensor, Tensor)
        Observations and chunks of the first decision.
    """

    def __init__(self, rule: Rule, parts: Parts, task: str, episodes: int, seed: int, latency: Latency) -> None:
        self._rule, self._parts, self._task, self._episodes = rule, parts, task, episodes
        self._actor = Actor(rule, parts)
        self._schedule = latency.schedule(parts.chunk)
        self._held: Parts | None = None
        if latency.way == "rtc" and self._schedule.shared:
            self._held = held_parts(rule, parts, self._schedule.delay, self._schedule.shared, latency.clip)
        self._generator = torch.Generator(parts.device).manual_seed(seed)
        self._playing: _Chunk | None = None
        self._next: _Chunk | None = None
        self.seconds, self.decided = 0.0, 0
        self.first: tuple[Tensor, Tensor]

    def actions(self, step: int, observations: np.ndarray, active: np.ndarray) -> np.ndarray:
        """What is played at ``step``, (E, A), where the ``active`` environments show ``observations`` (E, S)."""
        self._take_over(step)
        if self._schedule.decision(step) is not None:
            ready = step if self._playing is None else step + self._schedule.delay
            actions = self._decide(step, observations, active)
            self._next = _Chunk(actions, ready, ready if self._schedule.pauses else step)
            self._take_over(step)
        assert self._playing is not None
        if self._schedule.pauses and self._next is not None:
            return np.zeros_like(self._playing.actions[:, 0])
        now: np.ndarray = self._playing.actions[:, step - self._playing.begins]
        return now

    def _take_over(self, step: int) -> None:
        if self._next is not None and step >= self._next.ready:
            self._playing, self._next = self._next, None

    def _decide(self, step: int, observations: np.ndarray, active: np.ndarray) -> np.ndarray:
        rule, parts = self._rule, self._parts
        noise = draw_noise(self._episodes, rule.particles, parts.action_dim, self._generator, rule.extra_draws())
        which = np.flatnonzero(active)
        count = len(which)
        if self._actor.recorder is not None and self._held is None:
            # it is recorded for one number of states, so the first one stands in for those that are over
            which = np.concatenate((which, np.full(self._episodes - count, which[0])))
        rows = torch.from_numpy(which).to(parts.device)
        seen = torch.from_numpy(observations[which]).to(parts.device)
        before = time.perf_counter()
        try:
            picked = self._choose(step, seen, noise.states(rows), active)[:count]
        except NonFiniteError as error:
            episode = int(which[error.row or 0])
            error.add_note(f"state {error.row} is episode {episode} of task '{self._task}', at step {step}")
            raise
        self.seconds += time.perf_counter() - before
        self.decided += count
        if step == 0:
            self.first = seen[:count], picked
        plan = np.zeros((self._episodes, parts.chunk, parts.step_dim), dtype=np.float32)
        plan[active] = picked.view(-1, parts.chunk, parts.step_dim).cpu().numpy()
        return plan

    def _choose(self, step: int, seen: Tensor, noise: Noise, active: np.ndarray) -> Tensor:
        if self._held is None or self._playing is None:
            return self._actor(seen, noise)
        left = self._playing.actions[active, step - self._playing.begins :]
        plan = np.pad(left, ((0, 0), (0, self._schedule.chunk - left.shape[1]), (0, 0))).reshape(len(left), -1)
        known = torch.from_numpy(plan).to(noise.start)
        return act_on(self._rule, self._held, seen, known, self._schedule.delay, noise)
