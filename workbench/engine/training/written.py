"""The settings of a run as checkpoints and jobs write them down, in the same words in every version."""

from __future__ import annotations

from typing import Any

from workbench.engine.training.losses import LOSSES
from workbench.engine.training.plan import losses_of
from workbench.engine.training.run_settings import RunSettings

# What checkpoints and jobs have always written, in this order. Keys of jobs are made of it, so the list never changes: the
# settings of a loss that is added later are written by the runs that train it, and by those that set them.
ALWAYS_WRITTEN = (
    "critic",
    "parts",
    "family",
    "hidden",
    "members",
    "steps",
    "batch_size",
    "learning_rate",
    "schedule",
    "discount",
    "n_step",
    "chunk",
    "tau",
    "reward_scale",
    "normalize_observations",
    "expectile",
    "value_loss",
    "sql_alpha",
    "value_aggregate",
    "reference",
    "reference_steps",
    "flow_steps",
    "particles",
    "transport_steps",
    "ascent",
    "step_size",
    "alpha",
    "repulsion",
    "target_select",
    "target_aggregate",
    "td_loss",
    "actor",
    "actor_settings",
    "target_noise",
    "critic_penalty",
    "actor_aggregate",
    "normalize_q",
    "fql_alpha",
    "edp_bc",
    "rebrac_bc",
    "awr_temperature",
    "qam_inverse_temperature",
    "unit_gradient",
    "compile",
    "seed",
)
# Settings that came later to losses, or to runs, of the first format: written where they are set.
ADDED = (
    "behaviour",
    "norm",
    "encoder",
    "picture",
    "crop",
    "critic_sum",
    "max_gradient_norm",
    "target_pessimism",
    "precision",
)


def written(config: RunSettings) -> dict[str, Any]:
    """The settings in plain types, as checkpoints and jobs write them; `make_config` reads them.

    Settings of a loss that came after the first format are left out where they stand at their defaults and the run does not
    train that loss: registering a loss changes nothing about runs without it. So are those of `ADDED` at their defaults.
    """
    plain = config.model_dump(mode="json")
    trained = {name for key in losses_of(config) for name in LOSSES[key].settings.model_fields}
    later = {
        name: value
        for name, value in plain.items()
        if name not in ALWAYS_WRITTEN
        and (
            (name in trained and name not in ADDED)
            or getattr(config, name) != type(config).model_fields[name].get_default()
        )
    }
    return {name: plain[name] for name in ALWAYS_WRITTEN} | later
