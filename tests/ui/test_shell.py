"""The shell: history, links, the registry of pages, and what a minimal page gets for nothing."""

import base64
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import panel as pn
import pytest
from bokeh.document import Document
from bokeh.models import ColumnDataSource, Div
from torch import Tensor

from workbench.engine.models.parts import Parts
from workbench.engine.steering.protocol import DuringFlow
from workbench.engine.steering.rules import RULES
from workbench.ui.canvas.bokeh_figures import house_figure
from workbench.ui.server.parts_cache import Cache
from workbench.ui.shell import template
from workbench.ui.shell.history import History
from workbench.ui.shell.layout import sidebar
from workbench.ui.shell.page import Page, read_arguments, write_arguments
from workbench.ui.shell.registry import PAGES, page_class
from workbench.ui.shell.sheet import Scrub, Sheet
from workbench.ui.shell.template import framed
from workbench.ui.shell.toolbar import Export


class Counter(Page):
    """The smallest page: one slider."""

    name: ClassVar[str] = "counter"
    title: ClassVar[str] = "Counter"
    layout: ClassVar[str] = sidebar({"note": "A note"})

    def __init__(self, arguments: Mapping[str, str], cache: Cache) -> None:
        super().__init__(arguments, cache)
        self.slider = pn.widgets.IntSlider(value=int(arguments.get("count", 0)), end=10)
        self.slider.param.watch(lambda _: self.changed(), "value")

    def panels(self) -> Mapping[str, Any]:
        return {"controls": self.slider, "main": pn.pane.HTML("main"), "note": pn.pane.HTML("note")}

    def state(self) -> dict[str, Any]:
        return {"count": self.slider.value}

    def restore(self, arguments: Mapping[str, str]) -> None:
        self.slider.value = int(arguments["count"])

    def code(self) -> str:
        return f"print({self.slider.value})"

    def exports(self) -> tuple[Export, ...]:
        return (Export("CSV", "counter.csv", "text/csv", lambda: str(self.slider.value).encode()),)


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> Counter:
    made = Counter({"count": "3"}, Cache())
    made.changed()
    made.said = []  # what went to the browser
    monkeypatch.setattr(made.toolbar, "_send_msg", made.said.append)
    return made


def test_held_changes_go_out_once_at_the_end_and_are_not_taken_for_the_browsers(page: Counter) -> None:
    page.document, model = Document(), Div(text="first")
    page.document.add_root(model)
    sent: list[Any] = []
    echoes: list[Any] = []
    page.document.on_change(lambda event: sent.append((event.attr, event.new)))
    model.on_change("text", lambda attr, old, new: echoes.append(new))
    with page.held():
        model.text = "second"
        with page.held():
            model.text = "third"
        assert not sent
    assert sent == [("text", "third")]
    assert not echoes


def test_no_page_holds_by_panels_hold(root: Path) -> None:
    """It loses messages when two batches wait for one connection: `Page.held`."""
    pages = list((root / "workbench" / "ui" / "pages").rglob("*.py"))
    assert any("self.held()" in page.read_text(encoding="utf-8") for page in pages)
    assert [page.name for page in pages if "with pn.io.hold" in page.read_text(encoding="utf-8")] == []


def test_quick_changes_are_one_step_of_undo() -> None:
    history = History("a")
    for link, seconds in (("b", 0.0), ("c", 0.3), ("d", 0.6), ("e", 3.0)):
        history.record(link, seconds)
    assert [history.undo(), history.undo(), history.undo()] == ["d", "a", None]
    assert history.can == {"undo": False, "redo": True}
    assert [history.redo(), history.redo(), history.redo()] == ["d", "e", None]


def test_a_change_after_undo_forgets_the_future_and_is_a_step_of_its_own() -> None:
    history = History("a")
    history.record("b", 0.0)
    history.undo()
    history.record("c", 0.1)
    assert history.can == {"undo": True, "redo": False}
    assert history.undo() == "a"


def test_what_has_not_changed_is_no_step() -> None:
    history = History("a")
    history.record("a", 0.0)
    assert history.can == {"undo": False, "redo": False}


def test_arguments_round_trip() -> None:
    state = {"rule": "qgf", "weight": 0.3, "sign": True, "note": "a&b=c δ"}
    assert read_arguments(write_arguments(state)) == {
        "rule": "qgf",
        "weight": "0.3",
        "sign": "true",
        "note": "a&b=c δ",
    }


def test_a_small_page_gets_link_and_undo(page: Counter) -> None:
    assert page.toolbar.address == "count=3"
    page.slider.value = 7
    assert page.toolbar.address == "count=7"
    assert page.toolbar.can == {"undo": True, "redo": False}
    page.toolbar._handle_msg({"press": "undo"})
    assert page.slider.value == 3
    assert page.toolbar.can == {"undo": False, "redo": True}
    page.toolbar._handle_msg({"press": "redo"})
    assert page.slider.value == 7


def test_a_small_page_gets_code_and_exports(page: Counter) -> None:
    page.toolbar._handle_msg({"press": "code"})
    assert page.said[0] == {"kind": "code", "code": "print(3)"}
    assert page.toolbar.exports == ["CSV"]
    page.toolbar._handle_msg({"press": "export", "index": 0})
    while len(page.said) < 2:
        pass
    assert page.said[1] == {"kind": "file", "name": "counter.csv", "mime": "text/csv", "data": "Mw=="}


