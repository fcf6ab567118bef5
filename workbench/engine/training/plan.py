"""Which losses a run needs, in which order."""

from __future__ import annotations

from dataclasses import dataclass

from workbench.engine.settings import nearest
from workbench.engine.training.losses import BEHAVIOURS, CRITICS, LEARNED_PARTS, LOSSES
from workbench.engine.training.losses.loss import followed
from workbench.engine.training.run_settings import RunSettings
from workbench.engine.words import UserError

# Networks that a learned part reads and not every critic trains, and the loss that then does.
BESIDE: dict[str, str] = {"value": "state_value"}


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
        Draw samples of the finished flow at every row's next state before it begins.
    """

    name: str
    steps: int
    losses: tuple[str, ...]
    cached: bool = False


def plan(config: RunSettings) -> tuple[Phase, ...]:
    """Return the phases of a run: flow and critic together, or for a frozen reference one after the other.

    Learned parts are trained beside the critic; so is the state value, where one of them reads it and the critic has none.

    Raises
    ------
    UserError
        A part is unknown, or reads a network that this run does not train.
    """
    losses = losses_of(config)
    first = CRITICS[config.critic].flow_first(config)
    if first:
        phases: tuple[Phase, ...] = (
            Phase("behaviour flow", first, losses[:1]),
            Phase("critic", config.steps, losses[1:], cached=True),
        )
    else:
        phases = (Phase("behaviour flow and critic", config.steps, losses),)
    keys = [key for phase in phases for key in phase.losses]
    trained = {name for key in keys for name in LOSSES[key].trains}
    for key in keys:
        if LOSSES[key].needs_mean and not BEHAVIOURS[config.behaviour].gives_mean:
            raise UserError(
                f"part '{key}' takes x + (1 - t) v for the mean of all actions that x may become, which it is not where "
                f"behaviour={config.behaviour}; use behaviour=flow_matching"
            )
        if config.encoder != "none" and not LOSSES[key].sees_pictures:
            raise UserError(f"'{key}' does not see pictures through an encoder; leave it out, or encoder=none")
        for name in LOSSES[key].reads:
            if name not in trained:
                raise UserError(
                    f"part '{key}' needs the part '{name}', which critic={config.critic} does not train; use critic=iql"
                )
    return phases


def losses_of(config: RunSettings) -> tuple[str, ...]:
    """Keys of the losses of a run: the flow's, the critic's, and those of learned parts and of what these read.

    Raises
    ------
    ValueError
        A part is unknown.
    """
    wanted = tuple(dict.fromkeys((*config.parts, *extra_parts(CRITICS[config.critic].needs(config)))))
    for name in wanted:
        check_part(name)
    flow_and_critic = (config.behaviour, config.critic)
    given = {name for key in flow_and_critic for name in LOSSES[key].trains}
    missing = dict.fromkeys(name for key in wanted for name in LOSSES[key].reads if name not in given)
    return (*flow_and_critic, *(BESIDE[name] for name in missing if name in BESIDE), *wanted)


def check_part(name: str) -> None:
    """Raise UserError, with the nearest name, unless ``name`` is a key of `LEARNED_PARTS`."""
    if name not in LEARNED_PARTS:
        raise UserError(
            f"no learned part named '{name}'{nearest(name, list(LEARNED_PARTS))} Known: {', '.join(LEARNED_PARTS)}"
        )


def trained_parts(config: RunSettings) -> tuple[str, ...]:
    """Names of the networks that the run trains, targets included."""
    names = [name for phase in plan(config) for key in phase.losses for name in LOSSES[key].trains]
    return tuple(dict.fromkeys([*names, *(f"target_{name}" for name in averaged(config))]))


def averaged(config: RunSettings) -> tuple[str, ...]:
    """Names of the networks of which the run keeps an EMA copy: where a loss wants one, and they are trained beside it."""
    return tuple(
        dict.fromkeys(name for phase in plan(config) for name in followed(LOSSES[key] for key in phase.losses))
    )


def extra_parts(needs: tuple[str, ...]) -> tuple[str, ...]:
    """The learned parts among a rule's ``needs``: those that are trained only when asked for."""
    return tuple(name for name in needs if name in LEARNED_PARTS)
