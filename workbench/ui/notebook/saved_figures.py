"""The course's interactive figures as single files: a slider over precomputed answers, flow time to play, no server."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import panel as pn
from bokeh.models.ui import UIElement
from bokeh.resources import INLINE
from panel.io.notebook import patch_inline_stylesheets

from workbench.engine.digits import exact
from workbench.plots.markup import html
from workbench.ui.browser.callbacks import stop_words
from workbench.ui.browser.link import callback
from workbench.ui.canvas.stage import Stages
from workbench.ui.controls.rule import STYLE, QuickSlider
from workbench.ui.notebook.widgets import COLOURS, Bench
from workbench.ui.shell.html_pane import HTML

ICONS = re.compile(r'<link[^>]*href="https?://[^>]*>')  # Panel's own, on its CDN
SHOW = Path(__file__).parent / "saved_figures.js"


@dataclass(frozen=True)
class SavedFigure:
    """One figure: a rule on a task, over some values of one setting.

    Attributes
    ----------
    title, task, rule, name : str
        ``name`` is the setting that the slider changes.
    values : tuple
    settings : dict
        The other settings.
    shown : int
    """

    title: str
    task: str
    rule: str
    name: str
    values: tuple[Any, ...]
    settings: dict[str, Any] = field(default_factory=dict)
    shown: int = 160


FIGURES: dict[str, SavedFigure] = {
    "qgf": SavedFigure(
        "QGF: how hard to push", "bandit2d", "qgf", "weight", (0.0, 0.1, 0.2, 0.3, 0.6, 1.0, 2.0, 3.0, 10.0)
    ),
    "noisy": SavedFigure(
        "The noisy gradient: asking the critic too early",
        "bandit2d",
        "noisy",
        "weight",
        (0.0, 0.1, 0.2, 0.3, 0.6, 1.0, 2.0, 3.0, 10.0),
    ),
    "vgf": SavedFigure(
        "VGF: how far to carry the cloud",
        "bandit2d",
        "vgf",
        "steps",
        (0, 1, 2, 3, 5, 10, 20, 40),
        {"particles": 16, "alpha": 0.3, "step_size": 0.02, "ascent": "plain", "repulsion": "fixed_bandwidth"},
    ),
}


def save_figure(path: Path, figure: SavedFigure) -> None:
    """Write one figure as a single HTML file that needs nothing else."""
    frames, worlds, bench = [], [], None
    for value in figure.values:
        bench = Bench(figure.task, figure.rule, shown=figure.shown, **figure.settings | {figure.name: value})
        frames.append(base64.b64encode(bench.stages.frame).decode())
        worlds.append(base64.b64encode(bench.stages.world).decode())
    assert bench is not None
    shown = len(figure.values) // 3
    stages = Stages(
        landscape=bench.stages.landscape,
        world=base64.b64decode(worlds[shown]),
        frame=base64.b64decode(frames[shown]),
        sizing_mode="stretch_width",
        stylesheets=[COLOURS],
    )
    words = [exact(value) for value in figure.values]
    slider = QuickSlider(
        label=figure.name.replace("_", " ").capitalize(),
        start=0,
        end=len(words) - 1,
        value=shown,
        stylesheets=[STYLE, COLOURS],
        sizing_mode="stretch_width",
        format=stop_words(words),
    )
    args = {"stages": stages, "frames": frames, "worlds": worlds}
    slider.jscallback(args=args, value=callback(SHOW, *args, "cb_obj"))
    heading = HTML(html("<h2>{}</h2>", figure.title), margin=0)
    column = pn.Column(
        heading, slider, stages, sizing_mode="stretch_width", max_width=1200, margin=16, hooks=[_styles_inside]
    )
    page = io.StringIO()
    column.save(page, resources=INLINE, title=figure.title)
    path.write_text(ICONS.sub("", page.getvalue()), encoding="utf-8")


def _styles_inside(column: Any, root: Any) -> None:
    """Put Panel's own style sheets into the file: left alone, `save` names a CDN for them even with inline resources."""
    for model in root.select({"type": UIElement}):
        patch_inline_stylesheets(model)
