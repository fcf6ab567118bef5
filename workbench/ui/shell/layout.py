"""The HTML between the header and the foot of a page."""

from __future__ import annotations

from collections.abc import Mapping

from workbench.plots.markup import Markup, html, joined


def sidebar(cards: Mapping[str, str] = {}, controls: str = "Settings") -> Markup:
    """The usual layout: controls on the left, the main picture on the right, cards in a row below it.

    It fits 1440×900 when the main picture does; on a phone everything stands in one column, the picture first, and the controls
    of a page that steers are a sheet over the foot of the screen. The keys come to the picture first too, on every screen.

    Parameters
    ----------
    cards : mapping of str to str
        Slot and spoken label of each card below the main picture.
    controls : str
        Spoken label of the controls.

    Returns
    -------
    Markup
        HTML with the slots ``controls``, ``main`` and those of ``cards``.
    """
    below = joined(
        html(
            '<section class="wb-card wb-slot-{slot}" tabindex="0" aria-label="{label}">{{{{ embed(roots.{slot}) }}}}</section>\n',
            slot=slot,
            label=label,
        )
        for slot, label in cards.items()
    )
    return html(
        '<div class="wb-body wb-sidebar wb-cards-{}">\n'
        '<main class="wb-card wb-main">{{{{ embed(roots.main) }}}}</main>\n'
        '<aside class="wb-card wb-controls" id="wb-controls" tabindex="-1" aria-label="{}">'
        '<div class="wb-sheet-list"><div>{{{{ embed(roots.controls) }}}}</div></div></aside>\n'
        "{}</div>",
        len(cards),
        controls,
        html('<div class="wb-below">{}</div>', below) if cards else "",
    )


def single() -> Markup:
    """One column: the slot ``main`` alone."""
    return html('<div class="wb-body wb-single"><main class="wb-card wb-main">{{{{ embed(roots.main) }}}}</main></div>')
