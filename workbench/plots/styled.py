"""How all elements look, in both backends; and a notebook made ready for them on first use."""

from __future__ import annotations

import sys
from typing import Any

import holoviews as hv
import holoviews.plotting.bokeh
import holoviews.plotting.mpl
import numpy as np
from bokeh.models.annotations import ColorBar
from bokeh.models.ui import UIElement
from holoviews.core.dimension import LabelledData
from matplotlib.colors import LinearSegmentedColormap

from workbench.engine.glossary import TERM
from workbench.plots.lines import Dims, name_of
from workbench.plots.palette import MATPLOTLIB_MARKERS, Look, look

WIDTH = 340  # pixels of a frame
INCHES = 3.6  # of a frame in matplotlib
REACH = 1.6  # pictures show actions from -REACH to REACH; those that are allowed lie in [-1, 1]
GREY = "#8a94a3"


def _make_ready() -> None:
    """Let elements show themselves in the notebook that runs this; elsewhere nothing is needed.

    What ``hv.extension`` does, but for loading the scripts, which Panel may have loaded before: loaded again they would take
    the place of those that the sliders above belong to, and these would be dead.
    """
    shell = sys.modules.get("IPython")
    running = None if shell is None else shell.get_ipython()
    if running is not None and "IPKernelApp" in running.config and not hv.extension._loaded:
        import panel as pn  # with which HoloViews shows pictures and sliders
        from holoviews.ipython.display_hooks import png_display, pprint_display, svg_display

        if not pn.extension._loaded:
            pn.extension(inline=True)
        pn.viewable.Viewable._preprocessing_hooks.append(_offline)
        hv.Store.output_settings.initialize(list(hv.Store.renderers))
        for form, show in (("html+js", pprint_display), ("png", png_display), ("svg", svg_display)):
            hv.Store.set_display_hook(form, LabelledData, show)
        hv.extension._loaded = True


def _offline(_: Any, root: Any) -> None:
    """Put Panel's style sheets into what is shown: HoloViews would have the notebook ask the network for them."""
    from panel.io.notebook import patch_inline_stylesheets

    for model in root.select({"type": UIElement}):
        patch_inline_stylesheets(model)


_make_ready()


def styled(element: Any, both: dict[str, Any] | None = None, bokeh: Any = None, matplotlib: Any = None) -> Any:
    """``element`` with options for both backends: those that they share, and those of each."""
    shared = both or {}
    return element.opts(backend="bokeh", **shared, **(bokeh or {})).opts(
        backend="matplotlib", **shared, **(matplotlib or {})
    )


def planar(element: Any, dims: Dims, near: np.ndarray | None = None) -> Any:
    """A picture of actions: equal units in a plane, the ticks from left to right on a line.

    It shows all actions, or those around the points ``near`` (P, 2).
    """
    across, along = (-REACH, REACH), (-REACH, REACH)
    if near is not None:
        low, high = np.nanmin(near, 0), np.nanmax(near, 0)
        half = 0.575 * max(float((high - low).max() if len(dims) == 2 else (high - low)[1]), 0.05)
        across, along = ((float(c - half), float(c + half)) for c in (low + high) / 2)
    if len(dims) == 2:
        both = {"xlim": across, "ylim": along}
        return styled(
            element,
            both,
            {"frame_width": WIDTH, "frame_height": WIDTH, "hooks": [calm]},
            {"aspect": "equal", "fig_inches": INCHES, "hooks": [plain]},
        )
    both = {"xlim": (-0.02, 1.03), "ylim": along}
    return framed(styled(element, both))


def framed(element: Any, width: int = WIDTH, height: int = WIDTH * 3 // 4, log: bool = False) -> Any:
    """A picture whose axes have units of their own; matplotlib cannot give a logarithmic one a shape."""
    return styled(
        element,
        None,
        {"frame_width": width, "frame_height": height, "hooks": [calm], "show_grid": True},
        {"aspect": None if log else width / height, "fig_inches": INCHES, "hooks": [plain]},
    )


def calm(plot: Any, element: Any) -> None:
    """Bokeh: a calm frame, legends that hide lines on click, no wheel that catches the page's scrolling."""
    figure = plot.state
    figure.outline_line_color = None
    figure.axis.minor_tick_line_color = None
    figure.axis.axis_label_text_font_style = "normal"
    figure.grid.grid_line_alpha = 0.4
    figure.toolbar.logo = None
    figure.toolbar.active_scroll = None
    for bar in figure.select({"type": ColorBar}):
        bar.title_text_font_style = "normal"
    for legend in figure.legend:
        legend.click_policy = "hide"
        legend.border_line_color = None
        legend.background_fill_alpha = 0.6


def plain(plot: Any, element: Any) -> None:
    """matplotlib: no box around the picture, and a legend without a frame."""
    axes = plot.handles["axis"]
    axes.spines[["top", "right"]].set_visible(False)
    legend = axes.get_legend()
    if legend is not None:
        legend.set_frame_on(False)


def marker(style: Look) -> tuple[dict[str, Any], dict[str, Any]]:
    """The shape of a rule's marks, for Bokeh and for matplotlib."""
    return {"marker": style.shape}, {"marker": MATPLOTLIB_MARKERS[style.shape]}


def colour_of(rule: str) -> str:
    """A rule's colour."""
    return look(rule).light


def ramp(stops: tuple[str, ...]) -> tuple[dict[str, Any], dict[str, Any]]:
    """A colour ramp, for Bokeh and for matplotlib."""
    smooth = LinearSegmentedColormap.from_list("ramp", list(stops))
    colours = ["#" + "".join(f"{round(255 * channel):02x}" for channel in smooth(i / 255)[:3]) for i in range(256)]
    return {"cmap": colours}, {"cmap": smooth}


def plane_dimensions(dims: Dims, size: int) -> list[Any]:
    """The two axes of a plane through actions of ``size`` numbers; of one coordinate the first axis is the ticks."""
    coordinates = [hv.Dimension((f"a{dim + 1}", name_of(dim, size)), unit=TERM["transport"].unit) for dim in dims]
    return coordinates if len(dims) == 2 else [hv.Dimension(("share", "share of the ticks")), *coordinates]


def measured(name: str, key: str) -> Any:
    """The dimension of a number of the glossary, with its label and unit."""
    term = TERM[key]
    return hv.Dimension((name, term.short), unit=term.unit if term.unit not in ("", "share") else None)
