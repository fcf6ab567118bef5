"""Pictures: `workbench.plots` gives HoloViews elements of a trace, a landscape, measurements, episodes and a training.

The public names (the stub beside this file lists them) are loaded on first use: importing this room imports neither HoloViews
nor matplotlib. Below them, arrays and Traces become elements or axes; nothing of that runs a model.
"""

from __future__ import annotations

from workbench.lazy_names import homes_in, load

_HOMES = homes_in(__file__)
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> object:
    return load(__name__, _HOMES, name)


def __dir__() -> list[str]:
    return __all__
