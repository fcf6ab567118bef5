"""What Bokeh's models do in the browser, from script files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bokeh.models import CustomJS, CustomJSTickFormatter

from workbench.ui.browser.link import callback

STOP_WORDS = Path(__file__).parent / "stop_words.js"


def custom_js(entry: Path, **args: Any) -> CustomJS:
    """Call ``run`` of the script ``entry`` with an object of ``args``."""
    return CustomJS(args=args, code=callback(entry, *args))


def stop_words(words: Sequence[str]) -> CustomJSTickFormatter:
    """A slider over positions 0, 1, 2 … that says the word of each."""
    return CustomJSTickFormatter(args={"words": list(words)}, code=callback(STOP_WORDS, "words", "tick"))
