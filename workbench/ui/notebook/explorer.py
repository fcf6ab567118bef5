"""A rule in a notebook: ipywidgets from its own fields, a picture and its numbers that follow them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import ipywidgets as widgets
import numpy as np
from torch import Tensor

from workbench.engine.digits import figure, short
from workbench.engine.glossary import TERM
from workbench.engine.metrics.visited import behaviour_states
from workbench.engine.models.parts import Parts
from workbench.engine.steering.protocol import SettingValue
from workbench.engine.steering.rules import RULES, find_rule, make_rule
from workbench.engine.tasks.protocol import Task
from workbench.engine.tasks.registry import TASKS, make_task
from workbench.engine.training.loop.checkpoint import Run
from workbench.engine.words import UserError
from workbench.plots.lines import Dims, name_of, shown_dims
from workbench.plots.live import LivePicture
from workbench.plots.markup import Markup, html, joined
from workbench.ui.notebook.widgets import on_paper
from workbench.views.fields import Field, fields_of
from workbench.views.ground import ground_of, observed
from workbench.views.question import EXTENT, Answer, Policy, Question, Scene

WIDE = widgets.Layout(width="440px")
STYLE = {"description_width": "130px"}
STATES = 64  # of the behaviour policy, to choose from
SEEDS = tuple(range(20))
DECIMALS = 3


def control(field: Field, value: Any) -> widgets.Widget:
    """The ipywidget of one field; its ``value`` is the field's value."""
    words = {"description": field.title, "tooltip": field.meaning, "layout": WIDE, "style": STYLE}
    if field.kind == "flag":
        return widgets.Checkbox(value=value, **words)
    if field.kind == "choice":
        return widgets.Dropdown(
            options=[(str(stop).replace("_", " "), stop) for stop in field.stops], value=value, **words
        )
    return widgets.SelectionSlider(
        options=[(field.show(stop), stop) for stop in field.with_stop(value)], value=value, **words
    )


def rule_controls(rule: str, **settings: Any) -> dict[str, widgets.Widget]:
    """The ipywidgets of a rule's settings by name, its strength first; ``settings`` say where they start."""
    kind = find_rule(rule)
    fields = {field.name: field for field in fields_of(kind)}
    unknown = [name for name in settings if name not in fields]
    if unknown:
        raise UserError(f"rule '{rule}' has no setting '{unknown[0]}'. It has: {', '.join(fields)}")
    started = make_rule(rule, **settings) if settings else None  # refuses values out of bounds, in words
    return {
        name: control(field, getattr(started, name) if started else field.default) for name, field in fields.items()
    }


class Explorer(widgets.VBox):  # type: ignore[misc] # ipywidgets has no types
    """What `explore` gives: controls of a rule, a state, the picture, and its numbers.

    Attributes
    ----------
    controls : dict of str to Widget
        By setting.
    rule, state, seed : Widget
        Which rule, at which state, with which noise.
    dims : list of Widget
        Which coordinates of the action are shown; empty for one or two.
    answer : Answer or None
        What is shown: its traces and what was measured on them; None while the settings cannot be drawn.
    """

    def __init__(
        self,
        parts: Parts,
        task: Task | None,
        rule: str,
        states: Sequence[tuple[float, ...]],
        dims: Dims,
        shown: int,
        settings: dict[str, Any],
    ) -> None:
        self._parts, self._task, self._shown, self._scene = parts, task, shown, Scene()
        self._made: tuple[Any, ...] = ()  # what the ground was drawn for
        self.answer: Answer | None = None
        able = [name for name, kind in RULES.items() if set(kind.needs) <= set(parts.available()) and name != "bc"]
        words = {"layout": WIDE, "style": STYLE}
        self.rule = widgets.Dropdown(
            options=[(RULES[name].title, name) for name in dict.fromkeys((*able, rule))],
            value=rule,
            description="Rule",
            **words,
        )
        places = [(f"{i}: {_short(state)}", state) for i, state in enumerate(states)]
        self.state = widgets.SelectionSlider(options=places, description="State", **words)
        self.seed = widgets.SelectionSlider(options=SEEDS, description="Noise", **words)
        every = [(name_of(dim, parts.action_dim), dim) for dim in range(parts.action_dim)]
        self.dims = [
            widgets.Dropdown(options=every, value=dim, description=name, **words)
            for name, dim in zip(("Across", "Along"), dims, strict=False)
            if len(every) > 2
        ]
        self._dims = dims
        self._image = widgets.Image(format="png", layout=widgets.Layout(max_width="760px"))
        self.numbers = widgets.HTML()
        self._first, self._more = widgets.VBox(), widgets.VBox()
        self.controls: dict[str, widgets.Widget] = {}
        self._put_controls(settings)
        self.rule.observe(lambda _: self._choose(), "value")
        for widget in (self.state, self.seed, *self.dims):
            widget.observe(lambda _: self.update(), "value")
        folded = widgets.Accordion([self._more], titles=("All settings",))
        several = [self.state] if len(states) > 1 else []
        super().__init__([self.rule, self._first, *several, self.seed, *self.dims, folded, self._image, self.numbers])
        self.update()

    def _put_controls(self, settings: dict[str, Any]) -> None:
        """Show the settings of the chosen rule: the strength above, all others folded."""
        self.controls = rule_controls(self.rule.value, **settings)
        for widget in self.controls.values():
            widget.observe(lambda _: self.update(), "value")
        first, *more = self.controls.values()
        self._first.children, self._more.children = [first], more

    def _choose(self) -> None:
        self._put_controls({})
        self.update()

    def update(self) -> None:
        """Steer with what the controls say and show it; what goes wrong is shown as words."""
        settings = {name: widget.value for name, widget in self.controls.items()}
        policy = Policy(self.rule.value, settings)
        question = Question("", (policy,), self.seed.value, self._shown, self.state.value)
        try:
            dims = shown_dims(self._parts.action_dim, tuple(w.value for w in self.dims) or self._dims)
            found = self._scene.answer(question, self._parts, self._task)
            image = self._picture(policy, dims).png(found.traces)
        except UserError as error:
            self.answer = None
            self.numbers.value = str(html('<b class="workbench-refused">{}</b>', error))
            return
        self.answer = found
        with self.hold_sync():
            self._image.value = image
            self.numbers.value = str(_table(found))

    def _picture(self, policy: Policy, dims: Dims) -> LivePicture:
        """The picture with its ground, drawn anew where rule, state, coordinates or critic are others."""
        rule = policy.make()
        key = (rule.name, self.state.value, dims, rule.critic, rule.pick_aggregate)
        if not self._made or self._made[0] != key:
            titles = [RULES["bc"].title, rule.title]
            ground = None
            if self._parts.critic is not None:
                parts = replace(self._parts, target_critic=self._parts.pick_critic(rule.critic))
                ground = ground_of(parts, self.state.value, dims=dims, how=rule.pick_aggregate).values
            self._made = key, LivePicture(titles, ground, EXTENT, self._parts.action_dim, dims)
        made: LivePicture = self._made[1]
        return made

    def _repr_mimebundle_(self, **more: Any) -> Any:
        if not on_paper():
            return super()._repr_mimebundle_(**more)
        return {"image/png": bytes(self._image.value), "text/plain": f"{self.rule.value} in pictures"}


