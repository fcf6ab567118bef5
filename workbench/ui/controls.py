"""Panel controls made from a rule's own fields: bounds, units, meanings and all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape
from pathlib import Path
from typing import Any

import panel as pn
import param
from bokeh.models import CustomJSTickFormatter

from workbench.engine.steering.protocol import AfterFlow, DuringFlow, Rule
from workbench.ui.fields import Field, fields_of

STYLE = (Path(__file__).parent / "controls.css").read_text(encoding="utf-8")
# When a setting that every rule has can change anything; otherwise a slider is hidden, a list greyed out.
APPLIES: dict[str, Callable[[dict[str, Any]], bool]] = {
    "pick": lambda now: now["particles"] > 1,
    "temperature": lambda now: now["particles"] > 1 and now["pick"] == "softmax",
}


class QuickSlider(pn.widgets.IntSlider):
    """An integer slider that reports at once; the stock one waits 50 ms, which was the largest delay measured."""

    _debounce = 1


class StopSlider(pn.viewable.Viewer):
    """A slider over a field's stops (linear, whole or logarithmic with an exact 0), labelled in the browser.

    Parameters
    ----------
    field : Field
    value : Any
        Where it starts; a value between two stops becomes a stop of its own.
    """

    value = param.Parameter(doc="The value of the field, not the position of the handle.")

    def __init__(self, field: Field, value: Any) -> None:
        super().__init__(value=value)
        self.field, self._stops = field, field.with_stop(value)
        words = [field.show(stop) for stop in self._stops]
        self.slider = QuickSlider(
            label=title_of(field),
            start=0,
            end=len(words) - 1,
            value=self._stops.index(value),
            stylesheets=[STYLE],
            format=CustomJSTickFormatter(args={"words": words}, code="return words[Math.round(tick)]"),
            sizing_mode="stretch_width",
            css_classes=["wb-slider", f"wb-{field.name}"],
            margin=0,
        )
        self.slider.param.watch(self._moved, "value")

    def _moved(self, event: param.parameterized.Event) -> None:
        self.value = self._stops[event.new]

    def __panel__(self) -> pn.viewable.Viewable:
        return self.slider


def title_of(field: Field) -> str:
    """The label: words, and the symbol of the papers where the meaning names one."""
    return f"{field.title} {field.symbol}".strip()


def meaning_of(field: Field) -> pn.pane.HTML:
    """The one-line meaning below a control."""
    text = escape(field.meaning[:1].upper() + field.meaning[1:])
    return pn.pane.HTML(
        f'<div class="wb-meaning" title="{text}">{text}</div>',
        stylesheets=[STYLE],
        margin=0,
        sizing_mode="stretch_width",
    )


def choice(label: str, options: Mapping[str, Any], value: Any, **more: Any) -> pn.widgets.Select:
    """A styled drop-down list."""
    return pn.widgets.Select(
        label=label,
        options=dict(options),
        value=value,
        stylesheets=[STYLE],
        margin=0,
        min_width=60,
        sizing_mode="stretch_width",
        **more,
    )


class RuleControls(pn.viewable.Viewer):
    """Every setting of one rule, the rule's own first.

    Parameters
    ----------
    rule : type of Rule
    settings : dict
        Values that differ from the defaults, already valid.
    """

    values = param.Dict(default={}, doc="All settings by name; a change of any control replaces it.")

    def __init__(self, rule: type[Rule], settings: dict[str, Any]) -> None:
        self.rule, self.fields = rule, fields_of(rule)
        values = {field.name: settings.get(field.name, field.default) for field in self.fields}
        super().__init__(values=values)
        self.widgets: dict[str, Any] = {}
        self._rows: dict[str, pn.Column] = {}
        rows: list[Any] = []
        pair: list[Any] = []
        for field in self.fields:
            widget = self._widget(field, values[field.name])
            self.widgets[field.name] = widget
            widget.param.watch(lambda event, name=field.name: self._changed(name, event.new), "value")
            if field.kind in ("choice", "flag"):
                pair.append(widget)
                continue
            self._rows[field.name] = pn.Column(
                widget, meaning_of(field), margin=(0, 0, 8, 0), sizing_mode="stretch_width"
            )
            rows.append(self._rows[field.name])
        for left in range(0, len(pair), 2):
            rows.append(
                pn.Row(*pair[left : left + 2], margin=(0, 0, 8, 0), styles={"gap": "10px"}, sizing_mode="stretch_width")
            )
        self._column = pn.Column(*rows, margin=0, sizing_mode="stretch_width")
        self._grey()

    def _widget(self, field: Field, value: Any) -> Any:
        if field.kind == "flag":
            return pn.widgets.Checkbox(
                label=field.title, value=value, stylesheets=[STYLE], margin=(22, 0, 0, 0), sizing_mode="stretch_width"
            )
        if field.kind == "choice":
            words = {str(stop).replace("_", " "): stop for stop in field.stops}
            meaning = field.meaning[:1].upper() + field.meaning[1:]
            return choice(field.title, words, value, description=meaning, css_classes=[f"wb-{field.name}"])
        return StopSlider(field, value)

    def _changed(self, name: str, value: Any) -> None:
        self.values = self.values | {name: value}
        self._grey()

    def _grey(self) -> None:
        for name, applies in APPLIES.items():
            self._enable(name, applies(self.values))
        self._enable("aggregate", issubclass(self.rule, (DuringFlow, AfterFlow)))

    def _enable(self, name: str, enabled: bool) -> None:
        if name in self._rows:
            self._rows[name].visible = enabled
        else:
            self.widgets[name].disabled = not enabled

    def __panel__(self) -> pn.viewable.Viewable:
        return self._column
