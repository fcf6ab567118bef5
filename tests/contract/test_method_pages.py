"""docs/methods: a page and a picture for every rule, whose facts are the registry's of today."""

import re
from pathlib import Path

import pytest

from workbench.engine.steering.rules import RULES
from workbench.method_pages import BEGIN, END, SECTIONS, draw, facts, index, said, with_facts, write_pages

FOLDER = Path(__file__).resolve().parents[2] / "docs/methods"
CURE = "run: make method-pages (and make method-pictures for the picture)"


@pytest.mark.parametrize("name", RULES)
def test_every_rule_has_its_page(name: str) -> None:
    page = FOLDER / f"{name}.md"
    assert page.exists(), f"{page.name} is missing; {CURE}, then write its prose"
    text = page.read_text(encoding="utf-8")
    assert text.startswith(f"# {RULES[name].title}\n")
    assert facts(RULES[name]) in text, f"the facts of {page.name} are not those of the registry; {CURE}"
    for section in SECTIONS:
        found = re.search(rf"## {section}\n\n(.+?)(?:\n\n##|\Z)", text, re.S)
        assert found, section
        assert len(found.group(1)) > 80, f"'{section}' of {page.name} says too little"


@pytest.mark.parametrize("name", RULES)
def test_every_rule_has_a_small_picture(name: str) -> None:
    picture = FOLDER / f"{name}.png"
    assert picture.exists(), f"{picture.name} is missing; {CURE}"
    content = picture.read_bytes()
    assert content.startswith(b"\x89PNG")
    assert 5_000 < len(content) < 80_000


def test_nothing_is_left_of_rules_that_are_gone() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == set(RULES) | {"README"}
    assert (FOLDER / "README.md").read_text(encoding="utf-8") == index(), CURE


def test_refreshing_keeps_the_prose(tmp_path: Path) -> None:
    (tmp_path / "qgf.md").write_text(
        f"# QGF\n\n{BEGIN}\nold\n{END}\n\n## When to use it\n\nAlways.\n", encoding="utf-8"
    )
    write_pages(tmp_path, pictures=False)
    text = (tmp_path / "qgf.md").read_text(encoding="utf-8")
    assert text.endswith("## When to use it\n\nAlways.\n")
    assert "old" not in text
    assert facts(RULES["qgf"]) in text
    assert {path.stem for path in tmp_path.iterdir()} == set(RULES) | {"README"}
    assert with_facts(text, RULES["qgf"]) == text


def test_facts_hold_equation_source_and_cost() -> None:
    for rule in RULES.values():
        assert said(rule, "Cost"), rule.name
        for word in (rule.equation, rule.paper, said(rule, "Cost"), f"({rule.name}.png)"):
            assert word in facts(rule)


def test_a_picture_is_drawn_from_a_run_of_the_rule() -> None:
    from contract.scenes import analytic

    one, other = (draw(RULES[name], analytic(2)) for name in ("grad_step", "qgf"))
    assert one.startswith(b"\x89PNG")
    assert one != other
