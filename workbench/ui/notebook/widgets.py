"""The dashboard's stages inside a notebook: sliders from a rule's own fields, the picture follows while they move."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import ipywidgets as widgets
import numpy as np
import panel as pn
import param
import torch
from panel.custom import JSComponent

from workbench.engine.models.parts import Parts
from workbench.engine.steering.rules import RULES
from workbench.engine.steering.trace import Trace
from workbench.engine.tasks.floor import HasFloor, floor_of
from workbench.engine.tasks.protocol import Task
from workbench.engine.tasks.registry import make_task
from workbench.engine.words import UserError
from workbench.plots.markup import html, joined
from workbench.plots.still import png
from workbench.ui.browser.link import component
from workbench.ui.canvas.stage import Stages, frame_of, landscape_of, number_rows, room_of, truth_of
from workbench.ui.controls.rule import STYLE, StopSlider, choice
from workbench.ui.shell.binding import Binding
from workbench.ui.shell.html_pane import HTML
from workbench.views.caller import NOBODY
from workbench.views.episodes import Play, ending_of, episodes
from workbench.views.fields import Field, fields_of
from workbench.views.paper import side_by_side, title_of
from workbench.views.parts import parts_for
from workbench.views.question import Answer, Policy, Question, Scene, landscape, true_landscape

GAP = {"gap": "16px"}
SAID = ":host { color: var(--jp-ui-font-color1, var(--wb-ink)); font-size: 15px; font-variant-numeric: tabular-nums }"
PAPER = "WORKBENCH_HANDOUT"  # set while handouts are made: components show a still picture instead
# The colours that the page gives its parts; a notebook has no such page around them.
COLOURS = (Path(__file__).parents[1] / "shell" / "shell.css").read_text(encoding="utf-8").split(":root[data-theme")[0]
COLOURS = COLOURS.replace(":root", ":host")


def on_paper() -> bool:
    """Whether handouts are being made."""
    return bool(os.environ.get(PAPER))


def ready() -> None:
    """Prepare Panel for this notebook, with everything it needs inside the notebook itself: it works offline."""
    if not on_paper():
        pn.extension(inline=True)
    torch.set_num_threads(1)  # small networks: a second thread costs more than it brings


def panel_control(field: Field, value: object) -> Any:
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
        A task, or its name. On a ground (``three_exits``) the agent can be dragged, and a button plays episodes.
    rule : str or list of str
        A name in ``RULES``; of several, a list lets the reader choose.
    names : list of str, optional
        Which settings get a control; the rule's strength by default. Of several rules, all must have them.
    parts : Parts, optional
        With actions of two dimensions; the task's own without it.
    state : tuple of float, optional
        (S,), the observation; zeros by default.
    shown, seed : int
        About how many particles are drawn, and the seed of their noise.
    presets : mapping, optional
        Named settings, ``{"settled": {"steps": 100}, ...}``: a list lets the reader choose one, which sets the controls. The
        first is where they start. Only settings that have a control.
    say : callable, optional
        ``say(trace)`` is a line of text about the steered particles, shown below the pictures.
    **settings : Any
        Where the settings start.

    Raises
    ------
    UserError
        An unknown rule or setting, or actions that are not two-dimensional.
    """

    def __init__(
        self,
        task: Task | str,
        rule: str | list[str] = "qgf",
        names: list[str] | None = None,
        *,
        parts: Parts | None = None,
        state: tuple[float, ...] | None = None,
        shown: int = 256,
        seed: int = 0,
        presets: Mapping[str, Mapping[str, Any]] | None = None,
        say: Callable[[Trace], str] | None = None,
        **settings: Any,
    ) -> None:
        super().__init__()
        rules = [rule] if isinstance(rule, str) else list(rule)
        self.task = make_task(task) if isinstance(task, str) else task
        self.presets = {name: dict(values) for name, values in (presets or {}).items()}
        first = next(iter(self.presets), "")
        settings |= self.presets.get(first, {})
        self.controls = rule_panel(rules[0], names, self.presets.values(), **settings)
        self.preset = choice("Try", {name: name for name in self.presets}, first)
        self.preset.param.watch(lambda _: self.load_preset(), "value")
        self._say, self.said = say, HTML("", stylesheets=[COLOURS, SAID], margin=(6, 0, 0, 0))
        for name in rules[1:]:
            rule_panel(name, list(self.controls))
        self.parts = parts if parts is not None else parts_for(self.task.info.name)
        if self.parts.action_dim != 2:
            raise UserError(f"Bench draws actions of two dimensions, these parts have {self.parts.action_dim}")
        self._fixed, self._shown, self._seed = settings, shown, seed
        self._state = tuple(state) if state is not None else (0.0,) * self.parts.observation_dim
        self.answer: Answer | None = None
        self._version, self._truth, self._scene = 0, self._true_reward(), Scene()
        self._ground: tuple[Any, ...] = ()
        self.chosen = choice("Rule", {RULES[name].title: name for name in rules}, rules[0])
        self.stages = Stages(sizing_mode="stretch_width", margin=0, stylesheets=[COLOURS], min_width=640)
        self.floor = floor_of(self.task)
        count = 0 if self.floor is None else self.floor.episodes
        self.button = pn.widgets.Button(label=f"Play {count} episodes", margin=(14, 0, 0, 0), width=160)
        if self._in_a_room:
            self.stages.agent = list(self._state)
            self.stages.param.watch(self._moved_agent, "agent")
            self.button.on_click(lambda _: self.play())
        self._binding = Binding()
        self._binding.bind(lambda _: self.update(), self.chosen, *self.controls.values())
        self.update()

    @property
    def _in_a_room(self) -> bool:
        return self.floor is not None

    def _true_reward(self) -> np.ndarray | None:
        """The true reward (G, G) over the plane of actions, where the task knows it."""
        return true_landscape(self.task)

    @property
    def rule(self) -> str:
        """Name of the rule that is shown."""
        return str(self.chosen.value)

    @property
    def settings(self) -> dict[str, Any]:
        """The rule's settings as the controls say."""
        return self._fixed | {name: control.value for name, control in self.controls.items()}

    def _moved_agent(self, event: Any) -> None:
        assert isinstance(self.task, HasFloor)
        state = self.task.stand(tuple(float(value) for value in event.new))
        if state != self._state:
            self._state = state
            self.update()

    def load_preset(self) -> None:
        """Set the controls as the chosen preset says, and steer once."""
        with self._binding.by_program():
            for name, value in self.presets[str(self.preset.value)].items():
                put(self.controls[name], value)
        self.update()

    def update(self) -> None:
        """Steer with what the controls say and show it; what goes wrong is shown as words."""
        question = Question(
            self.task.info.name, (Policy(self.rule, self.settings),), self._seed, self._shown, self._state
        )
        try:
            self.answer = self._scene.answer(question, self.parts, self.task)
        except UserError as error:
            self.stages.notice = {"kind": "error", "text": str(error), "progress": None}
            return
        settings = self.answer.traces[1].settings
        ground = (self._state, str(settings["critic"]), settings["pick_aggregate"])
        with pn.io.hold():
            self.stages.notice = {}
            if ground != self._ground:
                self._ground, self._values = ground, landscape(self.parts, *ground)
                self.stages.landscape = landscape_of(self._values)
            if self._truth is not None:
                self.stages.world = truth_of(self._truth, self.answer)
            if self._say is not None:
                self.said.object = html("{}", self._say(self.answer.traces[1]))
            self._show(None)

    def play(self) -> None:
        """Play episodes from where the agent stands, and draw their ways into the room."""
        assert self.answer is not None
        self._show(episodes(self.answer.question, self.parts, self.task, NOBODY))

    def _show(self, plays: list[Play] | None) -> None:
        assert self.answer is not None
        self._version += 1
        if self.floor is not None:
            self.stages.world = room_of(plays, self.answer, self.floor)
        self.stages.frame = frame_of(self.answer, plays, self._version, ending=ending_of(self.task))

    def __panel__(self) -> pn.viewable.Viewable:
        controls: list[Any] = [self.chosen] if len(self.chosen.options) > 1 else []
        controls += list(self.controls.values())
        controls += [self.button] if self._in_a_room else []
        row = pn.Row(*controls, styles=GAP, sizing_mode="stretch_width", stylesheets=[COLOURS], margin=(0, 0, 8, 0))
        above = [pn.Row(self.preset, width=300, stylesheets=[COLOURS], margin=(0, 0, 8, 0))] if self.presets else []
        below = [] if self._say is None else [self.said]
        shown = (*above, row, self.stages, *below)
        return pn.Column(*shown, sizing_mode="stretch_width", max_width=1100, stylesheets=[COLOURS])

    def still(self) -> bytes:
        """The same picture as a PNG, for paper: with the true reward where it is known."""
        assert self.answer is not None
        figure = side_by_side(self.answer.traces, self._values, self._truth)
        if self._say is not None:
            figure.supxlabel(self._say(self.answer.traces[1]), fontsize="medium")
        return png(figure)

    def paper(self) -> str:
        """The picture and the numbers under it as HTML, for paper."""
        assert self.answer is not None
        plays: list[Play] | None = None
        if self._in_a_room:
            plays = episodes(self.answer.question, self.parts, self.task, NOBODY)
        columns, ending = [], ending_of(self.task)
        for i, (trace, numbers) in enumerate(zip(self.answer.traces, self.answer.numbers, strict=True)):
            play = None if plays is None else plays[i]
            columns.append(number_rows(numbers, play, numbers.earned is not None, ending, trace.positions.shape[1]))
        titles = joined(html("<th>{}</th>", title_of(trace)) for trace in self.answer.traces)
        rows = joined(
            html("<tr><td>{}</td>{}</tr>", row[0][0], joined(html("<td>{}</td>", cell[1]) for cell in row))
            for row in zip(*columns, strict=True)
        )
        image = base64.b64encode(self.still()).decode()
        words = f"Bench: {', '.join(title_of(trace) for trace in self.answer.traces)}"
        picture = html('<img class="wb-still" alt="{}" src="data:image/png;base64,{}">', words, image)
        table = html('<table class="wb-numbers"><tr><th></th>{}</tr>{}</table>', titles, rows)
        return str(html('<div class="wb-paper">{}{}</div>', picture, table))

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        if on_paper():
            return {"text/html": self.paper(), "text/plain": f"Bench: {self.rule}"}, {}
        return super()._repr_mimebundle_(include, exclude)


