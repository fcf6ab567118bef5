"""Updates repeated from a recording are those of the plain update, to the last bit."""

from typing import Any
from unittest import mock

import pytest
import torch
from engine.small_runs import WAYS, small_config, small_data
from torch import Tensor

from workbench.engine.data.transitions import Batch
from workbench.engine.training.fast import gradients
from workbench.engine.training.loop.trainer import Trainer
from workbench.engine.training.losses import BEHAVIOURS, CRITICS, LEARNED_PARTS
from workbench.engine.training.losses.flow_matching import FlowMatching
from workbench.engine.training.losses.loss import Losses, Scene

EVERY: dict[str, dict[str, Any]] = {
    **WAYS,
    **{f"critic {name}": {"critic": name} for name in CRITICS},
    **{f"behaviour {name}": {"behaviour": name} for name in BEHAVIOURS},
    **{f"part {name}": {"parts": (name,)} for name in LEARNED_PARTS},
    "chunks": {"chunk": 3, "n_step": 2},
}


def make(way: dict[str, Any]) -> Trainer:
    config = {"steps": 12, "particles": 3, "flow_steps": 2, "batch_size": 32} | way
    return Trainer(small_data(90, 0), small_config(**config))


@pytest.mark.parametrize("way", EVERY.values(), ids=EVERY)
def test_a_recording_changes_no_bit(way: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    plain = make(way)
    losses = []
    while not plain.finished:
        losses.append(plain.step())
    monkeypatch.setattr(gradients, "WAIT", 2)
    found = make(way)
    with mock.patch.object(gradients, "record", side_effect=gradients.record) as recorded:
        for expected in losses:
            step = found.step()
            assert step.keys() == expected.keys()
            assert all(torch.equal(step[name], loss) for name, loss in expected.items())
    assert recorded.called
    for name in plain.networks.modules():
        assert torch.equal(found.networks.net(name).theta, plain.networks.net(name).theta), name
    held = found.adam.arrays()
    assert all(torch.equal(held[name], array) for name, array in plain.adam.arrays().items())


def test_other_sizes_and_other_memory_are_recorded_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gradients, "WAIT", 1)
    found = make({})
    with mock.patch.object(gradients, "record", side_effect=gradients.record) as recorded:
        for _ in range(4):
            found.learn(torch.arange(32))
        assert recorded.call_count == 1
        for _ in range(4):
            found.learn(torch.arange(40))
        assert recorded.call_count == 2
        net = found.networks.net("value")
        before = net.theta
        net.theta = torch.nn.Parameter(before.detach().clone())
        found.weights["value"] = found.adam.weights["value"] = net.theta
        for _ in range(4):
            found.learn(torch.arange(40))
        assert recorded.call_count == 3
        assert not torch.equal(net.theta, before)


class Counting(FlowMatching):
    """A user's own loss, which looks at numbers and at how often it was called."""

    calls = 0

    def __call__(self, scene: Scene, batch: Batch, noise: tuple[Tensor, ...]) -> Losses:
        Counting.calls += 1
        return {"flow": super().__call__(scene, batch, noise)["flow"] / Counting.calls}


def test_a_loss_of_the_users_own_is_never_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gradients, "WAIT", 1)
    trainer = make({})
    trainer.losses["flow_matching"] = Counting(trainer.config)
    for _ in range(6):
        trainer.step()
    assert Counting.calls == 6
