"""Lessons 5 to 10: what they link, that no answer stands before its exercise, and that no heading tells a prediction."""

import re
from pathlib import Path
from urllib.parse import parse_qsl

import nbformat
import pytest

from workbench.ui.shell.registry import PAGES
from workbench.views import links
from workbench.views.rollout_links import read_link as read_rollouts

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
LINK = re.compile(r"\(http://localhost:5006/(\w+)(?:\?([^)]*))?\)")
LESSONS = ["05_vgf", "06_shift", "07_real_task", "08_your_own", "09_brought", "10_language"]


def cells_of(name: str) -> list[nbformat.NotebookNode]:
    return nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4).cells


def text_of(name: str) -> str:
    return "\n".join(cell.source for cell in cells_of(name))


@pytest.mark.parametrize("name", LESSONS)
def test_a_lesson_shows_the_page_of_its_subject_and_links_symbols_and_glossary(name):
    text = text_of(name)
    found = LINK.findall(text)
    assert found or 'dashboard("particles"' in text
    assert "](symbols.md)" in text.partition("##")[0]
    assert "glossary.md" in text.partition("##")[0]
    for page, query in found:
        assert page in PAGES
        arguments = dict(parse_qsl(query))
        order, problems = (read_rollouts if page == "rollouts" else links.read_link)(arguments)
        assert problems == []
        if page == "particles":
            assert arguments.keys() <= set(links.write_link(order))  # nothing in it is ignored


@pytest.mark.parametrize(
    ("name", "exercise", "words"),
    [
        ("05_vgf", "vgf.kernel", "np.exp("),
        ("05_vgf", "vgf.pull", "course.source("),
        ("06_shift", "shift.matched", "np.interp"),
    ],
)
def test_the_exercise_stands_before_what_answers_it(name, exercise, words):
    before, mark, after = text_of(name).partition(f'course.check("{exercise}"')
    assert mark
    assert words not in before
    assert words in after


@pytest.mark.parametrize(
    ("name", "question", "words"),
    [
        ("05_vgf", "vgf.alone", r"nearer at|both peaks|parted"),
        ("05_vgf", "vgf.alpha", r"trap|whatever α|same length|as long"),
        ("05_vgf", "vgf.budgets", r"L_test decides|hardly changes"),
        ("06_shift", "shift.best", r"small push|gentle"),
        ("06_shift", "shift.luck", r"partly luck|too high"),
        ("07_real_task", "real.clone", r"never arrives|0%"),
        ("08_your_own", "own.rule", r"further|√2|farther"),
        ("09_brought", "brought.activation", r"earns less|return fell|no error"),
        ("10_language", "language.fooled", r"stays high|hacked|falls|plateau|in the end"),
        ("10_language", "language.where", r"stays high|hacked|plateau|1000|3000"),
    ],
)
def test_nothing_before_a_prediction_tells_its_answer(name, question, words):
    prose = []
    for cell in cells_of(name):
        if f'course.predict("{question}")' in cell.source:
            break
        if cell.cell_type == "markdown":
            prose.append(cell.source)
    else:
        pytest.fail(f"{question} is not asked")
    assert not re.search(words, "\n".join(prose))


@pytest.mark.parametrize(
    ("symbol", "formula"),
    [("φ", r"\varphi"), ("r_ij", "r_{ij}"), ("p_α", r"p_\alpha"), ("c |", "c}{"), ("ε", r"\epsilon")],
)
def test_the_symbols_of_lesson_5_are_in_the_table(symbol, formula):
    assert formula in text_of("05_vgf")
    assert symbol in (NOTEBOOKS / "symbols.md").read_text(encoding="utf-8")
