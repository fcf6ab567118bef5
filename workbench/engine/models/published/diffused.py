"""QGF's agent of diffusion policies (dcgql: DAC and QSM): its three networks, its schedule, and the flow that they also are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from workbench.engine.models.described import NetDescription
from workbench.engine.models.described_diffusion import NETS, DiffusionDescription
from workbench.engine.models.diffusion import FEATURES, Schedule, betas
from workbench.engine.models.mlp import Activation
from workbench.engine.models.published.families import Arrays, Nets, below
from workbench.engine.models.published.files import Weights
from workbench.engine.models.published.found import Published, agreed, critics_of, normalisation, notes_of, step_of
from workbench.engine.models.published.layers import Layers, read_layers
from workbench.engine.models.published.settings import agent_settings, check_against, read_settings
from workbench.engine.words import UserError, shown

KERNEL = "FourierFeatures_0.kernel"
SCHEDULES: tuple[Schedule, ...] = ("vp", "linear", "cosine")
RULES = ("dac", "qsm")  # by the setting actor_loss_type; the first where nobody says
USUAL_STEPS = 10


def is_diffusion(nets: Nets) -> bool:
    """Whether the actor predicts noise and is told the time by learned frequencies."""
    return KERNEL in nets.get("actor", {})


def read_diffusion(
    weights: Weights,
    found: tuple[Nets, Mapping[str, str]],
    prefix: str,
    activation: Activation | None,
    config: Mapping[str, Any],
    given: Mapping[str, float | None],
) -> Published:
    """The policy, its critics, and as behaviour flow the velocity that its noise estimate means.

    Raises
    ------
    UserError
        An array is missing or does not fit, or the schedule is not known.
    """
    nets, names = found
    name, net = names["actor"], nets["actor"]
    odd = sorted(path for path in net if path != KERNEL and path.partition(".")[0] not in ("MLP_0", "MLP_1"))
    if odd:
        raise UserError(f"'{name}.{odd[0]}' is no part of a diffusion of FourierFeatures_0, MLP_0 and MLP_1")
    clock, actor = (read_layers(f"{name}.{inner}", below(net, inner)) for inner in ("MLP_0", "MLP_1"))
    sizes = _sizes(clock, actor)
    for read in (clock, actor):
        if any(read.normed):
            raise UserError(
                f"'{read.name}' has LayerNorm, and where it stands in this network is not known; build the policy yourself and "
                "give Parts your own module (docs/bring_your_own.md)"
            )
    how = activation or "mish"
    descriptions = {
        "actor": actor.describe("noise_estimate", sizes, how, False).model_copy(update={"word": clock.outputs}),
        "clock": clock.describe("clock", sizes, how, False).model_copy(update={"word": clock.outputs}),
        "frequencies": NetDescription(
            kind="frequencies",
            observation_dim=sizes[0],
            action_dim=sizes[1],
            hidden=[],
            normed=[],
            after=False,
            activation=how,
        ),
    }
    arrays = {
        "actor": actor.arrays,
        "clock": clock.arrays,
        "frequencies": _frequencies(f"{name}.{KERNEL}", net[KERNEL]),
    }
    critics = critics_of(nets, names)
    of_critics = agreed(critics, sizes, activation or "gelu", False, "raw")
    schedule, steps = _schedule(weights.arrays, config)
    said = str(agent_settings(config).get("actor_loss_type", RULES[0]))
    rule = said if said in RULES else RULES[0]
    hidden = {"actor_hidden_dims": actor.hidden}
    if "critic" in critics:
        hidden["value_hidden_dims"] = critics["critic"].hidden
    check_against(config, "the settings", hidden)
    mean, std = normalisation(weights.arrays, sizes[0])
    policy: dict[str, NetDescription | DiffusionDescription] = {
        f"{rule}_{part}": described for part, described in descriptions.items()
    }
    policy["reference"] = DiffusionDescription(
        actor=descriptions["actor"],
        clock=descriptions["clock"],
        frequencies=descriptions["frequencies"],
        schedule=schedule,
        steps=steps,
    )
    return Published(
        source=weights.source,
        family="qgf",
        descriptions={**policy, **of_critics},
        arrays={"reference": {f"{part}.{key}": array for part in NETS for key, array in arrays[part].items()}}
        | {part: read.arrays for part, read in critics.items()}
        | {f"{rule}_{part}": arrays[part] for part in NETS},
        settings=read_settings(config, "the settings", **{"flow_steps": steps, **_said(given)}),
        mean=mean,
        std=std,
        step=step_of(weights.arrays),
        left_out=tuple(sorted(set(nets) - {"actor", *critics})) if not prefix or prefix == "params." else (),
        notes=(*notes_of(weights.arrays, config), _how_to_play(rule, schedule, config)),
    )


def _said(given: Mapping[str, float | None]) -> dict[str, float]:
    return {name: value for name, value in given.items() if value is not None}


def _how_to_play(rule: str, schedule: Schedule, config: Mapping[str, Any]) -> str:
    settings = agent_settings(config)
    clips = " ".join(
        f"clip_{side}={str(bool(settings.get(f'clip_sampler_{side}', False))).lower()}" for side in ("before", "after")
    )
    return (
        f"the policy plays as published by --rule {rule} --set schedule={schedule} {clips}; the behaviour flow is the same noise "
        "estimate, followed without fresh noise"
    )


def _sizes(clock: Layers, actor: Layers) -> tuple[int, int]:
    """S and D."""
    s, d = actor.inputs - actor.outputs - clock.outputs, actor.outputs
    if clock.inputs != 2 * FEATURES or s < 1 or clock.members > 1 or actor.members > 1:
        raise UserError(
            f"'{clock.name}' takes {clock.inputs} numbers and gives {clock.outputs}, '{actor.name}' takes {actor.inputs} and "
            f"gives {d}; {2 * FEATURES} features of the time were expected, and of action, state and what the first gives "
            f"{max(s, 0)} are left for the state: nets of different checkpoints, or a layer is missing"
        )
    return s, d


def _frequencies(name: str, kernel: np.ndarray) -> dict[str, Tensor]:
    """The vector as a layer without inputs."""
    array = np.asarray(kernel)
    if array.shape != (FEATURES, 1) or array.dtype.kind != "f" or not np.isfinite(array).all():
        raise UserError(
            f"'{name}' has shape {shown(array.shape)} of {array.dtype}; {FEATURES} finite frequencies, ({FEATURES}, 1), were "
            "expected: export the checkpoint anew"
        )
    vector = torch.from_numpy(np.array(array, dtype=np.float32)).reshape(1, 1, FEATURES)
    return {"0.weight": torch.zeros(1, 0, FEATURES), "0.bias": vector}


def _schedule(arrays: Arrays, config: Mapping[str, Any]) -> tuple[Schedule, int]:
    """Schedule and number of steps: by the β in the file where it holds them, else by the settings."""
    held = next((np.asarray(arrays[name]) for name in ("agent.betas", "betas") if name in arrays), None)
    settings = agent_settings(config)
    said, steps = settings.get("beta_schedule", SCHEDULES[0]), settings.get("diffusion_steps", USUAL_STEPS)
    if held is None:
        if said not in SCHEDULES or type(steps) is not int or not 2 <= steps <= 100:
            raise UserError(
                f"the settings say {shown(steps)} steps of schedule {shown(said)}; 2 to 100 of {', '.join(SCHEDULES)} were "
                "expected"
            )
        return said, steps
    count = held.size - 1
    if held.ndim == 1 and held.dtype.kind == "f" and 2 <= count <= 100:
        for schedule in SCHEDULES:
            if np.allclose(held[1:], betas(schedule, count), rtol=1e-4, atol=1e-6):
                return schedule, count
    raise UserError(
        f"'betas' of shape {shown(held.shape)} are none of the schedules {', '.join(SCHEDULES)} of 2 to 100 steps: the "
        "checkpoint was trained with another one, or is damaged"
    )
