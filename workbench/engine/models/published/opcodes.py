"""The letters of a pickle, one after the other, without Python's own reader of pickles.

A pickle is a program for a small machine. Here its letters are told apart and their arguments are cut out of the bytes; each
length is compared with what is there before anything is taken. Letters beyond those that plain dicts of arrays need are refused.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from workbench.engine.words import UserError, shown

MOST_LETTERS = 1_000_000  # a checkpoint of three codes has some 30 an array
_WHOLE = re.compile(r"-?[0-9]{1,20}")


class PickleError(UserError):
    """A pickle that is not read; the message says at which byte, what stands there, and what was expected."""


class Letter(NamedTuple):
    """One step of the program: its name, its argument, and the byte where it stands."""

    name: str
    argument: Any
    at: int


class Bytes:
    """The bytes of a pickle, and how far they are read."""

    def __init__(self, content: bytes) -> None:
        self._bytes, self.content, self.at = content, memoryview(content), 0

    def take(self, count: int) -> memoryview:
        """The next ``count`` bytes."""
        if count > len(self.content) - self.at:
            raise PickleError(
                f"byte {self.at}: {count:,} bytes are announced and {len(self.content) - self.at:,} are left: it is cut off or "
                "damaged; copy it again"
            )
        taken = self.content[self.at : self.at + count]
        self.at += count
        return taken

    def number(self, code: str) -> Any:
        """The next number, as `struct` spells its type."""
        return struct.unpack(code, self.take(struct.calcsize(code)))[0]

    def text(self, count: int) -> str:
        """The next ``count`` bytes as UTF-8 text."""
        return self._decoded(bytes(self.take(count)), "utf-8")

    def line(self, encoding: str = "ascii") -> str:
        """The text up to the next new line."""
        end = self._bytes.find(b"\n", self.at)
        if end < 0:
            raise PickleError(f"byte {self.at}: a line without an end: it is cut off or damaged; copy it again")
        line = self._decoded(bytes(self.take(end - self.at)), encoding)
        self.take(1)
        return line

    def digits(self) -> int:
        """A line that spells a whole number."""
        at, line = self.at, self.line().removesuffix("L")
        if _WHOLE.fullmatch(line) is None:
            raise PickleError(f"byte {at}: {shown(line)} where a whole number was expected: it is damaged")
        return int(line)

    def _decoded(self, content: bytes, encoding: str) -> str:
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            raise PickleError(f"byte {self.at}: text that is not {encoding}: it is damaged, copy it again") from None


def _whole(content: Bytes, size: int) -> int:
    if not 0 <= size <= 8:
        raise PickleError(f"byte {content.at}: a whole number of {size:,} bytes; arrays and settings need at most 8")
    return int.from_bytes(content.take(size), "little", signed=True)


def _whole_or_truth(content: Bytes) -> int | bool:
    if bytes(content.content[content.at : content.at + 3]) in (b"01\n", b"00\n"):
        return content.line() == "01"
    return content.digits()


def _float(content: Bytes) -> float:
    line = content.line()
    try:
        return float(line)
    except ValueError:
        raise PickleError(f"byte {content.at}: {shown(line)} where a number was expected: it is damaged") from None


def _none(content: Bytes) -> None:
    return None


Read = Callable[[Bytes], Any]
# The letters that are read: name and how its argument stands in the bytes.
KNOWN: dict[int, tuple[str, Read]] = {
    b"\x80"[0]: ("PROTO", lambda c: c.number("<B")),
    b"\x95"[0]: ("FRAME", lambda c: c.number("<Q")),
    b"."[0]: ("STOP", _none),
    b"("[0]: ("MARK", _none),
    b"N"[0]: ("NONE", _none),
    b"\x88"[0]: ("NEWTRUE", _none),
    b"\x89"[0]: ("NEWFALSE", _none),
    b"I"[0]: ("INT", _whole_or_truth),
    b"L"[0]: ("INT", lambda c: c.digits()),
    b"J"[0]: ("INT", lambda c: c.number("<i")),
    b"K"[0]: ("INT", lambda c: c.number("<B")),
    b"M"[0]: ("INT", lambda c: c.number("<H")),
    b"\x8a"[0]: ("INT", lambda c: _whole(c, c.number("<B"))),
    b"\x8b"[0]: ("INT", lambda c: _whole(c, c.number("<i"))),
    b"F"[0]: ("FLOAT", _float),
    b"G"[0]: ("FLOAT", lambda c: c.number(">d")),
    b"V"[0]: ("TEXT", lambda c: c.line("raw-unicode-escape")),
    b"X"[0]: ("TEXT", lambda c: c.text(c.number("<I"))),
    b"\x8c"[0]: ("TEXT", lambda c: c.text(c.number("<B"))),
    b"\x8d"[0]: ("TEXT", lambda c: c.text(c.number("<Q"))),
    b"B"[0]: ("BYTES", lambda c: c.take(c.number("<I"))),
    b"C"[0]: ("BYTES", lambda c: c.take(c.number("<B"))),
    b"\x8e"[0]: ("BYTES", lambda c: c.take(c.number("<Q"))),
    b"\x96"[0]: ("BYTES", lambda c: c.take(c.number("<Q"))),
    b"}"[0]: ("EMPTY_DICT", _none),
    b"d"[0]: ("DICT", _none),
    b"s"[0]: ("SETITEM", _none),
    b"u"[0]: ("SETITEMS", _none),
    b"]"[0]: ("EMPTY_LIST", _none),
    b"l"[0]: ("LIST", _none),
    b"a"[0]: ("APPEND", _none),
    b"e"[0]: ("APPENDS", _none),
    b")"[0]: ("TUPLE0", _none),
    b"\x85"[0]: ("TUPLE1", _none),
    b"\x86"[0]: ("TUPLE2", _none),
    b"\x87"[0]: ("TUPLE3", _none),
    b"t"[0]: ("TUPLE", _none),
    b"p"[0]: ("PUT", lambda c: c.digits()),
    b"q"[0]: ("PUT", lambda c: c.number("<B")),
    b"r"[0]: ("PUT", lambda c: c.number("<I")),
    b"\x94"[0]: ("MEMOIZE", _none),
    b"g"[0]: ("GET", lambda c: c.digits()),
    b"h"[0]: ("GET", lambda c: c.number("<B")),
    b"j"[0]: ("GET", lambda c: c.number("<I")),
    b"c"[0]: ("GLOBAL", lambda c: (c.line("utf-8"), c.line("utf-8"))),
    b"\x93"[0]: ("STACK_GLOBAL", _none),
    b"R"[0]: ("REDUCE", _none),
    b"b"[0]: ("BUILD", _none),
}
# Letters that Python would follow and this reader does not: what each of them would do.
REFUSED = {
    b"S"[0]: "STRING is of Python 2",
    b"T"[0]: "BINSTRING is of Python 2",
    b"U"[0]: "SHORT_BINSTRING is of Python 2",
    b"i"[0]: "INST would import and call",
    b"o"[0]: "OBJ would call",
    b"\x81"[0]: "NEWOBJ would make an object of a class of the file's choosing",
    b"\x92"[0]: "NEWOBJ_EX would make an object of a class of the file's choosing",
    b"P"[0]: "PERSID would ask for something outside the file",
    b"Q"[0]: "BINPERSID would ask for something outside the file",
    b"\x82"[0]: "EXT1 would import by number",
    b"\x83"[0]: "EXT2 would import by number",
    b"\x84"[0]: "EXT4 would import by number",
    b"\x97"[0]: "NEXT_BUFFER would read from outside the file",
    b"\x98"[0]: "READONLY_BUFFER would read from outside the file",
    b"\x8f"[0]: "EMPTY_SET: sets are no arrays",
    b"\x90"[0]: "ADDITEMS: sets are no arrays",
    b"\x91"[0]: "FROZENSET: sets are no arrays",
    b"0"[0]: "POP is needed by no dict of arrays",
    b"1"[0]: "POP_MARK is needed by no dict of arrays",
    b"2"[0]: "DUP is needed by no dict of arrays",
}


def letters(content: bytes) -> Iterator[Letter]:
    """The letters of ``content`` up to STOP.

    Raises
    ------
    PickleError
        A letter that is not read here, one that announces more than there is, too many of them, or no end.
    """
    source = Bytes(content)
    for _ in range(MOST_LETTERS):
        at = source.at
        code = source.take(1)[0]
        if code not in KNOWN:
            what = REFUSED.get(code, f"{shown(bytes([code]))} is no letter of a pickle")
            if code == b"i"[0]:
                what += f" {shown('.'.join((source.line('utf-8'), source.line('utf-8'))))}"
            raise PickleError(f"byte {at}: {what}; refused")
        name, read = KNOWN[code]
        letter = Letter(name, read(source), at)
        if name == "FRAME" and letter.argument > len(source.content) - source.at:
            raise PickleError(f"byte {at}: the file ends within its frame: it is cut off, copy it again")
        yield letter
        if name == "STOP":
            return
    raise PickleError(f"more than {MOST_LETTERS:,} steps; a checkpoint has some 30 for each array")
