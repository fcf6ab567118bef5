"""Environments that do not keep to Gymnasium's interface: taken where that is clear, else words that name the environment."""

from collections.abc import Callable, Iterator
from typing import Any

import gymnasium
import numpy as np
import pytest

from workbench.engine.data.boxes import ActionBox, flat
from workbench.engine.models.parts import Parts
from workbench.engine.steering.rules import make_rule
from workbench.engine.tasks.registry import make_task
from workbench.engine.tasks.rollout import rollout

SEEN = np.zeros(3, dtype=np.float32)


class Odd(gymnasium.Env[Any, Any]):
    """Six steps; what `step` returns is changed by ``change`` from the third on."""

    observation_space = gymnasium.spaces.Box(-9, 9, (3,), np.float32)
    action_space = gymnasium.spaces.Box(-1, 1, (1,), np.float32)

    def __init__(self, change: Callable[..., Any], render_mode: str | None = None) -> None:
        self.change = change

    def reset(self, **_: Any) -> Any:
        self.count = 0
        return SEEN, {}

    def step(self, action: Any) -> Any:
        self.count += 1
        result = (SEEN, 1.0, False, self.count >= 6, {})
        return result if self.count < 3 else self.change(*result)


@pytest.fixture
def odd() -> Iterator[Callable[..., np.ndarray]]:
    name = "OddOne-v0"

    def returns(change: Callable[..., Any]) -> np.ndarray:
        gymnasium.register(id=name, entry_point=Odd, kwargs={"change": change}, disable_env_checker=True)
        parts = Parts(3, 1, reference=lambda s, a, t: -a)
        return rollout(make_rule("bc"), parts, make_task(f"gym/{name}"), episodes=2, seed=0).returns

    yield returns
    gymnasium.registry.pop(name, None)


@pytest.mark.parametrize("reward", [np.array([1.0]), np.array([[1]]), np.float64(1.0), np.array(1.0), True, [1.0]])
def test_one_number_is_a_number(odd: Callable[..., np.ndarray], reward: Any) -> None:
    def change(s: Any, r: Any, over: Any, cut: Any, info: Any) -> Any:
        return s, reward, np.array([over]), np.array(cut), {"success": np.array([True])}

    assert odd(change).tolist() == [6.0, 6.0]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda s, r, over, cut, info: (s, np.ones(2), over, cut, info), r"an array of shape \(2,\) as the reward"),
        (lambda s, r, over, cut, info: (s, None, over, cut, info), "None as the reward"),
        (lambda s, r, over, cut, info: (s, "1", over, cut, info), "'1' as the reward"),
        (lambda s, r, over, cut, info: (s, {}, over, cut, info), "as the reward"),
        (lambda s, r, over, cut, info: (s, [[1], [1, 2]], over, cut, info), "as the reward"),
        (lambda s, r, over, cut, info: (s, float("nan"), over, cut, info), "the reward of episode 0 is nan"),
        (lambda s, r, over, cut, info: (s, 1e300, over, cut, info), "the reward of episode 0 is inf"),
        (lambda s, r, over, cut, info: (s, r, np.array([over, cut]), cut, info), "as 'terminated'"),
        (lambda s, r, over, cut, info: (s, r, over, None, info), "None as 'truncated'"),
        (lambda s, r, over, cut, info: (s, r, over, cut, {"success": np.array([True, False])}), r"info\['success'\]"),
        (lambda s, r, over, cut, info: (s, r, over, cut, {"is_success": "no"}), r"'no' as info\['is_success'\]"),
        (lambda s, r, over, cut, info: (s, r, over, cut, None), "a NoneType as info"),
        (
            lambda s, r, over, cut, info: (s[:2], r, over, cut, info),
            "an observation of 2 numbers from step; expected 3",
        ),
        (lambda s, r, over, cut, info: ("here", r, over, cut, info), "an odd observation"),
        (lambda s, r, over, cut, info: (s * np.nan, r, over, cut, info), "the observation of episode 0 is nan"),
        (lambda s, r, over, cut, info: (s, r, over, info), "4 values from step"),
    ],
)
def test_what_is_no_result_is_said(odd: Callable[..., np.ndarray], change: Callable[..., Any], words: str) -> None:
    with pytest.raises((ValueError, FloatingPointError), match=words) as caught:
        odd(change)
    assert "OddOne-v0" in str(caught.value)


@pytest.mark.parametrize(
    ("low", "high"),
    [(-np.finfo(kind).max, np.finfo(kind).max) for kind in (np.float16, np.float32, np.float64)]
    + [(0.0, np.finfo(np.float32).max), (-1e9, 1.0), (-np.inf, np.inf), (np.nan, 1.0), (2.0, 1.0), (-1e6, 1e6)],
)
def test_bounds_in_name_only(low: float, high: float) -> None:
    with pytest.raises(ValueError, match=r"probe: its actions lie between .* cannot be scaled .*give each action two"):
        ActionBox(np.array([-1.0, low]), np.array([1.0, high]), "probe")
    assert ActionBox(np.full(2, -2e4), np.full(2, 2e4), "rpm").from_unit(np.ones(2)).tolist() == [2e4, 2e4]


def test_entries_stay_at_their_time() -> None:
    """Tuples and dicts, in one another too, of equal and other widths, also where there are as many entries as times."""
    steps = 5
    times = np.arange(steps, dtype=np.float32)[:, None]
    same, other = times.repeat(3, 1), 1000 + times.repeat(3, 1)
    want = np.concatenate([same, other], 1)
    assert np.array_equal(flat((same, other), steps), want)
    assert np.array_equal(flat({"b": other, "a": (same,)}, steps), want)
    assert flat((times[:, 0], {"x": other}), steps)[3].tolist() == [3, 1003, 1003, 1003]
    assert np.array_equal(flat((same,) * steps, steps), np.tile(same, steps))
    assert flat((same[1], {"z": 4, "y": [2.0, 3.0]})).tolist() == [1, 1, 1, 2, 3, 4]
    assert np.array_equal(flat(list(same), steps), same)  # a list of rows
    for wrong in ((same, other[:-1]), same.repeat(2, 0), {"a": same.T}):
        with pytest.raises(ValueError, match="rows where 5 are needed"):
            flat(wrong, steps)
    with pytest.raises(ValueError, match="pictures of shape"):
        flat(np.zeros((steps, 64, 64, 3), dtype=np.uint8), steps)
    with pytest.raises(ValueError, match="rows of several lengths"):
        flat([[1.0], [1.0, 2.0]])
