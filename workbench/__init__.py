"""The workbench for value-guided flow policies: the names that a notebook needs.

They are loaded on first use, so that ``import workbench`` costs nothing. The list of them is the stub beside this file
(``__init__.pyi``), which type checkers and editors read, and this module too: so there is one list.
"""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

from workbench.moved import forward_old_names

__version__ = "0.1.0"


def _homes() -> dict[str, str]:
    """The public names and the module of each, as the stub imports them."""
    tree = ast.parse(Path(__file__).with_suffix(".pyi").read_text(encoding="utf-8"))
    lines = [line for line in tree.body if isinstance(line, ast.ImportFrom)]
    return {alias.name: str(line.module) for line in lines for alias in line.names}


_HOMES = _homes()
forward_old_names()
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'workbench' has no attribute '{name}'; it has {', '.join(__all__)}")
    home = _HOMES[name]
    if home == __name__:  # a whole room: wb.course.check(...)
        return importlib.import_module(f"{home}.{name}")
    return getattr(importlib.import_module(home), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
