"""``workbench language build | table | tokens``: make the language room, and measure steering in it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from workbench.commands.flags import Json, check_range
from workbench.console import Bar, print_json, print_table
from workbench.engine.words import UserError

if TYPE_CHECKING:
    from workbench.engine.metrics.intervals import Interval
    from workbench.language.tokens.table import TokenRow

Text = Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="TEXT")]
Lexicon = Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="LEXICON")]


def build(
    text: Text,
    lexicon: Lexicon,
    out: Annotated[Path | None, tyro.conf.arg(metavar="PATH")] = None,
    only_tokens: bool = False,
    as_json: Json = False,
) -> None:
    """Train the language room anew, from a text and a lexicon of word scores, and write its files.

    Nothing is fetched. Get the two first: apt-get download r-cran-janeaustenr, and pip download --no-deps vaderSentiment==3.3.2.

    Args:
        text: Debian's package of Jane Austen's novels, or a plain text.
        lexicon: VADER's wheel, or its vader_lexicon.txt.
        out: Folder for room.safetensors and room.json, and in its folder tokens for model.safetensors and model.json; without it
            the room that the workbench uses is replaced.
        only_tokens: Train the causal model of the token room alone, from the text from which the room was built.
    """
    from workbench.engine.data.atomic import made_folder
    from workbench.language.build import build_room
    from workbench.language.room import FOLDER, load_room
    from workbench.language.tokens.build import build_tokens

    folder = FOLDER if out is None else out
    bar = Bar(100, "build", "percent")
    measured: dict[str, float] = {}
    with made_folder(folder / "tokens"):
        if not only_tokens:
            measured |= build_room(text, lexicon, folder, lambda what, share: bar.at(round(100 * share), what))
            load_room.cache_clear()
        room = load_room(folder) if (folder / "room.json").is_file() else load_room()
        told = build_tokens(text, room, folder / "tokens", lambda what, share: bar.at(round(100 * share), what))
    measured |= {f"tokens_{name}": value for name, value in told.items()}
    bar.close()
    if as_json:
        print_json(measured)
        return
    print_table(("what", "measured"), [(name, f"{value:.4g}") for name, value in measured.items()])


def table(
    labels: tuple[int, ...] = (), seeds: int = 5, keep: bool = False, markdown: bool = False, as_json: Json = False
) -> None:
    """Measure steering on text: proxy, judge, readability, perplexity, diversity and shift, by rule and strength.

    Args:
        labels: Sentences that the judge scores for the proxy, such as 200 1000; without it both of these.
        seeds: Proxies a row, each with labels, prompts and noise of its own; intervals are over them.
        keep: Write the table to where the page of language reads it.
        markdown: Print the table as docs/language.md has it.
    """
    import json

    from workbench.engine.data.atomic import write_atomic
    from workbench.language.claims import claims
    from workbench.language.room import load_room
    from workbench.language.table import FILE, GRID, LABELS, NUMBERS, SEEDS, as_markdown, measure_table, seconds_of
    from workbench.language.task import LanguageTask

    check_range("--seeds", seeds, 2, 1000)
    chosen, room = labels or LABELS, load_room()
    bar = Bar(len(GRID) * len(chosen), "table", "rows")
    found = list(measure_table(room, GRID, chosen, range(SEEDS.start, SEEDS.start + seeds), bar.tick()))
    bar.close()
    said, parts = claims(found), LanguageTask(chosen[0]).parts()
    best = {(claim.rule, claim.strength) for claim in said if claim.labels == chosen[0]}
    spent = {
        row.name: seconds_of(room, row.strength.make(), parts)
        for row, _ in found[: len(GRID)]
        if (row.name, row.value) in best
    }
    result = {
        "seeds": seeds,
        "claims": [claim.as_dict() for claim in said],
        "seconds": spent,
        "rows": [row.as_dict() for row, _ in found],
    }
    if keep:
        write_atomic(FILE, (json.dumps(result, indent=0) + "\n").encode())
    if as_json:
        print_json(result)
        return
    if markdown:
        print(as_markdown([row for row, _ in found]))
        return
    heads = ("labels", "rule", "strength", "evaluations", *NUMBERS)
    rows = [
        (str(row.labels), row.name, f"{row.value:g}", str(row.network_evaluations), *map(_with_interval, row.numbers()))
        for row, _ in found
    ]
    print_table(heads, rows)
    for claim in said:
        print(claim.text)
    print(
        f"steering 256 sentences, processor time: {', '.join(f'{name} {took:.2f} s' for name, took in spent.items())}"
    )


def tokens(
    labels: tuple[int, ...] = (),
    seeds: int = 5,
    shipped: bool = False,
    keep: bool = False,
    markdown: bool = False,
    as_json: Json = False,
) -> None:
    """Measure steering of word embeddings before and after rounding, beside choice among draws and training on the labels.

    Args:
        labels: Responses that the judge scores, 200 or 1000; without it both of these.
        seeds: Seeds a row, each with labels, prompts and noise of its own; intervals are over them.
        shipped: Show the table that comes with the workbench, and measure nothing.
        keep: Write the table to where the shipped one lies.
        markdown: Print the table as docs/language.md has it.
    """
    import json

    from workbench.engine.data.atomic import write_atomic
    from workbench.language.tokens import table as measuring
    from workbench.language.tokens.room import load_token_room

    check_range("--seeds", seeds, 2, 1000)
    unknown = set(labels) - measuring.GRIDS.keys()
    if unknown:
        raise UserError(f"--labels {min(unknown)}: the token table has {' and '.join(map(str, measuring.GRIDS))}")
    if keep and (labels or shipped):
        raise UserError("--keep writes the whole table, newly measured: leave --labels and --shipped out")
    chosen = labels or tuple(measuring.GRIDS)
    if shipped:
        every, compared = measuring.shipped_token_table()
        rows, said = (
            [row for row in every if row.labels in chosen],
            [one for one in compared if one["labels"] in chosen],
        )
    else:
        found = []
        for count in chosen:
            ways = measuring.GRIDS[count]
            bar = Bar(len(ways), f"tokens, {count} labels", "rows")
            found += list(measuring.measure_ways(load_token_room(), count, ways, range(seeds), bar.tick()))
            bar.close()
        said, rows = measuring.comparisons(found), [row for row, _ in found]
    result = {"comparisons": said, "rows": [row.as_dict() for row in rows]}
    if keep:
        write_atomic(measuring.FILE, (json.dumps(result, indent=0, ensure_ascii=False) + "\n").encode())
    if as_json:
        print_json(result)
        return
    if markdown:
        print(measuring.as_markdown(rows))
    else:
        heads = ("labels", "way", "strength", "evaluations", *measuring.NUMBERS)
        print_table(heads, [_cells(row) for row in rows])
    for one in said:
        print(f"- {measuring.sentence_of(one)}")


def _cells(row: TokenRow) -> tuple[str, ...]:
    head = (str(row.labels), row.way, f"{row.value:g}", str(row.network_evaluations))
    return (*head, *map(_with_interval, row.numbers.values()))


def _with_interval(number: Interval) -> str:
    return f"{number.mean:.3g} [{number.low:.3g}, {number.high:.3g}]"


LANGUAGE: dict[str, Callable[..., None]] = {"build": build, "table": table, "tokens": tokens}
