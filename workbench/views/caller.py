"""Who asked for work of seconds: hears how far it is, and may not want it any more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from workbench.views.background import ending


class OvertakenError(Exception):
    """What is being made is no longer wanted."""


class Caller(Protocol):
    """Who waits for a piece of work, in this process or in another one."""

    def progress(self, *values: float) -> None:
        """Hear how far it is; what the numbers mean is between the two."""

    def overtaken(self) -> bool:
        """Whether it is not wanted any more."""


@dataclass(frozen=True)
class Waiting:
    """A caller made of two functions.

    Parameters
    ----------
    hear : callable
        ``hear(*values)``.
    gone : callable
        ``gone() -> bool``.
    """

    hear: Callable[..., None] = lambda *values: None
    gone: Callable[[], bool] = lambda: False

    def progress(self, *values: float) -> None:
        """As `Caller`."""
        self.hear(*values)

    def overtaken(self) -> bool:
        """As `Caller`; nobody wants anything once the process ends."""
        return ending() or self.gone()


NOBODY = Waiting()  # who asked hears nothing, and always wants it


def go_on(caller: Caller, *values: float) -> None:
    """Say how far the work is; OvertakenError when it is not wanted any more."""
    caller.progress(*values)
    stop_where_overtaken(caller)


def stop_where_overtaken(caller: Caller) -> None:
    """OvertakenError when the work is not wanted any more."""
    if caller.overtaken():
        raise OvertakenError
