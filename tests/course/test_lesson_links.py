"""Lessons 1 to 4: what they link, and that no answer stands before its exercise."""

import re
from pathlib import Path
from urllib.parse import parse_qsl

import nbformat
import pytest

from workbench.ui.shell.registry import PAGES
from workbench.views import links
from workbench.views.question import Policy
from workbench.views.rollout_links import read_link as read_rollouts

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
LINK = re.compile(r"\(http://localhost:5006/(\w+)\?([^)]*)\)")
LESSONS = ["01_first_steps", "02_flows", "03_critics", "04_qgf"]


def text_of(name: str, kind: str = "") -> str:
    notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    return "\n".join(cell.source for cell in notebook.cells if kind in ("", cell.cell_type))


def linked(name: str) -> list[tuple[str, dict[str, str]]]:
    return [(page, dict(parse_qsl(query))) for page, query in LINK.findall(text_of(name, "markdown"))]


@pytest.mark.parametrize("name", LESSONS)
def test_a_lesson_links_its_page_and_every_part_of_the_link_is_read(name):
    found = linked(name)
    assert found
    for page, arguments in found:
        assert page in PAGES
        if page == "rollouts":
            order, problems = read_rollouts(arguments)
            known = {"task", "rule", "other", *order.settings}
        else:
            question, problems = links.read_link(arguments)
            known = set(links.write_link(question))
            known |= {
                name + end
                for end, policy in zip(("", "2"), question.policies, strict=False)
                for name in policy.settings
            }
        assert problems == []
        assert arguments.keys() <= known  # nothing in it is ignored


PICTURES = [  # the lesson, which of its links, the cell that shows the same, and what both show
    ("01_first_steps", 0, ", weight=0.3)", "bandit2d", (Policy("qgf", {"weight": 0.3}),)),
    ("03_critics", 1, "state=(-0.45, -0.8, 0.0, 0.4), weight=0.0)", "three_exits", (Policy("qgf", {"weight": 0.0}),)),
    ("04_qgf", 0, ", weight=0.5)", "bandit2d", (Policy("qgf", {"weight": 0.5}), Policy("noisy", {"weight": 0.5}))),
]


@pytest.mark.parametrize(("name", "index", "code", "task", "policies"), PICTURES)
def test_a_link_reproduces_the_picture_of_the_lesson(name, index, code, task, policies):
    assert re.search(rf'Bench\("{task}".*{re.escape(code)}', text_of(name, "code"))
    question, _ = links.read_link(linked(name)[index][1])
    assert (question.task, question.policies) == (task, policies)
    if "state=" in code:
        assert question.state == (-0.45, -0.8, 0.0, 0.4)


def test_the_rollouts_of_lesson_1_are_those_of_its_last_table():
    order, _ = read_rollouts(linked("01_first_steps")[1][1])
    assert (order.task, order.rule, order.settings, order.other) == ("three_exits", "qgf", {"weight": 0.3}, 10.0)
    assert "for weight in (0.0, 0.3, 10.0)" in text_of("01_first_steps", "code")


@pytest.mark.parametrize("name", LESSONS)
def test_symbols_and_glossary_are_reachable(name):
    first = text_of(name, "markdown").partition("##")[0]
    for page in ("symbols.md", "glossary.md"):
        assert f"]({page})" in first
        assert (NOTEBOOKS / page).exists()
    assert (NOTEBOOKS / "../docs/glossary.md").resolve().exists()


def test_every_symbol_in_a_formula_of_the_lessons_is_in_the_table():
    table = (NOTEBOOKS / "symbols.md").read_text(encoding="utf-8")
    names = {"gamma": "γ", "delta": "δ", "mu": "μ", "pi": "π", "beta": "β", "tau": "τ", "nabla": "∇", "propto": "∝"}
    used = {word for name in LESSONS for word in re.findall(r"\\(\w+)", text_of(name, "markdown"))}
    assert names.keys() - {"tau"} <= used
    for word in used & names.keys():
        assert f"| {names[word]}" in table or f", {names[word]} " in table or f"({names[word]}" in table


BEFORE = [  # the exercise, and the words that give it away
    ("01_first_steps", "first.moved", "course.source(wb.DuringFlow.step"),
    ("02_flows", "flows.target", "x_1 - x_0"),
    ("02_flows", "flows.target", "(x1 - x0)"),
    ("02_flows", "flows.target", "course.source(wb.flow_matching_loss"),
    ("02_flows", "flows.euler", "v(x, i / steps) / steps"),
    ("03_critics", "critics.expectile", "course.source(wb.expectile_loss"),
    ("03_critics", "critics.expectile", "1 - tau, tau"),
    ("04_qgf", "qgf.clean", 'course.source(wb.RULES["qgf"].guidance'),
    ("04_qgf", "qgf.step", 'course.source(wb.RULES["qgf"].guidance'),
]  # fmt: skip


@pytest.mark.parametrize(("name", "exercise", "words"), BEFORE)
def test_the_exercise_stands_before_what_answers_it(name, exercise, words):
    before, mark, after = text_of(name).partition(f'course.check("{exercise}"')
    assert mark
    assert words not in before
    assert words in after


GIVEN_AWAY = [  # the prediction, and words that tell its answer
    ("01_first_steps", "first.push", r"gets worse|more is less|wrong beyond|too hard"),
    ("02_flows", "flows.steps", r"ten small steps|about ten|in ten"),
    ("03_critics", "critics.far", r"only believe|off the data|away from the data|wrong beyond"),
    ("03_critics", "critics.loop", r"impossible|overrate|explode"),
    ("03_critics", "critics.expectile", r"climb|high expectile|close to the best"),
    ("04_qgf", "qgf.noise", r"\bstead[yi]|turns most|cheapest that works"),
    ("04_qgf", "qgf.wide", r"earns less"),
]


@pytest.mark.parametrize(("name", "question", "words"), GIVEN_AWAY)
def test_nothing_before_a_prediction_tells_its_answer(name, question, words):
    notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    sources = [cell.source for cell in notebook.cells]
    place = next(i for i, source in enumerate(sources) if f'course.predict("{question}")' in source)
    prose = "\n".join(cell.source for cell in notebook.cells[:place] if cell.cell_type == "markdown")
    assert not re.search(words, prose, re.IGNORECASE)
