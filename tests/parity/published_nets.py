"""The published agents' weights, put into the networks of a trainer of ours; by agent, which of their nets is which of ours."""

from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from workbench.engine.data.transitions import Batch, make_transitions
from workbench.engine.models.mlp import Activation, Mlp, MlpShape, Normed, named_views
from workbench.engine.models.published.layers import Layers, read_layers
from workbench.engine.models.velocity import VelocityField
from workbench.engine.training.config import make_config
from workbench.engine.training.fast.adam import Adam
from workbench.engine.training.loop.trainer import Trainer

HERE = Path(__file__).parent / "data"
Z = dict[str, np.ndarray]


class Net(NamedTuple):
    """Where the layers of one of our networks stand in a file, and what the arrays do not tell of it."""

    path: str
    kind: str = "mlp"  # mlp, trunk, head, bias
    activation: Activation = "gelu"
    norm: Normed = "none"


FLOW, CRITIC = ("trunk", "gelu", "none"), ("mlp", "gelu", "all")
CRITICS = {name: Net(f"{name}.value_net", *CRITIC) for name in ("critic", "target_critic")}
NETS: dict[str, dict[str, Net]] = {
    "dsrl": CRITICS
    | {
        "reference": Net("actor_bc_flow", *FLOW),
        "target_reference": Net("target_actor_bc_flow", *FLOW),
        "noise_policy": Net("actor", "head"),
        "noise_critic": Net("z_critic.value_net", *CRITIC),
        "noise_temperature": Net("alpha.log_value", "bias"),
    },
    "fawac": CRITICS | {"fawac_flow": Net("actor", *FLOW), "fawac_value": Net("value.value_net", *CRITIC)},
    "fbrac": CRITICS | {"fbrac_flow": Net("actor_flow", *FLOW)},
    "dac": CRITICS
    | {
        "value": Net("value.value_net", *CRITIC),
        "dac_frequencies": Net("actor.FourierFeatures_0.kernel", "bias"),
        "dac_clock": Net("actor.MLP_0", activation="mish"),
        "dac_actor": Net("actor.MLP_1", activation="mish"),
    },
}


def read(name: str) -> Z:
    with np.load(HERE / f"{name}_c1.npz", allow_pickle=False) as archive:
        return dict(archive)


def arrays_of(z: Z, prefix: str, net: Net) -> dict[str, Tensor] | None:
    """The arrays of ``net`` below ``prefix`` by our names; None where the file has none."""
    layers = layers_of(z, prefix, net)
    return layers.arrays if isinstance(layers, Layers) else layers


def layers_of(z: Z, prefix: str, net: Net) -> Layers | dict[str, Tensor] | None:
    start = f"{prefix}{net.path}"
    if net.kind == "bias":
        if start not in z:
            return None
        vector = torch.from_numpy(np.asarray(z[start])).reshape(1, 1, -1)
        return {"0.weight": torch.zeros(1, 0, vector.shape[2]), "0.bias": vector}
    own = {name.removeprefix(f"{start}."): array for name, array in z.items() if name.startswith(f"{start}.")}
    if not own:
        return None
    if net.kind == "head":  # two Denses on one trunk are one with the columns of both
        hidden = {path.removeprefix("actor_net."): a for path, a in own.items() if path.startswith("actor_net.")}
        for key in ("kernel", "bias"):
            hidden[
                f"Dense_{len(hidden) // 2}.{key}" if key == "kernel" else f"Dense_{(len(hidden) - 1) // 2}.{key}"
            ] = np.concatenate([own[f"{half}.{key}"] for half in ("mean_net", "log_std_net")], -1)
        own = hidden
    return read_layers(net.path, own, trunk=net.kind == "trunk")


