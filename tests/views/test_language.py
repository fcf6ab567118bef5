"""The page of language without a browser: columns, links, the ladder of strengths, what is marked."""

import pytest

from workbench.engine.steering.rules import RULES
from workbench.ui.pages.language.draw import curves_figure, sentences, show_curves
from workbench.views.language import (
    LABELS,
    Reading,
    as_csv,
    best_of,
    ladder,
    read,
    read_link,
    rows_of,
    rule_at,
    rules,
    words_of,
    write_link,
)


@pytest.fixture(scope="module")
def columns():
    return read(Reading())


def test_three_columns_say_the_same_prompts(columns):
    assert [column.title for column in columns] == ["Unsteered", "At the dial", "Too far"]
    assert columns[0].strength < columns[1].strength < columns[2].strength
    for one, two, three in zip(*(column.said for column in columns), strict=True):
        assert len({tuple(word.text for word in said.words[:2]) for said in (one, two, three)}) == 1
        assert not any(word.changed for word in one.words)
    assert any(word.changed for said in columns[2].said for word in said.words)


def test_too_far_promises_on_and_is_paid_nothing(columns):
    promised = [sum(said.promised for said in column.said) for column in columns]
    paid = [sum(said.paid for said in column.said) for column in columns]
    assert promised[0] < 0.2 * min(promised[1:])
    assert paid[1] > max(paid[0], paid[2])


def test_words_are_marked_and_escaped(columns):
    text = str(sentences(columns))
    assert 'class="changed' in text
    assert "promised" in text
    assert as_csv(columns).count(b"\n") == 16


def test_a_link_comes_back():
    reading = Reading("vgf", 200, 2, 7)
    assert read_link({name: str(value) for name, value in write_link(reading).items()}) == (reading, [])
    reading, problems = read_link({"rule": "nobody", "labels": "3", "at": "x", "seed": "-1"})
    assert reading == Reading()
    assert len(problems) == 4
    assert "labels is one of 200, 1000, got '3'" in problems, "all that there are need no dots"
    assert any("…, got '-1'" in problem for problem in problems)


def test_curves_say_so_where_nothing_was_measured():
    curves = curves_figure()
    show_curves(curves, None, rows_of("grad_step", 200), 2)
    assert "not measured" in curves.figure.title.text
    assert curves.here.data["x"] == []
    show_curves(curves, None, rows_of("qgf", 200), 2)
    assert "not measured" not in curves.figure.title.text
    assert curves.here.data["x"] == [2]
    assert len(curves.sources["pay"].data["mean"]) == len(rows_of("qgf", 200))


@pytest.mark.parametrize("labels", LABELS)
@pytest.mark.parametrize("rule", rules().values())
def test_every_rule_that_needs_no_further_part_has_a_ladder(rule, labels):
    steps = ladder(rule, labels)
    assert list(steps) == sorted(set(steps))
    assert 0 < best_of(rule, labels) < len(steps)
    assert len(words_of(rule, labels)) == len(steps)
    assert rule_at(rule, labels, steps[-1]).name == rule
    assert rule_at(rule, labels, 0.0).name == "bc"
    assert set(RULES[rule].needs) <= {"reference", "critic"}
