"""A table as Markdown, and as LaTeX for a paper."""

from __future__ import annotations

import re

from workbench.report.tables import Table

LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "–": "--",
    "−": "$-$",
    "α": r"$\alpha$",
    "τ": r"$\tau$",
    "→": r"$\to$",
    "×": r"$\times$",
    "…": r"\dots{}",
    **{letter: f"\\{letter}" for letter in "&%$#_{}"},
}
MARKED = re.compile(r"([\\|*_`<>\[\]])")


def markdown(table: Table) -> str:
    """The table under its title, its note below."""
    lines = [
        f"## {table.title}",
        "",
        "| " + " | ".join(map(_escaped, table.heads)) + " |",
        "|" + "|".join("---" if number == 0 else "---:" for number in range(len(table.heads))) + "|",
        *("| " + " | ".join(map(_escaped, row)) + " |" for row in table.rows),
    ]
    return "\n".join([*lines, *(["", _escaped(table.note)] if table.note else [])]) + "\n"


def latex(table: Table) -> str:
    """The table as a ``tabular`` with the rules of booktabs, its title and note as the caption."""
    columns = "l" + "r" * (len(table.heads) - 1)
    caption = f"{table.title}. {table.note}" if table.note else f"{table.title}."
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{in_latex(caption)}}}",
        rf"\begin{{tabular}}{{{columns}}}",
        r"\toprule",
        " & ".join(map(in_latex, table.heads)) + r" \\",
        r"\midrule",
        *(" & ".join(map(in_latex, row)) + r" \\" for row in table.rows),
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def in_latex(text: str) -> str:
    """``text`` with what LaTeX reads as commands written out."""
    return "".join(LATEX.get(letter, letter) for letter in text)


def _escaped(text: str) -> str:
    return MARKED.sub(r"\\\1", text).replace("\n", " ")
