"""What a user is told: the one error that is a message, and text that is fit to be printed, whatever its values came from."""

from __future__ import annotations

import re
import reprlib

# letters of one word, of a message, of a value in it
WORD = 240
MESSAGE = 2000
VALUE = 60
_LONG = re.compile(rf"\S{{{WORD + 1},}}")
_repr = reprlib.Repr()
_repr.maxstring = _repr.maxother = VALUE
_repr.maxlong = 40
_repr.maxlevel = 3


class UserError(ValueError):
    """What somebody gave is refused, in words that say what, where and the cure.

    Whoever uses the workbench reads the message and never a traceback: on the command line, on pages, in lessons. A plain
    ``ValueError`` is a fault of the workbench itself, and keeps its traceback. What a message quotes is cut to a readable
    length; control characters stand as escapes.
    """

    def __init__(self, message: object = "") -> None:
        super().__init__(plain(str(message)))


class MissingExtraError(UserError, ImportError):
    """An optional package is needed and not installed."""


class DivergedError(UserError, FloatingPointError):
    """Numbers became NaN or infinite by what was asked for: settings, parts or an environment that run away."""


def refusal(error: BaseException) -> str | None:
    """The words for whoever met ``error``, or None where it is a fault of the workbench.

    Beside `UserError` the machine itself may refuse: a full disk, a file that is not there, too little memory.
    """
    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and _allocation_failed(error)):
        return f"not enough memory{f' ({error})' if str(error) else ''}; ask for less at a time"
    if isinstance(error, OSError):
        if not error.strerror:
            return str(error)
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    return None


def _allocation_failed(error: RuntimeError) -> bool:
    """torch has no error of its own for it; on CPU and CUDA it uses different words."""
    return "tried to allocate" in str(error).lower()


def plain(text: str) -> str:
    """``text`` with control characters as escapes, and with words and the whole cut in their middle where they are too long.

    A cause and its cure stand at the end of a message, so that cutting there would hide them.
    """
    text = _middle_cut(text, 20 * MESSAGE)
    text = "".join(
        letter if letter.isprintable() or letter == "\n" else letter.encode("unicode_escape").decode("ascii")
        for letter in text
    )
    return _middle_cut(_LONG.sub(lambda found: _middle_cut(found[0], WORD), text), MESSAGE)


def shown(value: object) -> str:
    """``value`` as Python would write it, cut to a readable length: for messages about what a file holds."""
    try:
        return plain(_repr.repr(value))
    except ValueError:  # a whole number with more digits than Python writes
        return (
            f"a number of {value.bit_length() * 3 // 10:,} digits" if isinstance(value, int) else type(value).__name__
        )


def counted(number: object, one: str, several: str = "") -> str:
    """A number with its noun: "1 run", "2 runs", "1,024 rows", "2 entries"; ``several`` where it is not ``one`` with an s.

    What a file says in the place of a number is written as it is.
    """
    if not isinstance(number, int):
        return f"{plain(str(number))} {several or f'{one}s'}"
    return f"{number:,} {one if number == 1 else several or f'{one}s'}"


def _middle_cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most * 2 // 3]}…{text[-(most // 3 - 1) :]}"
