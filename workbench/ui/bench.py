"""The dashboard's stages inside a notebook: sliders from a rule's own fields, the picture follows while they move."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import panel as pn
import torch

from workbench.engine.models.parts import Parts
from workbench.engine.steering.rules import RULES
from workbench.engine.tasks.registry import make_task
from workbench.plots.still import png, stages
from workbench.ui.controls import STYLE, StopSlider, choice
from workbench.ui.fields import Field, fields_of
from workbench.ui.scene import EXTENT, GRID, Answer, Question, answer, landscape, plane
from workbench.ui.session import parts_for
from workbench.ui.stage import Stages, frame_of, landscape_of, truth_of

PAPER = "WORKBENCH_HANDOUT"  # set while handouts are made: components show a still picture instead
# The colours that the page gives its parts; a notebook has no such page around them.
COLOURS = (Path(__file__).parent / "shell" / "shell.css").read_text(encoding="utf-8").split(":root[data-theme")[0]
COLOURS = COLOURS.replace(":root", ":host")


def on_paper() -> bool:
    """Whether handouts are being made."""
    return bool(os.environ.get(PAPER))


def ready() -> None:
    """Prepare Panel for this notebook, with everything it needs inside the notebook itself: it works offline."""
    if not on_paper():
        pn.extension(inline=True)
    torch.set_num_threads(1)  # small networks: a second thread costs more than it brings


def panel_control(field: Field, value: Any) -> Any:
    """The Panel control of one field; its ``value`` is the field's value."""
    if field.kind == "flag":
        return pn.widgets.Checkbox(label=field.title, value=value, stylesheets=[STYLE], margin=(22, 0, 0, 0))
    if field.kind == "choice":
        return choice(field.title, {str(stop).replace("_", " "): stop for stop in field.stops}, value)
    return StopSlider(field, value)


class Bench(pn.viewable.Viewer):
    """The behaviour flow and a rule on the dashboard's own stages: display it as the last line of a cell.

    Parameters
    ----------
    task : str or object
        A task, or its name.
    rule : str
        Its name in ``RULES``.
    names : list of str, optional
        Which settings get a control; the rule's strength by default.
    parts : Parts, optional
        With actions of two dimensions; the task's own without it.
    state : tuple of float, optional
        (S,), the observation; zeros by default.
    shown, seed : int
        About how many particles are drawn, and the seed of their noise.
    **settings : Any
        Where the settings start.

    Raises
    ------
    ValueError
        An unknown setting, or actions that are not two-dimensional.
    """

    def __init__(
        self,
        task: Any,
        rule: str = "qgf",
        names: list[str] | None = None,
        *,
        parts: Parts | None = None,
        state: tuple[float, ...] | None = None,
        shown: int = 256,
        seed: int = 0,
        **settings: Any,
    ) -> None:
        super().__init__()
        self.task = make_task(task) if isinstance(task, str) else task
        self.parts = parts if parts is not None else parts_for(self.task.info.name)
        if self.parts.action_dim != 2:
            raise ValueError(f"Bench draws actions of two dimensions, these parts have {self.parts.action_dim}")
        self.rule, self._fixed, self._shown, self._seed = rule, settings, shown, seed
        self._state = tuple(state) if state is not None else (0.0,) * self.parts.observation_dim
        self.controls = rule_panel(rule, names or [RULES[rule].strength], **settings)
        self.answer: Answer | None = None
        self._version, self._truth = 0, self._true_reward()
        self._ground: tuple[Any, ...] = ()
        self.stages = Stages(sizing_mode="stretch_width", margin=0, stylesheets=[COLOURS], min_width=640)
        for control in self.controls.values():
            control.param.watch(lambda _: self.update(), "value")
        self.update()

    def _true_reward(self) -> np.ndarray | None:
        """The true reward (G, G) over the plane of actions, where the task knows it."""
        known = getattr(self.task, "true_reward", None)
        return None if known is None else torch.as_tensor(known(plane())).view(GRID, GRID).numpy()

    @property
    def settings(self) -> dict[str, Any]:
        """The rule's settings as the controls say."""
        return self._fixed | {name: control.value for name, control in self.controls.items()}

    def update(self) -> None:
        """Steer with what the controls say and show it; what goes wrong is shown as words."""
        question = Question(self.task.info.name, self.rule, self.settings, self._seed, self._shown, self._state)
        try:
            self.answer = answer(question, self.parts, self.task, self.answer)
        except ValueError as error:
            self.stages.notice = {"kind": "error", "text": str(error), "progress": None}
            return
        self._version += 1
        settings = self.answer.traces[1].settings
        ground = (settings["critic"], settings["pick_aggregate"])
        with pn.io.hold():
            self.stages.notice = {}
            if ground != self._ground:
                self._ground, self._values = ground, landscape(self.parts, self._state, *ground)
                self.stages.landscape = landscape_of(self._values)
            if self._truth is not None:
                self.stages.world = truth_of(self._truth, self.answer)
            self.stages.frame = frame_of(self.answer, None, self._version)

    def __panel__(self) -> pn.viewable.Viewable:
        sliders = [c for c in self.controls.values() if isinstance(c, StopSlider)]
        others = [c for c in self.controls.values() if not isinstance(c, StopSlider)]
        gap = {"gap": "16px"}
        row = pn.Row(
            *sliders, *others, styles=gap, sizing_mode="stretch_width", stylesheets=[COLOURS], margin=(0, 0, 8, 0)
        )
        return pn.Column(row, self.stages, sizing_mode="stretch_width", max_width=1100, stylesheets=[COLOURS])

    def still(self) -> bytes:
        """The same picture as a PNG, for paper."""
        assert self.answer is not None
        return png(stages(self.answer.traces, self._values, (-EXTENT, -EXTENT, EXTENT, EXTENT)))

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        if on_paper():
            return {"image/png": self.still(), "text/plain": f"Bench: {self.rule}"}, {}
        return super()._repr_mimebundle_(include, exclude)


