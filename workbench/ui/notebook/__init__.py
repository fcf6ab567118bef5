"""The pages' pictures and controls in a notebook."""

from workbench.ui.notebook.dashboard import dashboard
from workbench.ui.notebook.explorer import explore, rule_controls
from workbench.ui.notebook.widgets import Bench, Live, Watch, ready
from workbench.views.paper import picture, side_by_side
from workbench.views.parts import parts_for

__all__ = [
    "Bench",
    "Live",
    "Watch",
    "dashboard",
    "explore",
    "parts_for",
    "picture",
    "ready",
    "rule_controls",
    "side_by_side",
]
