"""Public names that are loaded on first use, as the stub beside a package's ``__init__`` lists them: importing costs nothing."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path


def homes_in(package_file: str) -> dict[str, str]:
    """The public names of a package and the module of each: what its stub imports."""
    tree = ast.parse(Path(package_file).with_suffix(".pyi").read_text(encoding="utf-8"))
    lines = [line for line in tree.body if isinstance(line, ast.ImportFrom)]
    return {alias.name: str(line.module) for line in lines for alias in line.names}


def load(package: str, homes: dict[str, str], name: str) -> object:
    """The public ``name`` of ``package``, from its home."""
    if name not in homes:
        raise AttributeError(f"module '{package}' has no attribute '{name}'; it has {', '.join(sorted(homes))}")
    home = homes[name]
    if home == package:  # a whole room: wb.course.check(...)
        return importlib.import_module(f"{home}.{name}")
    return getattr(importlib.import_module(home), name)
