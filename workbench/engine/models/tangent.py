"""Pushing a small change of the input forward through a network: the Jacobian times a vector, beside `mlp.backward`."""

from __future__ import annotations

import torch
from torch import Tensor

from workbench.engine.models.activation import ACTIVATIONS
from workbench.engine.models.mlp import Layer, Mlp, Saved, forward


@torch.no_grad()
def push(net: Mlp, x: Tensor, dx: Tensor) -> Tensor:
    """What the small change ``dx`` of the input ``x``, (M, I), does to the output of ``net``, a network of one member: (M, O).

    A constant: no gradient flows through it.
    """
    layers = net.layers()
    _, kept = forward(x, layers, net.shape, keep=True)
    act = ACTIVATIONS[net.shape.activation]
    for layer, saved in zip(layers[:-1], kept, strict=False):
        dx = dx @ layer.weight
        if not net.shape.norm_after:
            dx = _through_norm(dx, layer, saved)
        dx = act.backward(dx, saved.active)  # elementwise: forwards and backwards are the same product
        if net.shape.norm_after:
            dx = _through_norm(dx, layer, saved)
    return dx @ layers[-1].weight


def _through_norm(dx: Tensor, layer: Layer, saved: Saved) -> Tensor:
    if layer.scale is None or saved.normed is None:
        return dx
    pre, mean, rstd, _ = saved.normed
    hat = (pre - mean) * rstd
    turned = dx - dx.mean(-1, keepdim=True) - hat * (hat * dx).mean(-1, keepdim=True)
    return layer.scale * rstd * turned
