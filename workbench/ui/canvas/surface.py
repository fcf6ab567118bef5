"""The landscape as a surface in the browser."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import param
from panel.custom import JSComponent
from scipy.ndimage import map_coordinates

from workbench.plots.palette import VALUE_RAMP, look
from workbench.ui.browser.link import component
from workbench.ui.canvas.frames import pack

HERE = Path(__file__).parent
POINTS = 256  # of each cloud; more would hide the surface
EVERY = 2  # of the grid's lines: a quarter of the faces turns smoothly


class Surface(JSComponent):
    """A landscape that can be turned and zoomed without the server."""

    frame = param.Bytes(default=b"", doc="`surface_of`.")
    ramps = param.Dict(default={key: list(stops) for key, stops in VALUE_RAMP.items()})

    _esm = component(HERE / "surface.js")
    _stylesheets = [
        ":host { display: block; } .wb-surface { width: 100%; height: 100%; }"
        " canvas { width: 100%; height: 100%; display: block; cursor: grab; touch-action: none; }"
        " canvas:focus-visible { outline: 2px solid var(--wb-accent); outline-offset: -2px; border-radius: 8px; }"
    ]


def surface_of(
    values: np.ndarray, extent: float, names: tuple[str, ...], title: str, clouds: list[tuple[str, np.ndarray]]
) -> bytes:
    """Pack a grid (G, G) and clouds of points, (rule, (M, 2) coordinates), which are laid on it."""
    arrays = {"values": values[::EVERY, ::EVERY]}
    size = len(values)
    for number, (_, points) in enumerate(clouds):
        points = points[:POINTS]
        places = ((points[:, ::-1] + extent) / (2 * extent) * size - 0.5).T  # row, column
        heights = map_coordinates(values, places, order=1, mode="nearest")
        arrays[f"cloud{number}"] = np.column_stack((points, heights))
    low, high = inside_range(values, extent)
    header = {
        "extent": extent,
        "names": list(names),
        "title": title,
        "low": low,
        "high": high,
        "clouds": [look(rule)._asdict() for rule, _ in clouds],
    }
    return pack(header, arrays)


def inside_range(values: np.ndarray, extent: float) -> tuple[float, float]:
    """Least and greatest value inside the box of actions: what a critic dreams of outside would wash out the rest."""
    size = len(values)
    inside = np.abs((np.arange(size) + 0.5) / size * 2 - 1) * extent <= 1.0
    box = values[np.ix_(inside, inside)]
    return float(box.min()), float(box.max())
