"""The landscape under the particles."""

from __future__ import annotations

from collections.abc import Sequence

import holoviews as hv
import numpy as np
from torch import Tensor

from workbench.engine.glossary import TERM
from workbench.engine.models.critic import Aggregate
from workbench.engine.models.parts import Parts
from workbench.engine.tasks.protocol import Task
from workbench.plots.lines import Dims
from workbench.plots.palette import DIFFERENCE_RAMP, VALUE_RAMP
from workbench.plots.styled import planar, plane_dimensions, ramp, styled
from workbench.views.ground import What, ground_of

UNIT = TERM["state.promised"].unit
NAMES = {
    "learned": TERM["state.promised"].symbol,
    "true": f"true reward {TERM['state.earned'].symbol}",
    "difference": f"{TERM['state.promised'].symbol} − {TERM['state.earned'].symbol}",
    "spread": "spread of the critic's members",
}


def landscape(
    parts: Parts,
    state: Tensor | np.ndarray | Sequence[float],
    what: What = "learned",
    task: Task | None = None,
    dims: Dims | None = None,
    through: Tensor | np.ndarray | Sequence[float] | None = None,
    aggregate: Aggregate = "min",
) -> hv.Image:
    """The critic at one state over a plane of actions; the true reward, their difference, or what the members disagree by.

    Parameters
    ----------
    parts : Parts
        With a critic.
    state : Tensor, ndarray or sequence of float
        (S,), the observation, not normalised.
    what : {"learned", "true", "difference", "spread"}
        The target critic's Q; the true reward; Q minus the true reward; the standard deviation of the critic's members.
    task : Task, optional
        One that knows its true reward (the bandits), for "true" and "difference".
    dims : tuple of int, optional
        Two coordinates of the action, or one, which is drawn along the ticks as `workbench.plots.paths` does. Needed from
        three coordinates on; the others are those of ``through``.
    through : Tensor, ndarray or sequence of float, optional
        (D,), an action of the plane; without it the behaviour policy's mean action at the state.
    aggregate : {"min", "mean"}
        How the members are combined.

    Returns
    -------
    holoviews.Image
        Task units, for actions from −1.6 to 1.6.

    Raises
    ------
    UserError
        What the parts or the task cannot give, or too many coordinates to draw; the words say what to choose.
    """
    ground = ground_of(parts, state, what, task, dims, through, aggregate)
    axes, number = plane_dimensions(ground.dims, parts.action_dim), hv.Dimension((what, NAMES[what]), unit=UNIT)
    if len(ground.dims) == 2:
        data = (ground.places, ground.places, ground.values)
    else:
        data = (np.array([0.25, 0.75]), ground.places, np.stack((ground.values, ground.values), 1))
    image = hv.Image(data, kdims=axes, vdims=[number])
    cmaps, limits = ramp(VALUE_RAMP["light"]), {}
    if what == "difference":
        cmaps, most = ramp(DIFFERENCE_RAMP["light"]), float(np.abs(ground.values).max()) or 1.0
        limits = {"clim": (-most, most)}
    both = {"colorbar": True, "clabel": f"{NAMES[what]} ({UNIT})", **limits}
    return planar(
        styled(image, both, {**cmaps[0], "tools": ["hover"]}, {**cmaps[1], "interpolation": "bilinear"}), ground.dims
    )
