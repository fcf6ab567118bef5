"""Equations in docstrings: ``.. math::`` becomes the fenced block that the pages write."""

from __future__ import annotations

import re
from typing import Any

import griffe

DIRECTIVE = re.compile(r"^( *)\.\. math:: *(\S.*(?:\n\1 +\S.*)*)", re.M)


def fenced(text: str) -> str:
    """The text with each ``.. math:: LATEX`` as a fenced ``math`` block."""
    return DIRECTIVE.sub(
        lambda found: f"{found[1]}```math\n{found[1]}{' '.join(found[2].split())}\n{found[1]}```", text
    )


class RstMath(griffe.Extension):
    """Rewrites the docstring of each object that was read."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Called by griffe for each object."""
        if obj.docstring is not None:
            obj.docstring.value = fenced(obj.docstring.value)
