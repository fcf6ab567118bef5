"""The capstone in a notebook: hand a rule in, and see the table.

Where the teacher serves a board (`WORKBENCH_SCOREBOARD` names its folder), it plays what is handed in, on episodes and states
that nobody else knows. Without one, `score` plays a preview here, on other episodes, and says so.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.course.desk import TABLE, answer_to, hand_in, is_board, rows_of
from workbench.course.judge import PREVIEW, ground, play
from workbench.course.record import read, token_of, write
from workbench.course.result import LIMIT, TO_BEAT, Result, read_result
from workbench.course.submission import read_submission, submission_of
from workbench.engine.steering.protocol import Rule
from workbench.engine.steering.rules import make_rule
from workbench.engine.words import UserError
from workbench.plots.markup import Markup, html, joined

SHARED = "WORKBENCH_SCOREBOARD"  # the folder of a board that the teacher serves
PATIENCE = 180.0  # seconds to wait for the board's answer
BAR = f"to beat: the whole interval above {TO_BEAT:g}, with shift and own shift at most {LIMIT:g} (W2, action units)"


@dataclass(frozen=True)
class Board:
    """The table of tries, best first; those beyond the allowed shift stand below.

    Attributes
    ----------
    rows : tuple of dict
        As `workbench.course.desk.rows_of` makes them.
    says : str
        Where these numbers come from.
    """

    rows: tuple[dict[str, Any], ...]
    says: str = ""

    def __repr__(self) -> str:
        lines = [self.says, BAR, " ".join([f"{'':8}{'who':16}", *(f"{head:^21}" for head in HEADS), " rule"])]
        for row in self.rows:
            mark, cells = _place(row), _cells(row)
            lines.append(
                " ".join([f"{mark:8}{row['who'][:15]:16}", *(f"{cell:^21}" for cell in cells), f" {row['rule']}"])
            )
            if row["fault"]:
                lines.append(f"{'':24} {row['fault']}")
        return "\n".join(line for line in lines if line)

    def _repr_html_(self) -> str:
        pad = "text-align:left;padding:2px 12px"
        head = joined(html('<th style="{}">{}</th>', pad, name) for name in ("", "who", *HEADS, "rule"))
        body = Markup()
        for row in self.rows:
            said = [(row["fault"], len(HEADS))] if row["fault"] else [(cell, 1) for cell in _cells(row)]
            cells = [(_place(row), 1), (row["who"], 1), *said, (row["rule"], 1)]
            body += html(
                "<tr>{}</tr>",
                joined(html('<td style="{}" colspan="{}">{}</td>', pad, span, cell) for cell, span in cells),
            )
        words = html("<p>{}<br>{}</p>", self.says, BAR)
        return str(html('{}<table class="wb-board"><tr>{}</tr>{}</table>', words, head, body))


HEADS = ("return", "shift", "own shift")


def _place(row: dict[str, Any]) -> str:
    if row["fault"]:
        return "refused"
    return "too far" if row["place"] is None else f"{row['place']}{' 🏁' if row['beaten'] else ''}"


def _cells(row: dict[str, Any]) -> list[str]:
    if row["fault"]:
        return ["–"] * 3
    values = [tuple(row["return"][key] for key in ("mean", "low", "high")), row["shift"], row["own_shift"]]
    return [f"{mean:.3f} [{low:.3f}, {high:.3f}]" for mean, low, high in values]


def score(rule: Rule | str, **settings: Any) -> Board:
    """Hand a rule in: to the board that the teacher serves, or, where there is none, to a preview.

    Parameters
    ----------
    rule : Rule or str
        A rule, or its name and settings: ``score("qgf", weight=0.3)``. A rule of one's own is handed in as the source of its
        cell: all that it uses must stand there.

    Raises
    ------
    UserError
        An unknown rule or setting, a rule whose source cannot be found, or a name that is somebody else's on this board.
    """
    policy = make_rule(rule, **settings) if isinstance(rule, str) else rule
    if not isinstance(policy, Rule):
        raise UserError(
            f"score takes a rule: wb.course.score(wb.make_rule('qgf', weight=0.3)); got {type(policy).__name__}"
        )
    submission = submission_of(policy)
    record = read()
    entry = {
        "submission": submission.model_dump(mode="json"),
        "digest": submission.digest(),
        "when": time.strftime("%Y-%m-%d %H:%M:%S"),
    }
    tries = [old for old in record["scores"] if old.get("digest") != entry["digest"]]
    folder = shared()
    if folder is None:
        known = _previews(record).get(submission.digest())
        result = known or play(submission, PREVIEW)
        entry["preview"] = result.model_dump(mode="json")
    token = token_of(record)
    write(record | {"scores": [*tries, entry]})
    if folder is None:
        return scoreboard()
    handle = hand_in(folder, record["participant"] or Path.cwd().name, token, submission)
    answer = answer_to(folder, handle, PATIENCE)
    if answer is not None and not answer["good"] and answer["who"] == "?":
        raise UserError(answer["text"])
    return scoreboard(
        "" if answer else "Handed in. The board has not answered yet; wb.course.scoreboard() shows when it has."
    )


def shared() -> Path | None:
    """The folder of the board, where there is one."""
    name = os.environ.get(SHARED)
    return Path(name) if name and is_board(Path(name)) else None


def scoreboard(note: str = "") -> Board:
    """The table: all that the board has judged, or without a board the previews of this notebook's own tries."""
    folder = shared()
    if folder is not None:
        rows = json.loads((folder / TABLE).read_text(encoding="utf-8"))["rows"]
        return Board(
            tuple(rows), " ".join(["The board's table: episodes and states that only the board knows.", note]).strip()
        )
    record = read()
    previews, entries = _previews(record), []
    for old in record["scores"]:
        result = previews.get(str(old.get("digest", "")))
        if result is not None:
            entries.append((record["participant"] or "you", _words(old), result))
    count = len(PREVIEW.seeds) * PREVIEW.episodes
    says = f"Preview: {count} episodes played here. It counts for nothing; the board plays more, and others."
    return Board(tuple(rows_of(entries)), says)


def _words(entry: dict[str, Any]) -> str:
    try:
        submission = read_submission(entry["submission"])
    except (ValueError, KeyError):
        return "?"
    return submission.words or submission.rule


def _previews(record: dict[str, Any]) -> dict[str, Result]:
    """Previews by the digest of their submission; those on another policy or by another way of measuring are out of date."""
    here, previews = ground(PREVIEW), {}
    for entry in record["scores"]:
        result = read_result(entry.get("preview")) if isinstance(entry, dict) else None
        if result is not None and result.ground == here and result.digest == entry.get("digest"):
            previews[result.digest] = result
    return previews
