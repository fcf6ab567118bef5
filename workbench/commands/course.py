"""``workbench course new | collect`` and ``workbench handout``: running a workshop."""

from __future__ import annotations

import sys
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


def collect(folders: Folders, out: Path | None = None, as_json: Json = False) -> None:
    """Gather what participants did into one table.

    Args:
        folders: Participants' folders, or folders that hold them.
        out: CSV file to write, one row per participant and one column per exercise and prediction.
    """
    from workbench.course.collect import collect as gather
    from workbench.course.collect import surprises, write_table

    rows = gather(folders)
    if out is not None:
        write_table(rows, out)
    if as_json:
        print_json(rows)
        return
    heads = ("participant", "solved", "exercises", "tries", "hints", "right", "revealed", "best_score", "note")
    print_table(heads, [tuple(str(row.get(head, "")) for head in heads) for row in rows])
    for line in surprises(rows):
        print(line)
    if out is not None:
        print(f"{out}: {len(rows)} participants", file=sys.stderr)


def handout(out: Folder, lessons: Notebooks = ()) -> None:
    """Export notebooks, slides and interactive figures as HTML that works offline.

    Args:
        out: Folder to write; it must not exist.
        lessons: Notebooks to export; all of the course without any.
    """
    from workbench.course.handout import write_handout

    for line in write_handout(out, lessons):
        print(line, flush=True)


COURSE: dict[str, Callable[..., None]] = {"new": new, "collect": collect}
