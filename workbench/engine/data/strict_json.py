"""JSON as the standard has it, from files that may come from anyone.

Python's own reader also accepts NaN and infinity, other encodings, numbers of thousands of digits, and letters that no
file can hold. Each of these would end in a traceback later.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from typing import Any

DIGITS = 40  # of a whole number; seeds, sizes and times have fewer
DEPTH = 64  # of lists in lists; records have five or so
_SURROGATE = re.compile(rb"\\u[dD][89abAB]", re.ASCII)


def parse_json(content: bytes | str) -> Any:
    """The value that ``content`` spells, in UTF-8.

    Raises
    ------
    ValueError
        It is not JSON, with the reason: cut off, another encoding, NaN, a number that is too large, or nested too deeply.
    """
    data = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"it is not UTF-8 text (byte {error.start})") from None
    try:
        value = json.loads(text, parse_constant=_no_number, parse_float=_float, parse_int=_int)
    except json.JSONDecodeError as error:
        raise ValueError(f"{error.msg} in line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise ValueError("lists or objects are nested too deeply") from None
    if _depth(value) > DEPTH:
        raise ValueError("lists or objects are nested too deeply")
    if _SURROGATE.search(data):
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise ValueError("it holds half of a letter (a lone surrogate), which no text may") from None
    return value


def _depth(value: object) -> int:
    depth, level = 0, [value]
    while level := [item for outer in level for item in _inner(outer)]:
        depth += 1
    return depth


def _inner(value: object) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


def _no_number(word: str) -> Any:
    raise ValueError(f"it holds {word}, which is no number in JSON")


def _float(text: str) -> float:
    value = float(text) if len(text) <= 10 * DIGITS else math.inf
    if not math.isfinite(value):
        raise ValueError("it holds a number that is too large or too long")
    return value


def _int(text: str) -> int:
    if len(text) > DIGITS:
        raise ValueError("it holds a number that is too large or too long")
    return int(text)
