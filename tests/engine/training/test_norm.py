"""Where LayerNorm stands is a setting: its networks, its updates alone and together, and its checkpoints."""

from pathlib import Path

import pytest
import torch
from engine.small_runs import TASK, saved_run, small_config, small_data, small_trainer
from torch import Tensor, nn

from workbench.engine.models.mlp import Mlp
from workbench.engine.training.loop.checkpoint import load_run, resume
from workbench.engine.training.loop.fit import fit
from workbench.engine.training.loop.together import fit_together
from workbench.engine.training.losses import LEARNED_PARTS
from workbench.engine.training.written import written

NORMS = ("before", "after", "none")


def plainly(net: Mlp, x: Tensor, after: bool) -> Tensor:
    """The network put together of torch's own modules."""
    arrays = {key: array[0] for key, array in net.arrays().items()}
    layers: list[nn.Module] = []
    for i in range(len(net.shape.hidden) + 1):
        weight, bias = arrays[f"{i}.weight"], arrays[f"{i}.bias"]
        dense = nn.Linear(*weight.shape)
        dense.weight.data, dense.bias.data = weight.T, bias[0]
        layers.append(dense)
        if i == len(net.shape.hidden):
            break
        active: nn.Module = nn.ReLU() if net.shape.activation == "relu" else nn.GELU("tanh")
        norm = []
        if f"{i}.scale" in arrays:
            norm = [nn.LayerNorm(weight.shape[1], eps=1e-6)]
            norm[0].weight.data, norm[0].bias.data = arrays[f"{i}.scale"][0], arrays[f"{i}.shift"][0]
        layers += [active, *norm] if after else [*norm, active]
    found: Tensor = nn.Sequential(*layers)(x)
    return found


@pytest.mark.parametrize("family", ["qgf", "vgf", "fql"])
@pytest.mark.parametrize("norm", [*NORMS, "family"])
def test_networks_are_as_the_setting_says(family: str, norm: str) -> None:
    trainer = small_trainer(family=family, norm=norm)
    for _ in range(5):
        trainer.step()
    after = norm == "after" or (norm == "family" and family == "fql")
    for name, width in (("value", 3), ("reference", trainer.networks.net("reference").shape.inputs)):
        net = trainer.networks.net(name)
        x = torch.randn(6, width, generator=torch.Generator().manual_seed(0))
        torch.testing.assert_close(net(x), plainly(net, x, after), rtol=1e-4, atol=1e-5)
    normed = {
        name: any(".scale" in key for key in trainer.networks.net(name).arrays()) for name in ("critic", "reference")
    }
    assert normed == {"critic": norm != "none", "reference": norm != "none" and family == "qgf"}


def test_the_places_differ_in_what_is_learned() -> None:
    ends = {}
    for norm in NORMS:
        trainer = small_trainer(norm=norm)
        for _ in range(20):
            losses = trainer.step()
        ends[norm] = float(losses["critic"])
    assert len(set(ends.values())) == 3


@pytest.mark.parametrize("norm", ["after", "none"])
def test_alone_and_together_and_from_a_checkpoint(norm: str, tmp_path: Path) -> None:
    way = {"norm": norm, "steps": 120, "parts": ("one_step",), "flow_steps": 2}  # recorded updates begin at 100
    alone = [small_trainer(**way, seed=seed) for seed in (3, 7)]
    together = [small_trainer(**way, seed=seed) for seed in (3, 7)]
    for trainer in alone:
        for _ in fit(trainer):
            pass
    list(fit_together(together))
    for one, found in zip(alone, together, strict=True):
        for name in one.networks.modules():
            ours, theirs = found.networks.net(name).theta, one.networks.net(name).theta
            torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
    saved = saved_run(tmp_path / "run", norm=norm)
    again = resume(load_run(tmp_path / "run", TASK), small_data())
    assert again.config.norm == norm
    x = torch.randn(4, 3)
    assert torch.equal(again.networks.value(x), saved.networks.value(x))


def test_it_is_written_where_it_is_set() -> None:
    assert "norm" not in written(small_config())
    assert written(small_config(norm="after"))["norm"] == "after"


@pytest.mark.parametrize("family", ["fql", "vgf"])
def test_every_learned_part_with_norm_after(family: str) -> None:
    trainer = small_trainer(family=family, norm="after", parts=tuple(LEARNED_PARTS), flow_steps=2)
    before = {name: theta.detach().clone() for name, theta in trainer.weights.items()}
    for _ in range(2):
        losses = trainer.step()
    assert all(bool(loss.isfinite()) for loss in losses.values())
    assert all(not torch.equal(theta, before[name]) for name, theta in trainer.weights.items())
