"""How a trace, an evaluation, parts and a run show themselves in a notebook: one line of words, a table, a picture."""

from __future__ import annotations

import base64
import io
import sys
from collections.abc import Callable
from typing import Any

import torch

from workbench.engine.digits import exact, short
from workbench.engine.glossary import TERM, numbers_of
from workbench.engine.metrics.evaluate import Evaluation
from workbench.engine.models.parts import Parts
from workbench.engine.steering.rules import RULES
from workbench.engine.steering.trace import Trace
from workbench.engine.training.loop.checkpoint import Run
from workbench.engine.words import UserError, plain
from workbench.plots.markup import Markup, html, joined

Rows = list[tuple[str, str, str]]  # label, value, what a pointer over it reads
DPI = 110
# Of an evaluation; its as_dict() has all.
HEADLINES = (
    "return",
    "success",
    "gain",
    "promised",
    "earned",
    "gap",
    "transport",
    "shift.w2",
    "own_shift.w2",
    "occupancy.w2",
    "support.inside",
    "coverage.effective",
    "network_evaluations",
    "ms_alone",
)
WORD = 60  # letters of a value


def bundle(thing: Any, wanted: bool) -> dict[str, str]:
    """What a notebook gets for ``thing``: words, and HTML where it is ``wanted`` and can be seen."""
    for kind, rows_of, picture_of in KINDS:
        if isinstance(thing, kind):
            title, rows = rows_of(thing)
            words = f"{title}: " + "; ".join(f"{label} {value}" for label, value, _ in rows)
            if not wanted or not _seen():
                return {"text/plain": words}
            return {"text/plain": words, "text/html": str(_table(title, rows, _image(picture_of(thing))))}
    return {"text/plain": repr(thing)}


def _seen() -> bool:
    """Whether the front end shows HTML; a terminal does not, and nothing need be drawn for it."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return shell is None or "text/html" in shell.display_formatter.active_types


def _table(title: str, rows: Rows, picture: Markup) -> Markup:
    lines = joined(
        html(
            '<tr><th style="text-align:left" title="{}">{}</th><td style="text-align:left">{}</td></tr>',
            hint,
            label,
            value,
        )
        for label, value, hint in rows
    )
    return html(
        '<div class="workbench-shown"><b>{}</b><div style="display:flex;gap:24px;flex-wrap:wrap;align-items:flex-start">'
        "<table>{}</table>{}</div></div>",
        title,
        lines,
        picture,
    )


def _number(key: str, value: Any) -> tuple[str, str, str]:
    """A row of a number of the glossary, of an interval its mean and its ends."""
    term = TERM[key]
    unit = f" ({term.unit})" if term.unit not in ("", "share") else ""
    several = isinstance(value, dict)
    text = f"{short(value['mean'])} [{short(value['low'])}, {short(value['high'])}]" if several else short(value)
    return f"{term.short}{unit}", text, term.hint


def _settings(rule: str, settings: dict[str, Any]) -> str:
    """The settings that are not the rule's defaults, its strength always."""
    kind = RULES.get(rule)
    told = {
        name: value
        for name, value in settings.items()
        if kind is None or name == kind.strength or value != kind.model_fields[name].default
    }
    return ", ".join(f"{name} = {value}" for name, value in told.items()) or "the defaults"


def _title(rule: str) -> str:
    return RULES[rule].title if rule in RULES else plain(rule)[:WORD]


def _trace(trace: Trace) -> tuple[str, Rows]:
    ticks, states, particles, dims = (len(trace.pushes), *trace.positions.shape[1:])
    rows = [
        ("Settings", _settings(trace.rule, trace.settings), "those that differ from the defaults"),
        ("Shape", f"{states} states × {particles} particles × {dims} numbers an action, {ticks} ticks", ""),
        _number("state.transport", float(trace.of_kept(trace.transport).mean())),
    ]
    if trace.q is not None:
        chosen = trace.q.gather(1, trace.picked[:, None])
        rows.append(("Q of the chosen actions", short(float(chosen.mean())), "mean, in the critic's own units"))
    return f"Trace of {_title(trace.rule)}", rows


def _evaluation(found: Evaluation) -> tuple[str, Rows]:
    rows: Rows = [
        ("Settings", _settings(found.rule, found.settings), "those that differ from the defaults"),
        ("Episodes", f"{found.episodes}, seed {found.seed}", ""),
    ]
    rows += [_number(key, value) for key, value in numbers_of(found.as_dict()).items() if key in HEADLINES]
    return f"{_title(found.rule)} on {plain(found.task)[:WORD]}", rows


def _parts(parts: Parts) -> tuple[str, Rows]:
    rows: Rows = [
        ("Observation", f"{parts.observation_dim} numbers", ""),
        ("Action", f"{parts.action_dim} numbers" + (f", {parts.chunk} steps" if parts.chunk > 1 else ""), ""),
        ("Discount", f"{exact(parts.discount)} a step", "γ of the critic"),
        ("Reward scale", exact(parts.reward_scale), "the critic's Q over this is in task units"),
    ]
    for name in parts.available():
        part = parts.part(name)
        count = sum(weights.numel() for weights in part.parameters()) if isinstance(part, torch.nn.Module) else 0
        kind = type(part).__name__
        rows.append((name, f"{kind}, {count:,} parameters" if count else kind, ""))
    return "Parts of a policy", rows


def _run(run: Run) -> tuple[str, Rows]:
    rows = [
        ("Folder", str(run.folder), ""),
        ("Updates", f"{run.step} of {run.total_steps}", ""),
        ("Critic", run.config.critic, "the loss that made it"),
        ("Trained", ", ".join(run.trained), "networks that hold something learned"),
        ("Device", run.device, ""),
    ]
    return f"Run on {plain(run.task)[:WORD]}", [(label, plain(value), hint) for label, value, hint in rows]


# The pictures are imported when one is drawn: HoloViews is not loaded before.
def _trace_picture(trace: Trace) -> Any:
    from workbench.elements.particles import particles, paths

    dims = (0, 1) if trace.positions.shape[-1] > 2 else None
    return paths(trace, dims=dims) * particles(trace, dims=dims)


def _evaluation_picture(found: Evaluation) -> Any:
    from workbench.elements.played import rollouts

    return rollouts(found)


def _run_picture(run: Run) -> Any:
    from workbench.elements.course import training

    try:
        return training(run)
    except UserError:  # without a log of its training; the table says all there is
        return None


def _image(picture: Any) -> Markup:
    """``picture`` as an image in the page."""
    if picture is None:
        return Markup()
    import holoviews as hv

    buffer = io.BytesIO()
    figure = hv.render(picture, backend="matplotlib")
    figure.savefig(buffer, format="png", dpi=DPI, bbox_inches="tight")
    data = base64.b64encode(buffer.getvalue()).decode()
    return html('<img alt="" style="max-width:380px" src="data:image/png;base64,{}">', data)


KINDS: tuple[tuple[type, Callable[[Any], tuple[str, Rows]], Callable[[Any], Any]], ...] = (
    (Trace, _trace, _trace_picture),
    (Evaluation, _evaluation, _evaluation_picture),
    (Parts, _parts, lambda parts: None),
    (Run, _run, _run_picture),
)
