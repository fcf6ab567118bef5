"""Losses, targets and three official updates equal the two papers' own code (shared/parity/FORMAT.md)."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from workbench.engine.data.transitions import Batch, make_transitions
from workbench.engine.models.mlp import named_views
from workbench.engine.models.published import load_published
from workbench.engine.training.config import FitConfig, make_config
from workbench.engine.training.fast.adam import Adam
from workbench.engine.training.loop.trainer import Trainer
from workbench.engine.training.losses import iql, td_vgf
from workbench.engine.training.losses.flow_matching import flow_matching_loss

HERE = Path(__file__).parent / "data"
NOISE = 3e-8  # gradients below this are rounding noise under float32
SHARED = Path(__file__).parents[3] / "shared" / "parity"


def files(family: str) -> list[Path]:
    """c1 stands in this repository; c2 is added where the shared folder is at hand."""
    extra = SHARED / f"{family}_c2.npz"
    return [HERE / f"{family}_c1.npz", *([extra] if extra.exists() else [])]


def tensors(path: Path) -> dict[str, Tensor]:
    with np.load(path, allow_pickle=False) as archive:
        return {name: torch.from_numpy(np.asarray(archive[name])) for name in archive.files}


def close(ours: Tensor, theirs: Tensor, tolerance: float = 1e-5) -> None:
    """FORMAT.md's error: max abs error over max(1, max abs value)."""
    assert ours.shape == theirs.shape
    error = (ours.detach() - theirs).abs().max() / max(1.0, float(theirs.abs().max()))
    assert error <= tolerance, f"error {float(error):.1e} > {tolerance:.0e}"


def batch_of(z: dict[str, Tensor], steps: int = 1) -> Batch:
    discounts = float(z["cfg.discount"]) ** steps * z["in.masks"]
    rows = torch.arange(len(discounts))
    named = ("in.observations", "in.actions", "in.rewards")
    return Batch(*(z[name] for name in named), discounts.float(), z["in.next_observations"], rows, z.get("in.valid"))


def config_of(z: dict[str, Tensor], **settings: object) -> FitConfig:
    same = {name: float(z[f"cfg.{name}"]) for name in ("discount", "tau", "expectile")}
    hidden = tuple(int(width) for width in z["cfg.hidden"])
    base = {"hidden": hidden, "learning_rate": float(z["cfg.lr"]), "batch_size": int(z["cfg.batch"]), **same}
    return make_config(**(base | settings))


def trainer_of(z: dict[str, Tensor], path: Path, family: str, config: FitConfig, double: bool = False) -> Trainer:
    """A trainer whose networks hold the published weights (dummy data: the batch is given)."""
    s, d = int(z["cfg.obs_dim"]), int(z["cfg.action_dim"])
    rows = np.zeros((2, s), dtype=np.float32)
    data = make_transitions(rows, np.zeros((2, d)), np.zeros(2), np.ones(2), rows, np.zeros(2))
    trainer = Trainer(data, config)
    parts = load_published(path, family)
    for name, net in trainer.networks.modules().items():
        source = getattr(parts, name)
        net.net.shape = source.net.shape
        net.net.theta.data = source.net.theta.data.clone()
        if double:
            net.double()
    if double:
        trainer.adam = Adam(trainer.weights)
    return trainer


def published_names(arrays: dict[str, Tensor], prefix: str, family: str) -> dict[str, dict[str, Tensor]]:
    """The published arrays under ``prefix``, rebuilt as networks."""
    held = {name: array.numpy() for name, array in arrays.items() if name.startswith(prefix)}
    parts = load_published(held, family, prefix=prefix)
    return {name: getattr(parts, name).net.arrays() for name in parts.available()}


