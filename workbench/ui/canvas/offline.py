"""A page as one HTML file: the same canvas scripts, fed from data inside the file instead of by a server."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workbench.plots.markup import html
from workbench.plots.palette import DIFFERENCE_RAMP, VALUE_RAMP
from workbench.ui.browser.first import FIRST
from workbench.ui.browser.link import inline
from workbench.ui.canvas.stage import STYLE

HERE = Path(__file__).parent
TEMPLATE = (HERE / "offline.html").read_text(encoding="utf-8")
PLACE = re.compile(r"/\*(\w+)\*/")
SHELL_STYLE = (HERE.parent / "shell" / "shell.css").read_text(encoding="utf-8")


def offline_page(
    title: str, stages: Mapping[str, bytes], charts: Mapping[str, bytes], code: str, **fields: Any
) -> bytes:
    """Write stages and charts as one file that needs nothing else.

    Parameters
    ----------
    title : str
    stages : mapping of str to bytes
        The blocks of `stage.Stages` by name.
    charts : mapping of str to bytes
        Heading and block of each `stage.TimeChart`.
    code : str
        Python that makes the same picture; shown below it.
    **fields : Any
        Further fields of the stages' component, as plain types.
    """
    ramps = {name: list(stops) for name, stops in VALUE_RAMP.items()}
    differences = {name: list(stops) for name, stops in DIFFERENCE_RAMP.items()}
    model = {
        "view": {"x": 0, "y": 0, "half": 1.25},
        "selected": -1,
        "notice": {},
        "fixed": True,
        "ramps": ramps,
        "differences": differences,
    }
    data = {
        "stages": {name: _text(block) for name, block in stages.items()},
        "charts": [{"heading": heading, "note": "", "series": _text(block)} for heading, block in charts.items()],
        "model": model | fields,
        "style": STYLE,
    }
    # "<" is written as an escape, so that no text can end the script.
    inside: dict[str, str] = {
        "title": html("{}", title),
        "style": SHELL_STYLE,
        "first": FIRST,
        "data": json.dumps(data, allow_nan=False).replace("<", "\\u003c"),
        "script": inline(HERE / "offline.js"),
        "code": html("{}", code),
    }
    # In one pass: a text that looks like another's place stays a text.
    return PLACE.sub(lambda found: str(inside.get(found[1], found[0])), TEMPLATE).encode()


def _text(block: bytes) -> str:
    return base64.b64encode(block).decode("ascii")
