"""The report: its numbers are those of the store, it asks no host for anything, and it is read on a desk, a phone and paper."""

import re
from pathlib import Path

import numpy as np
import pytest
from bokeh.models import LogScale
from experiments.made_up import made_up_store
from playwright.sync_api import sync_playwright

from workbench.experiments.grid import Grid
from workbench.experiments.store import Store, StoreError
from workbench.experiments.summary import curves
from workbench.plots import measurement, measurement_still
from workbench.report.figures import pictures
from workbench.report.page import write_report
from workbench.report.tables import chosen_table, cost_table, matched_table, unfinished_table

WEIGHTS = (0.0, 0.1, 1.0, 10.0)


def measure(settings: dict[str, float], seed: int) -> tuple[np.ndarray, np.ndarray, float, float]:
    w = settings.get("weight", settings.get("steps", 0.0))
    at = np.log10(1 + 10 * w)
    returns = 0.5 + 0.3 * np.sin(1.5 * at) + 0.02 * seed + np.linspace(-0.2, 0.2, 8)
    return returns - 0.01, returns, float(0.1 * at), float(0.5 + 0.4 * at)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    grid = Grid(
        tasks=("three_exits",), rules=("bc", "qgf", "grad_step"), axes={"weight": WEIGHTS, "steps": (0, 1, 10)},
        seeds=(0, 1, 2), episodes=8,
    )  # fmt: skip
    place = tmp_path_factory.mktemp("report") / "a <b>store</b>"
    return made_up_store(
        place, grid, measure, lambda job: job.rule == "qgf" and job.settings["weight"] == 10 and job.seed == 2
    )


@pytest.fixture(scope="module")
def written(store: Store, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Path]]:
    folder = tmp_path_factory.mktemp("written")
    files = write_report(store, folder / "report.html", folder / "pdf")
    return files[0], files[1:]


def test_figures_hold_every_seed_and_the_choice(store: Store) -> None:
    found = curves(store)
    drawn = {picture.name: picture for picture in pictures(found)}
    assert set(drawn) == {
        "return-against-shift",
        *(f"{what}-against-{axis}" for what in ("return-and-estimate", "gap") for axis in ("weight", "steps")),
    }
    line = next(series for series in drawn["return-against-shift"].series if series.name == "qgf")
    assert line.seed_y is not None
    assert line.seed_y.shape == (3, 4)
    assert np.isnan(line.seed_y[2, 3])
    assert np.isfinite(line.seed_y).sum() == 11
    np.testing.assert_allclose(line.y, np.nanmean(line.seed_y, 0))
    qgf = next(curve for curve in found if curve.rule == "qgf")
    assert qgf.choice is not None
    assert line.chosen is not None
    assert WEIGHTS[line.chosen] == qgf.choice.strength


def test_the_bound_stands_beside_what_was_measured(tmp_path: Path) -> None:
    """MMD² and VGF's bound over the budget, only for the rules that it is about."""
    grid = Grid(
        tasks=("three_exits",), rules=("vgf", "qgf"), axes={"steps": (0, 1, 10), "weight": (0.0, 1.0)}, seeds=(0, 1), episodes=8,
    )  # fmt: skip
    bounded = curves(made_up_store(tmp_path / "store", grid, measure))
    (drawn,) = [picture for picture in pictures(bounded) if picture.name.startswith("mmd")]
    assert drawn.axes.log
    measured, bound = drawn.series
    assert (measured.name, bound.name, bound.dashed) == ("vgf: measured", "vgf: the bound", True)
    np.testing.assert_allclose(measured.y, [np.nan, 0.01, 0.1])
    np.testing.assert_allclose(bound.y, 10 * measured.y)
    assert isinstance(measurement.bokeh_figure(measurement.measured(drawn.series, drawn.axes)).y_scale, LogScale)
    assert measurement_still.measured(drawn.series, drawn.axes).axes[0].get_yscale() == "log"


