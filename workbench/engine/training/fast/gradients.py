"""Losses and gradients of one run; in long runs of small networks repeated from a recording, which pays for autograd once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from workbench.engine.data.transitions import Batch
from workbench.engine.precision import SMALL
from workbench.engine.training.fast.recording import record
from workbench.engine.training.losses.loss import Loss, Scene

WAIT = 100  # updates after which a recording, some tenths of a second, is worth it
Noise = dict[str, tuple[Tensor, ...]]  # of each loss, by its key
Replay = Callable[..., tuple[Tensor, ...]]


class Gradients:
    """Losses by name, with their gradients left in the weights; a recording gives the same ones to the last bit.

    Parameters
    ----------
    losses : mapping of str to Loss
        By their keys, which the noise of an update has too.
    scene : Scene
    weights : mapping of str to Tensor
        Those that are trained.
    repeats : bool
        All networks are ours, so that what they do may be recorded.
    """

    def __init__(
        self, losses: Mapping[str, Loss[Any]], scene: Scene, weights: Mapping[str, Tensor], *, repeats: bool
    ) -> None:
        self.losses, self.scene, self._weights, self._repeats = losses, scene, weights, repeats
        self._seen: Counter[tuple[Any, ...]] = Counter()
        self._made: dict[tuple[Any, ...], Replay | None] = {}
        self._names: dict[tuple[Any, ...], tuple[list[str], list[str]]] = {}

    def __call__(self, batch: Batch, noise: Noise) -> dict[str, Tensor]:
        """The losses that ``noise`` names."""
        if not self._may_record(batch, noise):
            return self._plainly(batch, noise)
        key = self._key(batch, noise)
        self._seen[key] += 1
        if self._seen[key] > WAIT and key not in self._made:
            self._made[key] = self._recorded(key, batch, noise)
        replay = self._made.get(key)
        if replay is None:
            return self._plainly(batch, noise)
        with torch.no_grad():
            found = replay(*_flat(batch, noise))
        losses, trained = self._names[key]
        for name, grad in zip(trained, found[len(losses) :], strict=True):
            self._weights[name].grad = grad
        return dict(zip(losses, found, strict=False))

    def hurry(self, batch: Batch, noise: Noise) -> None:
        """Record at the next update like this one, where one records at all."""
        self._seen[self._key(batch, noise)] = WAIT

    def _plainly(self, batch: Batch, noise: Noise) -> dict[str, Tensor]:
        with torch.enable_grad():
            values = self._values(batch, noise)
            torch.autograd.backward(list(values.values()))
        return {name: value.detach() for name, value in values.items()}

    def _values(self, batch: Batch, noise: Noise) -> dict[str, Tensor]:
        values: dict[str, Tensor] = {}
        for key, drawn in noise.items():
            values |= self.losses[key](self.scene, batch, drawn)
        return values

    def _may_record(self, batch: Batch, noise: Noise) -> bool:
        """Small networks, and losses of ours: a user's own may look at numbers, or change from update to update."""
        width = max(next(iter(self.losses.values())).config.hidden)
        small = batch.actions.device.type == "cpu" and len(batch.actions) * width**2 < SMALL
        return (
            self._repeats and small and all(type(self.losses[key]).__module__.startswith("workbench.") for key in noise)
        )

    def _key(self, batch: Batch, noise: Noise) -> tuple[Any, ...]:
        """All that a recording holds on to: sizes, and where networks and cache lie in memory."""
        cache, networks = self.scene.cache, self.scene.networks
        places = tuple(networks.net(name).theta.data_ptr() for name in networks.modules())
        sizes = tuple(x.shape for x in _flat(batch, noise))
        return (*noise, *sizes, places, None if cache is None else (cache.data_ptr(), cache.shape))

    def _recorded(self, key: tuple[Any, ...], batch: Batch, noise: Noise) -> Replay | None:
        there = [name for name, x in batch._asdict().items() if x is not None]
        sizes = {loss: len(drawn) for loss, drawn in noise.items()}

        def whole(*flat: Tensor) -> tuple[Tensor, ...]:
            rest = list(flat[len(there) :])
            own = {loss: tuple(rest.pop(0) for _ in range(count)) for loss, count in sizes.items()}
            values = self._values(Batch(**dict(zip(there, flat, strict=False))), own)
            names = list(self._weights)
            grads: tuple[Tensor | None, ...] = torch.autograd.grad(
                list(values.values()), [self._weights[n] for n in names], allow_unused=True
            )
            trained = [name for name, grad in zip(names, grads, strict=True) if grad is not None]
            self._names[key] = list(values), trained
            return (*(value.detach() for value in values.values()), *(grad for grad in grads if grad is not None))

        try:
            with torch.enable_grad():
                return record(whole, *_flat(batch, noise))
        except (RuntimeError, NotImplementedError):  # a loss that looks at numbers
            return None


def _flat(batch: Batch, noise: Noise) -> list[Tensor]:
    return [*(x for x in batch._asdict().values() if x is not None), *(x for drawn in noise.values() for x in drawn)]