def test_a_page_with_figures_gets_pictures_and_a_saved_page(monkeypatch: pytest.MonkeyPatch) -> None:
    source = ColumnDataSource({"x": [1.0, 2.0], "y": [3.0, np.nan]})
    made = house_figure("", "x", "y")
    made.scatter("x", "y", source=source)
    Document().add_root(made)  # as on a server: it belongs to the page's document, and stays there

    class Drawn(Counter):
        def sheet(self) -> Sheet:
            moments = [{"x": [place], "y": [0.0]} for place in (0.0, 1.0)]
            return Sheet([[made, ".wb-canvas"]], "<h2>Words</h2>", lambda: Scrub("Step", "ab", 1, [(source, moments)]))

    page = Drawn({"count": "3"}, Cache())
    page.changed()
    said: list[Any] = []
    monkeypatch.setattr(page.toolbar, "_send_msg", said.append)
    assert page.toolbar.exports == ["PNG picture", "SVG picture", "HTML that works offline", "CSV"]
    page.toolbar._handle_msg({"press": "export", "index": 1})
    assert said.pop() == {"kind": "draw", "type": "svg", "name": "counter.svg", "rows": [[made.id, ".wb-canvas"]]}
    page.toolbar._handle_msg({"press": "export", "index": 2})
    deadline = time.monotonic() + 30
    while not said and time.monotonic() < deadline:
        time.sleep(0.02)
    html = base64.b64decode(said[0]["data"]).decode()
    assert said[0]["name"] == "counter.html"
    assert "<h2>Words</h2>" in html
    assert "print(3)" in html
    assert re.findall(r'<(?:script|link)[^>]+(?:src|href)="(?!data:)', html) == []
    assert made.document is not None
    page.toolbar._handle_msg({"press": "export", "index": 3})
    while len(said) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert said[1]["name"] == "counter.csv"


def test_what_was_done_can_be_undone_once(page: Counter) -> None:
    page.slider.value = 7
    page.toolbar.offer_undo("Seven.", lambda: setattr(page.slider, "value", 3))
    assert page.said.pop() == {"kind": "tell", "text": "Seven.", "undo": True}
    page.toolbar._handle_msg({"press": "take-back"})
    assert page.slider.value == 3
    page.slider.value = 5
    page.toolbar._handle_msg({"press": "take-back"})
    assert page.slider.value == 5


@pytest.mark.parametrize("message", [None, 3, "x", {}, {"press": 1}, {"press": "export", "index": 9}, {"press": "x"}])
def test_nonsense_from_a_browser_changes_nothing(page: Counter, message: object) -> None:
    page.toolbar._handle_msg(message)
    assert page.said == []
    assert page.slider.value == 3


def test_a_small_page_stands_in_the_template(page: Counter) -> None:
    assert set(framed(page)._render_items) >= {"toolbar", "controls", "main", "note"}


@pytest.mark.parametrize("name", [*PAGES, "index"])
def test_every_registered_page_is_a_page(name: str) -> None:
    cls = page_class(name)
    assert issubclass(cls, Page)
    assert cls.name == name
    if name in PAGES:
        assert cls.title == PAGES[name].title


class Sideways(DuringFlow):
    """A rule that nobody has: the gradient turned by a right angle."""

    name: ClassVar[str] = "sideways"
    title: ClassVar[str] = "Sideways"
    paper: ClassVar[str] = "this test"
    equation: ClassVar[str] = r"a \leftarrow a + w R \nabla Q(s, a)"

    def guidance(
        self, parts: Parts, rows: Tensor, actions: Tensor, velocity: Tensor, t: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        q, g = self.critic_gradient(parts, rows, actions)
        return g.flip(-1), q, actions


def texts_of(pane: Any) -> str:
    """Everything that a page's panes offer to read: options of lists, and HTML."""
    found = []
    for part in pane.select():
        options = getattr(part, "options", None)
        found.append(str(list(options)) if options else str(getattr(part, "object", "")))
    return " ".join(found)


# A training makes a flow and a critic, which any rule then uses, and so does what is brought: their pages name none.
@pytest.mark.parametrize("name", [*(name for name in PAGES if name not in ("training", "bring")), "index"])
def test_a_rule_that_is_registered_later_is_on_every_page(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RULES, "sideways", Sideways)
    page = page_class(name)({"rule": "sideways"}, Cache())
    try:
        assert any("Sideways" in texts_of(pane) for pane in page.panels().values() if hasattr(pane, "select"))
        assert "sideways" in page.state().values() or name in ("index", "training", "runs", "budget", "compare")
    finally:
        page.left()


def test_a_rule_that_is_registered_later_steers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RULES, "sideways", Sideways)
    cache = Cache()
    cache.wait("bandit2d")
    page = page_class("particles")({"rule": "sideways", "weight": "1"}, cache)
    deadline = time.monotonic() + 30
    while page.answer is None and time.monotonic() < deadline:
        time.sleep(0.02)
    assert [trace.rule for trace in page.answer.traces] == ["bc", "sideways"]
    assert page.answer.numbers[1].shift > 0.01
    assert "sideways" in page.code()


def test_a_page_that_cannot_be_made_says_so_and_the_next_one_opens(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(arguments: Mapping[str, str]) -> Page:
        raise RuntimeError("no <b>such</b> thing")

    monkeypatch.setattr(template, "page_class", lambda name: broken)
    page = template.made("particles", {})
    (words,) = (pane.object for pane in page.panels().values())
    assert "RuntimeError: no &lt;b&gt;such&lt;/b&gt; thing" in words
    framed(page)
    monkeypatch.undo()
    assert isinstance(template.made("index", {}), page_class("index"))
