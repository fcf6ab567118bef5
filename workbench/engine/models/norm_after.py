"""The critic of the FQL code: LayerNorm after the activation, where all others here have it before."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

EPSILON = 1e-6  # flax's


class NormAfterCritic(nn.Module):
    """K critics Q_k(s, a): Dense, tanh GELU, LayerNorm, for each hidden layer; then one Dense.

    Parameters
    ----------
    layers : list of dict
        Tensors by layer: ``kernel`` (K, in, out), ``bias`` (K, out), and in hidden layers ``scale`` and ``shift`` (K, out).
    activation : {"gelu", "relu"}
    """

    def __init__(self, layers: list[dict[str, Tensor]], activation: str = "gelu") -> None:
        super().__init__()
        self.activation = activation
        self.layers = nn.ModuleList(
            nn.ParameterDict({name: nn.Parameter(array, requires_grad=False) for name, array in layer.items()})
            for layer in layers
        )

    def forward(self, observations: Tensor, actions: Tensor) -> Tensor:
        """Return Q_k, (K, M)."""
        x = torch.cat((observations, actions), 1)[None]
        for layer in self.layers:
            assert isinstance(layer, nn.ParameterDict)
            x = x @ layer["kernel"] + layer["bias"][:, None]
            if "scale" in layer:
                x = F.relu(x) if self.activation == "relu" else F.gelu(x, approximate="tanh")
                x = F.layer_norm(x, x.shape[-1:], eps=EPSILON)
                x = x * layer["scale"][:, None] + layer["shift"][:, None]
        return x.squeeze(-1)
