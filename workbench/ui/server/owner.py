"""Who is who: a secret that a browser keeps tells its owner from others."""

from __future__ import annotations

from pathlib import Path

import param
from panel.custom import JSComponent

from workbench.ui.browser.link import component


class Owner(JSComponent):
    """Nothing to see: it reads the browser's secret, or makes one, and tells the server.

    The secret stays in this browser's storage, so that trainings survive a reload; another browser has another.
    """

    secret = param.String(default="", doc="32 hexadecimal digits; empty until the browser has told.")

    _esm = component(Path(__file__).parent / "owner.js")
