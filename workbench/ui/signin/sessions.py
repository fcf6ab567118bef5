"""Who has signed in: kept here and not in the cookie, so that signing out and expiry end a session for everybody who has it."""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any
from weakref import WeakSet

HOURS = 12.0
IDLE_HOURS = 2.0
MOST = 10_000


class Session:
    """One browser that has signed in.

    Attributes
    ----------
    user : str
    made, seen : float
        When it signed in, and when it did something last.
    sockets : WeakSet
        The websockets of its pages.
    """

    def __init__(self, user: str, now: float) -> None:
        self.user, self.made, self.seen = user, now, now
        self.sockets: WeakSet[Any] = WeakSet()


class Sessions:
    """All sessions of one server, by a token that only the browser's cookie carries.

    Parameters
    ----------
    hours : float
        After so long a session ends whatever is done in it.
    idle_hours : float
        It ends sooner when nothing has been done in it for so long: no page opened, no control touched.
    clock : callable
        Seconds.
    """

    def __init__(
        self, hours: float = HOURS, idle_hours: float = IDLE_HOURS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.hours, self.idle_hours, self._clock = hours, idle_hours, clock
        self._all: OrderedDict[str, Session] = OrderedDict()

    def begin(self, user: str) -> str:
        """A new session; its token."""
        self.sweep()
        token = secrets.token_urlsafe(32)
        self._all[token] = Session(user, self._clock())
        while len(self._all) > MOST:
            self.end(next(iter(self._all)))
        return token

    def find(self, token: str) -> Session | None:
        """The session of a token, while it lasts."""
        session = self._all.get(token)
        if session is not None and self._over(session):
            self.end(token)
            return None
        return session

    def touch(self, session: Session) -> None:
        """Something was done in it."""
        session.seen = self._clock()

    def end(self, token: str) -> None:
        """Sign out: the token is worth nothing any more, and the pages that it opened lose their connection."""
        session = self._all.pop(token, None)
        for socket in () if session is None else tuple(session.sockets):
            socket.close(1008, "signed out")

    def sweep(self) -> None:
        """End every session whose time is over."""
        for token in [token for token, session in self._all.items() if self._over(session)]:
            self.end(token)

    def _over(self, session: Session) -> bool:
        now = self._clock()
        return now - session.made > 3600 * self.hours or now - session.seen > 3600 * self.idle_hours

    def __len__(self) -> int:
        return len(self._all)
