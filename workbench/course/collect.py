"""One table of what the participants did, for the instructor.

Scores are played anew, whatever a record says about them: each submission in a process of its own (`workbench.course.player`), on
the episodes of the teacher's board.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.course.exercises import EXERCISES
from workbench.course.questions import QUESTIONS
from workbench.course.record import FILE, read
from workbench.engine.data.atomic import write_atomic
from workbench.engine.words import UserError

if TYPE_CHECKING:
    from workbench.course.judge import Judge
    from workbench.course.result import Result

TRIES = 3  # submissions of one participant that are played: the best by their own previews, else the latest


def collect(folders: Iterable[Path], judge: Judge | None = None) -> list[dict[str, Any]]:
    """One row per participant.

    Parameters
    ----------
    folders : iterable of Path
        Folders of participants, or folders that hold such folders.
    judge : Judge, optional
        Plays what was handed in for the capstone; without one no scores are given.

    Returns
    -------
    list of dict
        participant, folder, solved (of how many), tries and hints over all exercises, predictions right (of those
        revealed), best score within the allowed shift with its interval, both shifts and place, then one column per exercise (1
        solved, 0 tried, empty untouched)
        and per prediction (1 right, 0 wrong, empty not revealed). A record that cannot be read gives a row that says so.

    Raises
    ------
    UserError
        No folder holds a record.
    """
    places = sorted({place.resolve() for folder in folders for place in _places(folder)})
    if not places:
        raise UserError(f"no {FILE} in these folders; participants get one from: workbench course new DIR")
    rows = [_row(place) for place in places]
    if judge is not None:
        _score(rows, judge)
    return rows


def _places(folder: Path) -> list[Path]:
    if (folder / FILE).is_file():
        return [folder]
    return [path.parent for path in folder.glob(f"*/{FILE}")] if folder.is_dir() else []


def _row(place: Path) -> dict[str, Any]:
    row: dict[str, Any] = {"participant": place.name, "folder": str(place), "note": ""}
    try:
        record = read(place)
        row["participant"] = record["participant"] or place.name
        exercises, predictions = record["exercises"], record["predictions"]
        revealed = [entry for entry in predictions.values() if "right" in entry]
        row |= {
            "solved": sum(bool(entry["solved"]) for entry in exercises.values()),
            "exercises": len(EXERCISES),
            "tries": sum(entry["tries"] for entry in exercises.values()),
            "hints": sum(entry["hints"] for entry in exercises.values()),
            "right": sum(bool(entry["right"]) for entry in revealed),
            "revealed": len(revealed),
            "tried": len(record["scores"]),
            **dict.fromkeys(SCORES, ""),
        }
        row |= {name: _mark(exercises.get(name), "solved") for name in EXERCISES}
        row |= {f"predict {name}": _mark(predictions.get(name), "right") for name in QUESTIONS}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        row["note"] = f"unreadable: {error}"
    return row


SCORES = ("best_score", "low", "high", "shift", "own_shift", "place", "beaten")


def _score(rows: list[dict[str, Any]], judge: Judge) -> None:
    """Play each participant's best tries, and give all of them their places."""
    from workbench.course.result import ranks

    best = {i: standing for i, row in enumerate(rows) if (standing := _best(row, judge)) is not None}
    for (i, result), place in zip(best.items(), ranks(list(best.values())), strict=True):
        if result.fault:
            rows[i]["note"] = f"capstone: {result.fault}"
            continue
        mean = result.interval()
        numbers = (mean.mean, mean.low, mean.high, result.shift[0], result.own_shift[0])
        rows[i] |= dict(zip(SCORES, (round(number, 4) for number in numbers), strict=False))
        rows[i] |= {"place": "" if place is None else place, "beaten": int(result.beaten)}
        if not result.valid:
            rows[i] |= {
                "best_score": "",
                "note": f"capstone: too far ({max(result.shift[0], result.own_shift[0]):.3f})",
            }


def _best(row: dict[str, Any], judge: Judge) -> Result | None:
    """The best result of the tries in a record, played by the judge; None where there is no try."""
    from workbench.course.result import read_result
    from workbench.course.submission import read_submission

    tries, faults = [], []
    for number, entry in enumerate(read(row["folder"])["scores"] if row["note"] == "" else []):
        try:
            submission = read_submission(entry["submission"])
        except (ValueError, KeyError, TypeError) as error:
            faults.append(str(error))
            continue
        claimed = read_result(entry.get("preview"))
        hope = (claimed.valid, claimed.interval().mean) if claimed is not None and claimed.returns else (False, 0.0)
        tries.append((hope, number, submission))
    if faults:
        row["note"] = f"capstone: {len(faults)} of the tries cannot be read; run their cells again"
    results = [judge.result(one) for _, _, one in sorted(tries, key=lambda item: item[:2], reverse=True)[:TRIES]]
    return max(results, key=lambda one: (one.valid, not one.fault, sum(one.returns)), default=None)


def _mark(entry: dict[str, Any] | None, key: str) -> int | str:
    return "" if entry is None or key not in entry else int(bool(entry[key]))


def surprises(rows: list[dict[str, Any]], count: int = 3) -> list[str]:
    """What to talk about: the predictions most people got wrong and the exercises most have tried in vain, worst first."""
    lines = []
    for words, columns in (
        ("predictions that surprised most", [f"predict {name}" for name in QUESTIONS]),
        ("exercises tried and still open", list(EXERCISES)),
    ):
        marks = {name: [row[name] for row in rows if row.get(name, "") != ""] for name in columns}
        missed = {name: (sum(got), len(got)) for name, got in marks.items() if got and sum(got) < len(got)}
        worst = sorted(missed, key=lambda name: missed[name][0] / missed[name][1])[:count]
        if worst:
            phrases = (
                f"{name.removeprefix('predict ')} ({missed[name][0]} of {missed[name][1]} right)" for name in worst
            )
            lines.append(f"{words}: {', '.join(phrases)}")
    return lines


def as_csv(rows: list[dict[str, Any]]) -> str:
    """The table as CSV; a text that a spreadsheet would take for a formula gets a quote in front."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, columns, restval="", lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: _harmless(value) for name, value in row.items()})
    return buffer.getvalue()


def _harmless(value: object) -> Any:
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@") else value


def write_table(rows: list[dict[str, Any]], path: Path) -> None:
    """Write the table, atomically."""
    write_atomic(path, as_csv(rows).encode())
