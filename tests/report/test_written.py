"""Tables as Markdown and LaTeX: what either reads as a command stands there as it is."""

import re

from workbench.report.tables import Table
from workbench.report.written import in_latex, latex, markdown

ODD = Table(
    "A_b", ("method", "50% | x"), [("qgf_chain {1}", "0.5 [0.4, 0.6] *"), ("a\\b", "3 × −1")], "Note: α → 0, 95%."
)


def test_markdown_has_a_cell_for_each() -> None:
    lines = markdown(ODD).splitlines()
    rows = [line for line in lines if line.startswith("|")]
    assert len(rows) == 4
    assert all(len(re.findall(r"(?<!\\)\|", row)) == 3 for row in rows)
    assert r"qgf\_chain" in rows[2]
    assert r"0.5 \[0.4, 0.6\] \*" in rows[2]
    assert lines[0] == "## A_b"
    assert "Note: α → 0, 95%." in lines


def test_latex_has_no_stray_command() -> None:
    text = latex(ODD)
    body = text[text.index(r"\midrule") : text.index(r"\bottomrule")]
    assert r"qgf\_chain \{1\} & 0.5 [0.4, 0.6] * \\" in body
    assert r"a\textbackslash{}b & 3 $\times$ $-$1 \\" in body
    assert r"\begin{tabular}{lr}" in text
    assert r"50\% | x" in text
    assert r"\caption{A\_b. Note: $\alpha$ $\to$ 0, 95\%.}" in text
    assert in_latex("~^&#$") == r"\textasciitilde{}\textasciicircum{}\&\#\$"
