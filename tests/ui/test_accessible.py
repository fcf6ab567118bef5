"""Every page for people who do not see it, or who use no pointer: axe's rules, names, and the way of the keys."""

from pathlib import Path

import numpy as np
import pytest
from experiments.made_up import made_up_store
from node_tools import NoNodeError, ready
from playwright.sync_api import Page, expect
from ui.accessible import COLOURS, focused, serious, unnamed, wear

from workbench.experiments.grid import Grid
from workbench.ui.shell.registry import PAGES
from workbench.ui.signin.lock import LOGIN, LOGOUT

pytestmark = pytest.mark.browser
GRID = Grid(
    tasks=("bandit2d",), rules=("bc", "qgf"), axes={"qgf.weight": (0.1, 1.0, 3.0), "fit.steps": (60,)}, seeds=(0, 1), episodes=4
)  # fmt: skip
SIZES = {"desktop": (1440, 900), "phone": (390, 844)}
# What there is once the page has its picture.
SHOWN = {
    "index": "main a",
    "particles": ".wb-scene[data-version] .wb-canvas",
    "landscape": ".wb-surface canvas[aria-label]",
    "budget": "canvas[role=img]",
    "compare": "canvas[role=img]",
    "rollouts": "canvas[role=img]",
    "training": ".wb-start button",
    "runs": "tbody tr",
    "bring": ".wb-place button",
}
FIRST_PICTURE = 7 + len(
    PAGES
)  # stops of the Tab key to it, at most: two skip links, the index, the pages, the toolbar, the theme


@pytest.fixture(scope="module")
def store_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a few runs."""

    def measure(settings: dict[str, float], seed: int) -> tuple[np.ndarray, np.ndarray, float, float]:
        value = float(settings.get("weight", 0.0))
        returns = np.full(4, 0.1 * value + seed)
        return returns, returns, value, value

    folder = tmp_path_factory.mktemp("lab") / "store"
    made_up_store(folder, GRID, measure)
    return folder


@pytest.fixture(scope="module")
def clone(root: Path) -> Path:
    """The root of the clone, with axe in its node_modules; without a network the pages stay unchecked, and the tests say so."""
    try:
        ready()
    except NoNodeError as missing:
        pytest.skip(f"the pages are not checked by axe: {missing}")
    return root


def opened(page: Page, server: str, name: str) -> None:
    page.goto(f"{server}/{'' if name == 'index' else name}")
    page.locator(SHOWN.get(name, "main")).first.wait_for()
    page.wait_for_timeout(500)


def walk(page: Page, count: int) -> list[dict[str, object]]:
    """What has the focus after each of so many presses of the Tab key."""
    stops = []
    for _ in range(count):
        page.keyboard.press("Tab")
        if (now := focused(page)) is not None:  # None: in the browser's own bar
            stops.append(now)
    return stops


def found_in_every_look(page: Page, root: Path, name: str) -> list[tuple[str, ...]]:
    """What axe finds on desktop and phone, in light and dark; in the dark only the colours are other ones."""
    found = []
    for size, (width, height) in SIZES.items():
        page.set_viewport_size({"width": width, "height": height})
        for theme, rules in (("dark", COLOURS), ("light", ())):
            wear(page, theme)
            found += serious(page, root, f"{name}, {size}, {theme}", rules)
    page.set_viewport_size({"width": 1440, "height": 900})
    return found


@pytest.mark.parametrize("name", [*PAGES, "index"])
def test_every_page(page: Page, server: str, clone: Path, name: str) -> None:
    opened(page, server, name)
    stops = walk(page, 30)
    assert [stop for stop in stops if not stop["seen"]] == []
    assert stops[0]["name"] == "Skip to the content"
    if name not in (
        "training",
        "bring",
        "index",
    ):  # while they are empty there is nothing to be worked in their main part
        assert any(stop["main"] for stop in stops[:FIRST_PICTURE]), stops[FIRST_PICTURE - 1]
        page.locator("a", has_text="Skip to the content").focus()
        page.keyboard.press("Enter")
        assert walk(page, 1)[0]["main"]
    if name != "index":
        page.locator("a", has_text="Skip to the settings").focus()
        page.keyboard.press("Enter")
        assert walk(page, 1)[0]["controls"]
    assert found_in_every_look(page, clone, name) == []
    assert unnamed(page) == []


def test_dialogs_keep_the_keys_and_give_them_back(page: Page, server: str, clone: Path) -> None:
    opened(page, server, "particles")
    for opener, dialog in (("Copy as code", "This picture as code"), ("Guided tour", "Guided tour")):
        page.get_by_role("button", name=opener).focus()
        page.keyboard.press("Enter")
        box = page.get_by_role("dialog", name=dialog)
        expect(box).to_be_visible()
        assert found_in_every_look(page, clone, dialog) == []
        assert all(stop["dialog"] for stop in walk(page, 6))
        page.keyboard.press("Escape")
        expect(box).to_be_hidden()
        now = focused(page)
        assert now is not None
        assert now["name"] == opener
    page.get_by_role("button", name="Export").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("menu", name="Export")).to_be_visible()
    assert found_in_every_look(page, clone, "the menu of exports") == []
    page.keyboard.press("ArrowDown")
    now = focused(page)
    assert now is not None
    assert now["kind"] == "menuitem"
    page.keyboard.press("Escape")
    expect(page.get_by_role("menu", name="Export")).to_be_hidden()
    now = focused(page)
    assert now is not None
    assert now["name"] == "Export"
    # the toolbar is one stop, along which the arrows lead
    page.keyboard.press("ArrowRight")
    now = focused(page)
    assert now is not None
    assert now["name"] == "Guided tour"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "wb-theme-button"


def test_refusals_and_deletions_are_told(page: Page, server: str, clone: Path) -> None:
    opened(page, server, "training")
    page.get_by_label("Updates").fill("-5")
    page.locator(".wb-start button").click()
    expect(page.get_by_text("A whole number from 1 to 200,000, got -5")).to_be_visible()
    expect(page.get_by_label("Updates")).to_have_value("-5")
    expect(page.get_by_label("Updates")).to_be_focused()
    expect(page).to_have_url(f"{server}/training?task=three_exits&fit_updates=-5")
    assert found_in_every_look(page, clone, "a refused number") == []
    opened(page, server, "runs")
    page.locator("tbody tr").first.click()
    page.get_by_text("Do it again").first.wait_for()
    page.keyboard.press("Delete")
    expect(page.get_by_text("1 run deleted.")).to_be_visible()
    page.get_by_role("button", name="Undo", exact=True).focus()  # it stays while it has the focus
    assert found_in_every_look(page, clone, "a deletion") == []
    page.keyboard.press("Enter")
    expect(page.get_by_text("1 run put back.")).to_be_visible()


@pytest.mark.parametrize("name", ["sign in", "sign in, refused", "signed out"])
def test_the_pages_of_the_door(page: Page, clone: Path, name: str) -> None:
    words = {"wrong": "Name or password is wrong."} if name.endswith("refused") else {}
    page.set_content((LOGOUT if name == "signed out" else LOGIN).render(nonce="n", **words))
    found = []
    for theme in ("dark", "light"):
        page.emulate_media(color_scheme=theme)
        found += serious(page, clone, f"{name}, {theme}")
    assert found == []
    assert unnamed(page) == []
