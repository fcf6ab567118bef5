"""``workbench recommend``: which rule and strength to take, from what a store has measured."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import tyro

from workbench.commands.flags import Json, Named
from workbench.console import print_json
from workbench.engine.glossary import TERM
from workbench.engine.words import UserError


def recommend(
    store: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="STORE")],
    task: Named = None,
    most_shift: Annotated[float | None, tyro.conf.arg(metavar="FLOAT")] = None,
    least_return: Annotated[float | None, tyro.conf.arg(metavar="FLOAT")] = None,
    as_json: Json = False,
) -> None:
    """Choose a rule and a strength: the best within a shift, or the least shift that returns enough.

    Args:
        store: Folder or URL of the store; "shipped" is the example that comes with the package.
        task: Name of the task; needed where the store has several.
        most_shift: Largest shift from the behaviour policy that is allowed, action units.
        least_return: Least return that is wanted, task units.
    """
    from workbench.experiments.recommend import recommend as choose
    from workbench.experiments.shipped import shipped
    from workbench.experiments.store import Store
    from workbench.experiments.summary import curves, curves_of

    found = curves_of(shipped().measured) if store == "shipped" else curves(Store(store))
    known = list(dict.fromkeys(curve.task for curve in found))
    if task is not None and task not in known:
        raise UserError(f"{store} has nothing of task '{task}'; it has {', '.join(known) or 'no result'}")
    if task is None and len(known) > 1:
        raise UserError(f"{store} has results of several tasks ({', '.join(known)}); add --task")
    chosen = choose(
        [curve for curve in found if task in (None, curve.task)], most_shift=most_shift, least_return=least_return
    )
    if as_json:
        print_json(asdict(chosen) | {"certain": chosen.certain, "command": chosen.command()})
        return
    if store == "shipped":
        print(shipped().words)
    reported = chosen.reported
    print(f"{chosen.rule}, {chosen.axis} {chosen.strength:g}, for {chosen.task}")
    print(
        f"{TERM['return'].label.lower()} {reported.mean:.3f} [{reported.low:.3f}, {reported.high:.3f}], "
        f"{TERM['shift.w2'].label.lower()} {chosen.shift:.3f}"
    )
    if not chosen.certain:
        print("not certain: on the reporting episodes the interval reaches beyond what was asked")
    print(
        f"training seeds {', '.join(map(str, chosen.training_seeds))}; chosen from {chosen.candidates} strengths on evaluation "
        f"seeds {chosen.chosen_on[0]} to {chosen.chosen_on[-1]}, reported on {chosen.reported_on[0]} to {chosen.reported_on[-1]}"
    )
    print(f"use it: {chosen.command()}")