@pytest.mark.parametrize("path", files("qgf"), ids=lambda p: p.stem)
def test_qgf_losses(path: Path) -> None:
    z = tensors(path)
    parts, batch = load_published(path, "qgf"), batch_of(z)
    q = parts.critic(batch.observations, batch.actions)
    q_target = parts.target_critic(batch.observations, batch.actions)
    v, v_next = parts.value(batch.observations), parts.value(batch.next_observations)
    close(v_next, z["out.v_next"])
    for how in ("min", "mean"):
        close(iql.value_loss(q_target, v, config_of(z, value_aggregate=how), batch.valid), z[f"out.value_loss_{how}"])
    for steps, suffix in ((1, ""), (3, "_H3")):
        target = iql.td_target(batch_of(z, steps), v_next)
        close(target, z[f"out.td_target{suffix}"])
        close(iql.critic_loss(q, target, batch.valid), z[f"out.critic_loss{suffix}"])
    close(flow_matching_loss(parts.reference, batch, z["in.bc_x0"], z["in.bc_t"]), z["out.bc_loss"])


@pytest.mark.parametrize("path", files("qgf"), ids=lambda p: p.stem)
def test_qgf_updates(path: Path) -> None:
    z = tensors(path)
    trainer = trainer_of(z, path, "qgf", config_of(z))
    batch, seen = batch_of(z), Gradients(trainer)
    for k in (1, 2, 3):
        losses = trainer.update(batch, {"flow_matching": (z[f"in.upd{k}.x0"], z[f"in.upd{k}.t"]), "iql": ()})
        close(losses["flow"], z[f"out.upd{k}.bc_loss"])
        close(losses["critic"], z[f"out.upd{k}.critic_loss"])
        close(losses["value"], z[f"out.upd{k}.value_loss"])
        if k in (1, 3):
            compare_networks(trainer, seen, published_names(z, f"out.upd{k}.params.", "qgf"), {})


@pytest.mark.parametrize("path", files("qgf"), ids=lambda p: p.stem)
def test_qgf_critic_updates_in_double_precision(path: Path) -> None:
    """Without our own rounding every weight of critic, target and value agrees, ill-conditioned ones included."""
    z = tensors(path)
    trainer = trainer_of(z, path, "qgf", config_of(z), double=True)
    batch = Batch(*(a.double() if a is not None and a.is_floating_point() else a for a in batch_of(z)))
    for k in (1, 2, 3):
        trainer.update(batch, {"iql": ()})
        if k in (1, 3):
            theirs = published_names(z, f"out.upd{k}.params.", "qgf")
            for name in ("critic", "target_critic", "value"):
                for key, array in theirs[name].items():
                    close(trainer.networks.net(name).arrays()[key].float(), array, 3e-5)


@pytest.mark.parametrize("path", files("vgf"), ids=lambda p: p.stem)
def test_vgf_losses(path: Path) -> None:
    z = tensors(path)
    parts, batch = load_published(path, "vgf"), batch_of(z)
    particles = z["out.bc_particles"]
    m, n, d = particles.shape
    samples = td_vgf.reference_samples(
        parts.reference, batch.next_observations, z["in.particle_noise"].view(m, n, d), int(z["cfg.bc_flow_steps"])
    )
    close(samples, particles)
    close(samples.var(1).mean(), z["out.info.bc_flow_var"])
    bc = flow_matching_loss(parts.reference, batch, z["in.bc_x0"], z["in.bc_t"][:, 0])
    close(bc, z["out.bc_loss_formula"])
    close(bc, z["out.info.bc_loss"])
    advantage = parts.target_critic(batch.observations, batch.actions).amin(0) - parts.value(batch.observations)
    close(advantage, z["out.expectile_adv"])
    close(iql.expectile_loss(advantage, 0.9, None), z["out.expectile_loss"])
    close(iql.sql_loss(advantage, 0.9, None), z["out.sql_loss_alpha0.9"])
    rule = td_vgf.transport_rule(config_of(z, particles=n, transport_steps=int(z["cfg.train_vgf_steps"])))
    moved = td_vgf.transport(rule, parts.critic, batch.next_observations, particles)
    close(moved.var(1).mean(), z["out.info.vgf_var"], 1e-4)
    rows = batch.next_observations.repeat_interleave(n, 0)
    q_next = parts.target_critic(rows, moved.flatten(0, 1)).view(-1, m, n)
    close(q_next, z["out.next_q_particles"], 1e-4)
    q = parts.critic(batch.observations, batch.actions)
    close(q[0].mean(), z["out.info.q_mean"])  # the published log line reads the first member alone
    for how in ("min", "mean"):
        for select in ("mean", "max"):
            value = td_vgf.next_value(q_next, config_of(z, target_aggregate=how, target_select=select))
            target = torch.addcmul(batch.rewards, batch.discounts, value)
            close(target, z[f"out.td_target_{how}_{select}"], 1e-4)
            close(td_vgf.critic_loss(q, target), z[f"out.critic_loss_{how}_{select}"], 1e-4)
    close(td_vgf.critic_loss(q, z["out.td_target_min_mean"]), z["out.info.critic_loss"], 1e-4)


