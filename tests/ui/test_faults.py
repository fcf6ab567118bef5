"""A page says a refusal in its own words, and of a fault of the workbench that it is one, with the log for the rest."""

import gc
import logging
import threading
import weakref
from collections.abc import Callable, Mapping
from typing import Any

import panel as pn
import pytest
from panel.io import state

from workbench.engine.words import UserError
from workbench.ui.pages.landscape.page import LandscapePage
from workbench.ui.pages.runs.page import RunsPage
from workbench.ui.server.fault import ToldError, told
from workbench.ui.server.parts_cache import CACHE, Latest
from workbench.ui.shell.page import Page
from workbench.ui.shell.template import FailedPage, handler_of, made
from workbench.views.terrain import Terrain, View

FAULT = "This is a fault of the workbench, not of what you chose; the server's log says where (ValueError: a bug)."


def raising(error: Exception) -> Callable[..., Any]:
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


@pytest.mark.parametrize("error", [UserError("take fewer particles"), OSError(28, "No space left on device")])
def test_a_refusal_has_its_own_words(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    assert told(error) in ("take fewer particles", "No space left on device")
    assert not caplog.records


@pytest.mark.parametrize("kind", [ValueError, KeyError, TypeError, ImportError, RuntimeError])
def test_a_fault_is_said_to_be_one_and_its_traceback_is_logged(kind: type, caplog: pytest.LogCaptureFixture) -> None:
    words = told(kind("a bug"))
    assert words.startswith("This is a fault of the workbench")
    assert "server's log" in words
    assert kind.__name__ in words
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.exc_info is not None
    assert told(ToldError(words)) == words  # said once, logged once
    assert len(caplog.records) == 1


@pytest.mark.parametrize(
    ("error", "words"), [(ValueError("a bug"), FAULT), (UserError("take a coarser grid"), "take a coarser grid")]
)
def test_a_picture_that_cannot_be_computed(error: Exception, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    page = LandscapePage({"task": "bandit2d", "rule": "qgf"}, CACHE)
    monkeypatch.setattr("workbench.views.question.steer", raising(error))
    heard: list[Exception | None] = []
    over = threading.Event()

    def deliver(view: View, found: Terrain | None, error: Exception | None) -> None:
        page._show(view, found, error)
        heard.append(error)
        over.set()

    Latest(page._find, deliver).ask(page._view())
    assert over.wait(120)
    assert heard == [error]
    assert words.replace("'", "&#39;") in page.notice.text
    page.left()


@pytest.mark.parametrize(("error", "words"), [(ValueError("a bug"), FAULT), (UserError("wait for it"), "wait for it")])
def test_a_button_of_a_store_page(error: Exception, words: str) -> None:
    page = RunsPage({}, CACHE)
    page.do(raising(error))
    assert words.replace("'", "&#39;") in page.notice.text
    page.left()


def test_a_page_that_cannot_be_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workbench.ui.shell.template.page_class", lambda name: raising(ValueError("a bug")))
    page = made("particles", {})
    assert isinstance(page, FailedPage)
    assert FAULT.replace("'", "&#39;") in page.panels()["main"].object
    monkeypatch.setattr("workbench.ui.shell.template.page_class", lambda name: raising(UserError("no such page")))
    page = made("particles", {})
    assert "<p>no such page</p>" in page.panels()["main"].object


class Plain(Page):
    """A page with one event."""

    name, title, layout = "plain", "Plain", ""

    def panels(self) -> Mapping[str, Any]:
        return {}

    def state(self) -> dict[str, Any]:
        return {}

    def restore(self, arguments: Mapping[str, str]) -> None:
        raise ValueError("a bug")


def test_an_event_that_is_not_answered_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Panel asks the page's own handler, which `open_page` names."""
    page, said = Plain({}, CACHE), []
    monkeypatch.setattr(page.toolbar, "_send_msg", said.append)
    monkeypatch.setattr(pn.config, "exception_handler", page.failed)
    state._handle_exception(ValueError("a bug"))
    page._guarded(raising(ValueError("a bug")))
    assert said == [{"kind": "tell", "text": FAULT, "undo": False}] * 2


def test_the_handler_of_a_session_does_not_keep_its_page() -> None:
    """Panel keeps the handler by the session's document, which the page holds: held by it, neither would ever go."""
    page = made("no such page", {})
    handler, reference = handler_of(page), weakref.ref(page)
    page.left()
    del page
    gc.collect()
    assert reference() is None
    handler(ValueError("too late"))  # nobody is there to be told
