"""On a real GPU: every loss and every rule is recorded, and is what it is kernel by kernel and on the CPU.

Skipped where there is none; `python -m pytest tests/engine/test_gpu.py` is what to run where there is.
"""

import copy
import warnings
from dataclasses import fields, replace
from typing import Any

import pytest
import torch
from contract.scenes import scene
from engine.small_runs import WAYS, small_config, small_data
from engine.training.test_launches import EVERY, Looking
from torch import Tensor

from workbench.engine import graphs
from workbench.engine.data import replay_mapped
from workbench.engine.models.fused.operations import reason
from workbench.engine.models.parts import Normalizer, Parts
from workbench.engine.precision import Precision, products
from workbench.engine.steering.graphs import Actor
from workbench.engine.steering.noise import Noise
from workbench.engine.steering.rules import RULES, make_rule
from workbench.engine.steering.run import act
from workbench.engine.training.loop.together import TrainerGroup
from workbench.engine.training.loop.trainer import Trainer

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
STEPS = 23  # launches of ten, and of one


def trainer(device: str, **way: Any) -> Trainer:
    return Trainer(small_data(), small_config(**({"steps": STEPS, "reference_steps": 12} | way)), device)


def train(one: Trainer | TrainerGroup) -> None:
    while one.step_number < STEPS:
        one.step(STEPS - one.step_number)
    torch.cuda.synchronize()


def moved(nest: Any) -> Any:
    return torch.utils._pytree.tree_map_only(torch.Tensor, torch.Tensor.cpu, nest)


def apart(found: Trainer, expected: Trainer) -> float:
    pairs = [(found.weights[name], theta) for name, theta in expected.weights.items()]
    return max(float((a.detach() - b.detach()).abs().max()) for a, b in pairs)


def there(parts: Parts) -> Parts:
    """A copy of ``parts`` on the GPU."""

    def sent(part: Any) -> Any:
        return part.to("cuda") if isinstance(part, torch.nn.Module | torch.Tensor) else part

    copied = copy.deepcopy(parts)
    changed = {field.name: sent(getattr(copied, field.name)) for field in fields(copied)}
    normal = copied.normalizer
    changed["normalizer"] = None if normal is None else Normalizer(normal.mean.cuda(), normal.std.cuda())
    return replace(copied, **changed | {"extra": {name: sent(net) for name, net in copied.extra.items()}})


def gpu_scene() -> tuple[Parts, tuple[Tensor, Noise]]:
    parts, observations, noise = scene((4, 3, 2, 4))
    return there(parts), (observations.cuda(), Noise(*(None if part is None else part.cuda() for part in noise)))


def test_the_kernels_can_be_used() -> None:
    assert reason() == ""


def test_every_loss_is_recorded_and_is_the_same() -> None:
    wrong = []
    for name, way in EVERY.items():
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found, expected = trainer("cuda", **way), trainer("cuda", **way)
            expected.launches = None
            train(found), train(expected)
        wrong += [name] if found.launches is None or apart(found, expected) else []
    assert wrong == []


def test_every_loss_is_that_of_the_cpu() -> None:
    wrong = {}
    for name, way in EVERY.items():
        gpu, here = trainer("cuda", **way), trainer("cpu", **way)
        gpu.step_number = here.step_number = gpu.total_steps - 1  # the last phase
        gpu._cache_samples()
        here._scene.cache = moved(gpu._scene.cache)
        drawn = gpu.draw()
        losses, expected = gpu.apply(drawn, 1e-3), here.apply(moved(drawn), 1e-3)
        wrong |= {(name, key): (float(losses[key]), float(expected[key])) for key in expected}
    wrong = {key: pair for key, pair in wrong.items() if pair[0] != pytest.approx(pair[1], rel=1e-3, abs=1e-4)}
    assert wrong == {}


def test_every_rule_is_recorded_and_acts_as_on_the_cpu() -> None:
    wrong = {}
    for name in RULES:
        parts, observations, noise = scene((4, 3, 2, 4))
        rule, (gpu, inputs) = make_rule(name), gpu_scene()
        actor = Actor(rule, gpu)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = [actor(*inputs) for _ in range(2)]
        same = torch.equal(found[0], act(rule, gpu, *inputs)) and torch.equal(*found)
        error = float((found[0].cpu() - act(rule, parts, observations, noise)).abs().max())
        if not same or error > 1e-3 or actor.recorder is None:
            wrong[name] = same, error, actor.recorder
    assert wrong == {}


@pytest.mark.parametrize("precision", ["tf32", "bf16"])
def test_reduced_precision_is_near(precision: Precision) -> None:
    gpu, inputs = gpu_scene()
    exact = act(make_rule("vgf"), gpu, *inputs)
    with products(precision, torch.device("cuda")):
        rough = Actor(make_rule("vgf"), gpu)(*inputs)
    assert 0.0 < float((rough - exact).abs().max()) < 0.1
    found, expected = (trainer("cuda", precision=precision) for _ in range(2))
    expected.launches = None
    train(found), train(expected)
    assert apart(found, expected) == 0.0


@pytest.mark.parametrize("way", ["iql", "td_vgf, frozen"])
def test_rows_that_the_card_has_no_room_for_are_sent_while_it_computes(
    monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(replay_mapped, "free_memory", lambda device: 0)
        found = trainer("cuda", **WAYS[way])
    expected = trainer("cuda", **WAYS[way])
    assert (found.replay.is_held, expected.replay.is_held) == (False, True)
    train(found), train(expected)
    assert found.launches is not None
    assert apart(found, expected) == 0.0


@pytest.mark.parametrize("way", ["iql", "td_vgf, frozen"])
def test_several_seeds_are_trained_together(way: str) -> None:
    def made() -> list[Trainer]:
        config = {"steps": STEPS, "reference_steps": 12} | WAYS[way]
        return [Trainer(small_data(60 + 10 * s, s), small_config(**config, seed=s), "cuda") for s in (3, 7)]

    group, alone = TrainerGroup(made()), made()
    train(group)
    for one in alone:
        train(one)
    assert group.launches is not None
    for found, expected in zip(group.hand_back(), alone, strict=True):
        assert apart(found, expected) < 1e-4


def test_what_fails_while_it_is_recorded_goes_on_kernel_by_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graphs, "rehearse", lambda work, generators: None)  # so that the GPU itself finds out
    found, expected = trainer("cuda"), trainer("cuda")
    for one in (found, expected):
        one.losses["flow_matching"] = Looking(one.config)
    expected.launches = None
    with pytest.warns(UserWarning, match="cannot be recorded"):
        found.step()
    train(found), train(expected)
    assert found.launches is None
    assert apart(found, expected) == 0.0
    train(after := trainer("cuda"))  # and the next one can be recorded again
    assert after.launches is not None
