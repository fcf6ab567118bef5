"""What is made from outside, a link or a record of somebody's, may fail in any way, but never end the server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from workbench.engine.words import UserError


@contextmanager
def contained(what: str) -> Iterator[None]:
    """Turn what would end the server into an error that a page shows.

    A module may call ``sys.exit`` when it is imported, and a `SystemExit` passes every ``except Exception`` up to the
    server's loop. The owner's own Ctrl-C still goes through.

    Parameters
    ----------
    what : str
        What is made, for the words.

    Raises
    ------
    UserError
        In place of a `BaseException` that is neither an `Exception` nor a `KeyboardInterrupt`.
    """
    try:
        yield
    except (Exception, KeyboardInterrupt):
        raise
    except BaseException as error:
        raise UserError(f"{what} could not be made: it ended with {type(error).__name__} ({error})") from error
