"""Text of a store that somebody sent, in every place that makes HTML of it: it is shown, and is no markup."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from workbench.experiments.grid import Grid
from workbench.experiments.row import Row
from workbench.experiments.serial import Serial
from workbench.experiments.store import Store
from workbench.experiments.summary import Curve, curves
from workbench.experiments.sweep import sweep
from workbench.plots.markup import Markup, html, joined
from workbench.report.page import write_report
from workbench.ui.controls.notice import Notice, numbers
from workbench.ui.pages.budget.table import match_table, points_table
from workbench.ui.pages.runs.details import describe
from workbench.ui.shell.html_pane import HTML

MARKS = [
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(1)</script>",
    '"><svg onload=alert(1)>',
    "'onmouseover='alert(1)",
    "<b>{0}%s</b>",
]
SAFE = {
    "h2",
    "h3",
    "p",
    "div",
    "table",
    "thead",
    "tbody",
    "tr",
    "td",
    "th",
    "a",
    "details",
    "summary",
    "pre",
    "small",
    "dl",
    "dt",
    "dd",
    "ul",
    "li",
    "button",
}


class Seen(HTMLParser):
    """Tags and attributes as a browser reads them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[Any]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}


def check(text: str, known: set[str] = SAFE) -> None:
    seen = Seen(str(text))
    assert seen.tags <= known, seen.tags - known
    assert not {name for name in seen.attributes if name.startswith("on") or name == "src"}


@pytest.mark.parametrize("mark", MARKS)
def test_the_builder_escapes_values_of_any_type(mark: str) -> None:
    class Odd:
        def __str__(self) -> str:
            return mark

    class Int(int):
        def __str__(self) -> str:
            return mark

        __format__ = lambda self, _: mark  # noqa: E731

    for value in (mark, Odd(), Int(3), [mark], {mark: mark}, ValueError(mark)):
        for made in (html("<p>{}</p>", value), html('<p title="{v}">x</p>', v=value), joined([value], "<br>")):
            assert isinstance(made, Markup)
            check(made, {"p", "br"})
        check(numbers(value, value, [(mark, f"{mark} ±{mark}", mark)]))
        notice = Notice()
        notice.say(mark, str(value), 0.5)
        check(notice.text)
    assert check(HTML(mark)._transform_object(mark)["object"].replace("&amp;", "&")) is None
    assert html("<p>{}</p>", html("<b>{}</b>", "x")) == "<p><b>x</b></p>"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Two finished runs of a small sweep."""
    found = Store(tmp_path_factory.mktemp("sent") / "store", create=True)
    grid = Grid(tasks=("bandit2d",), rules=("qgf",), axes={"qgf.weight": (0.1, 1.0)}, seeds=(0,), episodes=5)
    list(sweep(grid, found, Serial()))
    return found


def spoilt(value: Any, mark: str) -> Any:
    """Every text of a record with ``mark`` behind it; numbers that only stand in words become texts."""
    if isinstance(value, dict):
        return {name: spoilt(inner, mark) for name, inner in value.items()}
    if isinstance(value, list):
        return [spoilt(inner, mark) for inner in value]
    return f"{value}{mark}" if isinstance(value, str) else value


@pytest.mark.parametrize("mark", MARKS)
def test_every_text_of_a_run_is_shown_as_text(store: Store, mark: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = store.rows()
    for row in rows:
        odd = Row(**{name: spoilt(value, mark) if name != "key" else value for name, value in vars(row).items()})
        for changed in (odd, Row(**vars(odd) | {"status": "failed", "seed": mark, "finished": mark, "error": mark})):
            for kind in ("job", "result", "events"):
                original = getattr(Store, kind)
                monkeypatch.setattr(Store, kind, lambda self, key, original=original: spoilt(original(self, key), mark))
            failure = {"error": mark, "traceback": mark, "attempts": mark, "time": mark, "by": None}
            monkeypatch.setattr(Store, "failure", lambda self, key, failure=failure: failure)
            check(describe(store, [changed]))
            monkeypatch.undo()
    check(describe(store, rows))


@pytest.mark.parametrize("mark", MARKS)
def test_budget_tables_and_the_report_show_names_as_text(
    store: Store, mark: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [replace(curve, task=curve.task + mark, axis=curve.axis + mark) for curve in curves(store)]
    monkeypatch.setattr(Curve, "name", property(lambda self: f"{self.rule}{mark}"))
    check(points_table(found))
    check(match_table(found, float(found[0].column("shift.w2").mean()), lambda curve, value: mark))
    monkeypatch.setattr("workbench.report.page.read_curves", lambda _: (found, {}))
    (path,) = write_report(store, tmp_path / "report.html")
    page = path.read_text()
    assert "alert(1)</script>" not in page
    assert not re.search(r"<(img|svg) (src=x |on)", page)
