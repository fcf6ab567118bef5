"""The pane of every page for HTML: it shows a `Markup`, and anything else as the text that it is."""

from __future__ import annotations

from typing import Any

import panel as pn
from markupsafe import escape


class HTML(pn.pane.HTML):
    """`panel.pane.HTML` that escapes what is no `Markup`, so that forgetting to do so shows tags and runs none."""

    def _transform_object(self, obj: Any) -> dict[str, Any]:
        # A plain str from here on: Panel escapes once more for the way, with methods that a `Markup` has of its own.
        return super()._transform_object("" if obj is None else str(escape(obj)))
