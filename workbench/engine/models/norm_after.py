"""Networks whose LayerNorms stand on some layers alone, where `Mlp` has them on all, on all but the last, or nowhere.

They are evaluated by torch's own operations and differentiated by autograd; nothing of them is trained here.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from workbench.engine.models.activation import activated
from workbench.engine.models.mlp import EPS, Activation
from workbench.engine.models.velocity import TimeInput, embed_time, time_frequencies


class DenseStack(nn.Module):
    """K independent MLPs: Dense, activation, LayerNorm (or LayerNorm, activation) for each hidden layer; then one Dense.

    Parameters
    ----------
    arrays : mapping of str to Tensor
        ``{i}.weight`` (K, in, out), ``{i}.bias`` (K, 1, out), and where a layer has LayerNorm ``{i}.scale`` and ``{i}.shift``
        (K, 1, out): the names and shapes of `workbench.engine.models.mlp.layout`.
    activation : {"relu", "gelu", "mish"}
    after : bool
        LayerNorm stands after the activation.
    """

    def __init__(self, arrays: Mapping[str, Tensor], activation: Activation, after: bool) -> None:
        super().__init__()
        self.activation, self.after = activation, after
        count = len({name.partition(".")[0] for name in arrays})
        self.layers = nn.ModuleList(
            nn.ParameterDict(
                {
                    key: nn.Parameter(arrays[f"{i}.{key}"], requires_grad=False)
                    for key in ("weight", "bias", "scale", "shift")
                    if f"{i}.{key}" in arrays
                }
            )
            for i in range(count)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return (K, M, O) at ``x`` (M, I)."""
        x = x[None]
        for i, layer in enumerate(self.layers):
            assert isinstance(layer, nn.ParameterDict)
            x = x @ layer["weight"] + layer["bias"]
            if i == len(self.layers) - 1:
                break
            if self.after:
                x = self._norm(activated(x, self.activation), layer)
            else:
                x = activated(self._norm(x, layer), self.activation)
        return x

    @staticmethod
    def _norm(x: Tensor, layer: nn.ParameterDict) -> Tensor:
        if "scale" not in layer:
            return x
        normed: Tensor = F.layer_norm(x, x.shape[-1:], eps=EPS) * layer["scale"] + layer["shift"]
        return normed


class StackedField(nn.Module):
    """A velocity field v(s, a, t) around a `DenseStack`."""

    frequencies: Tensor

    def __init__(self, net: DenseStack, time: TimeInput) -> None:
        super().__init__()
        self.net, self.time = net, time
        self.register_buffer("frequencies", time_frequencies())

    def forward(self, observations: Tensor, actions: Tensor, t: Tensor) -> Tensor:
        """Return velocities (M, D) at ``observations`` (M, S), ``actions`` (M, D) and times ``t`` (M,)."""
        x: Tensor = self.net(torch.cat((observations, actions, embed_time(t, self.time, self.frequencies)), 1))
        return x[0]


class StackedCritic(nn.Module):
    """K critics Q_k(s, a) around a `DenseStack`."""

    def __init__(self, net: DenseStack) -> None:
        super().__init__()
        self.net = net

    def forward(self, observations: Tensor, actions: Tensor) -> Tensor:
        """Return Q_k, (K, M)."""
        q: Tensor = self.net(torch.cat((observations, actions), 1))
        return q.squeeze(-1)

    frozen = forward  # its weights take no gradient in any case


class StackedValue(nn.Module):
    """V(s) around a `DenseStack`."""

    def __init__(self, net: DenseStack) -> None:
        super().__init__()
        self.net = net

    def forward(self, observations: Tensor) -> Tensor:
        """Return V, (M,)."""
        value: Tensor = self.net(observations)
        return value[0, :, 0]


class StackedMap(nn.Module):
    """A map of state and action (or noise) to (M, D) around a `DenseStack`: a one-step policy, a learned gradient."""

    def __init__(self, net: DenseStack) -> None:
        super().__init__()
        self.net = net

    def forward(self, observations: Tensor, actions: Tensor) -> Tensor:
        """Return (M, D) at ``observations`` (M, S) and ``actions`` (M, D)."""
        x: Tensor = self.net(torch.cat((observations, actions), 1))
        return x[0]
