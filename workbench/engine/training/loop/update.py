"""One update, done eagerly: losses, gradients, target averages, Adam."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from workbench.engine.data.transitions import Batch
from workbench.engine.precision import fast_matmul, few_threads, products
from workbench.engine.training.fast.adam import Adam
from workbench.engine.training.losses.loss import Loss, Scene
from workbench.engine.training.networks import Networks
from workbench.engine.training.run_settings import RunSettings

Noise = dict[str, tuple[Tensor, ...]]  # of each loss, by its key


def learning_rate(config: RunSettings, done: int, steps: int) -> float:
    """Of the update after ``done`` of ``steps``: constant, or half a cosine."""
    if config.schedule == "constant":
        return config.learning_rate
    return config.learning_rate * 0.5 * (1.0 + math.cos(math.pi * done / steps))


def update(
    losses: Mapping[str, Loss[Any]],
    scene: Scene,
    batch: Batch,
    noise: Noise,
    adam: Adam,
    config: RunSettings,
    rate: float | Tensor,
) -> dict[str, Tensor]:
    """Follow the gradient of the losses named in ``noise``, each with its noise, on ``batch``; returns the losses."""
    values: dict[str, Tensor] = {}
    size = (config.batch_size, max(config.hidden), batch.actions.device)
    with few_threads(*size), torch.enable_grad():
        with fast_matmul(*size), products(config.precision, size[2]):
            for key, drawn in noise.items():
                values |= losses[key](scene, batch, drawn)
            torch.autograd.backward(list(values.values()))
        descend([losses[key] for key in noise], scene.networks, adam, config.tau, rate)
    return {name: value.detach() for name, value in values.items()}


def descend(losses: Iterable[Loss[Any]], networks: Networks, adam: Adam, tau: float, rate: float | Tensor) -> None:
    """Move the targets of ``losses`` and then the weights, whose gradients are there.

    As published, a target moves towards its network *before* the gradient step, and after its values were used.
    """
    with torch.no_grad():
        for loss in losses:
            for name in loss.targets:
                networks.net(f"target_{name}").theta.lerp_(networks.net(name).theta, tau)
    adam.step(rate)
