"""Rules that push by the critic's gradient while the action is being denoised, with all options of their kind."""

from __future__ import annotations

from workbench.engine.steering.gate import Gated
from workbench.engine.steering.protocol import DuringFlow
from workbench.engine.steering.pruning import Pruned


class CriticGuided(Gated, Pruned, DuringFlow):
    """`DuringFlow` by a critic: its gradient may be gated, and of several particles the worst may be dropped on the way."""
