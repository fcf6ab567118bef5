"""Copies of the notebooks for participants: made once, and brought up to date without losing what they wrote."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workbench.course.record import FILE, empty, write
from workbench.engine.data.atomic import made_folder, write_atomic
from workbench.engine.data.regular import read_regular
from workbench.engine.words import UserError

MOST = 2**28  # bytes of a notebook with its outputs

BASE = ".course"  # in a participant's folder: the notebooks as they were handed out, and backups
HOME = Path(__file__).resolve().parents[2] / "notebooks"
PAGES = ("symbols.md", "glossary.md")  # that the lessons link
Notebook = dict[str, Any]


@dataclass
class Report:
    """What happened to each notebook, by file name.

    Attributes
    ----------
    copied, updated, same, theirs : list of str
        Newly there; brought up to date; already up to date; left alone because the participant's version differs.
    conflicts : list of str
        Cells that both sides changed: the participant's stays.
    """

    copied: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    same: list[str] = field(default_factory=list)
    theirs: list[str] = field(default_factory=list)
    conflicts: list[str] = field(default_factory=list)


def lessons(home: Path = HOME) -> list[Path]:
    """The notebooks of the course, and the files that they read; the instructor's folder is none of them.

    Raises
    ------
    UserError
        The notebooks are not there: they come with the clone, not with an installed package.
    """
    notebooks = sorted(home.glob("[0-9]*.ipynb"))
    if not notebooks:
        raise UserError(f"no notebooks in {home}; the course needs a clone of the repository (see notebooks/README.md)")
    return notebooks


def new(folder: Path, participant: str = "", update: bool = False, home: Path = HOME) -> Report:
    """Copy the notebooks into ``folder``; a notebook that is there already is left alone, or merged with ``update``.

    Parameters
    ----------
    folder : Path
        Made when it is missing.
    participant : str
        Whose it is; the folder's name without it.
    update : bool
        Bring notebooks up to date cell by cell: cells that the participant changed or added stay as they are. The version
        before is kept in ``.course/before``.
    home : Path
        Where the notebooks come from.

    Raises
    ------
    UserError
        No notebooks to copy, a file where the folder should be, the course's own folder, or a notebook that cannot be read.
    """
    if folder.resolve() == home.resolve():
        raise UserError(
            f"{folder} holds the course itself; copy it to a folder of your own: workbench course new ~/course"
        )
    report, sources = Report(), lessons(home)
    with made_folder(folder / BASE):
        for source in sources:
            _bring(source, folder, update, report)
        for extra in sorted((home / "data").rglob("*")):
            target = folder / "data" / extra.relative_to(home / "data")
            if extra.is_file() and not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                write_atomic(target, extra.read_bytes())
        _bring_pages(folder, home)
        if not (folder / FILE).exists():
            write(empty(participant or folder.resolve().name), folder)
    return report


def _bring_pages(folder: Path, home: Path) -> None:
    """Copy the pages that the lessons link, in their present version; the glossary's text is that of the clone's ``docs``."""
    for name in PAGES:
        sources = [page for page in (home.parent / "docs" / name, home / name) if page.exists()]
        if sources:
            write_atomic(folder / name, sources[0].read_bytes())


def _bring(source: Path, folder: Path, update: bool, report: Report) -> None:
    target, base = folder / source.name, folder / BASE / source.name
    text = source.read_bytes()
    if not target.exists():
        write_atomic(target, text)
        write_atomic(base, text)
        report.copied.append(source.name)
        return
    ours = _read(target)
    before = _read(base) if base.exists() else None
    if before is not None and same_cells(before, _read(source)):
        report.same.append(source.name)
    elif not update:
        report.theirs.append(source.name)
    else:
        merged, conflicts = merge(before or {"cells": []}, ours, _read(source))
        (folder / BASE / "before").mkdir(exist_ok=True)
        write_atomic(folder / BASE / "before" / source.name, target.read_bytes())
        write_atomic(target, (json.dumps(merged, indent=1, ensure_ascii=False) + "\n").encode())
        write_atomic(base, text)
        report.updated.append(source.name)
        report.conflicts += [f"{source.name}, {_where(merged, cell)}" for cell in conflicts]


def _where(notebook: Notebook, key: str) -> str:
    """How a participant finds a cell: its number from the top, and how it begins."""
    number, cell = next((i, c) for i, c in enumerate(notebook["cells"], 1) if str(c.get("id")) == key)
    return f"cell {number} from the top ('{text_of(cell).strip().partition(chr(10))[0][:40]}')"


def _read(path: Path) -> Notebook:
    try:
        found = json.loads(read_regular(path, MOST).decode())
        cells = found["cells"]
        if not isinstance(cells, list) or not all(isinstance(text_of(cell), str) for cell in cells):
            raise TypeError("no list of cells")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UserError(f"{path} is not a notebook ({error}); move it away and run this again") from None
    notebook: Notebook = found
    return notebook


def text_of(cell: Notebook) -> str:
    """The source of a cell as one string."""
    source = cell["source"]
    return source if isinstance(source, str) else "".join(source)


def same_cells(a: Notebook, b: Notebook) -> bool:
    """Whether two notebooks have the same cells, outputs aside."""
    return [(c.get("id"), text_of(c)) for c in a["cells"]] == [(c.get("id"), text_of(c)) for c in b["cells"]]


def merge(base: Notebook, theirs: Notebook, fresh: Notebook) -> tuple[Notebook, list[str]]:
    """Merge a participant's notebook with a new version of it, cell by cell (cells are known by their id).

    Parameters
    ----------
    base : dict
        The version that was handed out.
    theirs : dict
        The participant's.
    fresh : dict
        The new version.

    Returns
    -------
    dict
        In the order of the new version. A cell that the participant changed stays theirs; one that they added follows the
        cell that it followed; one that they deleted stays away unless its new version differs.
    list of str
        Ids of cells that both changed.
    """
    old = {cell.get("id"): text_of(cell) for cell in base["cells"]}
    mine = {cell.get("id"): cell for cell in theirs["cells"]}
    cells, conflicts = [], []
    for cell in fresh["cells"]:
        key = cell.get("id")
        if key not in mine:
            if old.get(key) != text_of(cell):  # new, or deleted by the participant and changed since
                cells.append(cell)
            continue
        kept, text = mine[key], text_of(mine[key])
        if text == old.get(key) and text != text_of(cell):
            cells.append(cell)
            continue
        if text not in (old.get(key), text_of(cell)) and old.get(key) != text_of(cell):
            conflicts.append(str(key))
        cells.append(kept)
    _weave(cells, theirs["cells"], old, {cell.get("id") for cell in fresh["cells"]})
    return fresh | {"cells": cells}, conflicts


def _weave(cells: list[Notebook], theirs: list[Notebook], old: dict[Any, str], fresh: set[Any]) -> None:
    """Put the cells that only the participant has behind the cells that they followed.

    A cell that was handed out and is gone from the new version stays if the participant changed it.
    """
    for place, cell in enumerate(theirs):
        key = cell.get("id")
        if key in fresh or old.get(key) == text_of(cell):
            continue
        before = [other.get("id") for other in theirs[:place]]
        known = [i for i, other in enumerate(cells) if other.get("id") in before]
        cells.insert(max(known) + 1 if known else 0, cell)
