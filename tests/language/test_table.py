"""The table: what stands in the documentation was measured, and measuring gives what it says."""

import json
from pathlib import Path

import numpy as np

from workbench.language import table
from workbench.language.claims import PAY, claims, ratio_of
from workbench.language.room import load_room
from workbench.language.table import (
    FILE,
    NUMBERS,
    Row,
    Strength,
    as_markdown,
    distinct_pairs,
    measure_table,
    seconds_of,
    shipped_table,
)
from workbench.language.task import LanguageTask

ROOT = Path(__file__).resolve().parents[2]


def test_the_documentation_has_the_shipped_table():
    assert as_markdown(shipped_table()) in (ROOT / "docs" / "language.md").read_text(encoding="utf-8")


def shipped():
    return json.loads(FILE.read_text(encoding="utf-8"))


def test_the_documentation_has_the_shipped_claims():
    text = (ROOT / "docs" / "language.md").read_text(encoding="utf-8")
    for claim in shipped()["claims"]:
        assert f"- {claim['text']}" in text


def test_qgf_is_paid_more_and_then_less_while_the_proxy_promises_more():
    """Both beyond two standard errors over proxies that had no say in the strength."""
    found = shipped()
    assert found["seeds"] >= 5
    for labels in (200, 1000):
        said = next(one for one in found["claims"] if (one["rule"], one["labels"]) == ("qgf", labels))
        assert said["rise"] > 2.0
        assert said["fall"] > 2.0
        rows = [row for row in shipped_table() if (row.name, row.labels) == ("qgf", labels)]
        best = max(range(len(rows)), key=lambda i: rows[i].pay.mean)
        assert rows[-1].proxy.mean > 0.8 * rows[best].proxy.mean > rows[0].proxy.mean
        assert rows[-1].pay.mean < 0.2 * rows[best].pay.mean


def test_under_vgf_the_proxy_promises_more_for_less():
    for labels in (200, 1000):
        rows = [row for row in shipped_table() if (row.rule, row.labels) == ("vgf", labels)]
        assert rows[-1].proxy.mean > 1.5 * rows[-2].proxy.mean
        assert rows[-1].pay.mean < rows[-2].pay.mean


def test_what_the_documentation_says_of_matched_cost():
    """The sentences beside the table are read from these numbers."""
    found = {(one["rule"], one["labels"]): one for one in shipped()["claims"]}
    paid = {(row.name, row.value, row.labels): row.pay.mean for row in shipped_table()}
    for labels, times in ((1000, 5.0), (200, 3.5)):
        qgf = found["qgf", labels]
        assert qgf["pay"]["mean"] > times * paid["best_of_n", 2, labels]
        assert qgf["over_best_of_16"]["low"] > 1.0
        assert found["qgf ×8", labels]["over_best_of_16"]["mean"] < 2.0
        assert found["vgf ×8", labels]["over_best_of_16"]["mean"] < 1.0
    assert found["qgf", 1000]["pay"]["mean"] > 1.6 * found["qgf", 200]["pay"]["mean"]


def test_a_row_is_measured_and_comes_back(monkeypatch):
    monkeypatch.setattr(table, "STATES", 4)
    monkeypatch.setattr(table, "DRAWS", 4)
    grid = (Strength("bc", "", 0.0, {}), Strength("qgf", "weight", 40.0, {}))
    (still, _), (moved, values) = measure_table(load_room(), grid, (60,), (0, 1))
    assert still.shift.mean < 1e-6
    assert moved.shift.mean > 1.0
    assert moved.proxy.mean > still.proxy.mean
    assert (still.network_evaluations, moved.network_evaluations) == (10, 20)
    assert values.shape == (2, len(NUMBERS))
    assert Row.of(json.loads(json.dumps(moved.as_dict()))) == moved


def rows_of(rule, value, pay, cost=1):
    values = np.zeros((len(pay), len(NUMBERS)))
    values[:, PAY] = pay
    said = {"rule": rule, "value": value, "others": {}, "labels": 9, "network_evaluations": cost}
    return Row.of(shipped_table()[0].as_dict() | said), values


def test_a_strength_is_judged_by_the_proxy_that_did_not_choose_it():
    """Each of two strengths is the best with one proxy, by luck: chosen by the others each proxy gets the other one."""
    found = [
        rows_of("bc", 0.0, [0.0, 0.1]),
        rows_of("best_of_n", 16.0, [0.2, 0.2], cost=2),
        rows_of("qgf", 1.0, [0.9, 0.3]),
        rows_of("qgf", 2.0, [0.1, 0.7]),
    ]
    (said,) = claims(found)
    assert np.isclose(said.pay.mean, (0.1 + 0.3) / 2)
    assert np.isclose(said.over_best_of_16.mean, 1.0)
    change = np.array([0.1, 0.2])  # from the behaviour policy: 0.1 - 0.0 and 0.3 - 0.1
    assert np.isclose(said.rise, change.mean() / (change.std(ddof=1) / 2**0.5))
    change = np.array([0.0, -0.4])  # to the last strength
    assert np.isclose(said.fall, change.mean() / (change.std(ddof=1) / 2**0.5))


def test_the_comparison_costs_no_more_than_best_of_16():
    found = [
        rows_of("bc", 0.0, [0.0, 0.1, 0.0]),
        rows_of("best_of_n", 16.0, [0.2, 0.3, 0.1], cost=176),
        rows_of("vgf", 1.0, [0.3, 0.4, 0.2], cost=176),
        rows_of("vgf", 2.0, [0.8, 0.9, 0.7], cost=177),
        rows_of("noisy", 1.0, [0.8, 0.9, 0.7], cost=177),
    ]
    vgf, noisy = claims(found)
    assert np.isclose(vgf.over_best_of_16.mean, 1.5)
    assert vgf.strength == 2.0
    assert np.isclose(vgf.pay.mean, 0.8)
    assert np.isnan(noisy.over_best_of_16.mean), "it has no strength at that cost"


def test_an_interval_of_a_ratio_is_over_pairs():
    below = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    found = ratio_of(2.0 * below, below)
    assert np.allclose((found.mean, found.low, found.high), 2.0)
    found = ratio_of(np.array([2.0, 4.0, 6.0, 8.0, 20.0]), below)
    assert found.low < found.mean < found.high


def test_seconds_are_measured():
    room = load_room()
    assert seconds_of(room, Strength("bc", "", 0.0, {}).make(), LanguageTask(60).parts(), repeats=1) > 0.0


def test_distinct_pairs():
    assert distinct_pairs([["a", "b", "c"], ["a", "b"]]) == 2 / 3
    assert distinct_pairs([["a"]]) == 0.0
