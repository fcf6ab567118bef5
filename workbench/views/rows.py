"""The numbers beside a page's pictures, as the glossary names them: name, value and meaning of each."""

from __future__ import annotations

from typing import Any

import numpy as np

from workbench.engine.digits import figure
from workbench.engine.glossary import TERM
from workbench.engine.metrics.intervals import Interval
from workbench.views.rollouts import Played, difference
from workbench.views.terrain import Terrain

Row = tuple[str, str, str]


def landscape_rows(ground: Terrain) -> list[Row]:
    """What behaviour and steered actions are worth, how far they moved, and how far the critic can be trusted."""
    home, steered = ground.answer.numbers
    promised = TERM["state.promised"]
    moved = [(key, steered.as_dict()[key]) for key in ("state.shift", "state.displacement")]
    trust = ground.trust
    share = "–" if not np.isfinite(trust.share) else f"{trust.share:.0%}"
    rows = [
        ("Promised, behaviour", figure(home.promised), f"of the behaviour's actions: {promised.hint}"),
        ("Promised, steered", figure(steered.promised), f"of the chosen actions: {promised.hint}"),
        *((TERM[key].label, figure(value or 0.0), TERM[key].hint) for key, value in moved),
        (TERM["state.trusted"].label, share, TERM["state.trusted"].hint),
        (TERM["state.usual_spread"].label, figure(trust.usual_spread), TERM["state.usual_spread"].hint),
    ]
    if steered.earned is not None:
        rows.insert(2, (TERM["state.earned"].label, figure(steered.earned), TERM["state.earned"].hint))
    return rows


ROLLOUTS = ("return", "success", "shift.w2", "own_shift.w2", "occupancy.w2")


def unplayed_rows() -> list[Row]:
    """What stands in the place of `rollout_rows` until the episodes are played: as many numbers, so that nothing moves."""
    return [(TERM[key].label, "… ± …" if key == "return" else "…", TERM[key].hint) for key in ROLLOUTS]


def rollout_rows(played: Played) -> list[Row]:
    """Return, success and the three shifts of one policy, as `ROLLOUTS` names them."""
    measured = played.measured
    shifts = {
        "shift.w2": measured.shift.w2,
        "own_shift.w2": measured.own_shift.w2,
        "occupancy.w2": measured.occupancy.w2,
    }
    ended_in = f"share of the episodes that ended in: {played.names[0]}"
    return [
        (
            TERM["return"].label,
            with_half(measured.returns, _digits(played)),
            f"{TERM['return'].hint}; with half of its 95% interval",
        ),
        (TERM["success"].label, f"{measured.success.mean:.0%}", ended_in),
        *((TERM[key].label, figure(number), TERM[key].hint) for key, number in shifts.items()),
    ]


def compared(played: Played, both: tuple[Played, Played]) -> str:
    """The strength of a policy; of the second one also how its return differs from the first one's."""
    if played is both[0]:
        return played.strength
    return f"{played.strength}; return B − A {with_half(difference(both), _digits(played))}, same starts and noise"


def training_rows(state: str, running: bool, report: dict[str, Any] | None) -> list[Row]:
    """How far a training is, by its latest report: ``state`` is what its process is doing, in words."""
    rows = [("State", state, "what the process is doing")]
    if report is None:
        return rows
    rows.append(("Update", f"{report['step']:,} of {report['total']:,}", "updates done, and in all"))
    if running:  # what stands still has neither
        rows.append(("Speed", f"{report['steps_per_second']:.0f}/s", "updates a second, lately"))
        rows.append(("Time left", f"{report['eta_seconds']:.0f} s", "at the average speed of this phase"))
    return [
        *rows,
        *((name, figure(value, 3), "loss of the latest update") for name, value in report["losses"].items()),
    ]


def with_half(value: Interval, digits: int) -> str:
    """A mean and half of its interval, as in "0.71 ± 0.02"."""
    return f"{figure(value.mean, digits)} ± {figure((value.high - value.low) / 2, digits)}"


def _digits(played: Played) -> int:
    return 3 if abs(played.measured.returns.mean) < 100 else 0
