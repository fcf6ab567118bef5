"""``workbench fit``: train the parts of a policy."""

from __future__ import annotations

import sys
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from workbench.commands.flags import (
    ClipActions,
    Device,
    Json,
    RowsIn,
    Settings,
    TaskName,
    check_range,
    parse_settings,
    quoted,
)
from workbench.commands.model_flags import NOTHING, Given, read_given, settings_of, spelled
from workbench.commands.stop import StopOnSignal
from workbench.console import Bar, print_json
from workbench.engine.words import UserError, counted

if TYPE_CHECKING:
    from workbench.runs.training import TrainingRun


@settings_of(
    "workbench.engine.training.config:FitConfig",
    otherwise={"steps": "the task's own", "hidden": "the task's own", "actor": "--rule, else fql"},
)
def fit(
    task: TaskName,
    out: Path,
    rule: Annotated[tuple[str, ...], tyro.conf.arg(metavar="RULE ...")] = (),
    recipe: Annotated[str, tyro.conf.arg(metavar="RECIPE")] = "",
    data: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None,
    device: Device = "auto",
    resume: bool = False,
    clip_actions: ClipActions = False,
    goal_conditioned: bool = False,
    rows_in: RowsIn = "auto",
    save_every: int = 1000,
    snapshots: int = 0,
    settings: Settings = (),
    as_json: Json = False,
    *,
    given: Given = NOTHING,
) -> None:
    """Train a behaviour flow and a critic. Ctrl-C saves and says how to go on.

    The settings that --set takes are listed by workbench losses.

    Args:
        task: Name of the task (workbench tasks).
        out: Folder of the run; it must not exist, unless --resume.
        rule: Train also the parts that these steering rules need beyond flow and critic (workbench rules). With --critic
            td_actor a single rule is the actor too.
        recipe: Train as this method is published (workbench recipes); settings that are given besides win over its own.
        data: Folder made by workbench generate, or a file (.npz, .hdf5: docs/tasks.md); built-in tasks need none.
        device: auto takes CUDA where there is one and the training is large enough to gain by it, and says why.
        resume: Go on with the run in --out.
        goal_conditioned: Train data/NAME towards goals of hindsight, which stand behind the observation; the task is then
            data/NAME:goals. The data's own rewards are not read.
        rows_in: Where the rows of the data lie while training. auto leaves those of many shards on disk where they would take
            more than half of the free memory; they are unpacked there once. The training is the same, bit for bit.
        save_every: Updates between two checkpoints.
        snapshots: How many copies of the weights to keep, evenly over the run; the training page shows them.
    """
    from workbench.engine.data.boundaries import episodes_in_words
    from workbench.engine.data.footprint import KEEP, Keep
    from workbench.engine.tasks.recorded import RecordedTask
    from workbench.runs.recipes import find_recipe
    from workbench.runs.training import TrainingRun, settings_for

    check_range("--save-every", save_every, 1, None)
    check_range("--snapshots", snapshots, 0, 10_000)
    flags, others = read_given(fit, given), parse_settings(settings)
    for name in flags.keys() & others.keys():
        raise UserError(
            f"{name} is given twice: {spelled(name)} {flags[name]} and --set {name}={others[name]}; leave one out"
        )
    task = _towards_goals(task) if goal_conditioned else task
    method = find_recipe(recipe) if recipe else None
    wanted = settings_for(*((rule, flags | others) if method is None else method.beside(rule, flags | others)))
    KEEP.set(Keep(rows_in, lambda words: print(words, file=sys.stderr)))
    run = TrainingRun.open(task, out, wanted, data=data, device=device, resume=resume, clip_actions=clip_actions)
    if not resume:
        _say_speed(device, run)
    again = f"go on with: workbench fit {task} --out {quoted(out)} --resume"
    stop, started, last = StopOnSignal(), time.perf_counter(), None
    try:
        with closing(Bar(run.trainer.total_steps, "fit", "steps", run.trainer.step_number)) as bar, stop:
            for last in run.progress(should_stop=stop.asked, save_every=save_every, snapshots=snapshots):
                pace = f"{last.steps_per_second:.0f} steps/s; {last.eta_seconds:.0f} s left"
                bar.at(last.step, f"({last.phase}; {pace}; {_losses(last.losses)})")
    except OSError as error:
        error.add_note(f"the last checkpoint is intact; {again}")
        raise
    except KeyboardInterrupt:
        print(f"interrupted; the last checkpoint is intact; {again}", file=sys.stderr)
        raise SystemExit(130) from None
    stopped = last is not None and last.stopped
    result = {
        "task": run.task.info.name,
        "out": str(out),
        "step": run.trainer.step_number,
        "total_steps": run.trainer.total_steps,
        "stopped": stopped,
        "seconds": time.perf_counter() - started,
        "losses": last.losses if last is not None else {},
        "device": run.trainer.device.type,
    }
    if run.trainer.choice is not None:
        result["update"] = str(run.trainer.choice)
    if as_json:
        print_json(result)
    elif not stopped:
        if run.trainer.choice is not None:
            print(run.trainer.choice)
        look = "measure offline" if isinstance(run.task, RecordedTask) else "evaluate"
        print(
            f"trained {counted(run.trainer.step_number, 'step')} in {result['seconds']:.1f} s on "
            f"{episodes_in_words(run.trainer.data.ends)}; "
            f"steer it: workbench {look} {quoted(out)} {'--rule qgf' if method is None else method.flags()}"
        )
    if stopped:
        print(f"stopped at step {result['step']:,}, saved; {again}", file=sys.stderr)
        raise SystemExit(130)


def _say_speed(device: str, run: TrainingRun) -> None:
    """Why this device, and what a reduced precision is worth on it."""
    from workbench.runs.devices import training_work, why_auto

    info = run.task.info
    why = why_auto(device, training_work(run.trainer.config, info.observation_dim, info.action_dim))
    for words in (why, run.trainer.precision_in_words()):
        if words:
            print(words, file=sys.stderr)


def _towards_goals(task: str) -> str:
    """The goal-conditioned task of a recorded one."""
    from workbench.engine.tasks.recorded import GOALS

    if not task.startswith("data/"):
        raise UserError(
            f"--goal-conditioned is for data/NAME, got {task}; OGBench's data are goal-conditioned without a task in their "
            "name, as ogbench/cube-single-play-v0"
        )
    return task if task.endswith(GOALS) else f"{task}{GOALS}"


def _losses(losses: dict[str, float]) -> str:
    return " ".join(f"{name} {value:.4g}" for name, value in losses.items())