def rule_panel(
    rule: str, names: list[str] | None = None, presets: Iterable[Mapping[str, Any]] = (), **settings: Any
) -> dict[str, Any]:
    """The Panel controls of some of a rule's settings (its strength), by name; UserError for one that it does not have.

    Sliders stop at the values of ``presets`` too.
    """
    if rule not in RULES:
        raise UserError(f"no rule named '{rule}'; there are {', '.join(RULES)}")
    fields = {field.name: field for field in fields_of(RULES[rule])}
    names = names or [RULES[rule].strength]
    presets = list(presets)
    unknown = [name for name in (*names, *settings, *(n for preset in presets for n in preset)) if name not in fields]
    if unknown:
        raise UserError(f"rule '{rule}' has no setting '{unknown[0]}'. It has: {', '.join(fields)}")
    bare = [name for preset in presets for name in preset if name not in names]
    if bare:
        raise UserError(f"a preset sets '{bare[0]}', which has no control here: name it among {', '.join(names)}")
    for preset in presets:
        for name, value in preset.items():
            fields[name] = replace(fields[name], stops=fields[name].with_stop(value))
    return {name: panel_control(fields[name], settings.get(name, fields[name].default)) for name in names}


def put(control: Any, value: object) -> None:
    """Set a control of `rule_panel`, as a hand would."""
    if isinstance(control, StopSlider):
        control.put(value)
    else:
        control.value = value


