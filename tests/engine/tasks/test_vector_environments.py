"""Vectorised environments of every autoreset mode: one episode each, no step across a reset, time limits told from ends."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from engine.tasks.counting import Counting, Vectorised
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from workbench.engine.data.transitions import Transitions
from workbench.engine.models.parts import Parts
from workbench.engine.steering.rules import make_rule
from workbench.engine.tasks.gym_vector import VectorTask
from workbench.engine.tasks.record import played
from workbench.engine.tasks.registry import make_task
from workbench.engine.tasks.rollout import rollout

MODES = [mode.value for mode in AutoresetMode]
PARTS = Parts(2, 1, lambda s, a, t: -a)
LIMIT = 4


def sync(mode: str, over: bool) -> VectorTask:
    def make(count: int) -> gymnasium.vector.VectorEnv:
        return SyncVectorEnv([lambda: Counting(LIMIT, over)] * count, autoreset_mode=AutoresetMode(mode))

    return VectorTask(make, "counting")


def native(mode: str, over: bool) -> VectorTask:
    return VectorTask(lambda count: Vectorised(count, mode, LIMIT, over), "counting")


def check(data: Transitions, episodes: int, over: bool) -> None:
    """Each episode counts its steps from 0, keeps its own number, and ends as it does."""
    ends = np.flatnonzero(data.ends)
    assert len(ends) == episodes
    for first, last in zip([0, *(ends[:-1] + 1)], ends, strict=True):
        rows = slice(first, last + 1)
        number, steps = data.observations[first, 0], last + 1 - first
        assert steps == LIMIT + int(number) % 3
        assert data.observations[rows, 1].tolist() == list(range(steps))
        assert data.next_observations[rows, 1].tolist() == list(range(1, steps + 1))
        assert (data.observations[rows, 0] == number).all()
        assert (data.next_observations[rows, 0] == number).all()
        assert data.masks[rows].tolist() == [1.0] * (steps - 1) + [0.0 if over else 1.0]
    assert (data.rewards == 1).all()


@pytest.mark.parametrize("over", [False, True])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", [sync, native])
def test_no_step_crosses_a_reset(kind: Any, mode: str, over: bool) -> None:
    task = kind(mode, over)
    check(played(task, None, 7, 0), 7, over)
    found = rollout(make_rule("bc"), PARTS, task, 7, 3)
    assert found.lengths.tolist() == (LIMIT + found.starts[:, 0].astype(int) % 3).tolist()
    assert found.returns.tolist() == found.lengths.tolist()
    assert (found.terminated == over).all()
    assert (found.success == over).all()
    assert len(set(found.lengths)) > 1  # so that some were over while others went on


@pytest.mark.parametrize("kind", [sync, native])
def test_every_mode_gives_the_same_episodes(kind: Any) -> None:
    first, *others = (rollout(make_rule("bc"), PARTS, kind(mode, False), 6, 1) for mode in MODES)
    for other in others:
        assert np.array_equal(first.starts, other.starts)
        assert np.array_equal(first.returns, other.returns)


def test_places_of_a_sync_environment_have_seeds_of_their_own() -> None:
    few, many = (rollout(make_rule("bc"), PARTS, sync("NextStep", False), count, 5) for count in (2, 6))
    assert np.array_equal(few.starts, many.starts[:2])


@pytest.fixture
def registered() -> Iterator[str]:
    name = "CountingOnlyVectorised-v0"
    gymnasium.register(name, vector_entry_point=Vectorised)
    yield f"gym/{name}"
    gymnasium.registry.pop(name)


def test_an_id_with_a_vector_entry_point_alone(registered: str) -> None:
    for mode in MODES:
        task = make_task(f"{registered},limit={LIMIT},over=true,mode={mode}")
        assert (task.info.observation_dim, task.info.action_dim) == (2, 1)
        check(played(task, None, 5, 0), 5, True)
    with pytest.raises(ValueError, match="cannot be made with 1 places and the arguments size"):
        _ = make_task(f"{registered},size=3").info
    with pytest.raises(ValueError, match="not shown in pictures"):
        make_task(registered).pictured(0)


def test_dicts_of_observations_of_many_places() -> None:
    class Named(gymnasium.ObservationWrapper):
        observation_space = gymnasium.spaces.Dict(
            {name: gymnasium.spaces.Box(-1e6, 1e6, (1,), np.float32) for name in ("who", "at")}
        )

        def observation(self, observation: np.ndarray) -> dict[str, np.ndarray]:
            return {"who": observation[:1], "at": observation[1:]}

    for mode in MODES:
        task = VectorTask(
            lambda count, mode=mode: SyncVectorEnv(
                [lambda: Named(Counting(LIMIT))] * count, autoreset_mode=AutoresetMode(mode)
            )
        )
        assert "one row of at (1), who (1)" in task.info.summary
        data = played(task, None, 4, 0)
        swapped = {name: getattr(data, name)[:, ::-1] for name in ("observations", "next_observations")}
        check(Transitions(**{**vars(data), **swapped}), 4, False)


class Changed(Vectorised):
    """Returns something odd from the second step on."""

    def __init__(self, change: Any, **options: Any) -> None:
        super().__init__(**options)
        self.change, self.steps = change, 0

    def step(self, actions: np.ndarray) -> Any:
        self.steps += 1
        result = super().step(actions)
        return result if self.steps < 2 else self.change(*result)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda s, r, o, c, i: (s, r * np.nan, o, c, i), "the reward of episode 0 is nan after environment step 2"),
        (lambda s, r, o, c, i: (s * np.inf, r, o, c, i), "the observation of episode 0 is .* after environment step 2"),
        (lambda s, r, o, c, i: (s, r[:1], o, c, i), "rewards of shape"),
        (lambda s, r, o, c, i: (s, r, o, None, i), "truncations of shape"),
        (lambda s, r, o, c, i: (s[:1], r, o, c, i), "odd observations"),
        (lambda s, r, o, c, i: (s, r, o, c, None), "a NoneType as infos"),
        (lambda s, r, o, c, i: (s, r, o, c), "4 values from step"),
        (lambda s, r, o, c, i: (s, r, o | True, c, {}), r"no infos\['final_obs'\] for place 0"),
    ],
)
def test_what_is_no_result_is_said(change: Any, words: str) -> None:
    task = VectorTask(lambda count: Changed(change, num_envs=count, mode="SameStep"), "mine")
    for play in (lambda: rollout(make_rule("bc"), PARTS, task, 3, 0), lambda: played(task, None, 3, 0)):
        with np.errstate(invalid="ignore"), pytest.raises(ValueError, match=words) as caught:
            play()
        assert "mine" in str(caught.value)


def test_an_environment_that_does_not_say_its_mode() -> None:
    class Silent(Vectorised):
        def __init__(self, num_envs: int) -> None:
            super().__init__(num_envs)
            self.metadata = {}

    with pytest.raises(ValueError, match=r"mine: does not say what happens .*AutoresetMode\.NEXT_STEP"):
        _ = VectorTask(Silent, "mine").info
    with pytest.raises(ValueError, match="an environment of 3 places; it must have 1"):
        _ = VectorTask(lambda count: Vectorised(3), "mine").info


def test_the_example_of_the_docs() -> None:
    page = (Path(__file__).resolve().parents[3] / "docs" / "tasks.md").read_text(encoding="utf-8")
    (code,) = [block for block in re.findall(r"```python\n(.*?)```", page, re.S) if "VectorTask" in block]
    names: dict[str, Any] = {}
    exec(compile(code, "tasks.md", "exec"), names)  # noqa: S102 -- the page's own code, from this repository
    assert names["played"].lengths.tolist() == [200] * 4


def test_a_recording_names_the_episode_among_all() -> None:
    class Late(Vectorised):
        """NaN in the second batch of episodes, which has fewer places."""

        def step(self, actions: np.ndarray) -> Any:
            seen, rewards, *rest = super().step(actions)
            return seen, rewards * (np.nan if self.num_envs == 3 else 1.0), *rest

    task = VectorTask(lambda count: Late(count), "mine")
    with pytest.raises(ValueError, match="'mine': the reward of episode 16 is nan after environment step 1"):
        played(task, None, 19, 0)
