"""`workbench.plots` and `workbench.explore` in a real JupyterLab, offline: a picture of each kind appears, a key moves one.

``WORKBENCH_SCREENSHOTS=DIR`` keeps a picture of the notebook.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from classroom import RED, jupyterlab, run_all
from notebooks.test_jupyterlab import move, page, picture_of
from playwright.sync_api import Browser, Page, expect

__all__ = ["page"]  # a fixture
pytestmark = [pytest.mark.browser, pytest.mark.slow]
SETUP = """import torch
import workbench as wb
from workbench.views.rollouts import play
task = wb.make_task("bandit2d")
parts, states = task.parts(), torch.zeros(32, 1)
noise = wb.draw_noise(32, 1, 2, torch.Generator().manual_seed(0))
trace = wb.steer(wb.QGF(weight=1.0), parts, states, noise)
found = wb.evaluate(wb.QGF(weight=1.0), parts, task, 20, 0)
wb.train("bandit2d", steps=20, hidden=(8, 8), out="run");"""
PICTURES = {
    "particles": "wb.plots.landscape(parts, [0.0]) * wb.plots.paths(trace) * wb.plots.particles(trace)",
    "queries": "wb.plots.queries(trace)",
    "terms": "wb.plots.terms(trace, 0)",
    "transport": "wb.plots.transport(trace)",
    "rollouts": "wb.plots.rollouts(found)",
    "training": 'wb.plots.training("run")',
    "time": "wb.plots.over_time(trace)",
    "drag": "wb.plots.landscape(parts, [0.0]) * wb.plots.drag(wb.QGF(weight=1.0), parts, [0.0])",
    "linked": "wb.plots.linked(wb.plots.particles(trace, tick=0) + wb.plots.particles(trace))",
}
SHOWN = ("trace", "found", "parts", 'wb.load_run("run")')
EXPLORE = 'wb.explore(parts, rule="qgf", task=task, shown=64)'


@pytest.fixture(scope="module")
def own_lab(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    home = tmp_path_factory.mktemp("plots_lab")
    folder = home / "notebooks"
    folder.mkdir()
    texts = [SETUP, *PICTURES.values(), *SHOWN, EXPLORE]
    cells = [nbformat.v4.new_markdown_cell("# Pictures"), *map(nbformat.v4.new_code_cell, texts)]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), folder / "pictures.ipynb")
    with jupyterlab(folder, home, environment) as address:
        yield address


def test_pictures_and_explore(own_lab: str, page: Page, browser: Browser) -> None:
    run_all(page, own_lab, "pictures.ipynb")
    expect(page.locator(RED)).to_have_count(0)
    cells = page.locator(".jp-CodeCell")
    for number, name in enumerate(PICTURES, start=1):
        canvas = cells.nth(number).locator("canvas").first
        canvas.scroll_into_view_if_needed()
        expect(canvas, name).to_be_visible(timeout=30_000)
    for number in range(len(PICTURES) + 1, len(PICTURES) + 1 + len(SHOWN)):
        table = cells.nth(number).locator(".workbench-shown table")
        table.scroll_into_view_if_needed()
        expect(table).to_be_visible()
    last = cells.nth(len(PICTURES) + 1 + len(SHOWN))
    handle, picture = last.locator(".noUi-handle").first, last.locator("img").first
    numbers = last.locator(".workbench-numbers")
    picture.scroll_into_view_if_needed()
    expect(numbers).to_be_visible()
    before, words = picture_of(page, picture), numbers.inner_text()
    move(page, handle)
    expect(numbers).not_to_have_text(words, timeout=60_000)
    assert picture_of(page, picture) != before
    expect(page.locator(RED)).to_have_count(0)
    folder = os.environ.get("WORKBENCH_SCREENSHOTS")
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        for number in range(1, cells.count()):
            cells.nth(number).scroll_into_view_if_needed()
            page.wait_for_timeout(300)
            cells.nth(number).screenshot(path=Path(folder) / f"pictures_{number}.png")
