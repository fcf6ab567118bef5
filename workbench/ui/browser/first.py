"""What every page begins with: its theme before the first paint, and names for the widgets that come without one."""

from pathlib import Path

from workbench.ui.browser.link import inline

HERE = Path(__file__).parent
FIRST = "\n".join(inline(HERE / name) for name in ("first_theme.js", "first_names.js"))
