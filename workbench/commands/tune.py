"""``workbench tune``: choose a strength for a rule."""

from __future__ import annotations

import sys
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from workbench.commands.flags import Json, Settings, parse_settings, quoted
from workbench.commands.model_flags import NOTHING, Given, read_given, settings_of
from workbench.commands.stop import StopOnSignal
from workbench.console import Bar, print_json, print_table
from workbench.engine.glossary import TERM
from workbench.engine.words import UserError, counted

if TYPE_CHECKING:
    from workbench.experiments.tune import Tuned

Runs = Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="RUN ...")]


@settings_of("workbench.experiments.tune:TuneConfig")
def tune(
    runs: Runs,
    rule: str,
    over: Annotated[str | None, tyro.conf.arg(metavar="NAME=VALUE,…")] = None,
    settings: Settings = (),
    offline: bool = False,
    data: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None,
    as_json: Json = False,
    *,
    given: Given = NOTHING,
) -> None:
    """Find the strength of a rule: by successive halving over few episodes, or offline by fitted-Q evaluation.

    Args:
        runs: Folders of runs (workbench fit) on one task; one strength is chosen for all of them.
        rule: Name of the rule (workbench rules).
        over: Values to choose from; without it a ladder of the rule's own strength.
        offline: Choose from the dataset alone, by fitted-Q evaluation.
        data: Dataset for --offline; without it the one that the run was trained on.
    """
    from workbench.engine.steering.rules import find_rule
    from workbench.engine.training.loop.checkpoint import load_run
    from workbench.experiments.grid import parse_axes
    from workbench.experiments.place import Stopped
    from workbench.experiments.tune import data_of, default_values, make_tune_config
    from workbench.experiments.tune import tune as choose

    config = make_tune_config(**read_given(tune, given))
    find_rule(rule)
    if not runs:
        raise UserError("tune takes a run's folder; make one: workbench fit TASK --out RUN")
    if data is not None and not offline:
        raise UserError("--data is for --offline; add --offline, or leave it out")
    axis, values = default_values(rule) if over is None else next(iter(parse_axes(((over,),), "--over").items()))
    numbers = [value for value in values if isinstance(value, (int, float)) and not isinstance(value, bool)]
    if len(numbers) < max(len(values), 2):
        raise UserError(f"--over takes two numbers or more, such as --over {axis}=0.1,0.3,1; got {axis}={values}")
    loaded = [load_run(run) for run in runs]
    table = data_of(loaded[0], data) if offline else None
    stop = StopOnSignal("stopping …")
    work = choose(
        loaded,
        rule,
        axis,
        numbers,
        config,
        settings=parse_settings(settings),
        data=table,
        should_stop=stop.asked,
    )
    with stop, closing(Bar(100, "tune", "%")) as bar:
        try:
            while True:
                progress = next(work)
                bar.at(int(100 * progress.share), f"({progress.what})")
        except StopIteration as end:
            found: Tuned = end.value
        except Stopped:
            print("stopped; nothing was chosen", file=sys.stderr)
            raise SystemExit(130) from None
    if as_json:
        print_json(_plain(found))
        return
    _print(found, runs)


def _print(found: Tuned, runs: tuple[Path, ...]) -> None:
    heads = [found.axis, "estimated value" if found.method == "fqe" else "return while choosing"]
    heads += [TERM["support.inside"].label] if found.inside else []
    heads += ["rounds survived"] if found.rounds else []
    heads += ["return, reporting episodes"] if found.grid else []
    rows = []
    for value, score in sorted(found.scores.items()):
        row = [f"{value:g}{' *' if value == found.chosen else ''}", f"{score:.3f}"]
        row += [f"{found.inside[value]:.0%}"] if found.inside else []
        row += [str(sum(value in step.kept for step in found.rounds))] if found.rounds else []
        row += [f"{found.grid[value]:.3f}"] if found.grid else []
        rows.append(row)
    print_table(heads, rows)
    how = "fitted-Q evaluation, no episode" if found.method == "fqe" else counted(found.episodes, "episode")
    reported = found.reported
    print(f"\nchosen: {found.axis} = {found.chosen:g} ({how})")
    if reported is None:
        print("no return was measured: the task has no environment")
    else:
        print(f"return on other episodes: {reported.mean:.3f} [{reported.low:.3f}, {reported.high:.3f}]")
    if found.regret is not None:
        print(
            f"regret: {found.regret:.3f} below the best of the grid; the full grid would have chosen "
            f"{found.axis} = {found.grid_choice:g}, with {counted(found.grid_episodes, 'episode')}"
        )
    sets = " ".join(f"{name}={value}" for name, value in (found.settings | {found.axis: found.chosen}).items())
    look = "evaluate" if reported is not None else "measure offline"  # without an environment no episode is played
    print(f"use it: workbench {look} {quoted(runs[0])} --rule {found.rule} --set {sets}", file=sys.stderr)


def _plain(found: Tuned) -> dict[str, Any]:
    plain = asdict(found)
    for name in ("scores", "grid", "inside"):
        plain[name] = [{"value": value, "mean": mean} for value, mean in plain[name].items()]
    for step in plain["rounds"]:
        step["means"] = [{"value": value, "mean": mean} for value, mean in step["means"].items()]
    return plain
