"""The workbench for value-guided flow policies: the names that a notebook needs.

They are loaded on first use, so that ``import workbench`` costs nothing. The list of them is the stub beside this file
(``__init__.pyi``), which type checkers and editors read, and this module too: so there is one list.
"""

from __future__ import annotations

import importlib

from workbench.engine.showing import drawn_by
from workbench.lazy_names import homes_in, load
from workbench.moved import forward_old_names

__version__ = "0.1.0"

_HOMES = homes_in(__file__)
forward_old_names()
drawn_by(lambda thing, drawn: importlib.import_module("workbench.elements.shown").bundle(thing, drawn))
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> object:
    return load(__name__, _HOMES, name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
