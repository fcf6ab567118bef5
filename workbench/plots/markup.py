"""HTML from data: the one place where text becomes markup.

A `Markup` is made of constant HTML and of values, and every value that is not a `Markup` itself is escaped, whatever its type is
said to be: what stands in a store or a link may be anything. tests/contract/test_markup.py sees to it that HTML is written in
no other way.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import LiteralString

from markupsafe import Markup

__all__ = ["Markup", "html", "joined", "own"]


def html(template: LiteralString, /, *values: object, **named: object) -> Markup:
    """Constant HTML with values in it, where `str.format` puts them.

    Parameters
    ----------
    template : str
        Written out where the function is called; braces are doubled as for `str.format`.
    *values, **named : object
        Escaped, but for a `Markup`.
    """
    return Markup(template).format(*values, **named)


def joined(parts: Iterable[object], between: LiteralString = "") -> Markup:
    """Parts one after the other; those that are no `Markup` are escaped."""
    return Markup(between).join(part if isinstance(part, Markup) else str(part) for part in parts)


def own(text: str) -> Markup:
    """HTML that another program of this project's made: a typeset equation, a chart, a style sheet of the package.

    Never for what holds words from outside as they came; each use is listed in tests/contract/test_markup.py.
    """
    return Markup(text)
