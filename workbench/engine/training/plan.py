"""Which losses a run needs, in which order."""

from __future__ import annotations

from dataclasses import dataclass

from workbench.engine.settings import nearest
from workbench.engine.training.config import FitConfig
from workbench.engine.training.losses.adjoint_flow import AdjointFlow
from workbench.engine.training.losses.awr_actor import AWRActor
from workbench.engine.training.losses.conditioned_flow import ConditionedFlow
from workbench.engine.training.losses.edp_flow import EDPFlow
from workbench.engine.training.losses.flow_matching import FlowMatching
from workbench.engine.training.losses.iql import IQL
from workbench.engine.training.losses.loss import Loss
from workbench.engine.training.losses.one_step import OneStep
from workbench.engine.training.losses.rebrac_actor import ReBRACActor
from workbench.engine.training.losses.robust_critic import RobustCritic
from workbench.engine.training.losses.state_value import StateValueLoss
from workbench.engine.training.losses.td_actor import TDActor
from workbench.engine.training.losses.td_vgf import TDVGF
from workbench.engine.training.losses.value_gradient import AmortisedGradient
from workbench.engine.words import UserError

CRITICS: dict[str, type[Loss]] = {"iql": IQL, "td_vgf": TDVGF, "td_actor": TDActor}
# Learned parts beyond flow and critic, by the names under which rules need them; trained when asked for.
EXTRA: dict[str, type[Loss]] = {
    "robust_critic": RobustCritic,
    "conditioned_flow": ConditionedFlow,
    "value_gradient": AmortisedGradient,
    "one_step": OneStep,
    "edp_flow": EDPFlow,
    "rebrac_actor": ReBRACActor,
    "awr_actor": AWRActor,
    "adjoint_flow": AdjointFlow,
}
# Networks that an extra part reads and not every critic trains, and the loss that then does.
BESIDE: dict[str, str] = {"value": "state_value"}
LOSSES: dict[str, type[Loss]] = {"flow_matching": FlowMatching, "state_value": StateValueLoss} | CRITICS | EXTRA


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
    """Return the phases of a run: flow and critic together, or for a frozen reference one after the other.

    Parts beyond these are trained beside the critic; so is the state value, where one of them reads it and the critic has none.

    Raises
    ------
    UserError
        A part is unknown, or reads a network that this run does not train.
    """
    wanted = (*config.parts, *extra_parts(CRITICS[config.critic].parts(config)))
    extra = tuple(dict.fromkeys(wanted))
    for name in extra:
        check_part(name)
    core = ("flow_matching", config.critic)
    given = {name for key in core for name in LOSSES[key].trains}
    missing = dict.fromkeys(name for key in extra for name in LOSSES[key].reads if name not in given)
    extra = (*(BESIDE[name] for name in missing if name in BESIDE), *extra)
    if config.critic == "td_vgf" and config.reference == "frozen":
        first = config.reference_steps or config.steps
        phases: tuple[Phase, ...] = (
            Phase("behaviour flow", first, ("flow_matching",)),
            Phase("critic", config.steps, ("td_vgf", *extra), cached=True),
        )
    else:
        phases = (Phase("behaviour flow and critic", config.steps, ("flow_matching", config.critic, *extra)),)
    keys = [key for phase in phases for key in phase.losses]
    trained = {name for key in keys for name in LOSSES[key].trains}
    for key in keys:
        for name in LOSSES[key].reads:
            if name not in trained:
                raise UserError(
                    f"part '{key}' needs the part '{name}', which critic={config.critic} does not train; use critic=iql"
                )
    return phases


def check_part(name: str) -> None:
    """Raise UserError, with the nearest name, unless ``name`` is a key of `EXTRA`."""
    if name not in EXTRA:
        raise UserError(f"no learned part named '{name}'{nearest(name, list(EXTRA))} Known: {', '.join(EXTRA)}")


def trained_parts(config: FitConfig) -> tuple[str, ...]:
    """Names of the networks that the run trains, targets included."""
    names = [name for phase in plan(config) for key in phase.losses for name in LOSSES[key].trains]
    targets = [f"target_{name}" for phase in plan(config) for key in phase.losses for name in LOSSES[key].targets]
    return tuple(dict.fromkeys(names + targets))


def extra_parts(needs: tuple[str, ...]) -> tuple[str, ...]:
    """Those of a rule's ``needs`` that are trained only when asked for."""
    return tuple(name for name in needs if name in EXTRA)
