"""The shared folder of a board: participants put submissions into its inbox, the teacher's `serve` judges them in turn.

The inbox can be written but not listed by others, and a submission has a name that nobody can guess: what one hands in, with
the token, is for the board alone. The table, and an answer to each submission, are written by the teacher's process only.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from workbench.course.judge import Judge, ground
from workbench.course.names import claim, clean
from workbench.course.result import Result, ranks
from workbench.course.submission import LONGEST, Submission, read_submission
from workbench.engine.data.atomic import write_atomic
from workbench.engine.words import UserError

INBOX = "inbox"
ANSWERS = "answers"
TABLE = "table.json"
MOST_BYTES = 4 * LONGEST


def is_board(folder: Path) -> bool:
    """Whether a board is, or was, served in ``folder``."""
    return (folder / TABLE).is_file()


def hand_in(folder: Path, participant: str, token: str, submission: Submission) -> str:
    """Put a submission into the inbox; returns the handle under which the answer will be."""
    handle = secrets.token_urlsafe(24)
    text = {"participant": clean(participant), "token": token, "submission": submission.model_dump(mode="json")}
    draft, place = (folder / INBOX / f"{handle}.{end}" for end in ("draft", "json"))
    draft.write_text(json.dumps(text), encoding="utf-8")
    draft.chmod(0o644)  # the teacher is another user; who may not list the inbox does not find it
    draft.rename(place)
    return handle


def answer_to(folder: Path, handle: str, patience: float = 0.0) -> dict[str, Any] | None:
    """What the board answered, waiting ``patience`` seconds; None when it has not yet."""
    place, end = folder / ANSWERS / f"{handle}.json", time.monotonic() + patience
    while not place.is_file():
        if time.monotonic() >= end:
            return None
        time.sleep(0.2)
    answer: dict[str, Any] = json.loads(place.read_text(encoding="utf-8"))
    return answer


class Desk:
    """The teacher's process of one board.

    Parameters
    ----------
    folder : Path
        Shared with the participants.
    judge : Judge
    """

    def __init__(self, folder: Path, judge: Judge) -> None:
        self.folder, self.judge = folder, judge
        if folder.resolve().is_relative_to(judge.home.resolve()) or judge.home.resolve().is_relative_to(
            folder.resolve()
        ):
            raise UserError(f"{folder} is shared, and {judge.home} holds the key: one must not lie in the other")
        for name, mode in ((INBOX, 0o1733), (ANSWERS, 0o755)):
            (folder / name).mkdir(parents=True, exist_ok=True)
            (folder / name).chmod(mode)
        (judge.home / "entries").mkdir(exist_ok=True)
        self.publish()

    def turn(self) -> Iterator[str]:
        """Judge what lies in the inbox, oldest first; says each."""
        waiting = [path for path in (self.folder / INBOX).glob("*.json") if path.is_file() and not path.is_symlink()]
        for path in sorted(waiting, key=lambda path: path.stat().st_mtime_ns):
            said = self._take(path)
            path.unlink(missing_ok=True)
            self.publish()
            self._show(self.folder / ANSWERS / path.name, said)
            yield f"{said['who']}: {said['text']}"

    def _take(self, path: Path) -> dict[str, Any]:
        who = "?"
        try:
            if path.stat().st_size > MOST_BYTES:
                raise UserError("what was handed in is too long")
            found = json.loads(path.read_text(encoding="utf-8"))
            submission = read_submission(found["submission"])
            who = claim(self.judge.home / "names", str(found["participant"]), str(found["token"]))
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            words = str(error) if isinstance(error, ValueError) else f"this is no submission ({type(error).__name__})"
            return {"who": who, "text": words, "good": False}
        result = self.judge.result(submission)
        entry = {"who": who, "words": submission.words or submission.rule, "result": result.model_dump(mode="json")}
        place = self.judge.home / "entries" / f"{claimed(who, submission)}.json"
        self.judge.seal(place, entry)
        return {
            "who": who,
            "text": result.fault or f"{entry['words']}: {result.interval().mean:.3f}",
            "good": not result.fault,
        }

    def entries(self) -> list[tuple[str, str, Result]]:
        """Who, words and result of all that was judged; what the key has not sealed, or is of another policy, is left out."""
        here, rows = ground(self.judge.plan), []
        for path in sorted((self.judge.home / "entries").glob("*.json")):
            content = self.judge.open(path)
            if content is not None and content["result"]["ground"] == here:
                rows.append((content["who"], content["words"], Result.model_validate(content["result"])))
        return rows

    def publish(self) -> None:
        """Write the table that participants read."""
        entries = self.entries()
        self._show(self.folder / TABLE, {"rows": rows_of(entries)})

    def _show(self, place: Path, content: dict[str, Any]) -> None:
        """Write what participants may read, whatever this process's umask."""
        write_atomic(place, json.dumps(content, allow_nan=False).encode())
        place.chmod(0o644)


def claimed(who: str, submission: Submission) -> str:
    """A file name for one person's submission."""
    return hashlib.sha256(json.dumps([who, submission.digest()]).encode()).hexdigest()


def rows_of(entries: list[tuple[str, str, Result]]) -> list[dict[str, Any]]:
    """Rows for the table: places among all, best first; what is too far or could not be played stands below."""
    rows = []
    for (who, words, result), place in zip(entries, ranks([result for _, _, result in entries]), strict=True):
        row: dict[str, Any] = {
            "who": who,
            "rule": words,
            "place": place,
            "fault": result.fault,
            "beaten": result.beaten,
        }
        if not result.fault:
            row |= {"return": result.interval().as_dict(), "shift": result.shift, "own_shift": result.own_shift}
        rows.append(row)
    return sorted(rows, key=lambda row: (row["place"] is None, row["place"] or 0, -_mean(row), row["who"]))


def _mean(row: dict[str, Any]) -> float:
    return float(row["return"]["mean"]) if "return" in row else -1.0
