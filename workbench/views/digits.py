"""Numbers as they are written for reading."""

from __future__ import annotations

import math

import numpy as np

LARGE = ((1e12, " trillion"), (1e9, " billion"), (1e6, " million"))
MOST = 1e15  # beyond, nobody reads the words
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def figure(value: float, digits: int = 2) -> str:
    """Write a number for reading: ``digits`` decimals, a real minus sign, and words where there is no number.

    From a thousand on it has no decimals, and commas; from a million on it is said in words; never in powers of e.
    """
    if not math.isfinite(value):
        return "not finite"
    size = abs(value)
    if size < 999.5:
        text = f"{value:.{digits}f}"
    elif size < 999_999.5:
        text = f"{value:,.0f}"
    elif size < MOST:
        unit, word = next((unit, word) for unit, word in LARGE if size >= unit * 0.9995)
        text = f"{value / unit:.1f}{word}"
    else:
        lead, power = f"{value:.1e}".split("e")
        text = f"{lead} × 10{str(int(power)).translate(SUPERSCRIPTS)}"
    if size < 1.0 and float(text) == 0.0:
        text = text.lstrip("-")
    return text.replace("-", "−")


def exact(value: float) -> str:
    """Write a setting as it was typed: up to six significant digits, without zeros behind and without powers of e."""
    if isinstance(value, bool) or not math.isfinite(value):
        return str(value)
    return np.format_float_positional(float(f"{value:.6g}"), trim="-")


def duration(seconds: float) -> str:
    """Seconds, or minutes from two on."""
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
