"""A rule's own words for the reader: its equation as MathML, and its docstring without the markup."""

from __future__ import annotations

import re

from workbench.engine.steering.protocol import Rule
from workbench.plots.markup import Markup, html, own
from workbench.plots.mathml import equation, marked

# Symbols of settings as their equations write them.
GREEK = {"α": r"\alpha", "β": r"\beta", "γ": r"\gamma", "δ": r"\delta", "ε": r"\epsilon", "η": r"\eta", "σ": r"\sigma"}


def equations_of(rule: type[Rule], symbol: str = "") -> list[Markup]:
    """The lines of a rule's equation as HTML, with the LaTeX as their tooltip.

    ``symbol`` is marked where it stands in them (the setting that was just changed).
    """
    return [_line(part, symbol) for part in rule.equation.split(r"\quad") if part.strip(" ,")]


def _line(latex: str, symbol: str) -> Markup:
    latex = latex.strip(" ,")
    markup = equation(latex)
    body = html("<code>{}</code>", latex) if markup is None else own(marked(markup, GREEK.get(symbol, symbol)))
    return html('<span class="line" title="{}">{}</span>', latex, body)


def paragraphs_of(rule: type[Rule]) -> list[str]:
    """A rule's docstring in plain words: its formula is shown as ``equation``, section numbers are left out."""
    blocks = (rule.__doc__ or "").split("\n\n")
    words = [" ".join(block.split()) for block in blocks if not block.strip().startswith(".. math::")]
    return [re.sub(r" \(methods\.md[^)]*\)|; methods\.md[^.]*|``", "", block) for block in words] or [""]
