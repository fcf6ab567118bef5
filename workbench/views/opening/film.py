"""The opening as a film: a GIF by Pillow, or an MP4 by ffmpeg."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from workbench.engine.steering.rules import find_rule
from workbench.engine.words import MissingExtraError, UserError
from workbench.plots.film import FilmPicture, Moment, Sweep
from workbench.views.opening.measured import SECONDS, Opening, caption_at, frame_at

DPI = {".gif": 75, ".mp4": 100}
RATE = {".gif": 12.5, ".mp4": 30.0}  # pictures a second; a GIF counts in hundredths of a second
COLOURS = 96  # of a GIF
Tell = Callable[[int, int], None]


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
    title = f"{opening.title}, steered by {find_rule(opening.rule).title}"
    curves = (np.array(one) for one in (opening.shift, opening.earned, opening.promised))
    picture = FilmPicture(Sweep(title, opening.rule, np.array(opening.ground), opening.extent, *curves), DPI[suffix])
    for number in range(pictures(suffix)):
        yield picture.at(_moment(opening, frame_at(opening, number / RATE[suffix])))
        tell(number + 1, pictures(suffix))


def _moment(opening: Opening, frame: float) -> Moment:
    low, part = int(frame), frame % 1.0
    high, said = min(low + 1, len(opening.words) - 1), caption_at(opening, frame)
    places = (1.0 - part) * np.array(opening.places[low]) + part * np.array(opening.places[high])
    return Moment(places.reshape(-1, 2), frame, opening.words[round(frame)], said.text, said.name == "exploited")


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
