"""One update, done eagerly: losses, gradients, target averages, Adam."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from workbench.engine.data.transitions import Batch
from workbench.engine.precision import fast_matmul, few_threads, products
from workbench.engine.training.fast.adam import Adam, shorten
from workbench.engine.training.fast.gradients import Gradients, Noise
from workbench.engine.training.losses.loss import Loss, followed
from workbench.engine.training.networks import Networks
from workbench.engine.training.run_settings import RunSettings


def learning_rate(config: RunSettings, done: int, steps: int) -> float:
    """Of the update after ``done`` of ``steps``: constant, or half a cosine."""
    if config.schedule == "constant":
        return config.learning_rate
    return config.learning_rate * 0.5 * (1.0 + math.cos(math.pi * done / steps))


def update(
    gradients: Gradients, batch: Batch, noise: Noise, adam: Adam, config: RunSettings, rate: float | Tensor
) -> dict[str, Tensor]:
    """Follow the gradient of the losses named in ``noise``, each with its noise, on ``batch``; returns the losses."""
    size = (config.batch_size, max(config.hidden), batch.actions.device)
    with few_threads(*size):
        with fast_matmul(*size), products(config.precision, size[2]):
            values = gradients(batch, noise)
        if config.max_gradient_norm > 0.0:
            moved = [theta for theta in adam.weights.values() if theta.grad is not None]
            grads = shorten([theta.grad for theta in moved if theta.grad is not None], config.max_gradient_norm)
            for theta, grad in zip(moved, grads, strict=True):
                theta.grad = grad
        descend([gradients.losses[key] for key in noise], gradients.scene.networks, adam, config.tau, rate)
    return values


def descend(losses: Iterable[Loss[Any]], networks: Networks, adam: Adam, tau: float, rate: float | Tensor) -> None:
    """Move the targets of ``losses`` whose networks these train, and then the weights, whose gradients are there.

    As published, a target moves towards its network *before* the gradient step, and after its values were used.
    """
    with torch.no_grad():
        for name in followed(losses):
            networks.net(f"target_{name}").theta.lerp_(networks.net(name).theta, tau)
    adam.step(rate)
