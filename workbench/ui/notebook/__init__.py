"""The pages' pictures and controls in a notebook."""

from workbench.ui.notebook.dashboard import dashboard
from workbench.ui.notebook.explorer import Explorer, picture, rule_controls
from workbench.ui.notebook.widgets import Bench, Live, Watch, ready, side_by_side
from workbench.ui.server.parts_cache import parts_for

__all__ = [
    "Bench",
    "Explorer",
    "Live",
    "Watch",
    "dashboard",
    "parts_for",
    "picture",
    "ready",
    "rule_controls",
    "side_by_side",
]
