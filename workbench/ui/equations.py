"""A rule's own words for the reader: its equation as SVG, and its docstring without the markup."""

from __future__ import annotations

import re
from html import escape

from workbench.engine.steering.protocol import Rule
from workbench.plots.still import equation_svg


def equations_of(rule: type[Rule]) -> list[str]:
    """The lines of a rule's equation as HTML: pictures with the LaTeX as their spoken label."""
    return [_line(part) for part in rule.equation.split(r"\quad") if part.strip(" ,")]


def _line(latex: str) -> str:
    latex = latex.strip().rstrip(",").strip()
    svg = equation_svg(latex)
    body = svg if svg is not None else f"<code>{escape(latex)}</code>"
    return f'<span class="line" role="img" aria-label="{escape(latex)}">{body}</span>'


def paragraphs_of(rule: type[Rule]) -> list[str]:
    """A rule's docstring in plain words: its formula is shown as ``equation``, section numbers are left out."""
    blocks = (rule.__doc__ or "").split("\n\n")
    words = [" ".join(block.split()) for block in blocks if not block.strip().startswith(".. math::")]
    return [re.sub(r" \(methods\.md[^)]*\)|; methods\.md[^.]*|``", "", block) for block in words] or [""]
