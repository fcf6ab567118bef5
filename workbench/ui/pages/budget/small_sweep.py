"""The controls that start the page's own small sweep, and how far it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import panel as pn

from workbench.engine.digits import duration
from workbench.engine.steering.rules import RULES
from workbench.engine.words import UserError
from workbench.experiments.grid import Grid
from workbench.experiments.launch import SweepState
from workbench.plots.markup import html
from workbench.ui.controls.notice import STYLE as WORDS
from workbench.ui.controls.rule import STYLE
from workbench.ui.shell.html_pane import HTML
from workbench.views.budget import FIRST, USUAL, grid_of
from workbench.views.unmeasured import Target


class SmallSweep(pn.viewable.Viewer):
    """A list of rules, Run and Cancel, and words below them.

    Parameters
    ----------
    start, cancel : callable
        What the buttons do.
    """

    def __init__(self, start: Callable[[], None], cancel: Callable[[], None]) -> None:
        super().__init__()
        options: dict[str, Any] = {"stylesheets": [STYLE], "margin": (0, 0, 8, 0), "sizing_mode": "stretch_width"}
        self.rules = pn.widgets.MultiSelect(
            label="Rules of the next sweep",
            options={rule.title: name for name, rule in RULES.items()},
            value=list(FIRST),
            size=4,
            css_classes=["wb-wanted"],
            **options,
        )
        self.target = USUAL
        self.start = pn.widgets.Button(label="Run a small sweep", css_classes=["wb-sweep"], **options)
        self.cancel = pn.widgets.Button(label="Cancel", css_classes=["wb-cancel"], disabled=True, **options)
        self.progress = HTML("", stylesheets=[WORDS], margin=0, sizing_mode="stretch_width")
        self.start.on_click(lambda _: start())
        self.cancel.on_click(lambda _: cancel())

    def grid(self) -> Grid:
        """What is asked for; ValueError while no rule is chosen."""
        if not self.rules.value:
            raise UserError("choose at least one rule for the sweep")
        return grid_of(self.rules.value, self.target)

    def aim(self, target: Target) -> None:
        """Measure this from now on."""
        self.target = target
        self.start.label = f"Run a small sweep on {target.title}"

    def follow(self, state: SweepState | None, empty: bool, damaged: str) -> None:
        """Say how far the sweep is, and which runs of the store are ``damaged``; what a sweep brings while the page is empty."""
        running = state is not None and state.running
        self.start.disabled, self.cancel.disabled = running, not running
        if state is None:
            words: str = (
                "A small sweep takes some minutes; your own curves then take the example's place." if empty else ""
            )
        elif running:
            share = 100 * state.done / max(state.total, 1)
            bar = html('<div class="bar" style="--wb-part:{:.0f}%"></div>', share)
            words = html("Sweep: {} of {} runs are done, {}.{}", state.done, state.total, time_left(state), bar)
        else:
            words = state.error or f"Sweep ended: {state.done} of {state.total} runs are done."
        text = html("<p role='status'>{}</p><p>{}</p>", words, damaged)
        if text != self.progress.object:
            self.progress.object = text

    def __panel__(self) -> pn.viewable.Viewable:
        buttons = pn.Row(
            self.start, self.cancel, styles={"gap": "8px"}, sizing_mode="stretch_width", margin=(10, 0, 0, 0)
        )
        return pn.Column(self.rules, self.progress, buttons, sizing_mode="stretch_width", margin=0)


def time_left(state: SweepState) -> str:
    """How long a running sweep still takes, in words."""
    if state.eta_seconds is None:
        return "training first, so the time left is not known yet"
    return f"about {duration(state.eta_seconds)} left"
