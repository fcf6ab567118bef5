"""What the page of particles can be saved as: pictures for papers, numbers, and a page that scrubs offline."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.engine.glossary import TERM
from workbench.engine.tasks.floor import floor_of
from workbench.engine.words import UserError
from workbench.plots.still import png, svg
from workbench.ui.canvas.offline import offline_page
from workbench.ui.canvas.stage import frame_of, landscape_of, room_of, series_of, truth_of
from workbench.ui.shell.toolbar import Export
from workbench.views import snippets
from workbench.views.episodes import ending_of
from workbench.views.particles import Picture, figure_of, numbers_csv, particles_csv
from workbench.views.strength_curves import as_csv

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
        Export("CSV of promised and earned", "dial.csv", "text/csv", lambda: curves_csv(page)),
        Export("CSV of all particles", "particles.csv", "text/csv", lambda: particles_csv(shown())),
        Export("HTML that scrubs offline", "particles.html", "text/html", lambda: offline(page)),
    )


def curves_csv(page: ParticlesPage) -> bytes:
    """The curves of the dial, a line a point."""
    if not page.dial.curves:
        raise UserError("The curves of the dial are not there yet; wait for them.")
    return as_csv(page.dial.curves)


def offline(page: ParticlesPage) -> bytes:
    """The stages and charts as one HTML file: play, scrub, zoom and hover need no server."""
    picture = page.picture
    if picture is None:
        raise UserError("Nothing is shown yet; wait for the picture.")
    if page.plays.busy:  # a saved page has nobody who could play them
        raise UserError("The episodes are being played; save the page once they are there.")
    shown = picture.answer
    world = b""
    task = page.cache.task(shown.question.task)
    if (floor := floor_of(task)) is not None:
        world = room_of(page.plays.newest, shown, floor)
    elif picture.truth is not None and len(shown.question.policies) == 1:
        world = truth_of(picture.truth, shown)
    return offline_page(
        "Particles",
        {
            "frame": frame_of(shown, page.plays.newest, 1, ending=ending_of(task)),
            "landscape": landscape_of(picture.ground, *picture.ground_look),
            "world": world,
        },
        {
            TERM["state.displacement"].head: series_of(shown, shown.displacement, zero=True),
            TERM["state.promised_all"].head: series_of(shown, shown.promised, zero=False),
        },
        snippets.particles(shown.question),
        peak=list(page.stages.peak),
        agent=list(page.stages.agent),
    )
