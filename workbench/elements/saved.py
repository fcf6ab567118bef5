"""Pictures for papers: matplotlib at a column's width, in a vector file whose text stays text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import holoviews as hv
import matplotlib

from workbench.engine.digits import exact
from workbench.engine.words import UserError

FORMATS = (".pdf", ".svg", ".png")
DPI = 300
POINTS = 8.0  # of the text
FONTS: dict[str, Any] = {
    "pdf.fonttype": 42,
    "ps.fonttype": 42,
    "svg.fonttype": "none",
    "axes.linewidth": 0.6,
    "axes.unicode_minus": True,
}


def save(picture: Any, path: str | Path, width: float = 3.35, text: float = POINTS) -> Path:
    """Write a picture for a paper.

    Parameters
    ----------
    picture : holoviews element, Overlay or Layout
        Drawn by matplotlib, whatever the notebook shows it with.
    path : str or Path
        Ends in ``.pdf``, ``.svg`` or ``.png`` (300 dots an inch). The fonts of a PDF are embedded as TrueType.
    width : float
        Of the whole figure, inches: 3.35 is a column of most journals, 6.9 a page.
    text : float
        Size of the text, points.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    UserError
        Another ending, a width that no paper has, or something that is no picture.
    """
    path = Path(path)
    if path.suffix.lower() not in FORMATS:
        raise UserError(f"a picture is saved as {', '.join(FORMATS)}; got '{path.name}'")
    if not 0.5 <= width <= 40.0:
        raise UserError(f"width is in inches, 0.5 to 40; got {exact(width)}")
    if not isinstance(picture, hv.core.dimension.Dimensioned):
        raise UserError(f"save takes a picture of workbench.plots or of HoloViews; got {type(picture).__name__}")
    if picture.traverse(lambda one: one, [hv.HoloMap]):
        raise UserError(
            "what moves cannot be printed: save one of its pictures, as save(over_time(trace)[3], 'tick3.pdf')"
        )
    sizes: Any = {name: text for name in ("font.size", "axes.labelsize", "axes.titlesize")}
    sizes |= {name: text - 1 for name in ("xtick.labelsize", "ytick.labelsize", "legend.fontsize")}
    with matplotlib.rc_context(FONTS | sizes):
        figure = hv.render(picture, backend="matplotlib")
        high, wide = figure.get_figheight(), figure.get_figwidth()
        figure.set_size_inches(width, width * high / wide)
        figure.savefig(path, dpi=DPI, bbox_inches="tight", pad_inches=0.02)
    return path
