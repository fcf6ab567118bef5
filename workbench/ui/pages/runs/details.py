"""What is known of the selected runs, as HTML: one in full, several side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from workbench.engine.digits import figure, short
from workbench.engine.glossary import TERM, VERSION, numbers_of
from workbench.engine.words import counted
from workbench.experiments.compare import compare
from workbench.experiments.redo import redo_command
from workbench.experiments.row import Row
from workbench.experiments.store import Store
from workbench.experiments.upgrade import version_of
from workbench.plots.markup import Markup, html, joined
from workbench.views.runs import settings_of

MOST = 12  # runs side by side
PLANNED = "Planned by a sweep; nothing has happened yet. Start the sweep again and it is done."


def describe(store: Store, rows: Sequence[Row]) -> Markup:
    """The selected runs: details of one, a comparison of several."""
    if len(rows) == 1:
        return _one(store, rows[0])
    done = [row for row in rows if row.status == "done"]
    damaged = sum(row.status == "damaged" for row in rows)
    left = [f"{len(rows) - len(done) - damaged} without a result left out"] if len(done) + damaged < len(rows) else []
    left += [f"{damaged} damaged left out"] if damaged else []
    left += [f"the first {MOST} of {len(done)} are shown"] if len(done) > MOST else []
    note = f"; {'; '.join(left)}" if left else ""
    if len(done) < 2:
        return html("<h2>{} runs selected</h2><p>To compare, select two that are done{}.</p>", len(rows), note)
    return _several(store, done[:MOST], note)


def _one(store: Store, row: Row) -> Markup:
    if row.status == "damaged":
        left = html("<p>It is left out of reports and pictures.</p>")
        return joined((html("<h2>Damaged: {}</h2>", row.key), _alert(row.error or ""), left))
    head = html("<h2>{} on {}, seed {}</h2>", row.rule, row.task, row.seed)
    record, result, failure = store.job(row.key), store.result(row.key), store.failure(row.key)
    about = html("<p>{}, {}{}</p>", row.key, row.status, _when(row))
    if record is None:
        return joined((head, about, html("<p>{}</p>", PLANNED)))
    first, second, third = [head, about], [], []
    if row.status == "failed" and failure is not None:
        first.append(_alert(failure["error"]))
        tries = f"Failed {counted(failure['attempts'], 'time')}; the sweep's command tries it again."
        if failure["traceback"]:
            first.append(html("<p>{}</p>{}", tries, _folded("Traceback", _pre(failure["traceback"]))))
    elif row.error:
        first.append(_alert(row.error))
    if result is not None:
        report = result["report"]
        pairs = {TERM[key].head: value for key, value in numbers_of(report).items()}
        pairs["Wall time"] = f"{result['seconds']:.1f} s"
        second.append(html("<h3>Measured on the reporting episodes</h3>{}{}", _pairs(pairs), _earlier(result)))
        third.append(html("<p>Trained in {}/{}</p>", store.where, result["training"]["folder"]))
    third.insert(0, html("<h3>Do it again</h3>{}", _pre(redo_command(record, store.where))))
    job = record["job"]
    first.append(
        html("<h3>Job</h3>{}", _pairs({"Changed": settings_of(row) or "nothing", "Episodes": job["episodes"]}))
    )
    first.append(_folded("All settings", _pairs(job["settings"])))
    first.append(_folded("All settings of the training", _pairs(job["training"])))
    third.append(_made_by(result or failure, store.events(row.key)))
    columns = [html("<div>{}</div>", joined(parts)) for parts in (first, second, third) if parts]
    return html('<div class="columns">{}</div>', joined(columns))


def _several(store: Store, rows: Sequence[Row], note: str) -> Markup:
    found = compare(store, [row.key for row in rows])
    note += f"; {len(rows) - len(found)} damaged left out" if len(found) < len(rows) else ""
    told = list(dict.fromkeys(name for entry in found for name in entry["told"]))
    measured = list(dict.fromkeys(name for entry in found for name in entry["measured"]))
    lines = [("rule", [entry["rule"] for entry in found])]
    lines += [(name, [entry["told"].get(name) for entry in found]) for name in told]
    lines.append(("return − first, paired", [entry["difference"] for entry in found]))
    lines += [(TERM[name].head, [entry["measured"].get(name) for entry in found]) for name in measured]
    keys = [entry["key"] for entry in found]
    heads = joined(html('<th scope="col"><a href="./runs?run={}">{}</a></th>', quote(key), key[:8]) for key in keys)
    words = f"Settings that differ; measured on the reporting episodes{note}. –: not measured, or cannot be paired."
    return html(
        '<h2>{} runs side by side</h2><p>{}</p><table class="compare"><thead><tr><td></td>{}</tr></thead>'
        "<tbody>{}</tbody></table>",
        len(rows),
        words,
        heads,
        joined(_line(name, values) for name, values in lines),
    )


def _earlier(result: dict[str, Any]) -> Markup:
    version = version_of(result)
    if version == VERSION:
        return Markup()
    words = f"Measured by version {version}: it lacks own-way shift, occupancy shift and gain; run the job again to have them."
    return html("<p>{}</p>", words)


def _line(name: str, values: Sequence[Any]) -> Markup:
    cells = joined(html("<td>{}</td>", _cell(value)) for value in values)
    return html('<tr><th scope="row">{}</th>{}</tr>', name, cells)


def _made_by(source: dict[str, Any] | None, events: list[dict[str, Any]]) -> Markup:
    by = (source or {}).get("by") or next((event["by"] for event in reversed(events) if "by" in event), None)
    log = "\n".join(
        " ".join([str(event["time"])[:19].replace("T", " "), str(event["event"]), *_facts(event)]) for event in events
    )
    happened = _folded("What happened", _pre(log)) if log else Markup()
    if by is None:
        return happened
    code = by["code"]
    commit = "installed package" if not code else f"{code['commit'][:12]}{' with changes' if code['changed'] else ''}"
    packages = ", ".join(f"{name} {version}" for name, version in by["packages"].items())
    pairs = {"Commit": commit, "Python": by["python"], "Machine": by["host"], "Packages": packages}
    return html("<h3>Made by</h3>{}{}", _pairs(pairs), happened)


def _facts(event: dict[str, Any]) -> list[str]:
    return [f"{name}={value}" for name, value in event.items() if name not in ("time", "event", "by")]


def _when(row: Row) -> str:
    return f", finished {str(row.finished)[:16].replace('T', ' ')} UTC" if row.finished else ""


def _alert(words: str) -> Markup:
    return html('<div class="notice error" role="alert">{}</div>', words)


def _pairs(values: dict[str, Any]) -> Markup:
    lines = joined(
        html("<tr><th scope=row>{}</th><td>{}</td></tr>", name, _cell(value)) for name, value in values.items()
    )
    return html("<table>{}</table>", lines)


def _folded(title: str, inner: Markup) -> Markup:
    return html("<details><summary>{}</summary>{}</details>", title, inner)


def _pre(text: str) -> Markup:
    return html('<pre tabindex="0">{}</pre>', text)


def _cell(value: Any) -> object:
    if value is None:
        return "–"
    if isinstance(value, dict) and {"mean", "low", "high"} <= value.keys():
        if value["low"] is None:
            return figure(value["mean"], 3)
        numbers = (figure(value[name], 3) for name in ("mean", "low", "high"))
        return html("{} <small>{} to {}</small>", *numbers)
    if isinstance(value, float):
        return short(value, 4)
    return str(value)
