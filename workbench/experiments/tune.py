"""Choosing a strength for a rule: by a few episodes, or offline by fitted-Q evaluation; and what the choice cost."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field

from workbench.engine.data.transitions import Transitions
from workbench.engine.metrics.choose import Played, choose_strength
from workbench.engine.metrics.evaluate import SHIFT_DRAWS, SHIFT_STATES, support_of
from workbench.engine.metrics.intervals import Interval, bootstrap_runs
from workbench.engine.metrics.shift import draw_clouds
from workbench.engine.metrics.support import DataSupport
from workbench.engine.models.parts import Parts
from workbench.engine.settings import make
from workbench.engine.steering.protocol import Rule
from workbench.engine.steering.rules import find_rule, make_rule
from workbench.engine.tasks.recorded import RecordedTask
from workbench.engine.tasks.registry import make_task
from workbench.engine.tasks.rollout import rollout
from workbench.engine.training.loop.checkpoint import Run
from workbench.engine.training.loop.fqe import FQEConfig, fitted_q_evaluation
from workbench.engine.words import UserError
from workbench.experiments.halving import Round, successive_halving
from workbench.experiments.job import SETS
from workbench.experiments.offline import IN_SUPPORT
from workbench.experiments.place import Stopped, never

LADDER = (0.0, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
STEPS = (0, 1, 2, 3, 5, 10, 20, 40)
MOST_SEEDS = 1_000_000  # of --seed: rounds and grid take seeds of their own beside each other


class TuneConfig(BaseModel):
    """How a strength is chosen."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    episodes: int = Field(400, ge=1, description="episodes to choose with, for each run in all; unused with --offline")
    report_episodes: int = Field(500, ge=1, description="other episodes, to report with, for each run and value")
    seed: int = Field(0, ge=0, lt=MOST_SEEDS, description="fixes both sets of episodes, which share none")
    in_support: float = Field(
        IN_SUPPORT,
        ge=0.0,
        le=1.0,
        description="with --offline: least share of a value's actions that must be like the data's, since no dataset can say "
        "what others are worth; 0 allows every value",
    )
    regret: bool = Field(
        False, description="play every value, and say how much worse the chosen one is than the best of them"
    )


def make_tune_config(**settings: Any) -> TuneConfig:
    """Build a `TuneConfig`; UserError says which setting is wrong, and its bounds."""
    return make(TuneConfig, settings, "tune", "tune setting '{}'")


DEFAULT = make_tune_config()


@dataclass(frozen=True)
class Tuned:
    """A chosen strength.

    Attributes
    ----------
    rule, axis : str
    settings : dict
        The other settings.
    method : {"halving", "fqe"}
    chosen : float
    scores : dict of float to float
        What the choice was made by: mean return over all episodes played while choosing, or the estimated discounted value.
    inside : dict of float to float
        Offline: share of each value's actions that are no farther from the data than 95% of the data's own.
    rounds : tuple of Round
        Of successive halving.
    episodes : int
        Played to choose, over all runs.
    reported : Interval or None
        Return of the chosen value on the reporting episodes, which share none with the choosing ones; None where the task
        has no environment.
    grid : dict of float to float
        Mean return of every value on the reporting episodes; empty unless asked for.
    regret : float or None
        How far the reported return lies below the best of the grid, at least 0.
    grid_choice : float or None
        What the full grid would have chosen, on as many choosing episodes of its own for every value.
    grid_episodes : int
        Played for that choice.
    """

    rule: str
    axis: str
    settings: dict[str, Any]
    method: str
    chosen: float
    scores: dict[float, float]
    rounds: tuple[Round, ...]
    episodes: int
    reported: Interval | None
    grid: dict[float, float] = field(default_factory=dict)
    regret: float | None = None
    grid_choice: float | None = None
    grid_episodes: int = 0
    inside: dict[float, float] = field(default_factory=dict)


