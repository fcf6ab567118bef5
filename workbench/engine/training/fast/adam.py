"""Adam over a few flat parameters: torch's fused kernel without the optimiser object around it.

With one flat parameter per network ``torch.optim.Adam.step`` spends more time on its own bookkeeping than on the update; on
the small networks of the lessons that is a tenth of the training time. A test compares the two: the numbers are the same.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from workbench.engine.models.fused.operations import adam_step, may_fuse_adam

BETA_1 = 0.9
BETA_2 = 0.999
EPS = 1e-8


def shorten(grads: Sequence[Tensor], limit: float) -> list[Tensor]:
    """The gradients ``grads``, shortened by one factor so that all together have at most the norm ``limit``."""
    norm = torch.stack([grad.square().sum() for grad in grads]).sum().sqrt()
    factor = (limit / norm).clamp_max(1.0)
    return [factor * grad for grad in grads]


class Adam:
    """Moments of the parameters ``weights`` by name, and the number of steps taken.

    Parameters
    ----------
    weights : dict of str to Tensor
        Flat parameters (P,).
    """

    def __init__(self, weights: dict[str, Tensor]) -> None:
        self.weights = weights
        self.first = {name: torch.zeros_like(theta, requires_grad=False) for name, theta in weights.items()}
        self.second = {name: torch.zeros_like(theta, requires_grad=False) for name, theta in weights.items()}
        self.count = {name: torch.zeros((), device=theta.device) for name, theta in weights.items()}

    @torch.no_grad()
    def step(self, learning_rate: float | Tensor) -> None:
        """Update every parameter that has a gradient, and drop the gradients. A rate that is a tensor () stays on its device."""
        grads = {name: theta.grad for name, theta in self.weights.items() if theta.grad is not None}
        names = list(grads)
        counts = [self.count[name].add_(1.0) for name in names]
        if may_fuse_adam(next(iter(grads.values()), None)):
            return self._on_gpu(grads, learning_rate)
        torch._fused_adam_(
            [self.weights[name] for name in names],
            list(grads.values()),
            [self.first[name] for name in names],
            [self.second[name] for name in names],
            [],
            counts,
            lr=learning_rate,
            beta1=BETA_1,
            beta2=BETA_2,
            weight_decay=0.0,
            eps=EPS,
            amsgrad=False,
            maximize=False,
        )
        for name in names:
            self.weights[name].grad = None

    def _on_gpu(self, grads: dict[str, Tensor], learning_rate: float | Tensor) -> None:
        """One kernel for each network, which waits for nobody else's gradient."""
        for name, grad in grads.items():
            rate = learning_rate if isinstance(learning_rate, Tensor) else grad.new_full((), learning_rate)
            moments = self.first[name], self.second[name]
            adam_step(self.weights[name], grad, *moments, self.count[name], rate, (BETA_1, BETA_2), EPS)
            self.weights[name].grad = None

    def arrays(self) -> dict[str, Tensor]:
        """Everything a checkpoint needs, by name."""
        kinds = {"first": self.first, "second": self.second, "count": self.count}
        return {f"{name}.{kind}": array for kind, held in kinds.items() for name, array in held.items()}

    def load(self, arrays: dict[str, Tensor]) -> None:
        """Copy ``arrays`` (from `arrays`) back in."""
        for name, array in self.arrays().items():
            array.copy_(arrays[name])
