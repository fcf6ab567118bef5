"""Updates that are recorded and launched are the updates that would have been done one by one, bit for bit.

The recording is a tape on the CPU (tests/engine/tape.py): like a CUDA graph it repeats operations on the same memory and
knows no Python.
"""

from pathlib import Path
from typing import Any

import pytest
import torch
from engine.data.shard_files import walk, write
from engine.small_runs import WAYS, small_config, small_data, small_trainer
from engine.tape import TapeRecorder
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only

from workbench.engine.data.footprint import Keep
from workbench.engine.data.transitions import Batch
from workbench.engine.graphs import tensors_in
from workbench.engine.models.native import operations
from workbench.engine.tasks.registry import make_task
from workbench.engine.tasks.storage import load_saved
from workbench.engine.training.fast.gradients import Gradients
from workbench.engine.training.fast.graphs import UNROLL, Launches
from workbench.engine.training.loop.checkpoint import load_run, resume, save_checkpoint
from workbench.engine.training.loop.fit import fit
from workbench.engine.training.loop.together import TrainerGroup
from workbench.engine.training.loop.trainer import Trainer
from workbench.engine.training.losses import BEHAVIOURS, CRITICS, LEARNED_PARTS
from workbench.engine.training.losses.flow_matching import FlowMatching
from workbench.engine.training.losses.loss import Losses, Scene

EVERY = {
    **WAYS,
    **{
        f"critic {name}": {"critic": name, "floq_steps": 2, "floq_starts": 2}
        for name in CRITICS
        if all(w.get("critic", "iql") != name for w in WAYS.values())
    },
    **{f"behaviour {name}": {"behaviour": name} for name in BEHAVIOURS},
    **{f"part {name}": {"parts": (name,), "flow_steps": 2} for name in LEARNED_PARTS},
    "chunks": {"chunk": 3, "n_step": 2},
    "extra noise": {"critic": "td_actor", "actor": "qpilots_m", "flow_steps": 2},
}


