"""Colours and markers: Okabe and Ito's colour-blind-safe set, and a shape per rule, so that colour never speaks alone.

There are more rules than shapes: those that share one have colours that every eye tells apart (a test looks).

Source of the colours: M. Okabe and K. Ito, Color Universal Design, 2008. The dark variants are lightened for contrast.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple
from zlib import crc32

import numpy as np

Theme = Literal["light", "dark"]
Shape = Literal["circle", "square", "triangle", "diamond", "inverted_triangle", "hex", "star", "plus", "square_pin"]


class Look(NamedTuple):
    """How a rule is drawn: a colour on light ground, one on dark ground, and a shape."""

    light: str
    dark: str
    shape: Shape

    def colour(self, theme: Theme = "light") -> str:
        """The colour for ``theme``."""
        return self.dark if theme == "dark" else self.light


LOOKS: dict[str, Look] = {
    "bc": Look("#5b6472", "#a9b3c1", "circle"),
    "qgf": Look("#0072b2", "#56b4e9", "square"),
    "vgf": Look("#d55e00", "#ff9245", "triangle"),
    "best_of_n": Look("#00805d", "#2fc99a", "diamond"),
    "grad_step": Look("#a8417f", "#e59bc4", "inverted_triangle"),
    "noisy": Look("#a86f00", "#f0b429", "plus"),
    "qgf_jacobian": Look("#2b86c5", "#8fd0ff", "hex"),
    "qgf_chain": Look("#2b86c5", "#8fd0ff", "diamond"),
    "qgf_distilled": Look("#3b2a78", "#cdbcff", "triangle"),
    "bptt": Look("#0072b2", "#56b4e9", "inverted_triangle"),
    "fql": Look("#00805d", "#2fc99a", "star"),
    "edp": Look("#a8417f", "#e59bc4", "square"),
    "rebrac": Look("#a86f00", "#f0b429", "inverted_triangle"),
    "iql": Look("#d55e00", "#ff9245", "hex"),
    "idql": Look("#00805d", "#2fc99a", "plus"),
    "qam": Look("#0072b2", "#56b4e9", "triangle"),
    "qpilots_u": Look("#a86f00", "#f0b429", "circle"),
    "qpilots_m": Look("#0072b2", "#56b4e9", "star"),
    "robust_q": Look("#a86f00", "#f0b429", "square"),
    "cfgrl": Look("#a8417f", "#e59bc4", "hex"),
    "vgf_zero": Look("#d55e00", "#ff9245", "diamond"),
    "vgf_amortised": Look("#d55e00", "#ff9245", "star"),
    "dsrl": Look("#0072b2", "#56b4e9", "circle"),
    "fbrac": Look("#d55e00", "#ff9245", "square_pin"),
    "fawac": Look("#00805d", "#2fc99a", "square_pin"),
    "iql_flow": Look("#0072b2", "#56b4e9", "square_pin"),
    "dac": Look("#00805d", "#2fc99a", "triangle"),
    "qsm": Look("#0072b2", "#56b4e9", "plus"),
}
SPARE = (
    Look("#0072b2", "#56b4e9", "star"),
    Look("#d55e00", "#ff9245", "diamond"),
    Look("#00805d", "#2fc99a", "square"),
    Look("#a8417f", "#e59bc4", "hex"),
    Look("#a86f00", "#f0b429", "triangle"),
)
# matplotlib's names for the same shapes; Bokeh uses ours.
MATPLOTLIB_MARKERS: dict[Shape, str] = {
    "circle": "o",
    "square": "s",
    "triangle": "^",
    "diamond": "D",
    "inverted_triangle": "v",
    "hex": "h",
    "star": "*",
    "plus": "P",
    "square_pin": "X",
}

# Value from low to high. Both ramps are monotone in lightness, so they survive colour blindness and a grey printer,
# and neither uses a rule's hue.
VALUE_RAMP: dict[Theme, tuple[str, ...]] = {
    "light": ("#fbfcfd", "#edf2f4", "#d6e4e6", "#b4d2d3", "#86b9b7", "#569c98"),
    "dark": ("#10151d", "#14232f", "#173a45", "#1d5657", "#347a68", "#6aa57b"),
}


# Below and above zero: violet and brown, safe for colour blindness (C. Brewer's PuOr), the middle is the ground.
DIFFERENCE_RAMP: dict[Theme, tuple[str, ...]] = {
    "light": ("#5e3c99", "#b2abd2", "#fbfcfd", "#fdb863", "#b35806"),
    "dark": ("#9d83d6", "#4a3a70", "#10151d", "#7a4a17", "#f0a04b"),
}


def look(rule: str) -> Look:
    """The look of a rule; a rule that is not in the table gets one of the spare looks, always the same for its name."""
    return LOOKS.get(rule) or SPARE[crc32(rule.encode()) % len(SPARE)]


def looks_of(rules: Sequence[str]) -> list[Look]:
    """A look for each of several lines, no two alike: a rule that stands there again gets another colour and shape."""
    colours = list(dict.fromkeys(found[:2] for found in LOOKS.values()))
    shapes = list(MATPLOTLIB_MARKERS)
    used = {look(rule) for rule in rules}
    found: list[Look] = []
    for place, rule in enumerate(rules):
        first = look(rule)
        if rule in rules[:place] or first in found:
            others = (Look(*colour, shape) for shape in shapes for colour in colours)
            fresh = [one for one in others if one not in used and one not in found]
            first = next((one for one in fresh if one.light != first.light and one.shape != first.shape), first)
        found.append(first)
    return found


def shades(theme: Theme, size: int = 128) -> list[str]:
    """The value ramp in ``size`` steps, as hexadecimal colours."""
    stops = np.array([[int(stop[i : i + 2], 16) for i in (1, 3, 5)] for stop in VALUE_RAMP[theme]], dtype=float)
    places = np.linspace(0, len(stops) - 1, size)
    mixed = np.stack([np.interp(places, np.arange(len(stops)), stops[:, k]) for k in range(3)], 1).round().astype(int)
    return ["#" + "".join(f"{channel:02x}" for channel in colour) for colour in mixed]


def second_look(rule: str) -> Look:
    """Another look for a rule that stands beside itself with other settings."""
    first = look(rule)
    return next(spare for spare in SPARE if spare.shape != first.shape and spare.light != first.light)
