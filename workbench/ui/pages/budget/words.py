"""What stands over the pictures of the budget page, and which curves they begin with."""

from __future__ import annotations

from collections.abc import Sequence

from workbench.engine.glossary import TERM
from workbench.engine.words import UserError
from workbench.experiments.summary import Curve
from workbench.plots.markup import Markup, html
from workbench.views.budget import as_csv, words_of_choice
from workbench.views.dial import critic_words, fooled_words, growth_of, verdict
from workbench.views.measured import USUAL, Ride, is_wide


def of_task(curves: Sequence[Curve], task: str) -> list[Curve]:
    """The curves of one task."""
    return [curve for curve in curves if curve.task == task]


def origin_of(curves: Sequence[Curve], task: str) -> str:
    """Where a task's curves are from, when that is not one's own store."""
    return next((curve.origin for curve in of_task(curves, task)), "")


def usual(here: Sequence[Curve], wanted: str | None) -> list[str]:
    """What is drawn before anybody chose: what the link says, all of one's own curves, a handful of the shipped ones."""
    if wanted is not None:
        return [curve.name for curve in here if curve.name in wanted.split("|")]
    return [curve.name for curve in here if not curve.origin or curve.rule in USUAL]


def head_of(shown: Sequence[Curve], on: Ride | None, missing: str = "") -> Markup:
    """Title, what the dial's curve says, whom the critic fooled, where the numbers are from, and which ones are ``missing``."""
    first = shown[0]
    mark: Markup | str = ""
    if first.origin:
        mark = html('<p class="shipped">{}. A sweep of your own takes its place.</p>', first.origin.capitalize())
    if first.offline:
        mark = html('<p class="shipped">{}.</p>', words_of_choice(first).capitalize())
    sentence = "" if on is None else f"{on.name}: {verdict(on)}"
    title = f"{first.worth.label} against shift, {first.task}"
    lacks = html('<p class="missing" role="status">{}</p>', missing) if missing else ""
    fooled = fooled_words([growth_of(curve) for curve in shown if is_wide(curve)])
    return html('<h2>{}</h2>{}<p class="verdict">{}</p><p>{}</p>{}', title, lacks, sentence, fooled, mark)


def promise_head(on: Ride | None) -> Markup:
    """Title of the lower picture, and why the critic is wrong at both ends of the curve."""
    return html(
        "<h2>What the critic promised, {}</h2>"
        '<p title="{}">The shaded area is how wrong the critic is.</p><p class="critic">{}</p>',
        "…" if on is None else on.name,
        f"Promised: {TERM['promised'].hint}. Earned: {TERM['earned'].hint}",
        "" if on is None else critic_words(on),
    )


def table_of(curves: Sequence[Curve], task: str) -> bytes:
    """All points of a task as CSV; UserError where there are none."""
    if not curves:
        raise UserError("There are no runs yet; run a sweep first.")
    return as_csv(of_task(curves, task))
