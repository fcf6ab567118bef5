"""The environment that a dataset says it was recorded in: its id and plain arguments, never the code that it names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from workbench.engine.data.records import LARGEST, Record, checked
from workbench.engine.data.strict_json import parse_json
from workbench.engine.words import UserError, shown

WORD = re.compile(r"[A-Za-z0-9_ -]{0,100}")  # no path, no module, no format of either
ARGUMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,60}")
LOOKS = ("render_mode", "render_fps", "width", "height")  # how it is seen changes nothing of how it plays
MOST = 10_000  # values in one argument, such as a maze's map


class _Specification(Record):
    id: str = ""
    kwargs: dict[str, Any] = {}
    max_episode_steps: int | None = None
    additional_wrappers: list[Any] | None = None


@dataclass(frozen=True)
class RecordedEnv:
    """Where a dataset was recorded.

    Attributes
    ----------
    id : str
        Gymnasium's; "" when the dataset names none, or one with a module.
    arguments : dict
        Those that are plain: numbers, names, and lists of them.
    horizon : int or None
        Steps until an episode was cut off.
    refused : tuple of str
        Arguments of other kinds, as ``name=value``; a file's name could lead anywhere.
    wrappers : tuple of str
        Their names.
    """

    id: str = ""
    arguments: tuple[tuple[str, Any], ...] = ()
    horizon: int | None = None
    refused: tuple[str, ...] = ()
    wrappers: tuple[str, ...] = ()

    def options(self) -> dict[str, Any]:
        """What to make the environment with."""
        steps = {"max_episode_steps": self.horizon} if self.horizon else {}
        return dict(self.arguments) | steps

    def in_words(self) -> str:
        """The end of a summary: the arguments, or nothing."""
        given = [f"{name}={shown(value)}" for name, value in self.arguments]
        taken = f"; recorded and played with the arguments {', '.join(given)}" if given else ""
        return taken + (f"; not played: the arguments {', '.join(self.refused)} are not taken" if self.refused else "")


def recorded_env(specification: Any, source: str) -> RecordedEnv:
    """Read a dataset's description of its environment: Gymnasium's JSON, or nothing.

    Raises
    ------
    UserError
        It is not such a description.
    """
    if not specification:
        return RecordedEnv()
    try:
        text = specification if isinstance(specification, (str, bytes)) else specification.to_json()
        found = checked(_Specification, parse_json(text.encode() if isinstance(text, str) else text))
    except (ValueError, AttributeError) as error:
        raise UserError(
            f"{source}: its description of the environment cannot be read ({error}); save the dataset again"
        ) from None
    if ":" in found.id:  # a module, which Gymnasium would import
        return RecordedEnv()
    given = {name: value for name, value in found.kwargs.items() if name not in LOOKS}
    plain = {name: value for name, value in given.items() if is_plain_argument(name, value)}
    refused = tuple(f"{shown(name)[1:-1]}={shown(value)}" for name, value in given.items() if name not in plain)
    wrappers = tuple(_wrapper(item) for item in found.additional_wrappers or [])
    steps = found.max_episode_steps if 0 < (found.max_episode_steps or 0) <= LARGEST else None
    return RecordedEnv(found.id, tuple(plain.items()), steps, refused, wrappers)


def is_plain_argument(name: str, value: object) -> bool:
    """Whether an argument that came from outside may be given to an environment: numbers, names, and lists of them."""
    return ARGUMENT.fullmatch(name) is not None and _is_plain(value)


def _is_plain(value: object) -> bool:
    left = MOST
    waiting = [value]
    while waiting and left:
        left -= 1
        item = waiting.pop()
        if isinstance(item, list):
            waiting.extend(item)
        elif isinstance(item, str):
            if not WORD.fullmatch(item):
                return False
        elif item is not None and not isinstance(item, (bool, int, float)):
            return False
    return not waiting


def _wrapper(item: Any) -> str:
    name = item.get("name") if isinstance(item, dict) else None
    return shown(name)[1:-1] if isinstance(name, str) else "a wrapper without a name"
