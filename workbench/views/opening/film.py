"""The opening as a film: a GIF by Pillow, or an MP4 by ffmpeg."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from workbench.engine.glossary import TERM
from workbench.engine.steering.rules import find_rule
from workbench.engine.words import MissingExtraError, UserError
from workbench.plots.palette import MATPLOTLIB_MARKERS, look
from workbench.plots.still import landscape
from workbench.views.opening.captions import Caption
from workbench.views.opening.measured import SECONDS, Opening, caption_at, frame_at

SIZE = (9.6, 5.4)  # inches
DPI = {".gif": 75, ".mp4": 100}
RATE = {".gif": 12.5, ".mp4": 30.0}  # pictures a second; a GIF counts in hundredths of a second
COLOURS = 96  # of a GIF
Tell = Callable[[int, int], None]
INK, MUTED, WARN = "#17202c", "#5b6472", "#b3402b"


def film(opening: Opening, suffix: str, tell: Tell = lambda done, total: None) -> bytes:
    """The opening as the bytes of a file.

    Parameters
    ----------
    opening : Opening
    suffix : {".gif", ".mp4"}
    tell : callable
        ``tell(done, total)``, after each picture.

    Raises
    ------
    MissingExtraError
        An MP4 without the extra that brings ffmpeg.
    """
    if suffix == ".gif":
        return _gif(_pictures(opening, suffix, tell))
    if suffix == ".mp4":
        return _mp4(opening, tell)
    raise UserError(f"a film is a .gif or an .mp4, got '{suffix}'")


def check_writer(suffix: str) -> None:
    """Raise MissingExtraError where nothing is installed that writes such films."""
    if suffix == ".mp4":
        try:
            import imageio_ffmpeg  # noqa: F401
        except ImportError as error:
            raise MissingExtraError(
                'an MP4 needs the extra film: pip install "workbench[film]"; a GIF needs nothing more'
            ) from error


def pictures(suffix: str) -> int:
    """How many pictures a film has."""
    return round(SECONDS * RATE[suffix])


def _pictures(opening: Opening, suffix: str, tell: Tell) -> Iterator[np.ndarray]:
    scene = _Scene(opening, DPI[suffix])
    for number in range(pictures(suffix)):
        yield scene.at(frame_at(opening, number / RATE[suffix]))
        tell(number + 1, pictures(suffix))


def _gif(found: Iterator[np.ndarray]) -> bytes:
    # One palette for all: no picture flickers against the next.
    images = [Image.fromarray(picture) for picture in found]
    palette = images[len(images) // 2].quantize(COLOURS)
    small = [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in images]
    buffer = io.BytesIO()
    small[0].save(
        buffer,
        "GIF",
        save_all=True,
        append_images=small[1:],
        duration=round(1000 / RATE[".gif"]),
        loop=0,
        optimize=True,
    )
    return buffer.getvalue()


def _mp4(opening: Opening, tell: Tell) -> bytes:
    check_writer(".mp4")
    import imageio_ffmpeg

    found = _pictures(opening, ".mp4", tell)
    first = next(found)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "opening.mp4"
        writer = imageio_ffmpeg.write_frames(
            str(path), first.shape[1::-1], fps=RATE[".mp4"], codec="libx264", quality=7, macro_block_size=2
        )
        writer.send(None)
        writer.send(np.ascontiguousarray(first))
        for picture in found:
            writer.send(np.ascontiguousarray(picture))
        writer.close()
        return path.read_bytes()


class _Scene:
    """The pictures of an opening: what stands still is drawn once."""

    def __init__(self, opening: Opening, dpi: int) -> None:
        self._opening = opening
        self._figure = Figure(figsize=SIZE, dpi=dpi, facecolor="white")
        self._canvas = FigureCanvasAgg(self._figure)
        style = look(opening.rule)
        colour = style.colour("light")
        title = f"{opening.title}, steered by {find_rule(opening.rule).title}"
        self._figure.text(0.03, 0.945, title, size=12, color=MUTED, va="center")
        plane = self._figure.add_axes((0.03, 0.2, 0.405, 0.7))
        half = opening.extent
        landscape(plane, np.array(opening.ground), (-half, -half, half, half))
        plane.set(xticks=[], yticks=[], xlabel="", ylabel="")
        self._dots = plane.plot(
            [], [], MATPLOTLIB_MARKERS[style.shape], color=colour, mec="white", mew=0.6, ms=5.5, ls="", animated=True
        )[0]
        chart = self._figure.add_axes((0.53, 0.285, 0.44, 0.615))
        shift, earned, promised = (np.array(x) for x in (opening.shift, opening.earned, opening.promised))
        chart.plot(shift, promised, "--", color=WARN, lw=1.4, alpha=0.4)
        chart.plot(shift, earned, color=colour, lw=1.4, alpha=0.3)
        chart.set_xlabel(f"{TERM['state.shift'].label} (action units)", color=MUTED)
        chart.spines[["top", "right"]].set_visible(False)
        chart.tick_params(colors=MUTED)
        self._promised = chart.plot([], [], "--", color=WARN, lw=2.4, label="promised by the critic", animated=True)[0]
        self._earned = chart.plot([], [], color=colour, lw=2.8, label="earned", animated=True)[0]
        self._gap = chart.plot([], [], color=WARN, lw=6, alpha=0.25, solid_capstyle="butt", animated=True)[0]
        self._ring = chart.plot([], [], "o", mfc="white", mec=WARN, mew=2, ms=8, animated=True)[0]
        self._dot = chart.plot([], [], "o", color=colour, mec="white", mew=1, ms=11, animated=True)[0]
        chart.legend(loc="upper left", bbox_to_anchor=(0.0, 1.16), ncols=2, frameon=False, labelcolor=INK)
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

    def at(self, frame: float) -> np.ndarray:
        """The picture (H, W, 3) of a frame, which may lie between two."""
        opening, low = self._opening, int(frame)
        high, part = min(low + 1, len(opening.words) - 1), frame - int(frame)

        def between(values: tuple[float, ...]) -> float:
            return values[low] + part * (values[high] - values[low])

        places = np.array(opening.places[low]) * (1 - part) + np.array(opening.places[high]) * part
        self._dots.set_data(*places.reshape(-1, 2).T)
        x, earned, promised = (between(one) for one in (opening.shift, opening.earned, opening.promised))
        self._promised.set_data([*opening.shift[: low + 1], x], [*opening.promised[: low + 1], promised])
        self._earned.set_data([*opening.shift[: low + 1], x], [*opening.earned[: low + 1], earned])
        self._gap.set_data([x, x], [earned, promised])
        self._ring.set_data([x], [promised])
        self._dot.set_data([x], [earned])
        self._strength.set_text(opening.words[round(frame)])
        said: Caption = caption_at(opening, frame)
        self._words.set_text(said.text)
        self._words.set_color(WARN if said.name == "exploited" else INK)
        self._canvas.restore_region(self._still)
        for artist, axes in self._moving:
            axes.draw_artist(artist)
        for text in (self._strength, self._words):
            self._figure.draw_artist(text)
        return np.asarray(self._canvas.buffer_rgba())[..., :3].copy()
