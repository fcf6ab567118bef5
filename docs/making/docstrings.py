"""Docstrings on the site: equations as blocks, and citations of the mathematics as links."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import griffe
from pymdownx.slugs import slugify

DOCS = Path(__file__).resolve().parents[1]
DIRECTIVE = re.compile(r"^( *)\.\. math:: *(\S.*(?:\n\1 +\S.*)*)", re.M)
CITED = re.compile(r"\b(methods|methods_more)\.md,\s+sections?\s+(\d+)")


def fenced(text: str) -> str:
    """The text with each ``.. math:: LATEX`` as a fenced ``math`` block, as pages write it."""
    return DIRECTIVE.sub(
        lambda found: f"{found[1]}```math\n{found[1]}{' '.join(found[2].split())}\n{found[1]}```", text
    )


def linked(text: str) -> str:
    """The text with each "methods.md, section N" as a link to that heading."""

    def link(found: re.Match[str]) -> str:
        page = (DOCS / f"{found[1]}.md").read_text(encoding="utf-8")
        title = re.search(rf"^## ({found[2]}\. .*)$", page, re.M)
        return f"[{found[0]}][{slugify(case='lower')(title[1], '-')}]" if title else found[0]

    return CITED.sub(link, text)


class Docstrings(griffe.Extension):
    """Rewrites the docstring of each object that was read."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Called by griffe for each object."""
        if obj.docstring is not None:
            obj.docstring.value = linked(fenced(obj.docstring.value))
