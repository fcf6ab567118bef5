"""Linked brushing: a selection in one picture marks the same particles in all others."""

from __future__ import annotations

import holoviews as hv

from workbench.engine.words import UserError

SAME = ["state", "particle"]  # by which pictures know that two points are one particle


def linked(picture: hv.Layout) -> hv.Layout:
    """Link pictures of particles: what is selected in one, with the box or the lasso, stands out in all.

    Parameters
    ----------
    picture : holoviews.Layout
        Such as ``particles(trace, tick=0) + particles(trace)``: choose noise, and see where it was taken.

    Returns
    -------
    holoviews.Layout
        For Bokeh; it needs the notebook's kernel.

    Raises
    ------
    UserError
        The pictures show no particles.
    """
    shown = [
        one
        for one in picture.traverse(lambda one: one, [hv.Points])
        if all(name in one.dimensions(label=True) for name in SAME)
    ]
    if not shown:
        raise UserError("linked needs pictures of particles: linked(particles(trace, tick=0) + particles(trace))")
    return hv.link_selections.instance(index_cols=SAME)(picture)