class Agent:
    """A published agent as a trainer of ours, with its weights and its batch."""

    def __init__(self, name: str, **settings: Any) -> None:
        self.name, self.z = name, read(name)
        cfg = {key.removeprefix("cfg."): array for key, array in self.z.items() if key.startswith("cfg.")}
        s, d = int(cfg["obs_dim"]), int(cfg["action_dim"])
        rows = np.zeros((2, s), dtype=np.float32)
        data = make_transitions(rows, np.zeros((2, d)), np.zeros(2), np.ones(2), rows, np.zeros(2))
        config = make_config(
            **{
                "hidden": tuple(int(width) for width in cfg["hidden"]),
                "learning_rate": float(cfg["lr"]),
                "tau": float(cfg["tau"]),
                "discount": float(cfg["discount"]),
                "batch_size": int(cfg["batch"]),
                "members": len(self.z["params.critic.value_net.Dense_0.kernel"]),
                "flow_steps": int(cfg.get("flow_steps", cfg.get("diffusion_steps", 10))),
                "normalize_q": False,
            }
            | settings
        )
        self.trainer = Trainer(data, config)
        self.networks = self.trainer.networks
        for ours, net in NETS[name].items():
            self._put(ours, net)
        self.trainer.weights = {n: self.networks.net(n).theta for n in self.trainer.weights}
        self.trainer.adam = Adam(self.trainer.weights)

    def _put(self, ours: str, net: Net) -> None:
        layers = layers_of(self.z, "params.", net)
        assert layers is not None, net.path
        if isinstance(layers, Layers):
            hidden = tuple(layers.hidden)
            shape = MlpShape(layers.inputs, layers.outputs, hidden, net.activation, net.norm, layers.members)
            arrays = layers.arrays
        else:
            shape, arrays = MlpShape(0, layers["0.bias"].shape[2], ()), layers
        module = self.networks.modules()[ours]
        module.net = Mlp(shape)
        if isinstance(module, VelocityField):
            module.time = "raw"
        with torch.no_grad():
            for key, view in module.net.arrays().items():
                view.copy_(arrays[key])
        if ours.startswith("target_"):
            module.requires_grad_(False)

    def tensor(self, name: str) -> Tensor:
        return torch.from_numpy(np.asarray(self.z[name]))

    def batch(self, valid: bool = True) -> Batch:
        named = (self.tensor(f"in.{name}") for name in ("observations", "actions", "rewards"))
        discounts = (float(self.z["cfg.discount"]) * self.tensor("in.masks")).float()
        weights = self.tensor("in.valid") if valid else None
        rows = torch.arange(len(discounts))
        return Batch(*named, discounts, self.tensor("in.next_observations"), rows, weights)

    def loss(self, key: str, batch: Batch, *noise: Tensor) -> dict[str, Tensor]:
        """The losses of ``key`` at the weights as they are."""
        with torch.no_grad():
            return self.trainer.losses[key](self.trainer._scene, batch, noise)

    def gradient_norms(self) -> dict[str, dict[str, float]]:
        """Filled by the next update: the norm of the gradient of every array that the published code holds as one."""
        norms: dict[str, dict[str, float]] = {}
        for name, theta in self.trainer.weights.items():
            net = NETS[self.name].get(name)
            head = net is not None and net.kind == "head"
            theta.register_hook(partial(self._look, norms.setdefault(name, {}), self.networks.net(name).shape, head))
        return norms

    @staticmethod
    def _look(into: dict[str, float], shape: MlpShape, head: bool, grad: Tensor) -> None:
        for key, array in named_views(grad, shape).items():
            halves = array.chunk(2, -1) if head and key.startswith(f"{len(shape.hidden)}.") else (array,)
            into[key] = sum(float(half.norm()) for half in halves)


def close(ours: Tensor, theirs: Tensor, tolerance: float = 1e-5) -> None:
    """FORMAT.md's error: max abs error over max(1, max abs value)."""
    assert ours.shape == theirs.shape
    error = (ours.detach() - theirs).abs().max() / max(1.0, float(theirs.abs().max()))
    assert error <= tolerance, f"error {float(error):.1e} > {tolerance:.0e}"
