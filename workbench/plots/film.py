"""The picture of a film: particles over a landscape beside promised and earned against shift; what stands still is drawn once."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from workbench.engine.glossary import TERM
from workbench.plots.palette import MATPLOTLIB_MARKERS, look
from workbench.plots.still import landscape

SIZE = (9.6, 5.4)  # inches
INK = "#17202c"
MUTED = "#5b6472"
WARN = "#b3402b"


class Sweep(NamedTuple):
    """What all pictures of a film share.

    Attributes
    ----------
    title, rule : str
    ground : ndarray
        (G, G), values over [−extent, extent]².
    extent : float
    shift, earned, promised : ndarray
        (F,) each.
    """

    title: str
    rule: str
    ground: np.ndarray
    extent: float
    shift: np.ndarray
    earned: np.ndarray
    promised: np.ndarray


class Moment(NamedTuple):
    """What one picture shows.

    Attributes
    ----------
    places : ndarray
        (P, 2), the particles.
    frame : float
        How far along the curves.
    strength, said : str
    warns : bool
        Whether what is said is a warning.
    """

    places: np.ndarray
    frame: float
    strength: str
    said: str
    warns: bool


class FilmPicture:
    """Draws one moment after the other.

    Parameters
    ----------
    sweep : Sweep
    dpi : int
    """

    def __init__(self, sweep: Sweep, dpi: int) -> None:
        self._sweep = sweep
        self._figure = Figure(figsize=SIZE, dpi=dpi, facecolor="white")
        self._canvas = FigureCanvasAgg(self._figure)
        style = look(sweep.rule)
        colour = style.colour("light")
        self._figure.text(0.03, 0.945, sweep.title, size=12, color=MUTED, va="center")
        plane = self._figure.add_axes((0.03, 0.2, 0.405, 0.7))
        half = sweep.extent
        landscape(plane, sweep.ground, (-half, -half, half, half))
        plane.set(xticks=[], yticks=[], xlabel="", ylabel="")
        self._dots = plane.plot(
            [], [], MATPLOTLIB_MARKERS[style.shape], color=colour, mec="white", mew=0.6, ms=5.5, ls="", animated=True
        )[0]
        chart = self._figure.add_axes((0.53, 0.285, 0.44, 0.615))
        chart.plot(sweep.shift, sweep.promised, "--", color=WARN, lw=1.4, alpha=0.4)
        chart.plot(sweep.shift, sweep.earned, color=colour, lw=1.4, alpha=0.3)
        chart.set_xlabel(f"{TERM['state.shift'].label} (action units)", color=MUTED)
        chart.spines[["top", "right"]].set_visible(False)
        chart.tick_params(colors=MUTED)
        self._promised = chart.plot([], [], "--", color=WARN, lw=2.4, label="promised by the critic", animated=True)[0]
        self._earned = chart.plot([], [], color=colour, lw=2.8, label="earned", animated=True)[0]
        self._gap = chart.plot([], [], color=WARN, lw=6, alpha=0.25, solid_capstyle="butt", animated=True)[0]
        self._ring = chart.plot([], [], "o", mfc="white", mec=WARN, mew=2, ms=8, animated=True)[0]
        self._dot = chart.plot([], [], "o", color=colour, mec="white", mew=1, ms=11, animated=True)[0]
        chart.legend(
            loc="upper left",
            bbox_to_anchor=(-0.02, 1.165),
            ncols=2,
            columnspacing=1.2,
            handlelength=1.6,
            fontsize=9.5,
            frameon=False,
            labelcolor=INK,
        )
        self._strength = self._figure.text(
            0.97, 0.945, "", size=13, weight="bold", ha="right", va="center", animated=True
        )
        self._words = self._figure.text(
            0.03, 0.085, "", size=14.5, weight="bold", color=INK, va="center", wrap=True, animated=True
        )
        self._moving = (
            (self._dots, plane),
            *((one, chart) for one in (self._gap, self._promised, self._earned, self._ring, self._dot)),
        )
        self._canvas.draw()
        self._still = self._canvas.copy_from_bbox(self._figure.bbox)

    def at(self, moment: Moment) -> np.ndarray:
        """The picture (H, W, 3) of a moment."""
        frames = np.arange(len(self._sweep.shift))
        x, earned, promised = (
            np.append(one[: int(moment.frame) + 1], np.interp(moment.frame, frames, one))
            for one in (self._sweep.shift, self._sweep.earned, self._sweep.promised)
        )
        self._dots.set_data(*moment.places.T)
        self._promised.set_data(x, promised)
        self._earned.set_data(x, earned)
        self._gap.set_data(x[[-1, -1]], [earned[-1], promised[-1]])
        self._ring.set_data(x[-1:], promised[-1:])
        self._dot.set_data(x[-1:], earned[-1:])
        self._strength.set_text(moment.strength)
        self._words.set_text(moment.said)
        self._words.set_color(WARN if moment.warns else INK)
        self._canvas.restore_region(self._still)
        for artist, axes in self._moving:
            axes.draw_artist(artist)
        for text in (self._strength, self._words):
            self._figure.draw_artist(text)
        return np.asarray(self._canvas.buffer_rgba())[..., :3].copy()
