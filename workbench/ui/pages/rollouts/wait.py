"""The control of latency: how many steps a decision takes, and what is played meanwhile. For policies that act in chunks."""

from __future__ import annotations

import panel as pn

from workbench.engine.tasks.latency import MEANINGS
from workbench.engine.words import counted
from workbench.plots.markup import html
from workbench.ui.controls.rule import STYLE, choice
from workbench.ui.shell.html_pane import HTML

NAMES = {"rtc": "Real-time chunking", "naive": "Naive", "pause": "Pause"}
UNCHUNKED = (
    "This policy decides anew at every step. Latency is for policies that act in chunks: train one with --set chunk=8."
)


class LatencyControls(pn.Column):
    """Two lists side by side, or words where there is nothing to choose.

    Parameters
    ----------
    chunk : int
        Steps of the policy's chunks.
    delay : int
    way : str
    """

    def __init__(self, chunk: int, delay: int, way: str) -> None:
        self.delay = choice("Latency", {"none": 0}, 0, css_classes=["wb-delay"])
        self.way = choice("Meanwhile", {title: name for name, title in NAMES.items()}, way, css_classes=["wb-way"])
        self._row = pn.Row(self.delay, self.way, styles={"gap": "10px"}, sizing_mode="stretch_width", margin=0)
        self._words = HTML(
            "", stylesheets=[STYLE], margin=0, sizing_mode="stretch_width", css_classes=["wb-latency-words"]
        )
        super().__init__(
            self._row, self._words, sizing_mode="stretch_width", margin=(0, 0, 8, 0), css_classes=["wb-latency"]
        )
        self.put(chunk, delay, way)

    def put(self, chunk: int, delay: int, way: str) -> None:
        """Show a latency of a policy whose chunks have so many steps."""
        longest = chunk // 2
        self.delay.options = {"none": 0} | {counted(steps, "step"): steps for steps in range(1, longest + 1)}
        self.delay.value, self.way.value = min(delay, longest), way
        self.follow()

    def follow(self) -> None:
        """Say what the present choice means."""
        chunked = len(self.delay.options) > 1
        self._row.visible, self.way.disabled = chunked, not self.delay.value
        words = UNCHUNKED if not chunked else f"{MEANINGS[self.way.value]}." if self.delay.value else ""
        self._words.object = html('<p class="wb-meaning">{}</p>', words[:1].upper() + words[1:]) if words else ""
