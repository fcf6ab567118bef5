"""The steered policies of QGF's agents beside their behaviour flow, where the nets tell them: DSRL's, FAWAC's, FBRAC's, IQL's."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from workbench.engine.models.published.families import Nets, below
from workbench.engine.models.published.layers import Layers, read_layers
from workbench.engine.models.velocity import TimeInput
from workbench.engine.words import UserError, shown

HEADS = ("mean_net", "log_std_net")  # of a Gaussian policy on one trunk


def steered_flow(flow: str, nets: Nets, time: TimeInput) -> str | None:
    """The part that the net ``flow`` also is: these agents' only flow is trained on the critic.

    ``actor`` is FAWAC's with raw time and that of IQL with a flow else; ``actor_flow`` is IFQL's where there is a state value,
    which is not steered, and else FBRAC's.
    """
    if flow == "actor":
        return "fawac_flow" if time == "raw" else "iql_flow"
    return "fbrac_flow" if flow == "actor_flow" and "value" not in nets else None


def noise_policy(name: str, net: Mapping[str, np.ndarray]) -> Layers:
    """DSRL's policy of the net ``name``: mean and log standard deviation, two Denses there, are the columns of one here.

    Raises
    ------
    UserError
        A head is missing, or the two do not go together.
    """
    layers = below(net, "actor_net")
    last = len({path for path in layers if path.startswith("Dense_") and path.endswith(".kernel")})
    for key in ("kernel", "bias"):
        halves = [net.get(f"{head}.{key}") for head in HEADS]
        for head, half in zip(HEADS, halves, strict=True):
            if half is None:
                raise UserError(
                    f"no array named '{name}.{head}.{key}'; these weights are not complete: export them anew"
                )
        found = [np.asarray(half) for half in halves]
        if found[0].shape != found[1].shape or not found[0].ndim:
            raise UserError(
                f"'{name}': {key} of {' and '.join(HEADS)} have shapes {shown(found[0].shape)} and {shown(found[1].shape)}, "
                "one shape was expected: export the checkpoint anew"
            )
        layers[f"Dense_{last}.{key}"] = np.concatenate(found, -1)
    return read_layers(name, layers)
