"""The gallery's lines run as they stand there, and each gives a picture that both backends draw."""

import re
from pathlib import Path

import holoviews as hv
import pytest

import workbench as wb
from docs.making.gallery import PAGE, blocks, pictures

TEXT = PAGE.read_text(encoding="utf-8")
SHOWN = [name for name, _ in blocks() if name]


def test_every_picture_stands_beside_its_lines_and_is_small() -> None:
    assert re.findall(r"\(gallery/(\w+)\.png\)", TEXT) == SHOWN
    files = {path.stem: path.stat().st_size for path in (PAGE.parent / "gallery").iterdir()}
    assert files.keys() == set(SHOWN), "make gallery"
    assert max(files.values()) < 100_000
    assert sum(files.values()) < 600_000


def test_every_function_is_in_the_gallery() -> None:
    assert [name for name in wb.plots.__all__ if f"wb.plots.{name}" not in TEXT] == []


def test_the_lines_give_the_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    made = dict(pictures())
    assert list(made) == SHOWN
    for picture in made.values():
        for backend in ("bokeh", "matplotlib"):
            assert hv.renderer(backend).get_plot(picture).state is not None
    assert wb.plots.save(made["particles"], tmp_path / "particles.pdf").stat().st_size > 5000