def explore(
    source: Run | Parts,
    rule: str = "qgf",
    task: Task | str | None = None,
    state: Tensor | np.ndarray | Sequence[float] | None = None,
    dims: Dims | None = None,
    shown: int = 256,
    **settings: SettingValue,
) -> Explorer:
    """Any rule under your hand: sliders for all of its settings, the state and the noise, the picture and its numbers.

    Display it as the last line of a cell.

    Parameters
    ----------
    source : Run or Parts
        What `workbench.load_run`, `workbench.train` or a task's ``parts()`` gave.
    rule : str
        Where the choice of rules starts; there are those for which the parts suffice.
    task : Task or str, optional
        Whose true reward is measured where it knows it; of a run its own.
    state : Tensor, ndarray or sequence of float, optional
        (S,), one observation. Without it there is a slider over 64 states that the behaviour policy visits (of parts that
        bring none, of the task; without a task the state is 0).
    dims : tuple of int, optional
        The coordinates of the action that are shown first, of more than two; others can be chosen below.
    shown : int
        About how many particles are drawn.
    **settings
        Where the rule's settings start.

    Returns
    -------
    Explorer
        An ipywidgets box; ``.answer`` holds the traces that are shown.

    Raises
    ------
    UserError
        No such rule, setting, task or coordinate, or parts without what the rule needs.
    """
    if not isinstance(source, (Run, Parts)):
        raise UserError(
            f"explore takes a run or parts, got {type(source).__name__}: wb.explore(wb.load_run('RUN')), or "
            "wb.explore(wb.make_task('bandit2d').parts())"
        )
    kind = find_rule(rule)
    if rule == "bc":
        raise UserError("the behaviour flow is always shown: choose the rule beside it, as wb.explore(run, rule='qgf')")
    parts = source.parts() if isinstance(source, Run) else source
    for need in kind.needs:
        parts.part(need)  # says in words what is missing
    named = source.task if isinstance(source, Run) and task is None and source.task in TASKS else task
    played = make_task(named) if isinstance(named, str) else named
    if not 1 <= shown <= 4096:
        raise UserError(f"shown is the number of particles that are drawn, 1 to 4096; got {shown}")
    first = (0, 1) if dims is None and parts.action_dim > 2 else dims
    return Explorer(
        parts, played, rule, _states(parts, played, state), shown_dims(parts.action_dim, first), shown, settings
    )


def _states(parts: Parts, task: Task | None, state: Any) -> list[tuple[float, ...]]:
    """The states to choose from."""
    if state is not None:
        return [tuple(observed(state, parts).tolist())]
    if parts.behaviour_states is None and (task is None or parts.step_dim != task.info.action_dim):
        return [(0.0,) * parts.observation_dim]
    rows = parts.behaviour_states if task is None else behaviour_states(parts, task).rows
    assert rows is not None
    return list(dict.fromkeys(tuple(row) for row in rows.cpu().tolist()))[:STATES]


def _short(state: tuple[float, ...]) -> str:
    return ", ".join(short(value) for value in state[:3]) + (", …" if len(state) > 3 else "")


SHOWN = ("state.earned", "state.promised", "state.shift", "state.displacement", "state.transport")


def _table(found: Answer) -> Markup:
    measured = [numbers.as_dict() for numbers in found.numbers]
    columns = [key for key in SHOWN if measured[0].get(key) is not None]
    head = joined(
        html('<th style="padding:0 14px;text-align:right" title="{}">{}</th>', TERM[key].hint, TERM[key].head)
        for key in columns
    )
    rows = Markup()
    for trace, numbers in zip(found.traces, measured, strict=True):
        cells = joined(
            html('<td style="padding:0 14px;text-align:right">{}</td>', figure(float(numbers[key] or 0.0), DECIMALS))
            for key in columns
        )
        rows += html("<tr><td>{}</td>{}</tr>", RULES[trace.rule].title, cells)
    return html('<table class="workbench-numbers"><tr><th></th>{}</tr>{}</table>', head, rows)