def test_tables(store: Store) -> None:
    found = curves(store)
    (row,) = [row for row in chosen_table(found).rows if row[0] == "qgf"]
    qgf = next(curve for curve in found if curve.rule == "qgf")
    assert qgf.choice is not None
    assert row[2] == f"{qgf.choice.strength:g}"
    assert row[4].startswith(f"{qgf.choice.reported.mean:.3f} [")
    assert float(row[3]) == pytest.approx(float(row[4].split()[0]) - 0.01, abs=2e-3)
    table = matched_table(found)
    assert table is not None
    assert {row[0] for row in table.rows if not row[0].startswith("…")} == {"qgf", "grad_step"}
    (paired,) = [
        row for row in table.rows if row[0].startswith("… minus ")
    ]  # with an interval, wherever both were measured
    assert any("[" in cell for cell in paired[1:])
    assert {row[2] for row in cost_table(found).rows} == {"20"}
    missing = unfinished_table(store)
    assert missing is not None
    assert [row[1:3] for row in missing.rows] == [("planned", "three_exits")]


def test_the_page_says_how_to_make_it_again(store: Store, written: tuple[Path, list[Path]]) -> None:
    text = written[0].read_text()
    assert (
        "--rule bc --rule qgf --rule grad_step --grid weight=0.0,0.1,1.0,10.0 steps=0,1,10 --seeds 0..2 --episodes 8"
        in text
    )
    assert "a &lt;b&gt;store&lt;/b&gt;" in text
    assert "<b>store</b>" not in text
    assert "1000000000 and 1500000000" in text
    assert "torch 2" in text


def test_nothing_in_it_names_a_host(written: tuple[Path, list[Path]]) -> None:
    text = re.sub(
        r"<script.*?</script>", "", written[0].read_text(), flags=re.DOTALL
    )  # what they ask for is tested below
    assert not re.search(r"""(?:src|href)\s*=\s*["']?(?:https?:)?//""", text)
    assert not re.search(r"<link\b|@import|url\(\s*['\"]?http", text)


def test_pdf_figures(written: tuple[Path, list[Path]]) -> None:
    assert len(written[1]) == 5
    assert all(path.read_bytes().startswith(b"%PDF") for path in written[1])


def test_an_empty_store_has_no_report(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="has no finished run yet"):
        write_report(Store(tmp_path / "store", create=True), tmp_path / "report.html")
    assert not (tmp_path / "report.html").exists()


@pytest.mark.browser
def test_it_is_read_offline_on_a_desk_a_phone_and_paper(written: tuple[Path, list[Path]], chromium: str) -> None:
    asked: list[str] = []
    complaints: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for width, height in ((1440, 900), (390, 844)):
            page = browser.new_page(viewport={"width": width, "height": height})
            page.on("request", lambda request: asked.append(request.url))
            page.on("console", lambda m: complaints.append(m.text) if m.type in ("error", "warning") else None)
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.goto(written[0].as_uri())
            page.wait_for_function("Bokeh.documents.length > 0 && document.querySelectorAll('.live > *').length > 4")
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            sizes = page.evaluate("[...document.querySelectorAll('.live')].map(x => [x.offsetWidth, x.offsetHeight])")
            assert len(sizes) == 5
            assert all(w > 300 and h > 250 for w, h in sizes)
            assert not page.locator(".still").first.is_visible()
        legends = page.evaluate(
            "Bokeh.documents.flatMap(d => d.roots()).map(r => r.below.flatMap(x => x.items ?? []).length)"
        )
        assert legends == [3, 2, 1, 2, 1]  # as many entries as there are lines
        page.emulate_media(media="print")
        assert page.locator(".still svg").first.is_visible()
        assert not page.locator(".live").first.is_visible()
        blind = browser.new_context(java_script_enabled=False).new_page()
        blind.goto(written[0].as_uri())
        assert blind.locator(".still svg").first.is_visible()
        browser.close()
    assert set(asked) == {written[0].as_uri()}
    assert complaints == []
