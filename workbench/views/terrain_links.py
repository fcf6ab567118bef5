"""The page of landscapes as a link, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from workbench.engine.words import UserError
from workbench.views.links import read_link, write_link
from workbench.views.question import Question
from workbench.views.terrain import Plane, Terrain

MOST = 128  # action numbers that a plane is laid through
LOOKS = {"Image": "image", "Contours": "contours"}
QUANTITIES = {
    "Q of the critic": "q",
    "Spread of the ensemble": "spread",
    "True reward": "truth",
    "Q − true reward": "error",
}


@dataclass(frozen=True)
class Shown:
    """How the landscape is looked at."""

    look: str = "image"
    quantity: str = "q"
    plane: Plane = (0, 1)


def quantity_of(ground: Terrain, name: str) -> np.ndarray:
    """The grid that is drawn; ValueError where the task does not know its true reward."""
    if name in ("truth", "error") and ground.truth is None:
        raise UserError("The true reward of this task is not a formula; the critic's Q is drawn instead.")
    grids = {"q": ground.values, "spread": ground.spread, "truth": ground.truth}
    picked = ground.values - ground.truth if name == "error" and ground.truth is not None else grids[name]
    assert picked is not None
    return picked


def read_plane(word: str) -> Plane:
    """Turn ``"0-1"`` or ``"principal"`` into a plane."""
    if word == "principal":
        return "principal"
    first, second = map(int, word.split("-"))
    return first, second


def write_plane(plane: Plane) -> str:
    """Invert `read_plane`."""
    return plane if isinstance(plane, str) else f"{plane[0]}-{plane[1]}"


def read_view(arguments: Mapping[str, str]) -> tuple[Question, Shown, list[str]]:
    """Turn a link's arguments into a view; what cannot be read keeps its default and is named beside it."""
    question, problems = read_link(arguments, MOST)
    shown = Shown()
    for name, known in (("look", LOOKS), ("quantity", QUANTITIES)):
        word = arguments.get(name, getattr(shown, name))
        if word in known.values():
            shown = replace(shown, **{name: word})
        else:
            problems.append(f"{name} is one of {', '.join(known.values())}, got '{word[:40]}'")
    try:
        shown = replace(shown, plane=read_plane(arguments.get("plane", "0-1")))
    except ValueError:
        problems.append(f"plane is two numbers such as 0-1, or principal, got '{arguments['plane'][:40]}'")
    return question, shown, problems


def write_view(question: Question, shown: Shown) -> dict[str, Any]:
    """Invert `read_view`."""
    look = {"look": shown.look, "quantity": shown.quantity, "plane": write_plane(shown.plane)}
    return write_link(question) | look
