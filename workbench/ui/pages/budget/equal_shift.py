"""All rules at one shift: the buttons that choose it, and the table of what they earn there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import panel as pn
from bokeh.models import ColumnDataSource

from workbench.engine.steering.rules import RULES
from workbench.engine.words import UserError
from workbench.experiments.summary import Curve
from workbench.plots.markup import html
from workbench.ui.controls.notice import STYLE as WORDS
from workbench.ui.controls.rule import STYLE
from workbench.ui.pages.budget.draw import Pictures
from workbench.ui.pages.budget.table import here_list, match_table, points_table
from workbench.ui.pages.store_page import StorePage
from workbench.ui.shell.html_pane import HTML
from workbench.ui.shell.page import write_arguments
from workbench.views.budget import STORIES, Here, shift_of
from workbench.views.links import write_link
from workbench.views.measured import changed_settings
from workbench.views.question import Policy, Question

LOOK = (Path(__file__).parent / "budget.css").read_text(encoding="utf-8")
EMPTY = html("<h2>Equal shift</h2><p>Once two rules are measured, they are compared here.</p>")


class EqualShift(pn.viewable.Viewer):
    """The buttons; the page places ``table`` elsewhere.

    Parameters
    ----------
    page : StorePage
        It is told when the shift has changed, and says why there is none.
    question : callable
        ``question()``, of the page's link: rules in the table lead to the page of particles with their settings in it.
    marks : callable
        ``marks()``, the reader's own settings.
    shift : float or None
        Where the rules are compared; None before that was asked for.

    Attributes
    ----------
    table : HTML
    tapped : ColumnDataSource
        Its column ``key`` holds the points that are selected in the figures.
    """

    def __init__(
        self,
        page: StorePage,
        question: Callable[[], Question],
        marks: Callable[[], Sequence[Here]],
        shift: float | None,
    ) -> None:
        super().__init__()
        self._page, self._question, self._marks, self.shift = page, question, marks, shift
        self._curves: list[Curve] = []
        self._pictures: Pictures | None = None
        self.table = HTML("", stylesheets=[WORDS, LOOK], margin=0, sizing_mode="stretch_width")
        self.tapped = ColumnDataSource({"key": []})
        self.tapped.on_change("data", lambda attr, old, new: self._selected())
        small: dict[str, Any] = {"stylesheets": [STYLE], "margin": 0, "height": 28, "styles": {"flex": "1 1 44%"}}
        mine = pn.widgets.Button(
            label="Match mine",
            css_classes=["wb-match"],
            disabled=True,
            on_click=lambda _: self.match(),
            description="every rule at the shift of your marked settings, or half way along the curves before you mark them",
            **small,
        )
        stories = [
            pn.widgets.Button(
                label=title,
                description=meaning,
                css_classes=["wb-preset", f"wb-preset-{name}"],
                disabled=True,
                on_click=lambda _, name=name: self.match(name),
                **small,
            )
            for name, (title, meaning) in STORIES.items()
        ]
        self._buttons = [*stories, mine]

    def draw(self, curves: list[Curve], pictures: Pictures | None) -> None:
        """Compare ``curves``, which are drawn in the figures of ``pictures``; None where there are none."""
        self._curves, self._pictures = curves, pictures
        for button in self._buttons:
            button.disabled = len(curves) < 2
        self._show()

    def match(self, story: str = "") -> None:
        """Compare the rules at the shift of a story, or at that of the reader's own settings."""
        with self._page.held():
            self._match(story)

    def _match(self, story: str) -> None:
        try:
            self.shift = shift_of(story, self._curves, self._marks())
        except UserError as error:
            self._page.notice.say("error", str(error))
            return
        self._page.notice.say("", "")
        self._page.changed()
        self._show()

    def list_marks(self, marks: Sequence[Here]) -> None:
        """Show the reader's own settings in place of the rules."""
        self.table.object = here_list(marks)

    def _show(self) -> None:
        """The rules at the chosen shift, else every strength."""
        if self._pictures is None:
            self.table.object = EMPTY
            return
        self._pictures.at.update(
            visible=self.shift is not None, location=float(self._pictures.scale.to(self.shift or 0.0))
        )
        if self.shift is None:
            self.table.object = points_table(self._curves)
        else:
            self.table.object = match_table(self._curves, self.shift, self._particles_link)

    def _selected(self) -> None:
        """What is selected in the figures: those points alone."""
        keys = list(self.tapped.data["key"])
        if keys:
            self.table.object = points_table(self._curves, keys)
        else:
            self._show()

    def _particles_link(self, curve: Curve, strength: float) -> str:
        settings = {curve.axis: strength} if curve.axis in RULES[curve.rule].model_fields else {}
        question = replace(self._question(), policies=(Policy(curve.rule, changed_settings(curve) | settings),))
        return write_arguments(write_link(question))

    def __panel__(self) -> pn.viewable.Viewable:
        return pn.Column(
            HTML("Compare all rules at one shift", stylesheets=[STYLE], margin=(0, 0, 3, 0)),
            pn.FlexBox(*self._buttons, gap="6px", margin=(0, 0, 8, 0), sizing_mode="stretch_width"),
            margin=0,
            sizing_mode="stretch_width",
        )
