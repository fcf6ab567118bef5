"""VGF with a Gaussian behaviour policy equals the published code (numbers of a run of it with bc_policy_type gau)."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from workbench.engine.data.transitions import Batch, make_transitions
from workbench.engine.models.gaussian_flow import GaussianFlow
from workbench.engine.models.velocity import sample
from workbench.engine.training.config import make_config
from workbench.engine.training.loop.trainer import Trainer

PUBLISHED = Path(__file__).parent / "data" / "vgf_gaussian.npz"
NOISE = 3e-8  # gradients below this are rounding noise under float32


def read() -> dict[str, Tensor]:
    with np.load(PUBLISHED, allow_pickle=False) as archive:
        return {name: torch.from_numpy(np.asarray(archive[name])) for name in archive.files}


Z = read()


def arrays_of(prefix: str) -> dict[str, Tensor]:
    """The published actor's arrays by our names: log σ is the second half of the last bias."""
    actor = {name.removeprefix(prefix): array for name, array in Z.items() if name.startswith(prefix)}
    arrays = {
        f"{i}.{ours}": actor[f"actor_net.Dense_{i}.{theirs}"]
        for i in (0, 1)
        for ours, theirs in (("weight", "kernel"), ("bias", "bias"))
    }
    kernel = actor["mean_net.kernel"]
    arrays["2.weight"] = torch.cat((kernel, torch.zeros_like(kernel)), 1)
    arrays["2.bias"] = torch.cat((actor["mean_net.bias"], actor["log_stds"]))
    return {name: array if array.dim() == 2 else array[None] for name, array in arrays.items()}


def critic_arrays(name: str) -> dict[str, Tensor]:
    net = f"params.{name}.value_net."
    arrays = {}
    for i in range(3):
        arrays[f"{i}.weight"], arrays[f"{i}.bias"] = Z[f"{net}Dense_{i}.kernel"], Z[f"{net}Dense_{i}.bias"][:, None]
        if i < 2:
            arrays[f"{i}.scale"] = Z[f"{net}LayerNorm_{i}.scale"][:, None]
            arrays[f"{i}.shift"] = Z[f"{net}LayerNorm_{i}.bias"][:, None]
    return arrays


def put(net: Any, arrays: dict[str, Tensor]) -> None:
    with torch.no_grad():
        for name, view in net.arrays().items():
            view.copy_(arrays[name].reshape(view.shape))


def agent(kind: str, td_loss: str = "td") -> Trainer:
    rows = np.zeros((2, 3), dtype=np.float32)
    data = make_transitions(rows, np.zeros((2, 2)), np.zeros(2), np.ones(2), rows, np.zeros(2))
    trainer = Trainer(
        data,
        make_config(
            behaviour="gaussian",
            gaussian_tanh=kind == "tanh",
            critic="td_vgf",
            reference="joint",
            td_loss=td_loss,
            family="vgf",
            hidden=(8, 8),
            learning_rate=float(Z["cfg.actor_lr"]),
            particles=int(Z["cfg.vgf_particles"]),
            transport_steps=int(Z["cfg.train_vgf_steps"]),
            expectile=float(Z["cfg.expectile"]),
            sql_alpha=float(Z["cfg.expectile"]),
            flow_steps=1,
            normalize_observations=False,
        ),
    )
    put(trainer.networks.reference.net, arrays_of(f"{kind}.params.actor_bc."))
    for name in ("critic", "target_critic"):
        put(trainer.networks.net(name), critic_arrays(name))
    return trainer


def batch() -> Batch:
    discounts = (float(Z["cfg.discount"]) * Z["in.masks"]).float()
    named = ("in.observations", "in.actions", "in.rewards")
    return Batch(*(Z[name] for name in named), discounts, Z["in.next_observations"], torch.arange(16))


def close(ours: Tensor, theirs: Tensor, tolerance: float = 1e-5) -> None:
    assert ours.shape == theirs.shape
    error = (ours.detach() - theirs).abs().max() / max(1.0, float(theirs.abs().max()))
    assert error <= tolerance, f"error {float(error):.1e} > {tolerance:.0e}"


@pytest.mark.parametrize("kind", ["plain", "tanh"])
def test_density_and_samples(kind: str) -> None:
    policy = agent(kind).networks.reference
    assert isinstance(policy, GaussianFlow)
    close(policy.log_density(Z["in.observations"], Z["in.actions"]), Z[f"{kind}.out.log_prob"], 2e-5)
    rows, noise = Z["in.next_observations"].repeat_interleave(4, 0), Z[f"{kind}.in.noise"].flatten(0, 1)
    for steps in (1, 3, 10):
        close(sample(policy, rows, noise, steps), Z[f"{kind}.out.particles"].flatten(0, 1), 2e-6)


def test_log_std_is_clipped() -> None:
    policy = agent("plain").networks.reference
    assert isinstance(policy, GaussianFlow)
    with torch.no_grad():
        policy.net.arrays()["2.bias"][..., 2:] = torch.tensor([-7.0, 3.0])
    density = policy.log_density(Z["in.observations"], Z["in.actions"])
    close(density, Z["clip.out.log_prob"])
    assert density.mean().backward() is None
    grad = policy.net.theta.grad
    assert grad is not None
    assert (grad[-2:] == 0.0).all()  # the last numbers of the last bias: beyond the clip nothing moves them


@pytest.mark.parametrize("kind", ["plain", "tanh"])
def test_updates(kind: str) -> None:
    trainer = agent(kind)
    first = batch()
    for k in (1, 2, 3):
        losses = trainer.update(first, {"gaussian": ()})
        if k == 1:
            close(losses["gaussian"], Z[f"{kind}.out.bc_loss"])
        if k in (1, 3):
            theirs = arrays_of(f"{kind}.out.upd{k}.actor_bc.")
            for name, array in trainer.networks.net("reference").arrays().items():
                close(array[0], theirs[name], 3e-5)


@pytest.mark.parametrize("td_loss", ["td", "sql-q", "iql-q"])
def test_critic_losses_by_their_published_names(td_loss: str) -> None:
    trainer = agent("plain", td_loss)
    found = trainer.losses["td_vgf"](trainer._scene, batch(), (Z["plain.in.noise"],))
    close(found["critic_sum"], Z[f"out.critic_loss.{td_loss}"])
