"""The controls of the filter over the list of runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import panel as pn
import param

from workbench.experiments.row import Row
from workbench.ui.controls.rule import STYLE, choice
from workbench.ui.shell.binding import Binding
from workbench.views.runs import STATUS, Filter

LONGEST = 200  # characters of the words


class Filters(pn.viewable.Viewer):
    """Words, task, rule and status; ``value`` is the filter that they say."""

    value = param.Parameter(default=Filter(), doc="A `Filter`; a change of any control replaces it.")

    def __init__(self, value: Filter) -> None:
        super().__init__(value=value)
        self._rows: Sequence[Row] = ()
        self.text = pn.widgets.TextInput(
            label="Words",
            placeholder="weight=0.3 seed=1",
            stylesheets=[STYLE],
            margin=0,
            sizing_mode="stretch_width",
            css_classes=["wb-filter-text"],
        )
        self.task = choice("Task", {"all": ""}, "", css_classes=["wb-filter-task"])
        self.rule = choice("Rule", {"all": ""}, "", css_classes=["wb-filter-rule"])
        self.status = choice("Status", STATUS, value.status, css_classes=["wb-filter-status"])
        self._binding = Binding()
        self._binding.bind(self._changed, self.text, to="value_input")
        self._binding.bind(self._changed, self.task, self.rule, self.status)
        self._show()

    def set(self, value: Filter) -> None:
        """Show ``value`` on every control."""
        self.value = value
        self._show()

    def offer(self, rows: Sequence[Row]) -> None:
        """Offer the tasks and rules of ``rows``; one that is chosen and not among them stays, and finds nothing."""
        self._rows = rows
        self._show()

    def _show(self) -> None:
        with self._binding.by_program():
            for name in ("task", "rule"):
                widget, value = getattr(self, name), getattr(self.value, name)
                known = sorted({getattr(row, name) for row in self._rows} | {value} - {""})
                options = {"all": ""} | {one: one for one in known if one}
                if options != widget.options:
                    widget.options = options
                widget.value = value
            self.status.value = self.value.status
            if self.text.value_input != self.value.text:
                self.text.param.update(value=self.value.text, value_input=self.value.text)

    def _changed(self, _: Any) -> None:
        text = (self.text.value_input or "")[:LONGEST]
        self.value = Filter(self.task.value, self.rule.value, self.status.value, text)

    def __panel__(self) -> pn.viewable.Viewable:
        row: dict[str, Any] = {"sizing_mode": "stretch_width", "margin": (0, 0, 7, 0), "styles": {"gap": "8px"}}
        rows = ((self.text,), (self.task, self.rule), (self.status,))
        return pn.Column(*(pn.Row(*widgets, **row) for widgets in rows), sizing_mode="stretch_width", margin=0)
