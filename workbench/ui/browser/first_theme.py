"""The theme of a page before its first paint: the script that every page begins with."""

from pathlib import Path

from workbench.ui.browser.link import inline

FIRST_THEME = inline(Path(__file__).parent / "first_theme.js")
