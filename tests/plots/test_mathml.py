"""Equations as MathML: every one of the registry is set whole, and what is not LaTeX is left to the caller."""

import re
from xml.etree import ElementTree

import pytest

from workbench.engine.steering.rules import RULES
from workbench.plots.mathml import equation, marked

NAME = "{http://www.w3.org/1998/Math/MathML}"


@pytest.mark.parametrize("rule", RULES.values(), ids=list(RULES))
def test_every_rules_equation_is_set_whole(rule: type) -> None:
    for part in rule.equation.split(r"\quad"):
        found = equation(part.strip(" ,"))
        assert found is not None, part
        root = ElementTree.fromstring(found)
        assert root.tag == f"{NAME}math"
        assert "\\" not in "".join(root.itertext())
        # each letter of the LaTeX that is no command stands in it
        letters = re.sub(r"\\(?:mathrm|hat|bar|mathbb|text|tfrac|frac)|\\[A-Za-z]+", "", part)
        shown = "".join(root.itertext())
        assert [
            letter for letter in re.findall(r"[A-Za-z]", letters) if letter not in shown and letter.upper() != "E"
        ] == []


def test_names_of_functions_are_one_word() -> None:
    assert "<mo>clip</mo>" in (equation(r"\mathrm{clip}(a)") or "")
    assert "<mo>arg</mo>" in (equation(r"\arg\max_a Q") or "")


@pytest.mark.parametrize("latex", [r"\nosuch{x}", r"\frac{1", r"\sqrt[", r"a^", r"\left( x"])
def test_what_cannot_be_set_is_left_to_the_caller(latex: str) -> None:
    assert equation(latex) is None


def test_html_in_an_equation_stays_text() -> None:
    for text in ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;", "<mi onclick='x'>a</mi>"):
        found = equation(rf"\text{{{text}}} < 3")
        assert found is None or not re.search(r"<script|<mi onclick|<[^m/]", found)
    assert "&lt;" in (equation("a < 3") or "") or "&#x0003C;" in (equation("a < 3") or "")


def test_a_symbol_is_marked_wherever_it_stands() -> None:
    found = equation(r"w \alpha + w")
    assert found is not None
    assert marked(found, "w").count('class="on"') == 2
    assert marked(found, r"\alpha").count('class="on"') == 1
    assert marked(found, "Z") == found == marked(found, "")