class Picture(JSComponent):
    """An image that is replaced without a flicker. (Panel's own PNG pane asks a CDN for style sheets at every change.)"""

    png = param.Bytes(default=b"", doc="The file.")

    _esm = component(Path(__file__).parent / "picture.js")


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
            raise UserError("Live needs at least one slider: Live(draw, weight=[0, 0.3, 1])")
        self._draw = draw
        first = {name: next(iter(values)) for name, values in stops.items()} | dict(start or {})
        self.controls = {
            name: StopSlider(
                Field(name, name.replace("_", " "), "number", first[name], "", "", tuple(values)), first[name]
            )
            for name, values in stops.items()
        }
        self.picture = Picture(png=self._png(), sizing_mode="stretch_width", margin=0)
        for control in self.controls.values():
            control.param.watch(lambda _: self.update(), "value")

    def _png(self) -> bytes:
        return png(self._draw(**{name: control.value for name, control in self.controls.items()}))

    def update(self) -> None:
        """Draw again with what the sliders say."""
        self.picture.png = self._png()

    def __panel__(self) -> pn.viewable.Viewable:
        row = pn.Row(*self.controls.values(), styles=GAP, sizing_mode="stretch_width", margin=(0, 0, 8, 0))
        return pn.Column(row, self.picture, sizing_mode="stretch_width", max_width=900, stylesheets=[COLOURS])

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        if on_paper():
            return {"image/png": self._png(), "text/plain": "Live"}, {}
        return super()._repr_mimebundle_(include, exclude)


class Watch(widgets.Image):  # type: ignore[misc] # ipywidgets has no types
    """A picture that changes while a later cell runs: display it, then call ``show`` from the loop."""

    def __init__(self, width: int = 640) -> None:
        super().__init__(format="png", layout=widgets.Layout(width=f"{width}px"))

    def show(self, figure: Any) -> None:
        """Show a matplotlib figure; on paper nothing moves, and nothing is drawn."""
        if not on_paper():
            self.value = png(figure)

    def _repr_mimebundle_(self, **more: Any) -> Any:
        return (
            {"text/plain": "(a picture that changes while the next cell runs)"}
            if on_paper()
            else super()._repr_mimebundle_(**more)
        )
