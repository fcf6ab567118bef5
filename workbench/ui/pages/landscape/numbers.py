"""The numbers beside a landscape, as the glossary names them."""

from __future__ import annotations

import numpy as np

from workbench.engine.glossary import TERM
from workbench.ui.canvas.frames import figure
from workbench.views.terrain import Terrain


def rows_of(found: Terrain) -> list[tuple[str, str, str]]:
    """Name, value and meaning of each."""
    home, steered = found.answer.numbers
    promised = TERM["state.promised"]
    moved = [(key, steered.as_dict()[key]) for key in ("state.shift", "state.displacement")]
    trust = found.trust
    share = "–" if not np.isfinite(trust.share) else f"{trust.share:.0%}"
    rows = [
        ("Promised, behaviour", figure(home.promised), f"of the behaviour's actions: {promised.hint}"),
        ("Promised, steered", figure(steered.promised), f"of the chosen actions: {promised.hint}"),
        *((TERM[key].label, figure(value or 0.0), TERM[key].hint) for key, value in moved),
        (TERM["state.trusted"].label, share, TERM["state.trusted"].hint),
        (TERM["state.usual_spread"].label, figure(trust.usual_spread), TERM["state.usual_spread"].hint),
    ]
    if steered.earned is not None:
        rows.insert(2, (TERM["state.earned"].label, figure(steered.earned), TERM["state.earned"].hint))
    return rows
