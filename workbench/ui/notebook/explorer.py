"""A rule in a notebook: ipywidgets sliders from its own fields, a picture and its numbers that follow them."""

from __future__ import annotations

from typing import Any

import ipywidgets as widgets

from workbench.engine.glossary import TERM
from workbench.engine.models.parts import Parts
from workbench.engine.steering.rules import RULES
from workbench.engine.tasks.protocol import Task
from workbench.engine.words import UserError
from workbench.plots.live import LivePicture
from workbench.plots.markup import Markup, html, joined
from workbench.views.digits import figure
from workbench.views.fields import Field, fields_of
from workbench.views.question import EXTENT, Policy, Question, answer, landscape

WIDE = widgets.Layout(width="440px")
STYLE = {"description_width": "110px"}


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


def rule_controls(rule: str, names: list[str] | None = None, **settings: Any) -> dict[str, widgets.Widget]:
    """The ipywidgets of a rule's settings by name.

    Parameters
    ----------
    rule : str
    names : list of str, optional
        Which settings, in this order; all by default.
    **settings : Any
        Where they start, if not at their defaults.
    """
    fields = {field.name: field for field in fields_of(RULES[rule])}
    unknown = [name for name in (*(names or ()), *settings) if name not in fields]
    if unknown:
        raise UserError(f"rule '{rule}' has no setting '{unknown[0]}'. It has: {', '.join(fields)}")
    return {name: control(fields[name], settings.get(name, fields[name].default)) for name in names or fields}


class Explorer(widgets.VBox):  # type: ignore[misc] # ipywidgets has no types
    """The behaviour flow and a rule side by side, with sliders: display it as the last line of a cell.

    Parameters
    ----------
    task : object
        Its ``true_reward`` is shown where it has one.
    parts : Parts
        With actions of two dimensions.
    rule : str
    names : list of str, optional
        Which settings get a control; the rule's strength by default.
    state : tuple of float, optional
        (S,), the observation; zeros by default.
    shown : int
        About how many particles are drawn.
    seed : int
        Of the noise.
    **settings : Any
        Where the settings start.
    """

    def __init__(
        self,
        task: Task,
        parts: Parts,
        rule: str = "qgf",
        names: list[str] | None = None,
        state: tuple[float, ...] | None = None,
        shown: int = 256,
        seed: int = 0,
        **settings: Any,
    ) -> None:
        if parts.action_dim != 2:
            raise UserError(f"Explorer draws actions of two dimensions, these parts have {parts.action_dim}")
        self._task, self._parts, self._rule, self._fixed = task, parts, rule, settings
        self._state = tuple(state) if state is not None else (0.0,) * parts.observation_dim
        self._shown, self._seed = shown, seed
        self.controls = rule_controls(
            rule,
            names or [RULES[rule].strength],
            **{n: v for n, v in settings.items() if n in (names or [RULES[rule].strength])},
        )
        first = RULES[rule](**settings)
        ground = landscape(parts, self._state, first.critic, first.pick_aggregate)
        self._picture = LivePicture([RULES["bc"].title, RULES[rule].title], ground, (-EXTENT, -EXTENT, EXTENT, EXTENT))
        self._image, self.numbers = (
            widgets.Image(format="png", layout=widgets.Layout(max_width="720px")),
            widgets.HTML(),
        )
        for widget in self.controls.values():
            widget.observe(lambda _: self.update(), "value")
        super().__init__([*self.controls.values(), self._image, self.numbers])
        self.update()

    def update(self) -> None:
        """Steer with what the controls say and show it; what goes wrong is shown as words."""
        settings = self._fixed | {name: widget.value for name, widget in self.controls.items()}
        try:
            found = answer(
                Question("", (Policy(self._rule, settings),), self._seed, self._shown, self._state),
                self._parts,
                self._task,
            )
        except UserError as error:
            self.numbers.value = str(html("<b>{}</b>", error))
            return
        with self.hold_sync():
            self._image.value = self._picture.png(found.traces)
            self.numbers.value = str(_table(found))


SHOWN = ("state.earned", "state.promised", "state.shift", "state.displacement", "state.transport")


def _table(found: Any) -> Markup:
    measured = [numbers.as_dict() for numbers in found.numbers]
    columns = [key for key in SHOWN if measured[0].get(key) is not None]
    head = joined(html('<th style="padding:0 14px;text-align:right">{}</th>', TERM[key].label) for key in columns)
    rows = Markup()
    for trace, numbers in zip(found.traces, measured, strict=True):
        cells = joined(
            html('<td style="padding:0 14px;text-align:right">{}</td>', figure(float(numbers[key] or 0.0), 3))
            for key in columns
        )
        rows += html("<tr><td>{}</td>{}</tr>", RULES[trace.rule].title, cells)
    return html('<table class="workbench-numbers"><tr><th></th>{}</tr>{}</table>', head, rows)
