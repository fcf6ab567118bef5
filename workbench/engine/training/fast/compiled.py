"""The whole update (losses, gradients, Adam, target average) as one compiled function, for long runs of small networks.

Compiling takes some 20 seconds and a C++ compiler (Triton on CUDA); after that an update of a small network takes about
half the time of the eager one, where most of it is the cost of calls.
"""

from __future__ import annotations

import math
import os
import shutil
import sys
from typing import Any

import torch
from torch import Tensor, nn

from workbench.engine.data.transitions import Batch
from workbench.engine.steering.compiled import compile_whole
from workbench.engine.training.fast.adam import BETA_1, BETA_2, EPS, Adam, shorten
from workbench.engine.training.fast.gradients import Noise
from workbench.engine.training.losses.loss import Loss, Scene, followed
from workbench.engine.words import UserError


def compiler_available() -> bool:
    """Say whether torch finds the C++ compiler that it compiles for the CPU with."""
    usual = {"darwin": "clang++", "win32": "cl"}.get(sys.platform, "g++")
    return shutil.which(os.environ.get("CXX", usual)) is not None


def require_compiler() -> None:
    """Raise UserError, with the cure, when there is no C++ compiler."""
    if not compiler_available():
        raise UserError(
            "compile=true needs a C++ compiler and none was found: install one (Debian and Ubuntu: apt install g++; "
            "macOS: xcode-select --install), or train without it: compile=false"
        )


class _Total(nn.Module):
    """The losses as a module, so that `torch.func.functional_call` can differentiate them in the weights."""

    def __init__(self, scene: Scene, losses: dict[str, Loss[Any]]) -> None:
        super().__init__()
        self.networks = nn.ModuleDict(scene.networks.modules())
        self._scene, self._losses = scene, losses

    def forward(self, batch: Batch, noise: Noise) -> tuple[Tensor, dict[str, Tensor]]:
        values: dict[str, Tensor] = {}
        for key, drawn in noise.items():
            values |= self._losses[key](self._scene, batch, drawn)
        return torch.stack(list(values.values())).sum(), {name: value.detach() for name, value in values.items()}


class CompiledUpdate:
    """A drop-in for the eager update of a `Trainer`.

    Parameters
    ----------
    scene : Scene
    losses : dict of str to Loss
        Those of one phase.
    adam : Adam
        Its moments are updated in place.
    tau : float
        EMA rate of the targets.
    limit : float
        Norm that the gradients of all networks together may have; 0: any.
    """

    def __init__(self, scene: Scene, losses: dict[str, Loss[Any]], adam: Adam, tau: float, limit: float = 0.0) -> None:
        self._adam, self._tau, self._limit = adam, tau, limit
        self._total = _Total(scene, losses)
        self._names = sorted({name for loss in losses.values() for name in loss.trains})
        self._targets = sorted(followed(losses.values()))
        self._weights = {f"networks.{name}.net.theta": adam.weights[name] for name in self._names}
        self._step = compile_whole(self._update, on_cpu=next(iter(adam.weights.values())).device.type == "cpu")
        self._networks = scene.networks

    def __call__(self, batch: Batch, noise: Noise, learning_rate: float) -> dict[str, Tensor]:
        """One update; returns the losses."""
        for name in self._names:
            self._adam.count[name].add_(1.0)
        count = float(self._adam.count[self._names[0]])
        first, second = 1.0 - BETA_1**count, 1.0 - BETA_2**count
        # numbers that change every step enter as tensors: as Python floats each value would be compiled anew
        size = torch.tensor(learning_rate / first)
        root = torch.tensor(math.sqrt(second))
        weights = [self._adam.weights[name].detach() for name in self._names]
        firsts = [self._adam.first[name] for name in self._names]
        seconds = [self._adam.second[name] for name in self._names]
        targets = [self._networks.net(f"target_{name}").theta.detach() for name in self._targets]
        try:
            result: dict[str, Tensor] = self._step(weights, firsts, seconds, targets, batch, noise, size, root)
        except torch._dynamo.exc.TorchDynamoException as error:
            reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
            raise UserError(
                f"the losses {', '.join(noise)} cannot be compiled ({reason}); train without it: compile=false"
            ) from error
        return result

    def _update(
        self,
        weights: list[Tensor],
        firsts: list[Tensor],
        seconds: list[Tensor],
        targets: list[Tensor],
        batch: Batch,
        noise: Noise,
        size: Tensor,
        root: Tensor,
    ) -> dict[str, Tensor]:
        fixed = {f"networks.target_{name}.net.theta": theta for name, theta in zip(self._targets, targets, strict=True)}

        def total(trained: dict[str, Tensor]) -> Any:
            return torch.func.functional_call(self._total, trained | fixed, (batch, noise))

        named = dict(zip(self._weights, weights, strict=True))
        grads, losses = torch.func.grad(total, has_aux=True)(named)
        for name, theta in zip(self._targets, targets, strict=True):
            theta.lerp_(weights[self._names.index(name)], self._tau)
        moves = shorten(list(grads.values()), self._limit) if self._limit > 0.0 else list(grads.values())
        for theta, grad, first, second in zip(weights, moves, firsts, seconds, strict=True):
            first.lerp_(grad, 1.0 - BETA_1)
            second.mul_(BETA_2).addcmul_(grad, grad, value=1.0 - BETA_2)
            theta.sub_(size * first / (second.sqrt() / root + EPS))
        return dict(losses)
