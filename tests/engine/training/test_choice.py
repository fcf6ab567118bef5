"""The compiled update is taken where it is the faster one, measuring leaves no trace, and a run keeps what it took."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from engine.small_runs import TASK, small_config, small_data
from torch import Tensor

from workbench.engine.data.transitions import Batch
from workbench.engine.training.fast import choice
from workbench.engine.training.fast.adam import Adam
from workbench.engine.training.fast.choice import choose
from workbench.engine.training.fast.gradients import Gradients, Noise
from workbench.engine.training.loop import trainer as trainers
from workbench.engine.training.loop.checkpoint import load_run, resume, save_checkpoint
from workbench.engine.training.loop.trainer import Trainer
from workbench.engine.training.loop.update import update


class Clock:
    """Time passes only where a step says so."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        monkeypatch.setattr(choice, "time", SimpleNamespace(perf_counter=lambda: self.now))

    def step(self, seconds: float, writes: Tensor) -> Callable[[], dict[str, Tensor]]:
        def call() -> dict[str, Tensor]:
            self.now += seconds
            writes.add_(1.0)
            return {"loss": writes.sum()}

        return call


@pytest.mark.parametrize(("plain", "compiled"), [(1.0, 2.0), (2.0, 1.0)])
def test_the_faster_one_is_taken(plain: float, compiled: float, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, weights = Clock(monkeypatch), torch.arange(3.0)
    found = choose(clock.step(plain, weights), clock.step(compiled, weights), [weights])
    assert found.compiled == (compiled < plain)
    assert (found.plain_seconds, found.compiled_seconds) == (plain, compiled)
    assert weights.tolist() == [0.0, 1.0, 2.0]
    assert f"the {'compiled' if compiled < plain else 'plain'} update is taken" in str(found)


def make(compile_it: bool) -> Trainer:
    return Trainer(small_data(90, 0), small_config(steps=8, compile=compile_it))


class PlainInDisguise:
    """Stands for the compiled update, without a compiler: it does the same."""

    calls = 0

    def __init__(self, scene: object, losses: object, adam: Adam, tau: float, limit: float) -> None:
        self.adam = adam

    def __call__(self, batch: Batch, noise: Noise, rate: float) -> dict[str, Tensor]:
        PlainInDisguise.calls += 1
        trainer = PlainInDisguise.of
        plain = Gradients(trainer.losses, trainer._scene, trainer.weights, repeats=False)
        return update(plain, batch, noise, self.adam, trainer.config, rate)

    of: Trainer


@pytest.mark.parametrize("faster", [True, False])
def test_measuring_leaves_no_trace_and_the_choice_is_kept(
    faster: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(trainers, "CompiledUpdate", PlainInDisguise)
    monkeypatch.setattr(trainers, "require_compiler", lambda: None)
    monkeypatch.setattr(trainers, "choose", lambda *ways: replace(choose(*ways), compiled=faster))
    plain, found = make(False), make(True)
    PlainInDisguise.of = found
    for _ in range(4):
        plain.step()
        found.step()
    assert found.choice is not None
    (taken,) = found.compiled.values()
    before = PlainInDisguise.calls
    save_checkpoint(found, tmp_path, TASK)
    PlainInDisguise.of = again = resume(load_run(tmp_path), found.data)
    for _ in range(4):
        plain.step()
        again.step()
    assert again.compiled == found.compiled
    assert again.choice is None, "measured once a run"
    assert (PlainInDisguise.calls - before == 4) == taken
    for name in plain.networks.modules():
        assert torch.equal(again.networks.net(name).theta, plain.networks.net(name).theta)


def test_a_run_from_before_there_was_a_choice_goes_on_compiled(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(trainers, "require_compiler", lambda: None)
    trainer = make(True)
    trainer.compiled = {"flow_matching, iql": False}
    trainer.step()
    trainer.compiled = {}  # as it was written then
    save_checkpoint(trainer, tmp_path, TASK)
    assert resume(load_run(tmp_path), trainer.data).compiled == {"flow_matching, iql": True}