@dataclass(frozen=True)
class TuneProgress:
    """What a progress bar shows: what is being done, and the share of it that is done."""

    what: str
    share: float
    round: Round | None = None


def default_values(rule: str) -> tuple[str, tuple[float, ...]]:
    """The strength of a rule and values of it from nothing to a lot, inside its bounds.

    Raises
    ------
    UserError
        The rule's strength was set in training: there is nothing to choose at test time.
    """
    kind = find_rule(rule)
    if kind.bc_at == {} or (kind.bc_at is None and kind.trained_strength):
        fit = (
            f"; its strength is the training setting {kind.trained_strength}: sweep it" if kind.trained_strength else ""
        )
        raise UserError(f"rule '{rule}' has no strength to choose at test time{fit}")
    schema = kind.model_json_schema()["properties"][kind.strength]
    ladder: tuple[float, ...] = STEPS if schema["type"] == "integer" else LADDER
    if schema["type"] == "integer" and schema["minimum"] >= 1:
        ladder = (1, 2, 4, 8, 16, 32)
    return kind.strength, tuple(value for value in ladder if schema["minimum"] <= value <= schema["maximum"])


def tune(
    runs: Sequence[Run],
    rule: str,
    axis: str,
    values: Sequence[float],
    config: TuneConfig = DEFAULT,
    *,
    settings: dict[str, Any] | None = None,
    data: Transitions | None = None,
    fqe: FQEConfig | None = None,
    should_stop: Callable[[], bool] = never,
) -> Generator[TuneProgress, None, Tuned]:
    """Choose the value of ``axis`` that serves ``runs`` best.

    Parameters
    ----------
    runs : sequence of Run
        Trained on one task; with several (training seeds) one value is chosen for all.
    rule, axis : str
    values : sequence of float
    config : TuneConfig
        With ``regret`` every value is played on the reporting episodes, and on as many others, for what the whole grid would
        have chosen.
    settings : dict, optional
        The rule's other settings.
    data : Transitions, optional
        Choose by fitted-Q evaluation on these, without the environment.
    fqe : FQEConfig, optional
    should_stop : callable

    Yields
    ------
    TuneProgress

    Returns
    -------
    Tuned

    Raises
    ------
    Stopped
        ``should_stop`` said so.
    UserError
        Runs of different tasks, wrong settings, too few episodes, or no value that stays in support.
    """
    if len({run.task for run in runs}) != 1:
        raise UserError(f"the runs are of different tasks: {', '.join(sorted({run.task for run in runs}))}")
    fixed, seed = settings or {}, config.seed
    rules = {float(value): make_rule(rule, **fixed | {axis: value}) for value in values}
    task, parts = make_task(runs[0].task), [run.parts() for run in runs]
    if isinstance(task, RecordedTask) and (data is None or config.regret):
        raise UserError(f"{task.name} has no environment to play episodes in; add --offline, and leave --regret out")

    def tick(done: int, total: int) -> None:
        if should_stop():
            raise Stopped

    def play_each(value: float, count: int, evaluation_seed: int) -> list[np.ndarray]:
        return [rollout(rules[value], some, task, count, evaluation_seed, tick).returns for some in parts]

    def play(value: float, count: int, evaluation_seed: int) -> np.ndarray:
        return np.concatenate(play_each(value, count, evaluation_seed))

    rounds: list[Round] = []
    inside: dict[float, float] = {}
    if data is None:
        for step in successive_halving(
            play, list(rules), config.episodes, lambda number: SETS["choose"] + 100 * seed + number
        ):
            rounds.append(step)
            yield TuneProgress("choosing", (step.number + 1) / step.rounds, step)
        (chosen,) = rounds[-1].kept
        scores = {value: mean for step in rounds for value, mean in step.means.items()}
    else:
        inside = _inside(rules, runs, parts, DataSupport(data), seed)
        allowed = [value for value, share in inside.items() if share >= config.in_support]
        if not allowed:
            best = max(inside, key=lambda value: inside[value])
            raise UserError(
                f"no value of {axis} keeps {config.in_support:.0%} of its actions in the data's support (the best is {best:g}: "
                f"{inside[best]:.0%}); try smaller values, or a lower --in-support"
            )
        estimates = []
        for number, (run, some) in enumerate(zip(runs, parts, strict=True)):
            how = fqe or FQEConfig(hidden=tuple(run.config.hidden), seed=seed)
            work = fitted_q_evaluation(list(rules.values()), some, data, how)
            estimates.append((yield from _hear(work, number, len(runs), should_stop)))
        scores = dict(zip(rules, np.mean(estimates, 0).tolist(), strict=True))
        chosen = max(allowed, key=lambda value: (scores[value], -value))
    chosen_by: dict[str, Any] = {
        "rule": rule,
        "axis": axis,
        "settings": fixed,
        "method": "halving" if data is None else "fqe",
        "chosen": chosen,
        "scores": scores,
        "rounds": tuple(rounds),
        "episodes": sum(step.episodes * len(step.means) for step in rounds) * len(runs),
        "inside": inside,
    }
    reporting = SETS["report"] + seed
    if not config.regret:
        yield TuneProgress("reporting", 0.0)
        alone = isinstance(task, RecordedTask)  # data without an environment: nothing can be played
        reported = None if alone else bootstrap_runs(play_each(chosen, config.report_episodes, reporting), seed)
        return Tuned(**chosen_by, reported=reported)
    played: list[Played] = []
    choosing = SETS["choose"] + 100 * seed + 99
    for number, value in enumerate(rules):
        for evaluation_seed in (choosing, reporting):
            for index, returns in enumerate(play_each(value, config.report_episodes, evaluation_seed)):
                played.append(Played(value, index, evaluation_seed, returns))
        yield TuneProgress("full grid", (number + 1) / len(rules))
    whole = choose_strength(played, (choosing,), (reporting,), seed)
    of = {value: [p.returns for p in played if p.strength == value and p.seed == reporting] for value in rules}
    grid = {value: float(np.mean([returns.mean() for returns in found])) for value, found in of.items()}
    return Tuned(
        **chosen_by,
        reported=bootstrap_runs(of[chosen], seed),
        grid=grid,
        regret=max(grid.values()) - grid[chosen],
        grid_choice=whole.strength,
        grid_episodes=config.report_episodes * len(rules) * len(runs),
    )


