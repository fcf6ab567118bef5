"""The script that users run in their own environment to write a checkpoint as plain arrays."""

from __future__ import annotations

from importlib.resources import files


def export_script() -> str:
    """Its text. It is kept as text, because it unpickles: that is for the environment that wrote the file, never done here."""
    return files("workbench.engine.models.published").joinpath("export_checkpoint.py.txt").read_text(encoding="utf-8")
