"""The course: exercises that explain what is wrong, hints, predictions, source beside its equation, the scoreboard.

In a notebook: ``wb.course.check("qgf.clean", my_function)``. What a participant did is kept in ``course.json`` beside
the notebook. Names are loaded on first use: copying and collecting notebooks needs neither torch nor Panel.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOMES = {
    "ask": "workbench.course.notes",
    "check": "workbench.course.notes",
    "hint": "workbench.course.notes",
    "predict": "workbench.course.predictions",
    "reveal": "workbench.course.predictions",
    "score": "workbench.course.board",
    "scoreboard": "workbench.course.board",
    "source": "workbench.course.beside",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'workbench.course' has no attribute '{name}'; it has {', '.join(__all__)}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