def _inside(
    rules: dict[float, Rule], runs: Sequence[Run], parts: Sequence[Parts], data: DataSupport, seed: int
) -> dict[float, float]:
    """Share of each value's actions in the data's support, mean over runs, at states of each run's own dataset."""
    shares: dict[float, list[float]] = {value: [] for value in rules}
    for run, some in zip(runs, parts, strict=True):
        states = run.probes[:SHIFT_STATES].to(some.device)
        for value, rule in rules.items():
            clouds = draw_clouds(rule, some, states, SHIFT_DRAWS, torch.Generator(some.device).manual_seed(seed))
            shares[value].append(support_of(clouds, data, some, states).inside)
    return {value: float(np.mean(found)) for value, found in shares.items()}


def _hear(
    work: Generator[float, None, np.ndarray], number: int, count: int, should_stop: Callable[[], bool]
) -> Generator[TuneProgress, None, np.ndarray]:
    while True:
        if should_stop():
            raise Stopped
        try:
            share = next(work)
        except StopIteration as end:
            returns: np.ndarray = end.value
            return returns
        yield TuneProgress("fitted-Q evaluation", (number + share) / count)


def data_of(run: Run, folder: Path | None, clip_actions: bool = False) -> Transitions:
    """The dataset a run was trained on, or another one in ``folder``.

    Raises
    ------
    UserError
        It is not where the run found it.
    """
    from workbench.runs.training import SOURCE, Source

    made = Source.of(folder, run.config.seed, clip_actions)
    source = made if folder is not None else Source.read(run.folder / SOURCE, made)
    return source.load(make_task(run.task))
