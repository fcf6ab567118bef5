"""Which losses a run needs, in which order."""

from __future__ import annotations

from dataclasses import dataclass

from workbench.engine.training.config import FitConfig
from workbench.engine.training.flow_matching import FlowMatching
from workbench.engine.training.iql import IQL
from workbench.engine.training.loss import Loss
from workbench.engine.training.td_vgf import TDVGF

LOSSES: dict[str, type[Loss]] = {"flow_matching": FlowMatching, "iql": IQL, "td_vgf": TDVGF}


@dataclass(frozen=True)
class Phase:
    """A stretch of updates with the same losses.

    Attributes
    ----------
    name : str
        What a progress bar shows.
    steps : int
    losses : tuple of str
        Keys of `LOSSES`.
    cached : bool
        Draw the frozen reference's next-state samples before it begins.
    """

    name: str
    steps: int
    losses: tuple[str, ...]
    cached: bool = False


def plan(config: FitConfig) -> tuple[Phase, ...]:
    """Return the phases of a run: flow and critic together, or for a frozen reference one after the other."""
    if config.critic == "td_vgf" and config.reference == "frozen":
        first = config.reference_steps or config.steps
        return (
            Phase("behaviour flow", first, ("flow_matching",)),
            Phase("critic", config.steps, ("td_vgf",), cached=True),
        )
    return (Phase("behaviour flow and critic", config.steps, ("flow_matching", config.critic)),)


def trained_parts(config: FitConfig) -> tuple[str, ...]:
    """Names of the networks that the run trains, targets included."""
    names = [name for phase in plan(config) for key in phase.losses for name in LOSSES[key].trains]
    targets = [f"target_{name}" for phase in plan(config) for key in phase.losses for name in LOSSES[key].targets]
    return tuple(dict.fromkeys(names + targets))
