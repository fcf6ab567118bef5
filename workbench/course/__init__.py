"""The course: exercises that explain what is wrong, hints, predictions, source beside its equation, the scoreboard.

In a notebook: ``wb.course.check("qgf.clean", my_function)``. What a participant did is kept in ``course.json`` beside
the notebook.
"""

from workbench.course.check import ask, check, hint
from workbench.course.predictions import predict, reveal
from workbench.course.score import score, scoreboard
from workbench.course.source import source

__all__ = ["ask", "check", "hint", "predict", "reveal", "score", "scoreboard", "source"]
