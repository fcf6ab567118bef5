"""What the pages over the runs on this machine share: who the browser is, buttons that may be refused, a look now and then."""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import ClassVar, Generic, TypeVar

from workbench.engine.words import UserError
from workbench.experiments.store import Store
from workbench.ui.controls.notice import Notice
from workbench.ui.server.fault import told
from workbench.ui.server.lab import stamp_of_store, sweeps
from workbench.ui.server.owner import Owner
from workbench.ui.server.parts_cache import CACHE, Cache, Latest
from workbench.ui.shell.page import Page

log = logging.getLogger(__name__)
A = TypeVar("A")
T = TypeVar("T")


class StorePage(Page):
    """A page that shows what processes write to disk, and starts and stops those processes.

    A subclass calls `keep_looking` at the end of its ``__init__``.

    Parameters
    ----------
    arguments, cache
        As for `Page`.
    pressed : callable
        What the notice's button does.

    Attributes
    ----------
    owner : Owner
        Tells the browser's secret; it must be among the page's panels.
    notice : Notice
    """

    interval: ClassVar[float] = 1.0  # seconds between two looks

    def __init__(
        self, arguments: Mapping[str, str], cache: Cache = CACHE, pressed: Callable[[], None] = lambda: None
    ) -> None:
        super().__init__(arguments, cache)
        self.owner = Owner(margin=0, width=0, height=0)
        self.notice = Notice(pressed)

    @abstractmethod
    def look(self) -> None:
        """Show what is on disk now, if that has changed; called again and again."""

    @abstractmethod
    def follow(self) -> None:
        """Show how far the processes are; called after every button."""

    def secret(self) -> str:
        """The browser's secret, by which the one who launched something is known; UserError while it has not been told."""
        if not self.owner.secret:
            raise UserError("the browser has not said who you are yet; try again in a second")
        return str(self.owner.secret)

    def do(self, action: Callable[[], object]) -> None:
        """Do what a button says; a refusal is shown in its own words."""
        with self.held():
            try:
                action()
                self.notice.say("", "")
            except Exception as error:  # a refusal in its words, a fault as one
                self.notice.say("error", told(error))
            self.follow()

    def in_background(self, work: Callable[[], A], show: Callable[[A | None, Exception | None], None]) -> None:
        """Do ``work`` in a worker thread, and give ``show`` its result or its error in the page's own.

        Every one of these is done, unlike the questions of one `Latest`, of which only the newest is answered.
        """
        deliver = self.later(show)
        task: Latest[None, A] = Latest(lambda _: work(), lambda _, done, error: deliver(done, error))
        task.ask(None)

    def keep_looking(self) -> None:
        """Look again after every `interval`, while the user is there."""

        def again() -> None:
            self.look()
            self.keep_looking()

        self.every(self.interval, again)


class StoreReading(Generic[T]):
    """One page's reading of the store of sweeps: in a worker thread, and again once the store has changed.

    Parameters
    ----------
    page : StorePage
    read : callable
        ``read(store)``, in a worker thread; the store is None where there is none yet.
    show : callable
        ``show(what was read)``, in the page's thread.
    """

    def __init__(self, page: StorePage, read: Callable[[Store | None], T], show: Callable[[T], None]) -> None:
        self._page, self._read, self._show = page, read, show
        self._stamp: tuple[float, ...] = ()
        self._latest: Latest[tuple[float, ...], T] = Latest(self.read, page.later(self._receive))

    def look(self, anyway: bool = False) -> bool:
        """Read the store where it has changed since the last reading, or ``anyway``; returns whether it is being read now.

        Raises
        ------
        UserError, OSError
            The store cannot be opened.
        """
        stamp = stamp_of_store()
        if self._latest.busy or (stamp == self._stamp and not anyway):
            return False
        self._stamp = stamp
        self._latest.ask(stamp)
        return True

    def forget(self) -> None:
        """Read the store at the next look, whether it has changed or not."""
        self._stamp = ()

    def drop(self) -> None:
        """Forget what waits."""
        self._latest.drop()

    def read(self, _: tuple[float, ...] = ()) -> T:
        """What is in the store now."""
        return self._read(sweeps().found())

    def _receive(self, _: tuple[float, ...], answer: T | None, error: Exception | None) -> None:
        if answer is None:
            self._page.notice.say("error", f"The store could not be read. {told(error)}")
            return
        with self._page.held():
            self._show(answer)
