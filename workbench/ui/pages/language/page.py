"""The page of language: read what a strength does to sentences, until the proxy is fooled and the judge is not."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, ClassVar

import panel as pn

from workbench.engine.words import UserError
from workbench.language.table import shipped_table
from workbench.plots.markup import html
from workbench.ui.browser.callbacks import stop_words
from workbench.ui.canvas.bokeh_figures import follow_theme, pane
from workbench.ui.controls.notice import Notice
from workbench.ui.controls.rule import STYLE as CONTROL_STYLE
from workbench.ui.controls.rule import QuickSlider, choice
from workbench.ui.controls.waiting import Waiting
from workbench.ui.pages.language.draw import (
    STYLE,
    cloud_figure,
    curves_figure,
    sentences,
    show_cloud,
    show_curves,
)
from workbench.ui.server.fault import told
from workbench.ui.server.parts_cache import CACHE, Cache, Latest
from workbench.ui.shell.html_pane import HTML
from workbench.ui.shell.layout import sidebar
from workbench.ui.shell.page import Page
from workbench.ui.shell.sheet import Sheet
from workbench.ui.shell.toolbar import Export, Stop
from workbench.views.language import (
    LABELS,
    SEEDS,
    Column,
    Reading,
    as_csv,
    best_of,
    code_of,
    read,
    read_link,
    rows_of,
    rules,
    words_of,
    write_link,
)

log = logging.getLogger(__name__)
Columns = tuple[Column, Column, Column]
NOTE = html(
    '<p style="font-size:12px;color:var(--wb-muted)">A judge (VADER’s word scores, no gradient) scored as many sentences as '
    "<b>Labels</b> says. A proxy learned from these, and steering climbs the proxy. Underlined words differ from the unsteered "
    "sentence; <b>+</b> and <b>−</b> mark words that the judge scores. The judge pays nothing for a sentence that a language "
    "model finds stranger than 19 of 20 clauses of the text.</p>"
)


class LanguagePage(Page):
    """One user's page of sentences."""

    name: ClassVar[str] = "language"
    title: ClassVar[str] = "Language"
    layout: ClassVar[str] = sidebar({"curves": "What each strength brings", "cloud": "Latents"})
    tour: ClassVar[tuple[Stop, ...]] = (
        Stop(
            ".wb-dial-strength",
            "How far",
            "The sentences in the middle follow the dial; the dashed line says where it is.",
        ),
        Stop(".wb-labels", "Labels", "A proxy that has seen more sentences scored can be trusted for longer."),
        Stop(
            ".wb-sentences",
            "Read",
            "Promised is the proxy's, paid is the judge's. At the end they have nothing in common.",
        ),
    )

    def __init__(self, arguments: Mapping[str, str], cache: Cache = CACHE) -> None:
        super().__init__(arguments, cache)
        self.reading, problems = read_link(arguments)
        self.hint = "This link could not be read in full: " + "; ".join(problems) if problems else ""
        self.columns: Columns | None = None
        self._work: Latest[Reading, Columns] = Latest(read, self.later(self._show))
        self.notice = Notice()
        self._waiting = Waiting(self, self._work, self.notice.say)
        self.rule = choice("Rule", rules(), self.reading.rule, css_classes=["wb-rule"])
        self.labels = choice(
            "Labels", {f"{n:,} sentences": n for n in LABELS}, self.reading.labels, css_classes=["wb-labels"]
        )
        self.seed = _slider("Seed", self.reading.seed, SEEDS)
        self._place = pn.Column(margin=0, sizing_mode="stretch_width")
        self._make_dial()
        self.binding.bind(self._changed, self.rule, self.labels, self.seed)
        self._said = HTML(
            sentences(()), stylesheets=[STYLE], margin=0, sizing_mode="stretch_width", css_classes=["wb-sentences"]
        )
        self._cloud, self._curves = cloud_figure(), curves_figure()
        follow_theme([self._cloud.figure, self._curves.figure], self.document)
        self.ask()

    def panels(self) -> Mapping[str, Any]:
        """Controls, the sentences, curves and cloud."""
        note = HTML(NOTE, margin=(8, 0, 0, 0), sizing_mode="stretch_width")
        return {
            "controls": pn.Column(
                self.rule, self._place, self.labels, self.seed, note, sizing_mode="stretch_width", margin=0
            ),
            "main": pn.Column(
                self.notice, self._said, sizing_mode="stretch_width", margin=0, styles={"position": "relative"}
            ),
            "curves": pane(self._curves.figure, min_height=300),
            "cloud": pane(self._cloud.figure, min_height=220),
        }

    def state(self) -> dict[str, Any]:
        """The reading."""
        return write_link(self.reading)

    def restore(self, arguments: Mapping[str, str]) -> None:
        """Set every control to what the link says."""
        self.reading, _ = read_link(arguments)
        with self.binding.by_program(), self.held():
            self.rule.value, self.labels.value, self.seed.value = (
                self.reading.rule,
                self.reading.labels,
                self.reading.seed,
            )
            self._make_dial()
        self.ask()

    def code(self) -> str:
        """The sentences, printed."""
        return code_of(self.reading)

    def sheet(self) -> Sheet:
        """The sentences above the two figures."""
        return Sheet([[self._curves.figure, self._cloud.figure]], str(sentences(self._there())))

    def exports(self) -> tuple[Export, ...]:
        """One line a sentence."""
        return (Export("CSV, one line a sentence", "language.csv", "text/csv", lambda: as_csv(self._there())),)

    def close(self) -> None:
        """Forget what waits."""
        self._work.drop()

    def ask(self) -> None:
        """Ask for the present sentences."""
        self._work.ask(self.reading)
        self._waiting.asked()
        self._show_measured()

    def _make_dial(self) -> None:
        reading = self.reading
        words = words_of(reading.rule, reading.labels)
        at = reading.strength if reading.strength >= 0 else best_of(reading.rule, reading.labels)
        self.dial = _slider(
            "Strength", at, len(words) - 1, format=stop_words(words), css_classes=["wb-slider", "wb-dial-strength"]
        )
        self.binding.bind(self._changed, self.dial)
        self._place.objects = [self.dial]

    def _changed(self, event: Any) -> None:
        with self.held():
            self.hint = ""
            fresh = event.obj is self.rule or event.obj is self.labels
            strength = -1 if fresh else int(self.dial.value or 0)
            self.reading = Reading(self.rule.value, self.labels.value, strength, self.seed.value or 0)
            if fresh:
                self._make_dial()
            self.changed()
            self.ask()

    def _show(self, reading: Reading, columns: Columns | None, error: Exception | None) -> None:
        if reading != self.reading:
            return
        self._waiting.came()
        with self.held():
            if columns is None:
                log.warning("no sentences for %s: %s", reading, error)
                self.notice.say("error", f"The sentences could not be made. {told(error)}")
                return
            self.columns = columns
            self.notice.say("hint" if self.hint else "", self.hint)
            self._said.object = sentences(columns)
            show_cloud(self._cloud, columns)

    def _show_measured(self) -> None:
        """The curves stand in the shipped table: they need not wait for sentences."""
        reading = self.reading
        unsteered = next((row for row in shipped_table() if row.rule == "bc" and row.labels == reading.labels), None)
        show_curves(self._curves, unsteered, rows_of(reading.rule, reading.labels), int(self.dial.value or 0))

    def _there(self) -> Columns:
        if self.columns is None:
            raise UserError("There are no sentences yet; wait until they are said.")
        return self.columns


def _slider(label: str, value: int, high: int, **more: Any) -> QuickSlider:
    options = {"css_classes": ["wb-slider"]} | more
    return QuickSlider(
        label=label,
        start=0,
        end=high,
        value=value,
        stylesheets=[CONTROL_STYLE],
        margin=(0, 0, 6, 0),
        sizing_mode="stretch_width",
        **options,
    )
