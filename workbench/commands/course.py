"""``workbench course new | board | collect`` and ``workbench handout``: running a workshop."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import tyro

from workbench.commands.flags import Json
from workbench.console import print_json, print_table

Folder = Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="DIR")]
Notebooks = Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="NOTEBOOK")]
Folders = Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="DIR")]


def new(folder: Folder, name: str = "", update: bool = False) -> None:
    """Copy the notebooks for a participant; what is there already is never overwritten.

    Args:
        folder: The participant's folder; it is made when it is missing.
        name: The participant's name; the folder's name without it.
        update: Bring notebooks that are there already up to date; cells that the participant changed or added stay.
    """
    from workbench.course.copies import new as copy

    report = copy(folder, name, update)
    for words, names in (
        ("copied", report.copied),
        ("updated (the version before is in .course/before)", report.updated),
        ("up to date", report.same),
        (f"left as they are; new versions exist (workbench course new {folder} --update)", report.theirs),
        ("changed by both, the participant's kept", report.conflicts),
    ):
        if names:
            print(f"{words}: {', '.join(names)}")
    print(f"begin with: jupyter lab {folder / '01_first_steps.ipynb'}", file=sys.stderr)


Home = Annotated[Path | None, tyro.conf.arg(metavar="DIR")]


def collect(
    folders: Folders,
    out: Annotated[Path | None, tyro.conf.arg(metavar="PATH")] = None,
    home: Home = None,
    play: bool = True,
    as_json: Json = False,
) -> None:
    """Gather what participants did into one table; capstone rules are played anew, each in a process of its own.

    Args:
        folders: Participants' folders, or folders that hold them.
        out: CSV file to write, one row per participant and one column per exercise and prediction.
        home: The teacher's own folder with the board's key and results; participants must not be able to read it. In your
            user data folder without it.
        play: turn off: play the capstone's rules. Without that there are no scores, and nothing of the participants' is run.
    """
    from workbench.course.collect import collect as gather
    from workbench.course.collect import surprises, write_table

    judge = None
    if play:
        from workbench.course.judge import Judge

        judge = Judge(home)
    rows = gather(folders, judge)
    if out is not None:
        write_table(rows, out)
    if as_json:
        print_json(rows)
        return
    heads = (
        "participant",
        "solved",
        "exercises",
        "tries",
        "hints",
        "right",
        "revealed",
        "best_score",
        "low",
        "high",
        "place",
        "note",
    )
    print_table(heads, [tuple(str(row.get(head, "")) for head in heads) for row in rows])
    for line in surprises(rows):
        print(line)
    if out is not None:
        print(f"{out}: {len(rows)} participants", file=sys.stderr)


def board(folder: Folder, home: Home = None, once: bool = False) -> None:
    """Serve the capstone's scoreboard in a folder that participants share: play what they hand in, until Ctrl+C.

    Args:
        folder: The shared folder; participants find it by WORKBENCH_SCOREBOARD.
        home: Your own folder for the key and the results; participants must not be able to read it. In your user data
            folder without it.
        once: Judge what waits now, and end.
    """
    from workbench.course.desk import Desk
    from workbench.course.judge import Judge

    desk = Desk(folder, Judge(home))
    print(f"board: {folder} (key and results in {desk.judge.home}); Ctrl+C ends it", file=sys.stderr)
    try:
        while True:
            for line in desk.turn():
                print(line, flush=True)
            if once:
                return
            time.sleep(0.5)
    except KeyboardInterrupt:
        print("the board is closed; start it again and it goes on", file=sys.stderr)


def handout(out: Folder, lessons: Notebooks = ()) -> None:
    """Export notebooks, slides and interactive figures as HTML that works offline.

    Args:
        out: Folder to write; it must not exist.
        lessons: Notebooks to export; all of the course without any.
    """
    from workbench.course.handout import write_handout

    for line in write_handout(out, lessons):
        print(line, flush=True)


COURSE: dict[str, Callable[..., None]] = {"new": new, "board": board, "collect": collect}
