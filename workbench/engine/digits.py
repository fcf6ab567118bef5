"""Numbers as they are written for reading."""

from __future__ import annotations

import math

import numpy as np

LARGE = ((1e12, " trillion"), (1e9, " billion"), (1e6, " million"))
MOST = 1e15  # beyond, nobody reads the words
# between them a number is read without powers of ten
LEAST = 1e-4
LONGEST = 1e12
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
        text = _power(value, 1)
    if size < 1.0 and float(text) == 0.0:
        text = text.lstrip("-")
    return text.replace("-", "−")


def exact(value: float) -> str:
    """Write a setting as it was typed: up to six significant digits, without zeros behind and without powers of e."""
    if isinstance(value, bool) or not math.isfinite(value):
        return str(value)
    return np.format_float_positional(float(f"{value:.6g}"), trim="-")


def rounded(value: float, digits: int) -> float:
    """The number with so many significant digits."""
    return float(f"{value:.{digits}g}")


def short(value: float, digits: int = 3) -> str:
    """Write a measured number whose size nobody knows before, with ``digits`` significant digits: 0.0123, 4.57, 12,300.

    A real minus sign, commas from a thousand on, and powers of ten only for what is too long to be read without.
    """
    if not math.isfinite(value):
        return str(value)
    near = rounded(value, digits) or 0.0  # not −0
    if near and not LEAST <= abs(near) < LONGEST:
        return _power(near, digits - 1)
    whole, dot, rest = np.format_float_positional(near, trim="-").partition(".")
    sign = "−" if whole.startswith("-") else ""
    return f"{sign}{int(whole.lstrip('-')):,}{dot}{rest}"


def duration(seconds: float) -> str:
    """Seconds, or minutes from two on."""
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def _power(value: float, digits: int) -> str:
    """As in 2.1 × 10⁻⁹, with so many digits behind the point."""
    lead, power = f"{value:.{digits}e}".split("e")
    return f"{lead.replace('-', '−')} × 10{str(int(power)).translate(SUPERSCRIPTS)}"
