"""What a page says of an error: a refusal in its own words, a fault of the workbench as one."""

from __future__ import annotations

import logging

from workbench.engine.words import plain, refusal

log = logging.getLogger(__name__)


class ToldError(RuntimeError):
    """An error whose message `told` made, in another thread or process; a fault is in the log already."""


def told(error: BaseException | None) -> str:
    """The words for the user; the traceback of a fault goes to the log."""
    assert error is not None, "who has no answer has an error"
    words = str(error) if isinstance(error, ToldError) else refusal(error)
    if words is not None:
        return words
    log.error("a fault of the workbench", exc_info=error)
    what = plain(f"{type(error).__name__}: {error}")
    return f"This is a fault of the workbench, not of what you chose; the server's log says where ({what})."
