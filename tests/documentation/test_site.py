"""The docs site is built strictly and loads nothing from elsewhere."""

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from chromium import find_chromium
from playwright.sync_api import sync_playwright

from docs.making.docstrings import fenced, linked
from docs.making.hooks import equation
from workbench.engine.steering.rules import RULES

ROOT = Path(__file__).resolve().parents[2]
LOADED = {
    "script": "src",
    "link": "href",
    "img": "src",
    "iframe": "src",
    "source": "src",
    "video": "src",
    "object": "data",
}


class Loads(HTMLParser):
    """What a page of HTML makes a browser load, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in LOADED and given.get("rel") not in ("canonical", "next", "prev"):
            self.found.append(given.get(LOADED[tag]) or "")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built by the command of ``make docs``; a warning of it is an error."""
    out = tmp_path_factory.mktemp("site")
    words = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(out)]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    assert "WARNING" not in done.stderr
    return out


def test_every_page_is_there(site: Path) -> None:
    pages = {path.relative_to(ROOT / "docs").with_suffix("") for path in (ROOT / "docs").rglob("*.md")}
    built = {path.relative_to(site).with_suffix("") for path in site.rglob("*.html")}
    assert {page.with_name("index") if page.name == "README" else page for page in pages} <= built
    assert {Path(name) for name in ("changelog", "contributing", "course", "reference/rooms/engine.steering")} <= built


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    for path in site.rglob("*.html"):
        loads = Loads(path.read_text(encoding="utf-8")).found
        assert loads, path
        assert [place for place in loads if re.match(r"(https?:)?//", place)] == [], path
    for path in site.rglob("*.css"):
        assert re.findall(r"url\([\"']?(?:https?:)?//", path.read_text(encoding="utf-8")) == [], path


def test_equations_names_and_the_picture_of_the_rooms_are_shown(site: Path) -> None:
    for name in RULES:
        assert "<math" in (site / "methods" / f"{name}.html").read_text(encoding="utf-8"), name
    rules = (site / "reference" / "rooms" / "engine.steering.html").read_text(encoding="utf-8")
    assert ".. math::" not in rules
    assert rules.count("<math") >= len(RULES)
    names = (site / "reference" / "index.html").read_text(encoding="utf-8")
    for name in ("check_parts", "evaluate", "Parts", "RULES"):
        assert re.search(rf'<h3 id="workbench\.[\w.]+\.{name}"', names), name
    assert "::: " not in names
    assert 'src="rooms.svg"' in (site / "architecture" / "index.html").read_text(encoding="utf-8")


def test_an_equation_of_a_docstring_becomes_a_block() -> None:
    text = "First.\n\n.. math:: a \\leftarrow\n    b\n\nLast."
    assert fenced(text) == "First.\n\n```math\na \\leftarrow b\n```\n\nLast."
    assert "<mfrac>" in equation(r"\frac{a}{b}")


@pytest.mark.browser
def test_a_browser_asks_for_nothing_else_and_finds_no_error(site: Path) -> None:
    asked: list[str] = []
    errors: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 390, "height": 844})
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: errors.append(str(error)))
        for name in ("index", "architecture/index", "methods/vgf", "reference/index", "glossary"):
            page.goto((site / f"{name}.html").as_uri())
            assert page.locator("h1").first.inner_text()
            wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert wide <= 0, f"{name} is {wide} pixels wider than a phone"
        page.set_viewport_size({"width": 1440, "height": 900})
        page.keyboard.press("/")  # search, without a server
        page.keyboard.type("occupancy")
        page.locator(".md-search-result__link", has_text="Occupancy shift").first.wait_for()
        browser.close()
    assert errors == []
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []


def test_a_citation_of_the_mathematics_becomes_a_link(site: Path) -> None:
    assert (
        linked("see methods.md, section 2, too") == "see [methods.md, section 2][2-behaviour-flow-flow-matching], too"
    )
    nowhere = f"methods.md, section {99}"
    assert linked(nowhere) == nowhere
    rules = (site / "reference" / "rooms" / "engine.steering.html").read_text(encoding="utf-8")
    assert re.search(r'href="[^"]*methods\.html#5-qgf-[\w-]+"', rules)
