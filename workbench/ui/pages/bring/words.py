"""The HTML of the page: what can be brought, what was recognised, and where a run can be looked at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from workbench.plots.markup import Markup, html, joined
from workbench.views.bring import FORMATS

STYLE = (Path(__file__).parent / "page.css").read_text(encoding="utf-8")


def nothing_yet() -> Markup:
    """What can be brought."""
    rows = joined(html("<tr><th scope='row'>{}</th><td>{}</td></tr>", what, how) for what, how in FORMATS)
    return html(
        "<h2>Bring a dataset or a checkpoint of your own</h2>"
        "<p>You see what was recognised before anything is kept. Nothing that a file holds is ever run.</p>"
        '<div class="wide"><table><thead><tr><th scope="col">what you hold</th><th scope="col">how it looks</th></tr></thead>'
        "<tbody>{}</tbody></table></div>",
        rows,
    )


def recognised(title: str, subtitle: str, rows: Sequence[tuple[str, str]], notes: Sequence[str]) -> Markup:
    """A card of what was found, and notes below it."""
    cells = joined(html("<div><dt>{}</dt><dd>{}</dd></div>", label, value) for label, value in whole(rows))
    said = joined(html("<li>{}</li>", note) for note in notes)
    below = html("<ul aria-label='Notes'>{}</ul>", said) if notes else ""
    return html("<h2>{}</h2><p>{}</p><dl class='found'>{}</dl>{}", title, subtitle, cells, below)


def whole(rows: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """The rows with labels that stand by themselves: one that is indented gets the word of the row that it belongs to."""
    above, said = "", []
    for label, value in rows:
        above = above if label.startswith("  ") else label
        said.append((f"{above}: {label.strip()}" if label.startswith("  ") else label, value))
    return said


def refused(title: str, words: str, hint: str, commands: Sequence[str]) -> Markup:
    """Why a file was not taken, and the way on."""
    lines = joined((html("<code>{}</code>", line) for line in commands), " ")
    return html("<h2>{}</h2><p class='why' role='alert'>{}</p><p>{}</p><p>{}</p>", title, words, hint, lines)


def opened_run(name: str, task: str, action_dim: int, rule: str) -> Markup:
    """Links to the pages that show an imported run."""
    run = quote(name, safe=":")
    pages = [("Landscape", f"./landscape?task={run}")]
    if action_dim <= 2:
        pages.insert(0, ("Particles", f"./particles?task={run}"))
    if not task.startswith("data/"):
        pages += [("Rollouts", f"./rollouts?task={run}"), ("Budget", f"./budget?task={run}&rule={rule}")]
    links = joined(html('<li><a href="{}">{}</a></li>', to, page) for page, to in pages)
    return html(
        "<h3>It is a run now</h3><p>Everybody who uses this server finds it in the lists of policies.</p>"
        "<ul class='links' aria-label='Pages that show the run'>{}</ul>",
        links,
    )
