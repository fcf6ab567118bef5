"""What a browser, and axe (https://github.com/dequelabs/axe-core), say of a page to somebody who does not see it."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page

AXE = Path("node_modules") / "axe-core" / "axe.min.js"
BAD = ("serious", "critical")
RUN = """(rules) => axe.run(document, {resultTypes: ["violations"], ...(rules.length ? {runOnly: rules} : {})})
  .then((found) => found.violations.flatMap((one) =>
    one.nodes.map((node) => [one.impact, one.id, node.target.flat().join(" "), node.html.slice(0, 120)])))"""
COLOURS = ("color-contrast", "link-in-text-block")  # the rules that ask for colours, which are all that a theme changes
# Whoever can have the focus and do something; a region that only scrolls is named, but does nothing.
ROLES = {
    "application", "button", "checkbox", "combobox", "link", "listbox", "menuitem", "option", "radio", "row", "searchbox",
    "slider", "spinbutton", "switch", "tab", "textbox",
}  # fmt: skip
CANVASES = """() => {
  const found = []
  const walk = (root) => {
    for (const el of root.querySelectorAll("*")) {
      const figure = el.matches("canvas.bk-layer.bk-glyph")  // the marks in a legend of Bokeh's
      if (el instanceof HTMLCanvasElement && el.getClientRects().length && !figure && !el.closest("[aria-hidden=true]")
        && !(["img", "application"].includes(el.getAttribute("role")) && el.getAttribute("aria-label"))) found.push(el.outerHTML)
      if (el.shadowRoot) walk(el.shadowRoot)
    }
  }
  walk(document)
  return found
}"""
FOCUSED = """() => {
  let el = document.activeElement
  while (el?.shadowRoot?.activeElement) el = el.shadowRoot.activeElement
  if (!el || el === document.body) return null
  const look = getComputedStyle(el), name = el.getAttribute("aria-label") ?? el.textContent.trim().slice(0, 40)
  const seen = look.outlineStyle !== "none" && parseFloat(look.outlineWidth) >= 1
  return {tag: el.localName, kind: el.getAttribute("role") ?? el.type ?? "", name, seen, dialog: !!el.closest("dialog"),
    main: !!document.activeElement.closest("main"), controls: !!document.activeElement.closest("#wb-controls")}
}"""


def serious(page: Page, root: Path, where: str, rules: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """What axe finds that is serious or critical, in all shadow trees, by all its rules or these; ``where`` leads each."""
    if not page.evaluate("!!window.axe"):
        page.evaluate((root / AXE).read_text(encoding="utf-8"))
    return [(where, *one) for one in page.evaluate(RUN, list(rules)) if one[0] in BAD]


def unnamed(page: Page) -> list[str]:
    """The roles of what can be worked and has no name, as the browser computes it for screen readers; and nameless canvases."""
    session = page.context.new_cdp_session(page)
    try:
        nodes = session.send("Accessibility.getFullAXTree")["nodes"]
    finally:
        session.detach()
    found = []
    for node in nodes:
        role = node.get("role", {}).get("value", "")
        properties = {one["name"]: one["value"].get("value") for one in node.get("properties", ())}
        works = role in ROLES and (properties.get("focusable") or role in ("slider", "button"))
        if works and not node.get("ignored") and not str(node.get("name", {}).get("value", "")).strip():
            found.append(f"{role} {properties}")
    return found + page.evaluate(CANVASES)


def wear(page: Page, theme: str) -> None:
    """Dress the page as its button does."""
    dress = "(theme) => { document.documentElement.dataset.theme = theme; dispatchEvent(new Event('wb-theme')) }"
    page.evaluate(dress, theme)
    page.wait_for_timeout(150)


def focused(page: Page) -> dict[str, object] | None:
    """What has the focus, in whichever shadow tree: its tag, kind and name, whether that is seen, and where it stands."""
    found: dict[str, object] | None = page.evaluate(FOCUSED)
    return found
