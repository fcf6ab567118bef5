"""Training at a reduced precision: named in the run's settings, the same alone, together and launched, and never silent."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from engine.small_runs import WAYS, small_config, small_data, small_trainer
from engine.tape import TapeRecorder

from workbench.engine.models.native import operations
from workbench.engine.training.fast.choice import in_words
from workbench.engine.training.fast.graphs import Launches
from workbench.engine.training.loop.checkpoint import load_run, resume, save_checkpoint
from workbench.engine.training.loop.fit import fit
from workbench.engine.training.loop.together import fit_together
from workbench.engine.training.loop.trainer import Trainer
from workbench.engine.training.written import written
from workbench.engine.words import UserError


@pytest.fixture(autouse=True)
def _plain_operations(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a GPU: a tape sees PyTorch's operations, which round otherwise than the passes in C."""
    monkeypatch.setattr(operations, "library", lambda: None)


def weights(trainer: Trainer) -> torch.Tensor:
    return torch.cat([theta.detach() for theta in trainer.weights.values()])


@pytest.mark.parametrize("way", WAYS)
def test_bf16_learns_much_the_same_with_other_bits(way: str) -> None:
    exact, rounded = (small_trainer(**WAYS[way], precision=precision) for precision in ("highest", "bf16"))
    reports = [list(fit(trainer))[-1].losses for trainer in (exact, rounded)]
    assert not torch.equal(weights(exact), weights(rounded))
    assert (weights(exact) - weights(rounded)).abs().mean() < 0.1 * 20 * 1e-3  # of the way that Adam may go
    for name, loss in reports[0].items():
        assert reports[1][name] == pytest.approx(loss, rel=0.1, abs=0.05)


def test_the_precision_stands_in_the_run_and_resuming_keeps_it(tmp_path: Path) -> None:
    whole, stopped = (small_trainer(precision="bf16") for _ in range(2))
    list(fit(whole))
    while stopped.step_number < 7:
        stopped.step()
    save_checkpoint(stopped, tmp_path, "a_task")
    run = load_run(tmp_path)
    assert run.config.precision == "bf16"
    resumed = resume(run, small_data())
    list(fit(resumed))
    assert torch.equal(weights(resumed), weights(whole))


def test_runs_at_full_precision_are_written_as_before() -> None:
    assert "precision" not in written(small_config())
    assert written(small_config(precision="bf16"))["precision"] == "bf16"


def test_several_seeds_at_once_and_launched_updates_are_the_same() -> None:
    settings: dict[str, Any] = {"precision": "bf16", "steps": 15}
    together, alone, launched = (Trainer(small_data(), small_config(**settings)) for _ in range(3))
    launched.launches = Launches(launched, TapeRecorder())
    list(fit(alone)), list(fit(launched)), list(fit_together([together]))
    assert torch.equal(weights(launched), weights(alone))
    torch.testing.assert_close(weights(together), weights(alone), rtol=1e-3, atol=1e-3)


def test_what_does_not_go_together_is_refused_in_words() -> None:
    with pytest.raises(UserError, match=r"tf32 is a way of NVIDIA GPUs"):
        small_trainer(precision="tf32")
    with pytest.raises(UserError, match=r"precision=bf16 is not for compiled updates"):
        small_trainer(precision="bf16", compile=True)
    with pytest.raises(UserError, match="precision"):
        small_config(precision="int4")


@pytest.mark.parametrize("way", ["iql", "td_vgf, frozen"])
def test_a_run_says_what_the_precision_costs_and_is_the_same_run(way: str) -> None:
    asked, silent = (small_trainer(**WAYS[way], precision="bf16") for _ in range(2))
    assert re.fullmatch(
        r"precision=bf16: \d+\.\d+ ms an update here, fp32 \d+\.\d+ ms: (faster|slower and less exact, so better left out)",
        asked.precision_in_words(),
    )
    for trainer in (asked, silent):
        list(fit(trainer))
    assert torch.equal(weights(asked), weights(silent))
    assert small_trainer(**WAYS[way]).precision_in_words() == ""


def test_slower_is_called_slower() -> None:
    assert in_words("bf16", 0.004, 0.001).startswith("precision=bf16: 4.00 ms an update here, fp32 1.00 ms: slower")
    assert in_words("bf16", 0.001, 0.004).endswith(": faster")
