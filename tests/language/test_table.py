"""The table: what stands in the documentation was measured, and measuring gives what it says."""

import json
from pathlib import Path

import numpy as np

from workbench.language import table
from workbench.language.room import load_room
from workbench.language.table import (
    FILE,
    NUMBERS,
    Row,
    Strength,
    as_markdown,
    distinct_pairs,
    measure_table,
    shipped_table,
    verdicts,
)

ROOT = Path(__file__).resolve().parents[2]


def test_the_documentation_has_the_shipped_table():
    assert as_markdown(shipped_table()) in (ROOT / "docs" / "language.md").read_text(encoding="utf-8")


def test_qgf_is_paid_more_and_then_less_while_the_proxy_promises_more():
    """Both beyond two standard errors over the proxies."""
    found = json.loads(FILE.read_text(encoding="utf-8"))
    assert found["seeds"] >= 5
    for labels in (200, 1000):
        said = next(one for one in found["verdicts"] if (one["rule"], one["labels"]) == ("qgf", labels))
        assert said["rise"] > 2.0
        assert said["fall"] > 2.0
        rows = [row for row in shipped_table() if (row.name, row.labels) == ("qgf", labels)]
        best = max(range(len(rows)), key=lambda i: rows[i].pay.mean)
        assert rows[-1].proxy.mean > rows[best].proxy.mean > rows[0].proxy.mean


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


def test_rise_and_fall_are_counted_in_standard_errors():
    def rows(rule, value, pay):
        values = np.zeros((3, len(NUMBERS)))
        values[:, NUMBERS.index("pay")] = pay
        made = Row.of(shipped_table()[0].as_dict() | {"rule": rule, "value": value, "others": {}, "labels": 9})
        return made, values

    found = [
        rows("bc", 0.0, [0.0, 0.1, 0.2]),
        rows("best_of_n", 16.0, [0.2, 0.2, 0.2]),
        rows("qgf", 1.0, [0.5, 0.5, 0.8]),
        rows("qgf", 2.0, [0.1, 0.2, 0.3]),
    ]
    (said,) = verdicts(found)
    changes = np.array([0.5, 0.4, 0.6])
    assert said["best"] == 1.0
    assert np.isclose(said["over_best_of_16"], 3.0)
    assert np.isclose(said["rise"], changes.mean() / (changes.std(ddof=1) / 3**0.5))


def test_distinct_pairs():
    assert distinct_pairs([["a", "b", "c"], ["a", "b"]]) == 2 / 3
    assert distinct_pairs([["a"]]) == 0.0