@pytest.mark.parametrize("path", files("vgf"), ids=lambda p: p.stem)
def test_vgf_flow_gradient(path: Path) -> None:
    """The published grad_* log lines: over the flow's parameter arrays, of the flow-matching loss."""
    z = tensors(path)
    parts = load_published(path, "vgf")
    flow_matching_loss(parts.reference, batch_of(z), z["in.bc_x0"], z["in.bc_t"][:, 0]).backward()
    net = parts.reference.net
    grads = named_views(net.theta.grad, net.shape).values()
    close(torch.stack([g.max() for g in grads]).max(), z["out.info.grad_max"])
    close(torch.stack([g.min() for g in grads]).min(), z["out.info.grad_min"])
    close(torch.stack([g.norm() for g in grads]).sum(), z["out.info.grad_norm"])


@pytest.mark.parametrize("path", files("vgf"), ids=lambda p: p.stem)
def test_vgf_updates(path: Path) -> None:
    z = tensors(path)
    m, d, n = int(z["cfg.batch"]), int(z["cfg.action_dim"]), int(z["cfg.particles"])
    config = config_of(
        z,
        critic="td_vgf",
        family="vgf",
        reference="joint",
        particles=n,
        flow_steps=int(z["cfg.bc_flow_steps"]),
        transport_steps=int(z["cfg.train_vgf_steps"]),
        step_size=float(z["cfg.vgf_lr"]),
    )
    trainer = trainer_of(z, path, "vgf", config)
    batch, seen = batch_of(z), Gradients(trainer)
    for k in (1, 2, 3):
        noise = {
            "flow_matching": (z[f"in.upd{k}.x0"], z[f"in.upd{k}.t"][:, 0]),
            "td_vgf": (z[f"in.upd{k}.particle_noise"].view(m, n, d),),
        }
        losses = trainer.update(batch, noise)
        close(losses["flow"], z[f"out.upd{k}.bc_loss"])
        close(losses["critic_sum"], z[f"out.upd{k}.critic_loss"], 1e-4)
        if k in (1, 3):
            theirs = published_names(z, f"out.upd{k}.params.", "vgf")
            compare_networks(trainer, seen, theirs, {"critic": 5e-4})


class Gradients:
    """Remembers, per network, which weights ever had a gradient of the size of float32's rounding noise."""

    def __init__(self, trainer: Trainer) -> None:
        self.noisy = {name: torch.zeros_like(theta, dtype=torch.bool) for name, theta in trainer.weights.items()}
        for name, theta in trainer.weights.items():
            theta.register_hook(partial(self._look, name))

    def _look(self, name: str, grad: Tensor) -> None:
        self.noisy[name] |= (grad != 0.0) & (grad.abs() < NOISE)  # exactly zero (a dead ReLU) is no noise


def compare_networks(
    trainer: Trainer, seen: Gradients, theirs: dict[str, dict[str, Tensor]], looser: dict[str, float]
) -> None:
    """All weights to FORMAT.md's tolerance, but for those whose gradient is rounding noise.

    Adam's first steps have length lr · g / (|g| + 1e-8): where |g| is itself about 1e-8, float32 rounding of g (1e-8 here)
    decides, on both sides. Such weights, a few in a thousand, must still lie within Adam's step.
    """
    for name, arrays in theirs.items():
        net, tolerance = trainer.networks.net(name), looser.get(name, 3e-5)
        noisy = named_views(seen.noisy[name], net.shape) if name in seen.noisy else {}
        for key, array in arrays.items():
            ours = net.arrays()[key]
            clear = ~noisy[key] if noisy else torch.ones_like(array, dtype=torch.bool)
            assert clear.float().mean() > 0.98
            close(ours[clear], array[clear], tolerance)
            close(ours, array, 3 * 2 * trainer.config.learning_rate)
