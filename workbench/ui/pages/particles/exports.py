"""What the page of particles can be saved as: pictures for papers, numbers, and a page that scrubs offline."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from workbench.engine.glossary import TERM
from workbench.engine.tasks.floor import floor_of
from workbench.engine.words import UserError
from workbench.plots.still import Figure, lines, png, stages, svg
from workbench.ui.canvas.offline import offline_page
from workbench.ui.canvas.stage import frame_of, in_plane, landscape_of, room_of, series_of, truth_of
from workbench.ui.pages.particles.code import snippet
from workbench.ui.shell.toolbar import Export
from workbench.views.episodes import ending_of
from workbench.views.particles import Picture
from workbench.views.question import EXTENT

if TYPE_CHECKING:
    from workbench.ui.pages.particles.page import ParticlesPage


def exports_of(page: ParticlesPage) -> tuple[Export, ...]:
    """The export menu of ``page``; everything is made from the picture that is shown when it is asked for."""

    def shown() -> Picture:
        if page.picture is None:
            raise UserError("Nothing is shown yet; wait for the picture.")
        return page.picture

    return (
        Export("PNG picture", "particles.png", "image/png", lambda: png(figure_of(shown()))),
        Export("SVG picture", "particles.svg", "image/svg+xml", lambda: svg(figure_of(shown()))),
        Export("CSV of the numbers", "numbers.csv", "text/csv", lambda: numbers_csv(shown())),
        Export("CSV of all particles", "particles.csv", "text/csv", lambda: particles_csv(shown())),
        Export("HTML that scrubs offline", "particles.html", "text/html", lambda: offline(page)),
    )


def figure_of(picture: Picture) -> Figure:
    """The stages as a matplotlib figure."""
    traces = picture.answer.traces
    if traces[0].positions.shape[-1] == 1:
        return lines(traces)
    return stages(traces, picture.ground, (-EXTENT, -EXTENT, EXTENT, EXTENT))


def numbers_csv(picture: Picture) -> bytes:
    """One line per stage: rule, settings that are not its defaults, and every number."""
    found = picture.answer
    rows = []
    for index, (trace, numbers) in enumerate(zip(found.traces, found.numbers, strict=True)):
        settings = found.question.policies[index - 1].settings if index else {}
        about = {"rule": trace.rule, "settings": ";".join(f"{name}={value}" for name, value in settings.items())}
        measured = {TERM[key].column: value for key, value in numbers.as_dict().items()}
        error = {"state_displacement_error": numbers.displacement_error}
        rows.append(about | measured | error | {"seed": found.question.seed})
    return _csv(list(rows[0]), [list(row.values()) for row in rows])


def particles_csv(picture: Picture) -> bytes:
    """One line per stage, particle and tick: where it was."""
    rows = []
    for stage, trace in enumerate(picture.answer.traces):
        positions, picked = in_plane(trace)
        dim = trace.positions.shape[-1]
        for tick, (time, places) in enumerate(zip(trace.times.tolist(), positions[..., :dim].tolist(), strict=True)):
            rows += [
                [stage, trace.rule, particle, tick, round(time, 6), *place, bool(picked[particle])]
                for particle, place in enumerate(places)
            ]
    axes = [f"a{axis + 1}" for axis in range(picture.answer.traces[0].positions.shape[-1])]
    return _csv(["stage", "rule", "particle", "tick", "t", *axes, "picked"], rows)


def offline(page: ParticlesPage) -> bytes:
    """The stages and charts as one HTML file: play, scrub, zoom and hover need no server."""
    picture = page.picture
    if picture is None:
        raise UserError("Nothing is shown yet; wait for the picture.")
    found = picture.answer
    world = b""
    task = page.cache.task(found.question.task)
    if (floor := floor_of(task)) is not None:
        world = room_of(page.plays, found, floor)
    elif picture.truth is not None and len(found.question.policies) == 1:
        world = truth_of(picture.truth, found)
    return offline_page(
        "Particles",
        {
            "frame": frame_of(found, page.plays, 1, ending=ending_of(task)),
            "landscape": landscape_of(picture.ground, *picture.ground_look),
            "world": world,
        },
        {
            TERM["state.displacement"].head: series_of(found, found.displacement, zero=True),
            TERM["state.promised_all"].head: series_of(found, found.promised, zero=False),
        },
        snippet(found.question),
        peak=list(page.stages.peak),
        agent=list(page.stages.agent),
    )


def _csv(heads: list[str], rows: list[list[object]]) -> bytes:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(heads)
    writer.writerows(rows)
    return buffer.getvalue().encode()
