"""A rule's own words for the reader: its equation as SVG, and its docstring without the markup."""

from __future__ import annotations

import re

from workbench.engine.steering.protocol import Rule
from workbench.plots.markup import Markup, html, own
from workbench.plots.still import equation_svg

GREEK = {"α": r"\alpha", "β": r"\beta", "γ": r"\gamma", "δ": r"\delta", "ε": r"\epsilon", "η": r"\eta", "σ": r"\sigma"}
GLYPH = re.compile(r'href="#eq[0-9a-f]+-([^"]+)"')


def equations_of(rule: type[Rule], symbol: str = "") -> list[Markup]:
    """The lines of a rule's equation as HTML: pictures with the LaTeX as their spoken label.

    ``symbol`` is marked where it stands in them (the setting that was just changed).
    """
    return [_line(part, symbol) for part in rule.equation.split(r"\quad") if part.strip(" ,")]


def _line(latex: str, symbol: str) -> Markup:
    latex = latex.strip().rstrip(",").strip()
    svg = equation_svg(latex)
    body = own(marked(svg, symbol)) if svg is not None else html("<code>{}</code>", latex)
    return html('<span class="line" role="img" aria-label="{}">{}</span>', latex, body)


def marked(svg: str, symbol: str) -> str:
    """Give every glyph of ``symbol`` in an equation's picture the class ``on``: glyphs are named by font and character."""
    alone = equation_svg(GREEK.get(symbol, symbol)) if symbol else None
    found = GLYPH.search(alone) if alone else None
    if found is None:
        return svg
    glyph = re.escape(found.group(1))
    return re.sub(rf'<use (href="#eq[0-9a-f]+-{glyph}")', r'<use class="on" \1', svg)


def paragraphs_of(rule: type[Rule]) -> list[str]:
    """A rule's docstring in plain words: its formula is shown as ``equation``, section numbers are left out."""
    blocks = (rule.__doc__ or "").split("\n\n")
    words = [" ".join(block.split()) for block in blocks if not block.strip().startswith(".. math::")]
    return [re.sub(r" \(methods\.md[^)]*\)|; methods\.md[^.]*|``", "", block) for block in words] or [""]
