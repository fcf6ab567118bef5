"""The page as a snippet for a notebook."""

from __future__ import annotations

from workbench.engine.glossary import TERM


def snippet(where: str, task: str) -> str:
    """Code that draws return against shift, from the store at ``where``, with matplotlib."""
    return f"""import matplotlib.pyplot as plt

from workbench.experiments.store import Store
from workbench.experiments.summary import curves

found = [curve for curve in curves(Store({where!r})) if curve.task == {task!r}]
for curve in found:
    means = [point.returns.mean for point in curve.points]
    plt.plot(curve.column("shift.w2"), means, "o-", label=curve.name)
plt.xlabel({TERM["shift.w2"].head!r})
plt.ylabel({TERM["return"].head!r})
plt.legend()
plt.show()"""
