"""How long a lesson takes a participant: ``python notebooks/instructor/schedule.py [seconds a lesson runs]``.

Reading at 150 words a minute, code at 15 lines a minute, 1 minute for a prediction, 2 to play with a figure, 3 for an
exercise; and the time that the cells themselves run (`python -m benchmarks lessons`; 1 minute where it is not given).
"""

import re
import sys
from pathlib import Path

import nbformat

WORDS, LINES = 150, 15  # a minute
PREDICTION, FIGURE, EXERCISE, RUN = 1.0, 2.0, 3.0, 1.0  # minutes
HOME = Path(__file__).resolve().parents[1]


def minutes(path: Path, run: float = RUN) -> float:
    """Minutes for one lesson from top to bottom."""
    cells = nbformat.read(path, as_version=4).cells
    prose = " ".join(cell.source for cell in cells if cell.cell_type == "markdown")
    code = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
    words, lines = len(re.findall(r"[^\W\d_]+", prose)), sum(bool(line.strip()) for line in code.splitlines())
    figures = len(re.findall(r"\b(?:Bench|Live)\(", code))
    asked, predicted = code.count("course.check("), code.count("course.predict(")
    return words / WORDS + lines / LINES + PREDICTION * predicted + FIGURE * figures + EXERCISE * asked + run


if __name__ == "__main__":
    runs = [float(seconds) / 60 for seconds in sys.argv[1:]]
    for number, path in enumerate(sorted(HOME.glob("[0-9]*.ipynb"))):
        print(f"{path.stem:16}{minutes(path, runs[number] if number < len(runs) else RUN):5.0f}")
