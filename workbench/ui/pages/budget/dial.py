"""The dial: one strength, moved along a measured curve. Its dots move in the browser; the page hears where it came to rest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import panel as pn
from bokeh.models import ColumnDataSource

from workbench.engine.digits import figure
from workbench.experiments.summary import Curve
from workbench.ui.browser.callbacks import stop_words
from workbench.ui.browser.link import callback
from workbench.ui.controls.rule import STYLE, QuickSlider, choice
from workbench.views.dial import BETWEEN, Scale, Track, track_of
from workbench.views.measured import Ride, ride

WRAP = ".bk-slider-title { white-space: normal; } @media (max-width: 700px) { .bk-slider-title { min-height: 2.6em; } }"
SCRIPT = Path(__file__).parent / "dial.js"


COLUMNS = ("at", "shift", "value", "promised", "earned", "gap", "middle", "wrong", "side", "away")


class Dial(pn.viewable.Viewer):
    """The rule that the dial rides on, and a slider along its curve.

    Parameters
    ----------
    usual : callable
        ``usual()``, the rule that it rides on before anybody chose.
    chosen : callable
        Another curve was chosen.
    rested : callable
        The handle was let go of, or moved by a key.

    Attributes
    ----------
    rule : Select
        Names of curves.
    ride : Ride or None
    dot : ColumnDataSource
        Where the dial stands; the browser changes it.
    """

    def __init__(self, usual: Callable[[], str], chosen: Callable[[], None], rested: Callable[[], None]) -> None:
        super().__init__()
        self._usual = usual
        self._chosen, self._rested = chosen, rested
        self._curves: dict[str, Curve] = {}
        self.ride: Ride | None = None
        self._track = ColumnDataSource({})
        self._positions: Track | None = None
        self._by_program = False
        self.dot = ColumnDataSource({name: [] for name in COLUMNS})
        self.rule = choice("Rule on the dial", {"…": ""}, "", css_classes=["wb-dial-rule"])
        self.rule.styles = {"flex": "0 0 170px"}
        self.rule.param.watch(self._another, "value")
        self._slider: QuickSlider | None = None
        self._place = pn.Column(margin=0, sizing_mode="stretch_width", styles={"flex": "1 1 260px", "min-width": "0"})
        self._whole = pn.FlexBox(
            self.rule,
            self._place,
            flex_wrap="wrap",
            gap="4px 18px",
            margin=(4, 0, 2, 0),
            sizing_mode="stretch_width",
            css_classes=["wb-dial"],
        )

    @property
    def position(self) -> int:
        """Where the handle is."""
        return 0 if self._slider is None else int(self._slider.value or 0)

    @property
    def strength(self) -> float:
        """The strength there."""
        return 0.0 if self._positions is None else self._positions.strengths[self.position]

    def offer(self, curves: Sequence[Curve], wanted: str) -> None:
        """The curves that it can ride on: the ``wanted`` one, else the one that it is on, else the usual one, else the best."""
        self._curves = {curve.name: curve for curve in curves}
        names = list(self._curves) or [""]
        best = max(curves, key=_height, default=None)
        usual = next((curve.name for curve in curves if curve.rule == self._usual()), "")
        known = [name for name in (wanted, self.rule.value, usual) if name in self._curves]
        now = known[0] if known else "" if best is None else best.name
        self.ride = ride(self._curves[now]) if now else None
        self._by_program = True
        self.rule.options = {name or "…": name for name in names}
        self.rule.value = now
        self._by_program = False
        self._whole.visible = bool(self._curves)

    def follow(self, scale: Scale, strength: float | None = None) -> None:
        """Stand on the present curve of an axis: at ``strength``, else at the best one."""
        on = self.ride
        if on is None:
            self._positions, self._slider, self._place.objects = None, None, []
            return
        track = self._positions = track_of(on, scale)
        start = on.best or 0 if strength is None else None
        at = BETWEEN * start if start is not None else int(np.abs(_steps(track) - _step(strength or 0.0)).argmin())
        columns = dict(track.columns)
        columns["middle"] = (columns["promised"] + columns["earned"]) / 2
        wrong = [f"wrong by {figure(gap)}" if np.isfinite(gap) else "" for gap in columns["gap"]]
        right = columns["at"] > 0.45 * columns["at"].max()  # words stand where the picture has room for them
        beside = {"side": np.where(right, "right", "left").tolist(), "away": np.where(right, -14, 14).tolist()}
        self._track.data = {name: values.tolist() for name, values in columns.items()} | {"wrong": wrong} | beside
        self._slider = QuickSlider(
            label="Strength",
            start=0,
            end=len(track.words) - 1,
            value=at,
            format=stop_words(track.words),
            stylesheets=[STYLE, WRAP],
            sizing_mode="stretch_width",
            margin=0,
            css_classes=["wb-slider", "wb-dial-slider"],
        )
        self._slider.jscallback(
            args={"slider": self._slider, "track": self._track, "dot": self.dot},
            value=callback(SCRIPT, "slider", "track", "dot"),
        )
        self._slider.param.watch(lambda _: self._rested(), "value_throttled")
        self._place.objects = [self._slider]
        self._stand(at)

    def go(self, strength: float) -> None:
        """Move the handle to the position of ``strength``."""
        if self._positions is not None and self._slider is not None:
            at = int(np.abs(_steps(self._positions) - _step(strength)).argmin())
            self._slider.value = at
            self._stand(at)

    def _stand(self, at: int) -> None:
        self.dot.data = {name: [values[at]] for name, values in self._track.data.items()}

    def _another(self, _: Any) -> None:
        if not self._by_program:
            self._chosen()

    def __panel__(self) -> pn.viewable.Viewable:
        return self._whole


def _height(curve: Curve) -> float:
    """What its best strength returns, by which the page chooses what to show first."""
    return -np.inf if curve.choice is None else curve.choice.reported.mean


def _steps(track: Track) -> np.ndarray:
    return np.array([_step(strength) for strength in track.strengths])


def _step(strength: float) -> float:
    """Strengths on a scale where equal ratios are equally far apart, with a place for 0."""
    return float(np.arcsinh(strength / 1e-4))
