"""The report of a suite: one page that is read offline, or the tables as a page of the docs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from workbench.engine.data.atomic import write_atomic
from workbench.engine.words import counted
from workbench.experiments.scores import Board
from workbench.experiments.store import now
from workbench.experiments.suites.protocol import Protocol
from workbench.plots.markup import Markup, html
from workbench.report.figures import Picture
from workbench.report.page import figure_html, live_figures, table_html, whole_page
from workbench.report.suite_tables import standings_table, strengths_table, tasks_table
from workbench.report.tables import Table
from workbench.report.written import markdown
from workbench.views.compare import MIDDLE, PROFILE, middle_series, profile_series


def tables_of(board: Board) -> list[Table]:
    """All tables, in their order."""
    found = [standings_table(board), tasks_table(board), strengths_table(board)]
    return [table for table in found if table.rows]


def write_suite_page(protocol: Protocol, board: Board, commands: Sequence[str], out: Path) -> None:
    """Write the report of a suite as one HTML file that needs nothing else."""
    drawn = _pictures(board)
    script, places = live_figures(drawn)
    figures = [
        figure_html(picture, live, f"s{number}")
        for number, (picture, live) in enumerate(zip(drawn, places, strict=True))
    ]
    first, *others = map(table_html, tables_of(board))
    parts: list[Markup | str] = [
        html("<h1>{}</h1><p class='when'>{}; written {} UTC</p>", protocol.title, about(protocol, board), _when()),
        html("<p>{}</p>", protocol.summary),
        first,
        *figures,
        *others,
        html("<section><h2>Make it again</h2><pre>{}</pre></section>", "\n".join(commands)),
    ]
    write_atomic(out, whole_page(protocol.title, parts, script).encode())


def write_suite_markdown(protocol: Protocol, board: Board, commands: Sequence[str], out: Path) -> None:
    """Write the tables of a suite as Markdown."""
    lines = [
        f"# {protocol.title}",
        "",
        f"{protocol.summary} {about(protocol, board)}. Made by",
        "",
        "```sh",
        *commands,
        "```",
        "",
        *map(markdown, tables_of(board)),
    ]
    write_atomic(out, "\n".join(lines).encode())


def about(protocol: Protocol, board: Board) -> str:
    """How much was measured, in a line."""
    measured, wanted = len(board.cells), len(protocol.methods) * len(protocol.tasks)
    words = f"{counted(len(board.methods), 'method')} on {counted(len(board.tasks), 'task')}, " + (
        f"{counted(len(protocol.seeds), 'training seed')}, {counted(protocol.episodes, 'episode')} to choose, as many to report"
    )
    return words if measured == wanted else f"{words}; not whole yet: {measured} of {wanted} cells"


def _pictures(board: Board) -> list[Picture]:
    if not board.whole:
        return []
    found = [
        Picture(
            "performance-profiles",
            "Performance profiles: the share of a method's runs, over all tasks, that score above τ, with pointwise 95% bands of "
            "the stratified bootstrap over training seeds. The higher line is better.",
            profile_series(board),
            PROFILE,
        )
    ]
    if middle := middle_series(board):
        found.append(
            Picture(
                "score-against-evaluations",
                "What computing at test time buys: interquartile mean of the scores against a decision's network evaluations, "
                "at the strengths that were chosen. What a method cost in training is in the table above.",
                middle,
                MIDDLE,
            )
        )
    return found


def _when() -> str:
    return now()[:16].replace("T", " ")
