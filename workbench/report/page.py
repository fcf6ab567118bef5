"""One self-contained HTML page about a store, and its figures as PDF."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bokeh.embed import components
from bokeh.resources import Resources

from workbench.engine.data.atomic import made_folder, write_atomic
from workbench.engine.digits import exact
from workbench.engine.words import counted
from workbench.experiments.files import DamagedError
from workbench.experiments.store import Store, StoreError, now
from workbench.experiments.summary import Curve, read_curves
from workbench.plots import measurement, measurement_still
from workbench.plots.markup import Markup, html, joined, own
from workbench.report.figures import Picture, pictures
from workbench.report.tables import (
    Table,
    chosen_table,
    cost_table,
    damaged_table,
    earlier_table,
    made_by,
    matched_table,
    points_table,
    unfinished_table,
)

LONG = 48  # letters of a table's cell from which on it is broken into lines
STYLE = Path(__file__).with_name("report.css")


def write_report(store: Store, out: Path, pdf: Path | None = None) -> list[Path]:
    """Write the report of a store: one HTML page that needs nothing else.

    Parameters
    ----------
    store : Store
    out : Path
        The page's file.
    pdf : Path, optional
        A folder for the figures, each as a PDF; none are written without it.

    Returns
    -------
    list of Path
        The files that were written.

    Raises
    ------
    StoreError
        The store has no result yet.
    OSError
        A file cannot be written.
    """
    found, damaged = read_curves(store)
    if not found and damaged:
        raise StoreError(f"{store.where} has no whole run: {len(damaged)} are damaged; {next(iter(damaged.values()))}")
    if not found:
        raise StoreError(f"{store.where} has no finished run yet; see workbench runs list {store.where}")
    by_task = {task: [curve for curve in found if curve.task == task] for task in dict.fromkeys(c.task for c in found)}
    drawn = {task: pictures(members) for task, members in by_task.items()}
    written = [out]
    write_atomic(out, page(store, by_task, drawn, damaged).encode())
    if pdf is not None:
        with made_folder(pdf):
            for task, some in drawn.items():
                for picture in some:
                    path = pdf / f"{task.replace('/', '-')}-{picture.name}.pdf"
                    figure = measurement_still.measured(picture.series, picture.axes)
                    figure.savefig(path, metadata={"CreationDate": None})
                    written.append(path)
    return written


def page(
    store: Store,
    by_task: dict[str, list[Curve]],
    drawn: dict[str, list[Picture]],
    damaged: Mapping[str, DamagedError] | None = None,
) -> Markup:
    """The whole page; no part of it is loaded from anywhere."""
    script, places = live_figures([picture for some in drawn.values() for picture in some])
    live = iter(places)
    sections: list[Markup] = []
    for task, members in by_task.items():
        body = [html("<h2>{}</h2>", task), _findings(members), table_html(chosen_table(members))]
        for number, picture in enumerate(drawn[task]):
            body.append(figure_html(picture, next(live), f"f{len(sections)}-{number}"))
        if (table := matched_table(members)) is not None:
            body.append(table_html(table))
        body += [table_html(cost_table(members)), folded_html(points_table(members))]
        sections.append(html("<section>{}</section>", joined(body)))
    missing = unfinished_table(store)
    keys = {key for members in by_task.values() for curve in members for point in curve.points for key in point.keys}
    results = store.results(sorted(keys))
    earlier = earlier_table(results)
    title = f"Report of {store.where}"
    when = now()[:16].replace("T", " ")
    parts = [
        html("<h1>{}</h1><p class='when'>{}; written {} UTC</p>", title, counted(len(results), "result"), when),
        folded_html(damaged_table(damaged, store.where), "warning") if damaged else "",
        "" if missing is None else folded_html(missing, "warning"),
        "" if earlier is None else folded_html(earlier, "warning"),
        *sections,
        _again(store, results),
    ]
    return whole_page(title, parts, script)


def live_figures(drawn: Sequence[Picture]) -> tuple[str, Sequence[str]]:
    """The script that draws them, and the place of each."""
    figures = [measurement.bokeh_figure(measurement.measured(picture.series, picture.axes)) for picture in drawn]
    return components(figures) if figures else ("", ())


def whole_page(title: str, parts: Sequence[Markup | str], script: str) -> Markup:
    """``parts`` as a page of its own, with Bokeh's code and the ``script`` of its figures."""
    head = html(
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>\n"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>\n<title>{}</title><style>{}</style>\n{}\n</head>",
        title,
        own(STYLE.read_text(encoding="utf-8")),
        _scripts(),
    )
    return html("{}\n<body><main>\n{}\n</main>\n{}\n</body></html>", head, joined(parts, "\n"), own(script))


