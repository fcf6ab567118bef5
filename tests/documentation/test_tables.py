"""What docs/experiments.md says of the suite's tables is read off them."""

import re
from pathlib import Path

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "tables.md").read_text(encoding="utf-8")


def of_maze() -> dict[str, list[float]]:
    """Success at each goal of the maze, by method."""
    part = TEXT.partition("## Task by task")[2]
    rows = [
        [cell.strip() for cell in line.strip("| ").split("|")] for line in part.splitlines() if line.startswith("|")
    ]
    mazes = [row for row in rows if row[0].startswith("maze")]
    return {
        name: [float(re.split(r"[ \\]", row[place])[0]) for row in mazes] for place, name in enumerate(rows[0]) if place
    }


def test_what_is_said_of_the_maze() -> None:
    found = of_maze()
    assert all(len(goals) == 3 for goals in found.values())
    assert all(min(found[name]) > 0.9 for name in ("QGF", "QGF-Jacobian", "BPTT"))
    assert all(found[name][0] < 0.5 and min(found[name][1:]) > 0.9 for name in ("VGF", "Best of 16"))
    assert max(found["FQL"]) == 0.0
    assert max(found["GradStep"]) < 0.1
