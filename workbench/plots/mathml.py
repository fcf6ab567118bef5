"""Equations for a web page: LaTeX as MathML, which browsers set and screen readers read. No script and no network."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal
from xml.etree import ElementTree

from latex2mathml.converter import convert

# What the converter does not know, or takes apart: names of functions are one word.
WORD = re.compile(r"\\mathrm\{([A-Za-z]{2,})\}")
ARG = re.compile(r"\\arg(?![A-Za-z])")
SIGNS = str.maketrans({"<": r"\lt ", ">": r"\gt "})
# Fonts with the tables that set sub- and superscripts; one of them is on every common system. Named on each element, for the
# generic `math` of some systems has no such tables.
FONTS = "STIX Two Math, Cambria Math, Latin Modern Math, Noto Sans Math, DejaVu Math TeX Gyre, math"
LETTER = re.compile(r"<mi>(.+?)</mi>")
ELEMENT = re.compile(r"\{http://www\.w3\.org/1998/Math/MathML\}m[a-z]+")
COMMAND = re.compile(r"\\[A-Za-z]+")


@lru_cache(maxsize=512)
def equation(latex: str, display: Literal["inline", "block"] = "inline") -> str | None:
    """``latex`` as a ``<math>`` element; None where it cannot be set whole."""
    text = WORD.sub(r"\\operatorname{\1}", latex).translate(SIGNS)
    text = ARG.sub(r"\\operatorname{arg}", text)
    if text.count("{") != text.count("}"):
        return None
    try:
        markup: str = convert(text, display=display)
    except Exception:  # the converter has an error of its own for each kind of misspelt LaTeX, without a common base
        return None
    if not _is_mathml(markup) or COMMAND.search(markup):
        return None
    return markup.replace("<math ", f'<math style="font-family: {FONTS}" ', 1)


def _is_mathml(text: str) -> bool:
    """Whether it is well formed and has MathML's own elements alone: the converter lets markup in a text through."""
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError:
        return False
    return all(ELEMENT.fullmatch(one.tag) and "href" not in one.attrib for one in root.iter())


def marked(mathml: str, symbol: str) -> str:
    """Give every place of the one letter that ``symbol`` is in LaTeX the class ``on``."""
    letter = LETTER.search(equation(symbol) or "") if symbol else None
    return mathml.replace(letter[0], f'<mi class="on">{letter[1]}</mi>') if letter else mathml
