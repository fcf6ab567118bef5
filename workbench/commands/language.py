"""``workbench language build | table``: make the language room, and measure steering in it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import tyro

from workbench.commands.flags import Json
from workbench.console import Bar, print_json, print_table

Text = Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="TEXT")]
Lexicon = Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="LEXICON")]


def build(text: Text, lexicon: Lexicon, out: Path | None = None, as_json: Json = False) -> None:
    """Train the language room anew, from a text and a lexicon of word scores, and write its two files.

    Nothing is fetched. Get the two first: apt-get download r-cran-janeaustenr, and pip download --no-deps vaderSentiment==3.3.2.

    Args:
        text: Debian's package of Jane Austen's novels, or a plain text.
        lexicon: VADER's wheel, or its vader_lexicon.txt.
        out: Folder for room.safetensors and room.json; without it the room that the workbench uses is replaced.
    """
    from workbench.engine.data.atomic import made_folder
    from workbench.language.build import build_room
    from workbench.language.room import FOLDER

    folder = FOLDER if out is None else out
    bar = Bar(100, "build", "percent")
    with made_folder(folder):
        measured = build_room(text, lexicon, folder, lambda what, share: bar.at(round(100 * share), what))
    bar.close()
    if as_json:
        print_json(measured)
        return
    print_table(("what", "measured"), [(name, f"{value:.4g}") for name, value in measured.items()])


LANGUAGE: dict[str, Callable[..., None]] = {"build": build}
