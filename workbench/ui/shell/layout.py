"""The HTML between the header and the foot of a page."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape


def sidebar(cards: Mapping[str, str] = {}, controls: str = "Settings") -> str:
    """The usual layout: controls on the left, the main picture on the right, cards in a row below it.

    It fits 1440×900 when the main picture does; on a phone everything stands in one column, the picture first.

    Parameters
    ----------
    cards : mapping of str to str
        Slot and spoken label of each card below the main picture.
    controls : str
        Spoken label of the controls.

    Returns
    -------
    str
        HTML with the slots ``controls``, ``main`` and those of ``cards``.
    """
    below = "".join(
        f'<section class="wb-card wb-slot-{slot}" aria-label="{escape(label)}">{{{{ embed(roots.{slot}) }}}}</section>\n'
        for slot, label in cards.items()
    )
    return (
        f'<div class="wb-body wb-sidebar wb-cards-{len(cards)}">\n'
        f'<aside class="wb-card wb-controls" aria-label="{escape(controls)}">{{{{ embed(roots.controls) }}}}</aside>\n'
        '<main class="wb-card wb-main">{{ embed(roots.main) }}</main>\n'
        f'{f"""<div class="wb-below">{below}</div>""" if cards else ""}</div>'
    )


def single() -> str:
    """One column: the slot ``main`` alone."""
    return '<div class="wb-body wb-single"><main class="wb-card wb-main">{{ embed(roots.main) }}</main></div>'
