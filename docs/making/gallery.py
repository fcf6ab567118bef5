"""The pictures of docs/gallery.md, made by its own lines: ``make gallery``."""

from __future__ import annotations

import ast
import contextlib
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "gallery.md"
BLOCK = re.compile(r"(?:!\[[^\]]*\]\(gallery/(\w+)\.png\)\s+)?```python\n(.*?)```", re.S)
WIDE = 640  # pixels
COLOURS = 256  # of a picture: small files


def blocks() -> list[tuple[str, str]]:
    """The name of each picture, "" where a block makes none, and the lines."""
    return BLOCK.findall(PAGE.read_text(encoding="utf-8"))


def pictures() -> Iterator[tuple[str, Any]]:
    """Run the page's lines one block after the other; the last expression of those that have a picture."""
    names: dict[str, Any] = {}
    for name, code in blocks():
        tree = ast.parse(code)
        last = tree.body.pop() if name else None
        exec(compile(tree, str(PAGE), "exec"), names)  # noqa: S102 -- the page's own lines
        if last is not None:
            assert isinstance(last, ast.Expr), f"{name}: the last line makes the picture"
            yield name, eval(compile(ast.Expression(last.value), str(PAGE), "eval"), names)  # noqa: S307 -- likewise


def make() -> None:
    """Write all pictures, small, into docs/gallery."""
    import workbench as wb

    folder = ROOT / "docs" / "gallery"
    with tempfile.TemporaryDirectory() as away, contextlib.chdir(away):
        for name, picture in pictures():
            path = wb.plots.save(picture, Path(away) / f"{name}.png", width=6.9 if name == "strengths" else 3.35)
            with Image.open(path) as image:
                size = (WIDE, round(image.height * WIDE / image.width))
                small = image.convert("RGB").resize(size, Image.Resampling.LANCZOS).quantize(COLOURS)
            small.save(folder / f"{name}.png", optimize=True)
            print(f"{name}.png: {os.path.getsize(folder / f'{name}.png') // 1024} KB")


if __name__ == "__main__":
    make()
