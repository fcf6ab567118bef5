"""Environments that pay 1 a step and end as they are told: what a value is worth there is known in closed form."""

from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode

BOX = gymnasium.spaces.Box(-1e6, 1e6, (2,), np.float32)
MOVES = gymnasium.spaces.Box(-2, 2, (1,), np.float32)


class Counting(gymnasium.Env[Any, Any]):
    """Observes (number of this episode's seed, steps so far), or nothing; ends after some steps, by itself or by time."""

    observation_space, action_space = BOX, MOVES

    def __init__(self, limit: int = 4, over: bool = False, blind: bool = False, render_mode: str | None = None) -> None:
        self.limit, self.over, self.blind = limit, over, blind

    def _seen(self) -> np.ndarray:
        return np.zeros(2, np.float32) if self.blind else np.array([self.number, self.count], dtype=np.float32)

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.number, self.count = float(self.np_random.integers(100)), 0
        return self._seen(), {}

    def step(self, action: Any) -> Any:
        self.count += 1
        ended = self.count >= self.limit + (int(self.number) % 3)  # episodes of several lengths side by side
        return self._seen(), 1.0, ended and self.over, ended and not self.over, {"success": ended and self.over}


class Vectorised(gymnasium.vector.VectorEnv[Any, Any, Any]):
    """`Counting` written for many places at once, as a library of its own would: arrays, and one seed for all."""

    def __init__(
        self, num_envs: int = 1, mode: str = "NextStep", limit: int = 4, over: bool = False, blind: bool = False
    ) -> None:
        self.num_envs, self.limit, self.over, self.blind = num_envs, limit, over, blind
        self.mode = AutoresetMode(mode)
        self.metadata = {"autoreset_mode": self.mode}
        self.single_observation_space, self.single_action_space = BOX, MOVES
        self.observation_space = gymnasium.vector.utils.batch_space(BOX, num_envs)
        self.action_space = gymnasium.vector.utils.batch_space(MOVES, num_envs)

    def _shown(self) -> np.ndarray:
        return np.zeros_like(self.seen) if self.blind else self.seen

    def _begin(self, which: np.ndarray) -> None:
        self.seen[which, 0] = self.np_random.integers(100, size=int(which.sum()))
        self.seen[which, 1] = 0
        self.done[which] = False

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        if options is None:
            self.seen = np.zeros((self.num_envs, 2), dtype=np.float32)
            self.done = np.zeros(self.num_envs, dtype=bool)
        self._begin(np.ones(self.num_envs, dtype=bool) if options is None else options["reset_mask"])
        return self._shown(), {}  # the array that it goes on writing into

    def step(self, actions: np.ndarray) -> Any:
        if self.mode is AutoresetMode.DISABLED:
            assert not self.done.any(), "a place is over and was not reset"
        began = self.done & (self.mode is AutoresetMode.NEXT_STEP)
        self._begin(began)
        self.seen[~began, 1] += 1
        ended = ~began & (self.seen[:, 1] >= self.limit + self.seen[:, 0].astype(int) % 3)
        rewards, infos = np.where(began, 0.0, 1.0)[:, None], {"success": ended & self.over}
        self.done = ended.copy()
        if self.mode is AutoresetMode.SAME_STEP and ended.any():
            final = np.full(self.num_envs, None, dtype=object)
            for i in np.flatnonzero(ended):
                final[i] = self._shown()[i].copy()
            infos |= {"final_obs": final, "_final_obs": ended.copy()}
            self._begin(ended)
        return self._shown(), rewards, ended & self.over, ended & (not self.over), infos