def _findings(curves: list[Curve]) -> Markup:
    """What the figures show, one sentence a method, in numbers of the reporting episodes."""
    lines = []
    for curve in curves:
        if curve.choice is None or len(curve.points) < 2:
            continue
        returns, choice = curve.column("return"), curve.choice
        values = [point.value for point in curve.points]
        start, end = returns[0], returns[-1]
        verb = "is valued at" if curve.offline else "returns"
        text = (
            f": {curve.axis} = {exact(choice.strength)} is chosen and {verb} "
            f"{choice.reported.mean:.3f} [{choice.reported.low:.3f}, {choice.reported.high:.3f}]; the smallest strength "
            f"({exact(values[0])}) {verb} {start:.3f}, the largest ({exact(values[-1])}) {end:.3f}."
        )
        lines.append(html("<li><b>{}</b>{}</li>", curve.name, text))
    return html("<ul class='findings'>{}</ul>", joined(lines)) if lines else Markup()


def figure_html(picture: Picture, live: str, mark: str) -> Markup:
    """A figure twice: live on a screen, still on paper; ``mark`` keeps the ids of several apart."""
    still = measurement_still.svg(measurement_still.measured(picture.series, picture.axes), mark)
    return html(
        "<figure><div class='live'>{}</div><div class='still'>{}</div><figcaption>{}</figcaption></figure>",
        own(live),
        own(still),
        picture.caption,
    )


def table_html(table: Table, title: bool = True) -> Markup:
    """A table with its title and note."""
    return html(
        "{}<div class='wide'><table><thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>{}",
        html("<h3>{}</h3>", table.title) if title else "",
        joined(html("<th>{}</th>", head) for head in table.heads),
        joined(html("<tr>{}</tr>", joined(map(_cell, row))) for row in table.rows),
        html("<p class='note'>{}</p>", table.note) if table.note else "",
    )


def folded_html(table: Table, kind: str = "") -> Markup:
    """A table that is opened by its title."""
    return html(
        "<details class='{}'><summary>{} ({})</summary>{}</details>",
        kind,
        table.title,
        len(table.rows),
        table_html(table, title=False),
    )


def _again(store: Store, results: list[dict[str, Any]]) -> Markup:
    """The commands that make everything again, and what made it."""
    lines = []
    for sweep in store.sweeps():
        seeds = len({job["seed"] for job in sweep["jobs"].values()})
        started = ", ".join(str(when)[:16].replace("T", " ") for when in sweep["started"])
        note = f"# {counted(len(sweep['jobs']), 'job')}, {counted(seeds, 'seed')}; started {started} UTC"
        lines.append(f"{note}\n{sweep['command']}")
        data = sweep["grid"]["data"]
        if data["fingerprint"]:
            where = "data of the task" if data["folder"] is None else f"data in {data['folder']}"
            lines[-1] += f"\n# {where}, fingerprint {data['fingerprint']}"
    lines.append(f"workbench report {store.where} --out report.html")
    seeds_used = sorted({(r["evaluation_seeds"]["choose"], r["evaluation_seeds"]["report"]) for r in results})
    pairs = ", ".join(f"{choose} and {report}" for choose, report in seeds_used)
    return html(
        "<section><h2>Make it again</h2><pre>{}</pre>"
        "<p class='note'>Evaluation seeds, to choose and to report: {}.</p>{}</section>",
        "\n".join(lines),
        pairs,
        table_html(made_by(results)),
    )


def _cell(text: object) -> Markup:
    words = str(text)
    return html("<td class=long>{}</td>", words) if len(words) > LONG else html("<td>{}</td>", words)


def _scripts() -> Markup:
    """Bokeh's own code, and no more: what other libraries add to it would be asked for from a server."""
    return joined(
        html("<script>{}</script>", own(code)) for code in Resources(mode="inline", components=["bokeh"]).js_raw
    )
