"""How results show themselves in a notebook: the engine says what is to be shown, and draws nothing itself.

Who draws is told from outside (by `workbench` itself: `workbench.elements.shown`), so that an import of the engine imports
no library of pictures, and a notebook loads one when something is displayed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

Painter = Callable[[Any, bool], dict[str, str]]  # (what, whether to draw) -> MIME type to content
_painters: list[Painter] = []


def drawn_by(painter: Painter) -> None:
    """Let ``painter`` draw all that shows itself; the last one counts."""
    _painters[:] = [painter]


class Shown:
    """What a notebook displays richly: words, and where the front end can show it a table with a picture."""

    def _repr_mimebundle_(
        self, include: Collection[str] | None = None, exclude: Collection[str] | None = None
    ) -> dict[str, str]:
        """Words always, HTML where it is wanted; IPython calls this."""
        wanted = (include is None or "text/html" in include) and "text/html" not in (exclude or ())
        if not _painters:
            return {"text/plain": repr(self)}
        found = _painters[-1](self, wanted)
        return {kind: text for kind, text in found.items() if kind == "text/plain" or wanted}
