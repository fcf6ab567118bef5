"""Text that is fit to be printed, whatever file its values came from: short, on lines of its own, without control characters."""

from __future__ import annotations

import re
import reprlib

WORD, MESSAGE, VALUE = 240, 2000, 60  # letters of one word, of a message, of a value in it
_LONG = re.compile(rf"\S{{{WORD + 1},}}")
_repr = reprlib.Repr()
_repr.maxstring = _repr.maxother = VALUE
_repr.maxlong = 40
_repr.maxlevel = 3


class SaidError(ValueError):
    """A refusal in words; what its message quotes is cut to a readable length, control characters stand as escapes."""

    def __init__(self, message: object = "") -> None:
        super().__init__(plain(str(message)))


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


def _middle_cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most * 2 // 3]}…{text[-(most // 3 - 1) :]}"
