"""What the export menu hands over, and the saved page without a network."""

from collections.abc import Sequence
from pathlib import Path

from playwright.sync_api import Browser, Page

DRAWN = ("PNG picture", "SVG picture", "HTML that works offline")  # what every page of figures has


def save_all(page: Page, folder: Path, labels: Sequence[str] = DRAWN) -> dict[str, Path]:
    """Press those lines of the export menu; the files by line."""
    saved = {}
    for label in labels:
        page.get_by_role("button", name="Export").click()
        with page.expect_download() as download:
            page.get_by_role("menuitem", name=label).click()
        saved[label] = folder / download.value.suggested_filename
        download.value.save_as(saved[label])
    return saved


def see_offline(browser: Browser, file: Path, scrubs: bool = False) -> None:
    """The saved page shows its figures and asks for nothing; its slider, where it has one, changes the picture."""
    context, faults = browser.new_context(offline=True), []
    tab = context.new_page()
    tab.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    tab.on("request", lambda request: faults.append(request.url) if request.url != file.as_uri() else None)
    tab.goto(file.as_uri())
    figure = tab.locator(".bk-Figure").first
    figure.wait_for()
    if scrubs:
        tab.locator(".noUi-handle").focus()
        tab.wait_for_timeout(500)
        before = figure.screenshot()
        for _ in range(4):
            tab.keyboard.press("ArrowLeft")
        tab.wait_for_timeout(500)
        assert figure.screenshot() != before
    context.close()
    assert [fault for fault in faults if not fault.startswith(("data:", "blob:"))] == []
