"""Handouts open from a file, with the network off, and ask nobody for anything."""

import struct
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import Browser, expect

from workbench.course.handout import MATH, page, slides, with_set_math, write_handout
from workbench.engine.glossary import TERM
from workbench.plots.mathml import equation
from workbench.ui.notebook.saved_figures import FIGURES, save_figure
from workbench.ui.notebook.widgets import Bench

CODE = """\
from workbench.ui.notebook import Bench, Live, ready
from matplotlib.figure import Figure
import workbench as wb

ready()
wb.course.predict("first.push")"""


@pytest.fixture(scope="module")
def notebook(tmp_path_factory: pytest.TempPathFactory) -> Path:
    cells = [
        nbformat.v4.new_markdown_cell("# A lesson\n\n**Why $a_t$?** and `$not math$`\n\n$$a + \\delta\\, v$$"),
        nbformat.v4.new_code_cell(CODE),
        nbformat.v4.new_markdown_cell("## Look\n\nAt this." + 30 * "\n\nAnd this."),
        nbformat.v4.new_code_cell('Bench("bandit2d", "qgf", shown=32)'),
        nbformat.v4.new_code_cell('wb.course.source(wb.RULES["qgf"].guidance)'),
        nbformat.v4.new_markdown_cell("## Long\n\nLines, and rows."),
        nbformat.v4.new_code_cell(f"numbers = [{', '.join(map(str, range(90)))}]\nprint('-' * 400)"),
        nbformat.v4.new_code_cell("for row in range(80):\n    print(row)"),
        nbformat.v4.new_code_cell("figure = Figure()\nfigure.subplots().plot([1, 2])\nfigure"),
    ]
    path = tmp_path_factory.mktemp("lesson") / "01_lesson.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    return path


@pytest.fixture
def offline(browser: Browser):
    context = browser.new_context(viewport={"width": 1280, "height": 900}, offline=True)
    page, faults = context.new_page(), []
    page.on("pageerror", lambda error: faults.append(f"error: {error}"))
    page.on("request", lambda r: faults.append(r.url) if not r.url.startswith(("file:", "data:", "blob:")) else None)
    page.on("console", lambda m: faults.append(m.text) if m.type == "error" else None)
    yield page
    context.close()
    assert not faults, faults


def test_every_formula_of_the_course_can_be_typeset(root):
    found = []
    for path in sorted((root / "notebooks").glob("*.ipynb")):
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type == "markdown":
                found += [" ".join(formula[2].split()) for formula in MATH.finditer(cell.source)]
    assert len(found) > 10
    assert [formula for formula in found if equation(formula) is None] == []


def test_money_and_code_are_no_formulas():
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("`$x$` costs $5 or 10$ and $y$.")])
    text = with_set_math(book).cells[0].source
    assert text.count("<math") == 1
    assert "`$x$`" in text


def test_a_heading_in_the_middle_of_a_cell_begins_a_slide():
    cells = [
        nbformat.v4.new_markdown_cell("# One\n\nText.\n\n## Two\n\nMore."),
        nbformat.v4.new_code_cell("## no heading\n1"),
    ]
    found = slides(nbformat.v4.new_notebook(cells=cells), "One")
    assert found.count('<section class="slide">') == 2
    assert found.index("More.") > found.index("</section>")


