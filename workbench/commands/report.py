"""``workbench report``: one page about a store."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro

from workbench.engine.words import UserError


def report(
    store: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="STORE")],
    out: Path,
    pdf: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None,
) -> None:
    """Write one self-contained page about a store: figures, tables, and the commands that make it again.

    Args:
        store: Folder or URL of the store.
        out: File to write (.html); an older report is replaced.
        pdf: Folder for the figures as PDF, for papers.
    """
    if out.suffix.lower() not in (".html", ".htm"):
        raise UserError(f"--out must end in .html, got {out.name}")
    if not out.parent.is_dir():
        raise UserError(f"the folder {out.parent} does not exist; make it first, or choose another --out")
    if out.is_dir():
        raise UserError(f"{out} is a folder; name a file")
    from workbench.experiments.store import Store
    from workbench.report.page import write_report

    for path in write_report(Store(store), out, pdf):
        print(f"{path}  {path.stat().st_size / 2**20:.1f} MiB")
