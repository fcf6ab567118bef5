"""NaN and infinity from an environment or a critic, in the middle of episodes: named, not averaged."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch

import workbench as wb
from workbench.engine.models.parts import Parts
from workbench.engine.steering.finite import NonFiniteError
from workbench.engine.steering.rules import make_rule
from workbench.engine.tasks.protocol import StepResult, TaskInfo
from workbench.engine.tasks.rollout import rollout

PARTS = Parts(2, 1, lambda s, a, t: -a, lambda s, a: -a.square().sum(1))


class Walk:
    """E environments of six steps whose observation is (episode, step); ``spoil`` changes a result."""

    info = TaskInfo("walk", "Walk", 2, 1, 6, "")

    def __init__(self, spoil: Callable[[int, StepResult], StepResult]) -> None:
        self.spoil = spoil

    def environments(self, count: int, seed: int) -> "Walk":
        self.count, self.now = count, 0
        return self

    def _seen(self) -> np.ndarray:
        return np.stack([np.arange(self.count), np.full(self.count, self.now)], 1).astype(np.float32)

    def reset(self) -> np.ndarray:
        return self.spoil(0, self._result()).observations

    def _result(self) -> StepResult:
        no, ends = np.zeros(self.count, dtype=bool), np.arange(self.count) + 2 <= self.now
        return StepResult(self._seen(), np.ones(self.count, dtype=np.float32), ends, no | (self.now == 6), no)

    def step(self, actions: np.ndarray, active: np.ndarray) -> StepResult:
        self.now += 1
        return self.spoil(self.now, self._result())

    def close(self) -> None: ...


def walk(what: str, value: float, step: int, episode: int) -> Walk:
    def spoil(now: int, result: StepResult) -> StepResult:
        if now == step:
            getattr(result, what).reshape(len(result.rewards), -1)[episode, -1] = value
        return result

    return Walk(spoil)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("step", [0, 1, 4])
def test_an_observation_of_the_environment(value: float, step: int) -> None:
    words = (
        rf"task 'walk': the observation of episode 4 is {value} in column 1 after environment step {step}: the environ"
    )
    for play in (rollout, wb.evaluate):
        with pytest.raises(FloatingPointError, match=words):
            play(make_rule("bc"), PARTS, walk("observations", value, step, 4), 5, 0)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_reward_of_the_environment(value: float) -> None:
    with pytest.raises(FloatingPointError, match=f"the reward of episode 2 is {value} after environment step 3"):
        rollout(make_rule("bc"), PARTS, walk("rewards", value, 3, 2), 5, 0)


def test_what_ended_episodes_still_show_is_nobodys_business() -> None:
    """Episode 0 ends after step 2; its environment is not stepped after that."""
    played = rollout(make_rule("bc"), PARTS, walk("observations", math.nan, 4, 0), 5, 0)
    assert played.lengths[0] == 2


def test_a_rule_that_fails_says_in_which_episode_and_step() -> None:
    """States are counted among those that still play; the note says which episode that is."""

    def critic(observations: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        return actions[:, 0] * torch.where((observations == torch.tensor([3.0, 4.0])).all(1), math.nan, 1.0)

    with pytest.raises(NonFiniteError, match="state 0, particle 0: the push is NaN") as caught:
        rollout(make_rule("qgf"), Parts(2, 1, PARTS.reference, critic), Walk(lambda now, result: result), 5, 0)
    assert caught.value.__notes__ == ["state 0 is episode 3 of task 'walk', at step 4"]


def test_a_critic_whose_values_are_not_finite_gives_no_silent_gap() -> None:
    parts = Parts(2, 1, PARTS.reference, lambda s, a: a.sum(1) * math.nan)
    with pytest.raises(FloatingPointError, match="the critic's Q of the first action of episode 0 is nan"):
        wb.evaluate(make_rule("bc"), parts, Walk(lambda now, result: result), 2, 0)


@pytest.mark.parametrize("episodes", [0, -1])
def test_no_episodes(episodes: int) -> None:
    for play in (rollout, wb.evaluate):
        with pytest.raises(ValueError, match="episodes must be at least 1"):
            play(make_rule("bc"), PARTS, Walk(lambda now, result: result), episodes, 0)
