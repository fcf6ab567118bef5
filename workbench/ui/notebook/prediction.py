"""The form in which a prediction is made: a question, its answers or a number, and a button that stores it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import ipywidgets as widgets

from workbench.engine.digits import exact
from workbench.engine.words import UserError
from workbench.plots.markup import html, joined
from workbench.ui.notebook.widgets import on_paper


class PredictionForm(widgets.VBox):  # type: ignore[misc] # ipywidgets has no types
    """A question to answer before an experiment.

    Parameters
    ----------
    ask : str
    options : mapping of str to str
        Key to text; empty when a number is asked for.
    unit : str
        Of that number.
    stored : Any
        The guess that was stored before, or None.
    save : callable
        Stores a guess and returns what to tell; a UserError is shown as words.
    """

    def __init__(
        self, ask: str, options: Mapping[str, str], unit: str, stored: Any, save: Callable[[Any], str]
    ) -> None:
        self._ask, self._options, self._unit, self._save = ask, options, unit, save
        wide = widgets.Layout(width="max-content", max_width="100%")
        if options:
            self.guess: widgets.Widget = widgets.RadioButtons(
                options=[(text, key) for key, text in options.items()], value=stored, layout=wide
            )
        else:
            value = "" if stored is None else exact(stored)
            self.guess = widgets.Text(value=value, description=unit, layout=widgets.Layout(width="280px"))
        self.button = widgets.Button(description="Store my prediction", layout=widgets.Layout(width="180px"))
        self.said = widgets.HTML("" if stored is None else "Stored before; you may change it until it is revealed.")
        self.button.on_click(lambda _: self.store())
        question = widgets.HTML(str(html('<div style="max-width:70ch"><b>Predict.</b> {}</div>', ask)))
        super().__init__([question, self.guess, widgets.HBox([self.button, self.said])])

    def store(self) -> None:
        """What the button does."""
        if self.guess.value in (None, ""):
            self.said.value = "Choose an answer first." if self._options else "Type a number first."
            return
        try:
            self.said.value = str(html("{}", self._save(self.guess.value)))
        except UserError as error:
            self.said.value = str(html("{}", error))

    def _repr_mimebundle_(self, **more: Any) -> Any:
        if not on_paper():
            return super()._repr_mimebundle_(**more)
        lines = joined(html("<li>{}</li>", text) for text in self._options.values())
        body = html("<ul>{}</ul>", lines) if lines else html("<p>________ {}</p>", self._unit)
        shown = html("<div><b>Predict.</b> {}{}</div>", self._ask, body)
        return {"text/html": str(shown), "text/plain": self._ask}