@pytest.fixture(autouse=True)
def _plain_operations(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a GPU: a tape sees PyTorch's operations, which round otherwise than the passes in C."""
    monkeypatch.setattr(operations, "library", lambda: None)


def launched(trainer: Trainer) -> TapeRecorder:
    recorder = TapeRecorder()
    trainer.launches = Launches(trainer, recorder)
    return recorder


def assert_same(found: Trainer, expected: Trainer) -> None:
    assert found.step_number == expected.step_number
    assert torch.equal(found.generator.get_state(), expected.generator.get_state())
    for name in expected.networks.modules():
        assert torch.equal(found.networks.net(name).theta, expected.networks.net(name).theta), name
    for name, array in expected.adam.arrays().items():
        assert torch.equal(found.adam.arrays()[name], array), name


@pytest.mark.parametrize("way", EVERY.values(), ids=EVERY)
def test_every_loss_can_be_launched_and_is_the_same(way: dict[str, Any]) -> None:
    settings = {"steps": 23, "reference_steps": 12} | way
    found, expected = small_trainer(**settings), small_trainer(**settings)
    recorder = launched(found)
    reports = list(fit(found, report_every=15))
    assert [report.losses for report in fit(expected, report_every=15)] == [report.losses for report in reports]
    assert_same(found, expected)
    launches = sum(tape.launches for tape in recorder.tapes)
    assert 0 < launches <= found.total_steps - (UNROLL - 1) * (found.total_steps // (UNROLL + 5))


class Devices(TorchDispatchMode):
    """The operations that take or give arrays of two devices."""

    def __init__(self) -> None:
        super().__init__()
        self.copies: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if len({t.device for t in tensors_in((args, kwargs, result)) if t.dim() or t.device.type != "cpu"}) > 1:
            self.copies.append(func.name())
        return result


@pytest.mark.parametrize("way", EVERY.values(), ids=EVERY)
def test_every_update_stays_on_its_device(way: dict[str, Any]) -> None:
    """Torch's device without numbers stands for a GPU: a constant that is copied there in an update cannot be recorded."""
    trainer = small_trainer(**({"steps": 3, "reference_steps": 1} | way))
    trainer.step_number = trainer.total_steps - 1  # the last phase
    trainer._cache_samples()
    there = lambda nest: tree_map_only(Tensor, lambda x: x.to("meta"), nest)  # noqa: E731
    batch, cache = there(trainer.draw()[0]), there(trainer._scene.cache)
    trainer.networks.to(torch.device("meta"))
    trainer._scene.cache = cache
    weights = {name: trainer.networks.net(name).theta for name in trainer.weights}
    gradients = Gradients(trainer.losses, trainer._scene, weights, repeats=True)
    phase, _ = trainer.phase()
    noise = {key: there(trainer.losses[key].draw(batch, trainer.generator)) for key in phase.losses}
    with Devices() as seen:
        gradients(batch, noise)
    assert seen.copies == []


@pytest.mark.parametrize("way", ["iql", "td_vgf, frozen"])
def test_a_run_that_is_stopped_anywhere_goes_on_bit_for_bit(way: str, tmp_path: Path) -> None:
    settings = {"steps": 33} | WAYS[way]
    whole, stopped = small_trainer(**settings), small_trainer(**settings)
    launched(whole), launched(stopped)
    list(fit(whole))
    asked = iter([False, False, True])
    list(fit(stopped, report_every=13, should_stop=lambda: next(asked)))
    assert stopped.step_number % UNROLL
    save_checkpoint(stopped, tmp_path, "a_task")
    resumed = resume(load_run(tmp_path), small_data())
    launched(resumed)
    list(fit(resumed, report_every=7))
    assert_same(resumed, whole)


def test_minibatch_and_noise_are_drawn_inside_the_launch() -> None:
    trainer = small_trainer(steps=20)
    recorder = launched(trainer)
    trainer.step(20)
    assert trainer.step_number == UNROLL
    ones = recorder.tapes[0].operations
    drawn = [func.name() for func, *_ in ones if torch.Tag.nondeterministic_seeded in func.tags]
    assert len(drawn) >= 3  # the rows, the flow's start, the flow's time


def test_rows_on_disk_are_handed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKBENCH_ROWS", str(tmp_path / "rows"))
    write(tmp_path / "data", walk(200), (37, 150))
    task = make_task("gym/Pendulum-v1")
    memory, disk = (load_saved(task, tmp_path / "data", keep=Keep(where)) for where in ("memory", "disk"))
    found, expected = Trainer(disk, small_config(steps=15)), Trainer(memory, small_config(steps=15))
    recorder = launched(found)
    list(fit(found)), list(fit(expected))
    assert_same(found, expected)
    assert [tape.launches for tape in recorder.tapes] == [5, 1]


def test_rows_that_join_the_data_are_drawn_by_the_next_launch() -> None:
    found, expected = small_trainer(steps=40), small_trainer(steps=40)
    launched(found)
    for trainer in (found, expected):
        for _ in range(3):
            trainer.step()
        trainer.make_room(30)
        trainer.append(small_data(20, seed=5))
        while trainer.step_number < 20:
            trainer.step()
    assert_same(found, expected)


class Looking(FlowMatching):
    """A loss that looks at a number."""

    def __call__(self, scene: Scene, batch: Batch, noise: tuple[Tensor, ...]) -> Losses:
        losses = super().__call__(scene, batch, noise)
        return losses if float(losses["flow"].detach()) > -1.0 else {}


def test_what_cannot_be_recorded_goes_on_as_before_and_is_said_once() -> None:
    found, expected = small_trainer(), small_trainer()
    for trainer in (found, expected):
        trainer.losses["flow_matching"] = Looking(trainer.config)
    recorder = launched(found)
    with pytest.warns(UserWarning, match="this training cannot be recorded.*looks at a number"):
        found.step()
    for _ in fit(found):  # a second warning would be an error
        pass
    for _ in fit(expected):
        pass
    assert recorder.tapes == []
    assert_same(found, expected)


@pytest.mark.parametrize("way", ["iql", "td_vgf, frozen", "iql, every part"])
def test_several_seeds_are_launched_together(way: str) -> None:
    settings = WAYS[way] | {"steps": 23}

    def group() -> TrainerGroup:
        return TrainerGroup([Trainer(small_data(60 + 10 * s, s), small_config(**settings, seed=s)) for s in (3, 7)])

    found, expected, recorder = group(), group(), TapeRecorder()
    found.launches = Launches(found, recorder)
    reports = [list(fit(each, report_every=15)) for each in (found, expected)]
    assert [r.losses for r in reports[0]] == [r.losses for r in reports[1]]
    for mine, other in zip(found.hand_back(), expected.hand_back(), strict=True):
        assert_same(mine, other)
    assert recorder.tapes