def rule_panel(rule: str, names: list[str], **settings: Any) -> dict[str, Any]:
    """The Panel controls of some of a rule's settings, by name; ValueError for a setting that it does not have."""
    if rule not in RULES:
        raise ValueError(f"no rule named '{rule}'; there are {', '.join(RULES)}")
    fields = {field.name: field for field in fields_of(RULES[rule])}
    unknown = [name for name in (*names, *settings) if name not in fields]
    if unknown:
        raise ValueError(f"rule '{rule}' has no setting '{unknown[0]}'. It has: {', '.join(fields)}")
    return {name: panel_control(fields[name], settings.get(name, fields[name].default)) for name in names}


class Live(pn.viewable.Viewer):
    """Sliders and a picture of your own: ``draw`` gets the sliders' values and returns a matplotlib figure.

    Parameters
    ----------
    draw : callable
        ``draw(**values) -> matplotlib.figure.Figure``.
    **stops : sequence
        The values that each slider stops at, by argument name; the first one is where it starts, unless ``start`` says so.
    start : dict, optional
        Where sliders start, by name.
    """

    def __init__(self, draw: Callable[..., Any], start: Mapping[str, Any] | None = None, **stops: Any) -> None:
        super().__init__()
        if not stops:
            raise ValueError("Live needs at least one slider: Live(draw, weight=[0, 0.3, 1])")
        self._draw = draw
        first = {name: next(iter(values)) for name, values in stops.items()} | dict(start or {})
        self.controls = {
            name: StopSlider(
                Field(name, name.replace("_", " "), "number", first[name], "", "", tuple(values)), first[name]
            )
            for name, values in stops.items()
        }
        self.picture = pn.pane.PNG(self._png(), sizing_mode="scale_width", max_width=900, margin=0)
        for control in self.controls.values():
            control.param.watch(lambda _: self.update(), "value")

    def _png(self) -> bytes:
        return png(self._draw(**{name: control.value for name, control in self.controls.items()}))

    def update(self) -> None:
        """Draw again with what the sliders say."""
        self.picture.object = self._png()

    def __panel__(self) -> pn.viewable.Viewable:
        gap = {"gap": "16px"}
        row = pn.Row(*self.controls.values(), styles=gap, sizing_mode="stretch_width", margin=(0, 0, 8, 0))
        return pn.Column(row, self.picture, sizing_mode="stretch_width", max_width=900, stylesheets=[COLOURS])

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        if on_paper():
            return {"image/png": self._png(), "text/plain": "Live"}, {}
        return super()._repr_mimebundle_(include, exclude)
