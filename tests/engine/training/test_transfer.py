"""Rows that a GPU has no room for are sent to it while it computes: no race, no other numbers.

Streams are imitated on the CPU (tests/engine/streams.py), recordings too (tests/engine/tape.py).
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from engine.data.shard_files import walk, write
from engine.small_runs import small_config, small_data, small_trainer
from engine.streams import Streams
from engine.tape import TapeRecorder
from torch import Tensor

from workbench.engine.data import replay_mapped
from workbench.engine.data.footprint import Keep
from workbench.engine.data.replay import Beside, Replay
from workbench.engine.data.replay_away import HostReplay, fits
from workbench.engine.data.replay_mapped import make_replay
from workbench.engine.data.transitions import Transitions
from workbench.engine.models.native import operations
from workbench.engine.tasks.registry import make_task
from workbench.engine.tasks.storage import load_saved
from workbench.engine.training.fast import graphs
from workbench.engine.training.fast.graphs import Launches
from workbench.engine.training.loop.fit import fit
from workbench.engine.training.loop.trainer import Trainer
from workbench.engine.transfer import OnStream

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _plain_operations(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a GPU: a tape sees PyTorch's operations, which round otherwise than the passes in C."""
    monkeypatch.setattr(operations, "library", lambda: None)


@pytest.fixture
def small_card(monkeypatch: pytest.MonkeyPatch) -> None:
    """A device with room for nothing."""
    monkeypatch.setattr(replay_mapped, "free_memory", lambda device: 0)


@pytest.fixture
def streams(monkeypatch: pytest.MonkeyPatch) -> Streams:
    found = Streams()
    found.stand_in(monkeypatch)
    monkeypatch.setattr(graphs, "aside_for", OnStream)
    return found


def away(tmp_path: Path, kind: str, **settings: Any) -> tuple[Trainer, Trainer]:
    """A trainer whose rows are elsewhere, and one that holds them."""
    if kind == "memory":
        return small_trainer(**settings), Trainer(small_data(), small_config(**settings))
    write(tmp_path / "data", walk(200), (37, 150))
    task = make_task("gym/Pendulum-v1")
    rows = [load_saved(task, tmp_path / "data", keep=Keep(where)) for where in ("disk", "memory")]  # type: ignore[arg-type]
    return Trainer(rows[0], small_config(**settings)), Trainer(rows[1], small_config(**settings))


def assert_same_weights(found: Trainer, expected: Trainer) -> None:
    assert torch.equal(found.generator.get_state(), expected.generator.get_state())
    for name, theta in expected.weights.items():
        assert torch.equal(found.weights[name], theta), name


@pytest.mark.parametrize(("kind", "settings"), [("memory", {}), ("memory", {"chunk": 3}), ("disk", {})], ids=str)
def test_the_next_minibatches_are_made_while_a_launch_runs(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    small_card: None,
    streams: Streams,
    kind: str,
    settings: dict[str, Any],
) -> None:
    monkeypatch.setenv("WORKBENCH_ROWS", str(tmp_path / "rows"))
    found, expected = away(tmp_path, kind, steps=25, **settings)
    found.launches = Launches(found, TapeRecorder())
    with streams:
        list(fit(found))
    list(fit(expected))
    assert streams.faults == []
    assert {"main", "stream 1"} <= streams.used
    assert_same_weights(found, expected)


def test_rows_that_join_the_data_are_there_before_they_are_drawn(small_card: None, streams: Streams) -> None:
    found, expected = small_trainer(steps=40), small_trainer(steps=40)
    found.launches = Launches(found, TapeRecorder())

    def train(trainer: Trainer) -> None:
        for _ in range(3):
            trainer.step()
        trainer.make_room(30)
        trainer.append(small_data(20, seed=5))
        while trainer.step_number < 20:
            trainer.step()

    with streams:
        train(found)
    train(expected)
    assert streams.faults == []
    assert streams.made >= 2  # a new one waits for the rows
    assert_same_weights(found, expected)


class NeverWaited(OnStream):
    """Forgets to let the updates wait for what they take."""

    def __call__(self, make: Callable[[], Any], /) -> Any:
        with torch.cuda.stream(self._stream):
            made = make()
        for leaf in torch.utils._pytree.tree_leaves(made):
            if isinstance(leaf, Tensor):
                leaf.record_stream(torch.cuda.current_stream(self._device))
        return made


class NeverLent(OnStream):
    """Forgets to say that the updates use its memory."""

    def __call__(self, make: Callable[[], Any], /) -> Any:
        with torch.cuda.stream(self._stream):
            made = make()
        torch.cuda.current_stream(self._device).wait_stream(self._stream)
        return made


@pytest.mark.parametrize(("broken", "words"), [(NeverWaited, "does not wait for"), (NeverLent, "was not lent")])
def test_the_imitation_finds_what_a_gpu_would_stumble_over(
    small_card: None, streams: Streams, monkeypatch: pytest.MonkeyPatch, broken: type[OnStream], words: str
) -> None:
    monkeypatch.setattr(graphs, "aside_for", broken)
    trainer = small_trainer(steps=12)
    trainer.launches = Launches(trainer, TapeRecorder())
    with streams:
        list(fit(trainer))
    assert any(words in fault for fault in streams.faults)


@pytest.mark.parametrize(
    "more", [{}, {"chunk": 4, "steps": 9}, {"steps": 30, "beside": Beside(next_actions=True)}], ids=str
)
def test_minibatches_are_those_of_rows_on_the_device(monkeypatch: pytest.MonkeyPatch, more: dict[str, Any]) -> None:
    data, drawn = small_data(), []
    settings: dict[str, Any] = {"steps": 2, "discount": 0.9, "reward_scale": 2.0, "device": CPU} | more
    for free, kind in ((None, Replay), (0, HostReplay)):
        monkeypatch.setattr(replay_mapped, "free_memory", lambda device, free=free: free)
        width = data.observation_dim
        replay = make_replay(data, torch.zeros(width), torch.ones(width), **settings)
        assert type(replay) is kind
        replay.make_room(25)
        for seed in (1, 2):
            replay.append(small_data(20, seed=seed))  # the second goes round the end of the ring
        batch = replay.batch(torch.arange(len(replay)).flip(0))
        drawn.append([*(x for x in batch if x is not None), replay.next_observations])
    for ours, theirs in zip(*drawn, strict=True):
        assert torch.equal(ours.nan_to_num(7.0), theirs.nan_to_num(7.0))


def test_rows_fit_where_half_of_the_free_memory_is_enough() -> None:
    rows = np.zeros((1000, 3), dtype=np.float32)
    flags = np.ones(1000, dtype=np.float32)
    data = Transitions(rows, rows[:, :1], flags, flags, rows, flags.astype(bool))
    assert fits(data, None)
    assert fits(data, 2 * 4 * 1000 * 11)
    assert not fits(data, 2 * 4 * 1000 * 11 - 1)
