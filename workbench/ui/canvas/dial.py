"""The budget dial in the browser: a strength moved by hand, and where it stands between promised and earned."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import param
from panel.custom import JSComponent

from workbench.engine.digits import exact
from workbench.engine.glossary import TERM
from workbench.plots.palette import Look, look, second_look
from workbench.ui.browser.link import component
from workbench.ui.canvas.frames import pack
from workbench.views.strength_curves import StrengthCurve, strength_of, title_of

HERE = Path(__file__).parent


class Dial(JSComponent):
    """Promised and earned against shift, a dot for each rule, and a slider that moves it."""

    scales = param.List(default=[], doc="One for each rule: `scale_of`.")
    places = param.List(default=[], doc="The stop at which each rule's strength stands; the browser changes it.")
    curves = param.Bytes(default=b"", doc="The curves: `curves_of`.")
    fresh = param.Boolean(default=False, doc="The curves are those of what is shown.")
    words = param.String(default="", doc="What is said of the curves while there is something to say.")
    button = param.String(default="", doc="The words of a button behind that; none without any.")
    dragging = param.Boolean(default=False, doc="A strength is being dragged; the browser changes it.")
    across = param.String(default=TERM["state.shift"].short + " (action units)")
    up = param.String(default="task units")

    _esm = component(HERE / "dial.js")
    _stylesheets = [(HERE / "dial.css").read_text(encoding="utf-8")]

    def __init__(self, pressed: Callable[[], None] = lambda: None, **params: Any) -> None:
        super().__init__(**params)
        self._pressed = pressed

    def _handle_msg(self, data: Any) -> None:
        if isinstance(data, dict) and data.get("press") == "measure":
            self._pressed()


def looks_beside(rules: Sequence[str]) -> list[Look]:
    """Colour and shape of every rule; one that stands there twice is told apart."""
    looks = [look(rule) for rule in rules]
    for place, rule in enumerate(rules[1:], 1):
        if rule in rules[:place]:
            looks[place] = second_look(rule)
    return looks


def scale_of(rule: str, look: Look, stops: Sequence[Any]) -> dict[str, Any]:
    """What the browser must know of a rule's strength: its stops, and how each is said."""
    field = strength_of(rule)
    return {
        "rule": rule,
        "title": title_of(rule),
        "axis": f"{field.title.lower()} {field.symbol}".strip(),
        "word": field.title.lower(),
        "look": look._asdict(),
        "stops": [float(stop) for stop in stops],
        "words": [field.show(stop) for stop in stops],
        "short": [exact(stop) for stop in stops],
    }


def curves_of(curves: Sequence[StrengthCurve]) -> bytes:
    """Pack the curves."""
    arrays: dict[str, np.ndarray] = {}
    lines = []
    for place, curve in enumerate(curves):
        for name in ("strengths", "shift", "promised", "earned", "error"):
            arrays[f"{name}{place}"] = getattr(curve, name)
        lines.append(
            {
                "rule": curve.rule,
                "source": curve.source,
                "where": curve.where,
                "note": curve.note,
                "best": -1 if curve.best is None else curve.best,
            }
        )
    return pack({"lines": lines}, arrays)
