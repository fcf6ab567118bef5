"""What a page is. Subclass `Page`, list it in `workbench.ui.shell.registry`, and it has everything that all pages share."""

from __future__ import annotations

import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlencode

import panel as pn
from bokeh.document import Document
from bokeh.document.events import DocumentChangedEvent
from tornado.ioloop import IOLoop

from workbench.engine.words import UserError
from workbench.ui.server.fault import told
from workbench.ui.server.parts_cache import CACHE, Cache, Latest
from workbench.ui.shell.binding import Binding
from workbench.ui.shell.history import History
from workbench.ui.shell.once_opened import OnceOpened
from workbench.ui.shell.sheet import Scrub, Sheet, names_of, saved_page
from workbench.ui.shell.toolbar import Export, Stop, Toolbar

log = logging.getLogger(__name__)
SOON = 0.15  # seconds between two looks at what is being made
PICTURES = {"PNG picture": "png", "SVG picture": "svg"}  # the browser draws them
SAVED = "HTML that works offline"


class Page(ABC):
    """One user's view of one page; everything that differs between pages is one of the methods below.

    A subclass makes its controls and panes in ``__init__`` (which calls this one's first), and calls `changed` whenever
    the user changed something. All methods run in the page's own thread; work goes to a worker through `Latest`, and
    comes back through `later`.

    Parameters
    ----------
    arguments : mapping of str to str
        The link's arguments.
    cache : Cache
        Tasks and parts shared by all users.

    Attributes
    ----------
    name : str
        The address of the page, its key in `pages.PAGES`.
    title : str
    layout : str
        HTML of the body, made by `layout.sidebar` or by hand: ``{{ embed(roots.SLOT) }}`` is where a pane stands.
    style : str
        CSS of this page's own.
    steers : bool
        Whether its controls change the picture as they move: then they stay beside it on a phone too.
    tour : tuple of Stop
        The guided tour; a stop whose target is not to be seen is skipped.
    binding : Binding
        Binds the page's widgets to what it does when a person changes them, and not when the program sets them.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    layout: ClassVar[str]
    style: ClassVar[str] = ""
    steers: ClassVar[bool] = False
    tour: ClassVar[tuple[Stop, ...]] = ()

    def __init__(self, arguments: Mapping[str, str], cache: Cache = CACHE) -> None:
        self.document: Document | None = pn.state.curdoc
        self.cache = cache if self.document is None else OnceOpened(cache, lambda: self._ready)
        self.binding = Binding(self.held)
        self._loop = None if self.document is None else IOLoop.current()
        self.closed = self._ready = self._waits = False
        self._early: list[Callable[[], None]] = []
        self._unsent: list[DocumentChangedEvent] = []
        self._history: History | None = None
        self._exports = self.exports()
        drawn = [] if type(self).sheet is Page.sheet else [*PICTURES, SAVED]
        self._labels = [*drawn, *(export.label for export in self._exports)]
        self.toolbar = Toolbar(
            self._pressed,
            exports=self._labels,
            tour=[list(stop) for stop in self.tour],
            codes=type(self).code is not Page.code,
        )

    # What a page says about itself

    @abstractmethod
    def panels(self) -> Mapping[str, Any]:
        """The pane of every slot of ``layout``."""

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """Everything that a link must say to reproduce what is shown; defaults may be left out."""

    @abstractmethod
    def restore(self, arguments: Mapping[str, str]) -> None:
        """Show what ``arguments`` (a link's, as `state` wrote them) say: undo and redo call this."""

    def code(self) -> str:
        """A snippet that runs in a notebook and draws the same thing."""
        raise NotImplementedError

    def sheet(self) -> Sheet:
        """The Bokeh figures that are shown: with this a page can be saved as PNG, SVG, and HTML that works offline.

        UserError, in words for the user, while there is nothing to save.
        """
        raise NotImplementedError

    def exports(self) -> tuple[Export, ...]:
        """Further lines of the export menu; asked once, before the controls are made."""
        return ()

    def close(self) -> None:  # noqa: B027 -- most pages hold nothing
        """The user left: stop what runs for this page alone."""

    # What a page can use

    def changed(self) -> None:
        """The user changed something: the address bar and the history follow."""
        link = write_arguments(self.state())
        if self._history is None:
            self._history = History(link)
        self._history.record(link, time.monotonic())
        with self.held():
            self.toolbar.address = link
            self.toolbar.can = self._history.can

    def later(self, show: Callable[..., None]) -> Callable[..., None]:
        """Wrap ``show`` so that it may be called from any thread: it runs in the page's own, while the user is there.

        Not before the browser is ready either: what changes after it read the document and before it said so is lost.
        """

        def receive(*result: object) -> None:
            if self.closed:
                return
            if self._ready:
                self._guarded(lambda: show(*result))
            else:
                self._early.append(lambda: show(*result))

        def enter(*result: object) -> None:
            if self.document is not None and not self.closed:
                self.document.add_next_tick_callback(lambda: receive(*result))

        def deliver(*result: object) -> None:
            if self._loop is None:
                show(*result)
            elif not self.closed:
                # Not `add_next_tick_callback` from here: Bokeh's notion of the present document is one for all threads.
                self._loop.add_callback(enter, *result)

        return deliver

    @contextmanager
    def held(self) -> Iterator[None]:
        """Send the changes of the block when it ends, of each property only the last; blocks may stand in each other.

        Bokeh's own hold. Panel 1.9's (`pn.io.hold`) writes past Bokeh's queue, and loses a batch when another one was
        waiting for the same connection: with thirty people at work, one picture in fifty never came.
        """
        document = self.document
        if document is None or document.callbacks.hold_value:
            yield
            return
        document.hold("combine")
        try:
            yield
        finally:
            self._unsent += document.callbacks._held_events
            document.callbacks._held_events = []
            document.unhold()
            self._send()

    def _send(self) -> None:
        """Hand the changes to Bokeh, in order; outside its lock, where Panel runs some callbacks, in the next tick."""
        if self.document is None or self.closed:
            return
        session = getattr(self.document.session_context, "session", None)
        if session is not None and session._pending_writes is None:
            self.document.add_next_tick_callback(self._send)
            return
        events, self._unsent = self._unsent, []
        for event in events:
            event.callback_invoker = None  # else Panel takes its own changes for the browser's
            self.document.callbacks.trigger_on_change(event)

    def every(self, seconds: float, call: Callable[[], None]) -> None:
        """Call ``call`` in ``seconds``, once, unless the user left before (and never outside a server)."""
        if self.document is None:
            return

        def again() -> None:
            if not self.closed:
                self._guarded(call)

        self.document.add_timeout_callback(again, max(1, round(1000 * seconds)))

    def soon(self, seconds: float, call: Callable[[], None]) -> Callable[[], None]:
        """As `every`, cheaply: most of these calls are taken back before they are due, by what is returned."""
        loop = self._loop
        if loop is None:
            return lambda: None
        due = loop.call_later(seconds, self.later(call))
        return lambda: loop.remove_timeout(due)

    def again(self, call: Callable[[], None]) -> None:
        """Call ``call`` soon, as to look how far something is; while one such call waits, others are not added."""

        def now() -> None:
            self._waits = False
            call()

        if not self._waits:
            self._waits = True
            self.every(SOON, now)

    def _guarded(self, call: Callable[[], None]) -> None:
        try:
            with self.held():
                call()
        except Exception as error:  # whatever it was, the user is told
            self.failed(error)

    # What the shell calls

    def opened(self) -> None:
        """The browser is ready: show what came before."""
        self._ready = True
        early, self._early = self._early, []
        for show in early:
            self._guarded(show)

    def failed(self, error: BaseException) -> None:
        """An event was not answered: the user is told, and the traceback of a fault is in the log."""
        self.toolbar.tell(told(error))

    def left(self) -> None:
        """The user left."""
        self.closed = True
        self.close()

    def _pressed(self, message: dict[str, Any]) -> None:
        what = message["press"]
        if what in ("undo", "redo") and self._history is not None:
            link = self._history.undo() if what == "undo" else self._history.redo()
            if link is not None:
                with self.held():
                    self.restore(read_arguments(link))
                    self.toolbar.address = link
                    self.toolbar.can = self._history.can
        elif what == "take-back":
            self._guarded(self.toolbar.take_back)
        elif what == "code":
            try:
                self.toolbar.show_code(self.code())
            except UserError as error:
                self.toolbar.tell(str(error))
        elif what == "export" and message.get("index") in range(len(self._labels)):
            label = self._labels[message["index"]]
            own = next((export for export in self._exports if export.label == label), None)
            if own is None:
                self._save(label)
            else:  # a page may make its own PNG
                self._export(own)

    def _save(self, label: str) -> None:
        """A picture is drawn by the browser, which has everything; the saved page is made here."""
        try:
            sheet = self.sheet()
        except UserError as error:
            self.toolbar.tell(str(error))
            return
        if label in PICTURES:
            self.toolbar.draw(PICTURES[label], f"{self.name}.{PICTURES[label]}", names_of(sheet))
            return

        def show(_: Sheet, scrub: Scrub | None, error: Exception | None) -> None:
            if error is not None:
                log.warning("export %s failed: %s", label, error)
                self.toolbar.tell(f"{label} could not be made. {told(error)}")
                return
            content = saved_page(self.title, sheet, scrub, self._code_or_nothing())
            self.toolbar.hand_over(Export(label, f"{self.name}.html", "text/html", lambda: content), content)

        Latest(lambda wanted: wanted.scrub(), self.later(show)).ask(sheet)

    def _code_or_nothing(self) -> str:
        try:
            return self.code()
        except (UserError, NotImplementedError):
            return ""

    def _export(self, export: Export) -> None:
        def show(_: Export, content: bytes | None, error: Exception | None) -> None:
            if content is not None:
                self.toolbar.hand_over(export, content)
                return
            log.warning("export %s failed: %s", export.label, error)
            self.toolbar.tell(f"{export.label} could not be made. {told(error)}")

        Latest(lambda wanted: wanted.make(), self.later(show)).ask(export)


def write_arguments(state: Mapping[str, Any]) -> str:
    """A page's state as a query string."""
    return urlencode({name: str(value).lower() if isinstance(value, bool) else value for name, value in state.items()})


def read_arguments(link: str) -> dict[str, str]:
    """Invert `write_arguments`; of a name that stands twice the last counts."""
    return dict(parse_qsl(link, keep_blank_values=True))
