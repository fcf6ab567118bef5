"""Where a public name of the workbench is defined, so that the reference can show it."""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from types import ModuleType

import workbench


def home_of(name: str) -> str:
    """The full name of ``wb.NAME``: a class or function says it, of a table the module that assigns it is looked for.

    Raises
    ------
    LookupError
        There is no such public name, or nothing says where it is from.
    """
    if name not in workbench.__all__:
        raise LookupError(f"'{name}' is no public name of the workbench; it has {', '.join(workbench.__all__)}")
    found = getattr(workbench, name)
    if isinstance(found, ModuleType):
        return found.__name__
    if hasattr(found, "__qualname__"):
        return f"{found.__module__}.{found.__qualname__}"
    for module in [module for key, module in sys.modules.items() if key.startswith("workbench.")]:
        if getattr(module, name, None) is found and assigns(module, name):
            return f"{module.__name__}.{name}"
    raise LookupError(f"no module of the workbench assigns '{name}'")


def assigns(module: ModuleType, name: str) -> bool:
    """Whether the module's own text gives ``name`` a value at its top."""
    if module.__file__ is None:
        return False
    for node in ast.parse(Path(module.__file__).read_text(encoding="utf-8")).body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            return True
    return False
