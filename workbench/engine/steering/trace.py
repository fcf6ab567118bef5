"""A Trace: everything that a picture of one steering run needs, and nothing else does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from workbench.engine.showing import Shown
from workbench.engine.steering.protocol import SettingValue


@dataclass(frozen=True)
class Trace(Shown):
    """The record of one steering run. B states, N particles, D action dimensions.

    Attributes
    ----------
    positions : Tensor
        (ticks + 1, B, N, D), action units; the first entry is the noise.
    times : Tensor
        (ticks + 1,), flow time in [0, 1].
    pushes : Tensor
        (ticks, B, N, D), the movement that the critic caused.
    terms : dict of str to Tensor
        (ticks, B, N, D) each, by name (velocity, guidance, attraction, repulsion); zero at ticks where a term is absent.
    queries : Tensor
        (ticks, B, N, D), where the critic was asked; NaN at ticks where it was not.
    q_along : Tensor
        (ticks, B, N), Q at ``queries``; NaN where it was not asked.
    q : Tensor or None
        (B, N), aggregated Q of the final particles; None without a critic.
    picked : Tensor
        (B,), the particle that becomes the action.
    observations : Tensor
        (B, S), as given (not normalised).
    rule : str
    settings : dict
    seed : int or None
    kept : Tensor or None
        (B, N), False for the particles that were pruned on the way: they stay where they were, with the Q that they were told
        there. None where nothing was pruned.
    """

    positions: Tensor
    times: Tensor
    pushes: Tensor
    terms: dict[str, Tensor]
    queries: Tensor
    q_along: Tensor
    q: Tensor | None
    picked: Tensor
    observations: Tensor
    rule: str
    settings: dict[str, SettingValue]
    seed: int | None = None
    kept: Tensor | None = None

    def of_kept(self, values: Tensor) -> Tensor:
        """The entries (M,) of ``values`` (B, N) that belong to particles which were not pruned."""
        return values.flatten() if self.kept is None else values[self.kept]

    @property
    def actions(self) -> Tensor:
        """The chosen action of each state, (B, D)."""
        final = self.positions[-1]
        return final[torch.arange(final.shape[0], device=final.device), self.picked]

    @property
    def transport(self) -> Tensor:
        """Length of the way that the critic's pushes take each particle, (B, N), action units."""
        lengths: Tensor = self.pushes.norm(dim=-1)
        return lengths.sum(0)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return NumPy arrays by name, ready for ``numpy.savez``."""
        out = {
            name: getattr(self, name).cpu().numpy()
            for name in ("positions", "times", "pushes", "queries", "q_along", "picked")
        }
        out |= {
            "observations": self.observations.cpu().numpy(),
            "actions": self.actions.cpu().numpy(),
            "transport": self.transport.cpu().numpy(),
        }
        if self.q is not None:
            out["q"] = self.q.cpu().numpy()
        if self.kept is not None:
            out["kept"] = self.kept.cpu().numpy()
        return out | {f"term.{name}": array.cpu().numpy() for name, array in self.terms.items()}
