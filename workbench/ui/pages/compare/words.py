"""What stands in words on the page Compare: the tables, and what is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from workbench.engine.steering.rules import RULES
from workbench.experiments.scores import Board
from workbench.experiments.summary import Curve
from workbench.plots.markup import Markup, html, joined
from workbench.plots.palette import Look, looks_of
from workbench.report.tables import Table

NOTHING = "Tick at least one method and one task at the left."
EMPTY = "Nothing has been measured yet: run a sweep on the page Runs, or workbench suite smoke --store … in a terminal."


def table_html(table: Table, looks: Mapping[str, Look] = {}) -> Markup:
    """A table that scrolls sideways where it is wide, with a dot of its colour before every name in ``looks``."""
    rows = joined(
        html(
            "<tr>{}</tr>",
            joined(_cell(text, looks.get(text) if place == 0 else None) for place, text in enumerate(row)),
        )
        for row in table.rows
    )
    return html(
        '<h2>{}</h2><div class="wide" tabindex="0" role="region" aria-label="{}"><table><tr>{}</tr>{}</table></div>'
        "<details><summary>How to read it</summary><p>{}</p></details>",
        table.title,
        table.title,
        joined(html("<th>{}</th>", head) for head in table.heads),
        rows,
        table.note,
    )


def _cell(text: str, look: Look | None) -> Markup:
    dot: Markup | str = "" if look is None else html('<span class="dot" style="background:{}"></span>', look.light)
    return html("<td>{}{}</td>", dot, text)


def looks_in(board: Board) -> dict[str, Look]:
    """The look of every method in its figures."""
    rules = [board.cells[method, board.tasks[0]].rule for method in board.whole]
    return dict(zip(board.whole, looks_of(rules), strict=True))


def about(board: Board, curves: Sequence[Curve]) -> Markup:
    """How much is compared, and whether it is the shipped example."""
    seeds = sorted({len(cell.seeds) for cell in board.cells.values()})
    mark: Markup | str = ""
    shipped = next((c.origin for c in curves if c.origin and c.task in board.tasks), "")
    if shipped:
        mark = html('<p class="shipped">{}. A sweep of your own takes its place.</p>', shipped.capitalize())
    few = f"{seeds[0]}" if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"
    return html(
        "<h2>Methods over tasks</h2><p>{} of {} methods on {}; {} training seeds.</p>{}",
        len(board.whole),
        len(board.methods),
        "1 task" if len(board.tasks) == 1 else f"all {len(board.tasks)} tasks",
        few,
        mark,
    )


def unmeasured(curves: Sequence[Curve]) -> Markup:
    """The rules of the registry that no curve is of, and where they are measured."""
    have = {curve.rule for curve in curves}
    missing = [rule.title for name, rule in RULES.items() if name not in have]
    if not missing:
        return html("<p>Every rule has been measured.</p>")
    return html(
        "<details><summary>{} rules are not measured here</summary><p>{}. "
        '<a href="./runs">Start a sweep</a></p></details>',
        len(missing),
        ", ".join(missing),
    )


def head_words(words: str) -> Markup:
    """The head while there is nothing to compare."""
    return html("<h2>Methods over tasks</h2><p role='status'>{}</p>", words)


def tables_html(tables: Sequence[Table]) -> Markup:
    """Several tables, those that have rows."""
    return joined(table_html(table) for table in tables if table.rows)


def scaling_words(task: str) -> Markup:
    """Over the figure of what computing buys."""
    return html(
        "<h2>What computing buys, {}</h2><p>Return of the reporting episodes against the network evaluations of a decision, 95% "
        "intervals over training seeds and episodes. Where several strengths cost the same, the one that the choosing episodes "
        "prefer.</p>",
        task,
    )
