"""Numbers as they are written for reading."""

from __future__ import annotations

import math


def figure(value: float, digits: int = 2) -> str:
    """Write a number for reading: ``digits`` decimals, a real minus sign, and words where there is no number."""
    if not math.isfinite(value):
        return "not finite"
    text = f"{value:.{digits}f}" if abs(value) < 1000 else f"{value:.1e}"
    if float(text) == 0.0:
        text = text.lstrip("-")
    return text.replace("-", "−")


def duration(seconds: float) -> str:
    """Seconds, or minutes from two on."""
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