def test_wrong_input_says_what(tmp_path, notebook):
    with pytest.raises(ValueError, match="exists"):
        list(write_handout(tmp_path))
    with pytest.raises(ValueError, match="is not a notebook"):
        list(write_handout(tmp_path / "out", [tmp_path / "none.ipynb"]))
    broken = tmp_path / "broken.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1 / 0")]), broken)
    with pytest.raises(ValueError, match="ZeroDivisionError"):
        list(write_handout(tmp_path / "out", [broken]))
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
@pytest.mark.browser
def test_pages_and_slides_work_offline(tmp_path, notebook, offline, environment, monkeypatch):
    for name in ("PYTHONPATH", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, environment[name])
    said = list(write_handout(tmp_path / "out", [notebook], figures=False))
    assert said[-1].endswith("index.html")
    text = (tmp_path / "out" / "01_lesson.html").read_text()
    assert "https://cdn" not in text
    assert "<script" not in text
    offline.goto((tmp_path / "out" / "index.html").as_uri())
    offline.get_by_role("link", name="A lesson").click()
    expect(offline.locator("h1")).to_have_text("A lesson")
    pictures = offline.locator("img")
    assert pictures.count() == 1  # the bench
    formulas = offline.locator("math")
    assert formulas.count() == 4  # two in the text, two beside the code
    assert formulas.evaluate_all("all => all.every((one) => one.getBoundingClientRect().width > 5)")
    assert pictures.first.evaluate("image => image.naturalWidth") > 0
    expect(offline.locator(".wb-source math").first).to_be_visible()
    offline.goto((tmp_path / "out" / "01_lesson-slides.html").as_uri())
    for width, height in ((1440, 900), (900, 700)):
        offline.set_viewport_size({"width": width, "height": height})
        offline.reload()
        assert offline.evaluate("document.documentElement.scrollWidth") <= width
        found = offline.locator(".slide").evaluate_all(
            "all => all.map((s) => [s.getBoundingClientRect().height, s.scrollWidth - s.clientWidth, s.children.length])"
        )
        assert len(found) > 4  # divided
        assert all(wide <= 0 for _, wide, _ in found)
        assert all(
            tall <= height + 1 or blocks == 1 for tall, _, blocks in found
        )  # one block may be taller: it scrolls
    assert offline.get_by_text("And this.").count() == 30
    assert offline.locator(".slide").first.get_by_role("heading", name="A lesson").count() == 1
    assert offline.get_by_text("figure.subplots").count() == 0  # on slides the picture alone
    assert "subplots" in text
    long = offline.locator(".slide").filter(has_text="79").last
    at = offline.locator(".slide").evaluate_all("(all) => all.findIndex((s) => s.textContent.includes('\\n79'))")
    for _ in range(at):
        offline.keyboard.press("ArrowRight")
        offline.wait_for_timeout(400)
    assert offline.evaluate("scrollY") > 0 or offline.locator("body").evaluate("body => body.scrollTop") > 0
    for key, there in (
        ("ArrowRight", lambda y: y < -100),  # taller than the window: its rest comes before the next one
        ("ArrowLeft", lambda y: abs(y) < 2),
    ):
        offline.keyboard.press(key)
        offline.wait_for_timeout(400)
        assert there(long.bounding_box()["y"]), key


@pytest.mark.parametrize(
    ("source", "tags", "hidden"),
    [
        ("axes.plot(x, y)", [], True),
        ("figure.subplots(1, 2)", [], True),
        ("def draw(w):\n    axes.scatter(x, y)\n    return figure", [], True),
        ("wb.steer(rule, parts, state, noise)", [], False),
        ("wb.steer(rule, parts, state, noise)", ["plot"], True),
        ("plot = 3", [], False),
        ("%matplotlib inline\nimport torch", [], False),
    ],
)
def test_slides_leave_drawing_out_and_pages_keep_it(source, tags, hidden):
    cell = nbformat.v4.new_code_cell(source, metadata={"tags": tags})
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# One"), cell])
    assert ("highlight" in slides(book, "One").partition("<section")[2]) is not hidden
    assert "highlight" in page(book, "One").partition("<main")[2]


@pytest.mark.parametrize(("task", "panels"), [("bandit2d", 3), ("three_exits", 2)])
def test_a_bench_on_paper_keeps_the_truth_and_the_numbers(task, panels, monkeypatch):
    monkeypatch.setenv("WORKBENCH_HANDOUT", "1")
    bench = Bench(task, "qgf", weight=0.3)
    data, _ = bench._repr_mimebundle_()
    html = data["text/html"]
    width, height = struct.unpack(">2I", bench.still()[16:24])
    assert round(width / height * 3.4 / 3.3) == panels
    for term in (
        "state.promised",
        "state.shift",
        "state.transport",
        "state.earned" if task == "bandit2d" else "state.return",
    ):
        assert TERM[term].short in html
    assert "…" not in html


@pytest.mark.slow
@pytest.mark.browser
def test_a_saved_figure_moves_without_a_server(tmp_path, offline):
    save_figure(tmp_path / "figure.html", FIGURES["qgf"])
    offline.goto((tmp_path / "figure.html").as_uri())
    canvas = offline.locator("canvas.wb-canvas").nth(1)
    canvas.wait_for(timeout=30_000)
    offline.wait_for_timeout(500)
    before, numbers = canvas.screenshot(), offline.locator(".wb-heads").nth(1).inner_text()
    offline.locator(".noUi-handle").first.focus()
    offline.keyboard.press("ArrowRight")
    expect(offline.locator(".wb-heads").nth(1)).not_to_have_text(numbers)
    offline.wait_for_timeout(300)
    assert canvas.screenshot() != before
