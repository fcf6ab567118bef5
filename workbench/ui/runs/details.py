"""What is known of the selected runs, as HTML: one in full, several side by side. Everything in it is escaped."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from workbench.experiments.compare import compare
from workbench.experiments.redo import redo_command
from workbench.experiments.row import Row
from workbench.experiments.store import Store
from workbench.ui.frames import figure
from workbench.ui.runs.rows import settings_of

MOST = 12  # runs side by side
NUMBERS = {
    "return": "Return",
    "success": "Success",
    "budget": "Transport budget",
    "q_estimate": "Q-estimate",
    "q_gap": "Gap",
    "network_evaluations": "Network evaluations",
}


def describe(store: Store, rows: Sequence[Row]) -> str:
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
        return f"<h2>{len(rows)} runs selected</h2><p>To compare, select two that are done{escape(note)}.</p>"
    return _several(store, done[:MOST], note)


def _one(store: Store, row: Row) -> str:
    if row.status == "damaged":
        told = f'<div class="notice error" role="alert">{escape(row.error or "")}</div>'
        return f"<h2>Damaged: {escape(row.key)}</h2>{told}<p>It is left out of reports and pictures.</p>"
    head = f"<h2>{escape(row.rule)} on {escape(row.task)}, seed {row.seed}</h2>"
    record, result, failure = store.job(row.key), store.result(row.key), store.failure(row.key)
    about = f"<p>{escape(row.key)}, {row.status}{_when(row)}</p>"
    if record is None:
        return (
            f"{head}{about}<p>Planned by a sweep; nothing has happened yet. Start the sweep again and it is done.</p>"
        )
    first, second, third = [head, about], [], []
    if row.status == "failed" and failure is not None:
        first.append(f'<div class="notice error" role="alert">{escape(failure["error"])}</div>')
        tries = f"Failed {failure['attempts']} time(s); the sweep's command tries it again."
        first.append(
            f"<p>{tries}</p>{_folded('Traceback', _pre(failure['traceback']))}" if failure["traceback"] else ""
        )
    elif row.error:
        first.append(f'<div class="notice error" role="alert">{escape(row.error)}</div>')
    if result is not None:
        report = result["report"]
        pairs = {words: report.get(name) for name, words in NUMBERS.items()}
        pairs |= {f"Shift {name}": value for name, value in report["shift"].items() if isinstance(value, (int, float))}
        pairs["Wall time"] = f"{result['seconds']:.1f} s"
        second.append(f"<h3>Measured on the reporting episodes</h3>{_pairs(pairs)}")
        third.append(f"<p>Trained in {escape(store.where)}/{escape(result['training']['folder'])}</p>")
    third.insert(0, f"<h3>Do it again</h3>{_pre(redo_command(record, store.where))}")
    job = record["job"]
    first.append(f"<h3>Job</h3>{_pairs({'Changed': settings_of(row) or 'nothing', 'Episodes': job['episodes']})}")
    first.append(_folded("All settings", _pairs(job["settings"])))
    first.append(_folded("All settings of the training", _pairs(job["training"])))
    third.append(_made_by(result or failure, store.events(row.key)))
    columns = [f"<div>{''.join(parts)}</div>" for parts in (first, second, third) if parts]
    return f'<div class="columns">{"".join(columns)}</div>'


def _several(store: Store, rows: Sequence[Row], note: str) -> str:
    found = compare(store, [row.key for row in rows])
    note += f"; {len(rows) - len(found)} damaged left out" if len(found) < len(rows) else ""
    told = list(dict.fromkeys(name for entry in found for name in entry["told"]))
    measured = list(dict.fromkeys(name for entry in found for name in entry["measured"]))
    lines = [("rule", [entry["rule"] for entry in found])]
    lines += [(name, [entry["told"].get(name) for entry in found]) for name in told]
    lines.append(("return − first, paired", [entry["difference"] for entry in found]))
    lines += [(name, [entry["measured"].get(name) for entry in found]) for name in measured]
    links = [f'<a href="./runs?run={escape(entry["key"])}">{escape(entry["key"][:8])}</a>' for entry in found]
    heads = "".join(f'<th scope="col">{link}</th>' for link in links)
    body = "".join(_line(name, values) for name, values in lines)
    words = f"Settings that differ; measured on the reporting episodes{note}. –: not measured, or cannot be paired."
    return (
        f"<h2>{len(rows)} runs side by side</h2><p>{escape(words)}</p>"
        f'<table class="compare"><thead><tr><td></td>{heads}</tr></thead><tbody>{body}</tbody></table>'
    )


def _line(name: str, values: Sequence[Any]) -> str:
    cells = "".join(f"<td>{_cell(value)}</td>" for value in values)
    return f'<tr><th scope="row">{escape(name)}</th>{cells}</tr>'


def _made_by(source: dict[str, Any] | None, events: list[dict[str, Any]]) -> str:
    by = (source or {}).get("by") or next((event["by"] for event in reversed(events) if "by" in event), None)
    log = "\n".join(
        " ".join([str(event["time"])[:19].replace("T", " "), str(event["event"]), *_facts(event)]) for event in events
    )
    happened = _folded("What happened", _pre(log)) if log else ""
    if by is None:
        return happened
    code = by["code"]
    commit = "installed package" if not code else f"{code['commit'][:12]}{' with changes' if code['changed'] else ''}"
    packages = ", ".join(f"{name} {version}" for name, version in by["packages"].items())
    pairs = {"Commit": commit, "Python": by["python"], "Machine": by["host"], "Packages": packages}
    return f"<h3>Made by</h3>{_pairs(pairs)}{happened}"


def _facts(event: dict[str, Any]) -> list[str]:
    return [f"{name}={value}" for name, value in event.items() if name not in ("time", "event", "by")]


def _when(row: Row) -> str:
    return f", finished {row.finished[:16].replace('T', ' ')} UTC" if row.finished else ""


def _pairs(values: dict[str, Any]) -> str:
    lines = "".join(
        f"<tr><th scope=row>{escape(str(name))}</th><td>{_cell(value)}</td></tr>" for name, value in values.items()
    )
    return f"<table>{lines}</table>"


def _folded(title: str, inner: str) -> str:
    return f"<details><summary>{escape(title)}</summary>{inner}</details>"


def _pre(text: str) -> str:
    return f'<pre tabindex="0">{escape(text)}</pre>'


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, dict) and {"mean", "low", "high"} <= value.keys():
        return f"{figure(value['mean'], 3)} <small>{figure(value['low'], 3)} to {figure(value['high'], 3)}</small>"
    if isinstance(value, float):
        return f"{value:.4g}".replace("-", "−")
    return escape(str(value))
