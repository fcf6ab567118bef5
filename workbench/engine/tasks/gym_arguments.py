"""Arguments of an environment in its task's name: ``gym/ID,size=3,mode=hard,map=[[1,0]]``."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from workbench.engine.words import UserError, shown

GIVEN = re.compile(r",([A-Za-z_][A-Za-z0-9_]*)=")
WORD = re.compile(r"[A-Za-z0-9_./ -]+")


def parse_arguments(identifier: str) -> tuple[str, dict[str, Any]]:
    """``(id, arguments)`` of ``id,name=value,…``; a value is JSON, or else a word.

    Raises
    ------
    UserError
        Something behind the id is not of this form, or a name stands twice.
    """
    env_id, comma, rest = identifier.partition(",")
    rest = comma + rest
    arguments: dict[str, Any] = {}
    while rest:
        found = GIVEN.match(rest)
        if found is None:
            raise UserError(
                f"gym/{identifier[:60]}: arguments of an environment are written gym/ID,name=value,name=value, values as in JSON"
            )
        if found[1] in arguments:
            raise UserError(f"gym/{env_id[:60]}: the argument {found[1][:60]} is given twice; leave one out")
        arguments[found[1]], rest = _value(rest[found.end() :], found[1])
    return env_id, arguments


def spelled(arguments: Mapping[str, Any]) -> str:
    """The inverse of `parse_arguments`, behind an id; "" for none."""
    return "".join(f",{name}={_text(value)}" for name, value in arguments.items())


def _value(text: str, name: str) -> tuple[Any, str]:
    """The value that ``text`` begins with, and what follows it: nothing, or a comma and the next argument."""
    try:
        value, end = json.JSONDecoder().raw_decode(text)
    except ValueError:
        end = 0
    if end and (end == len(text) or text[end] == ","):
        return value, text[end:]
    word, comma, rest = text.partition(",")
    if WORD.fullmatch(word) is None:
        raise UserError(f"the argument {name}={word[:60]} is neither JSON nor a word; write it as JSON")
    return word, comma + rest


def _text(value: Any) -> str:
    if isinstance(value, str) and WORD.fullmatch(value) is not None:
        try:
            json.loads(value)
        except ValueError:
            return value  # a word that means nothing else
    try:
        return json.dumps(value, separators=(",", ":"))
    except (TypeError, ValueError):
        return shown(value)  # an object of the program: such a task cannot be opened by its name again
