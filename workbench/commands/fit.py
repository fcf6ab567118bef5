"""``workbench fit``: train the parts of a policy."""

from __future__ import annotations

import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from workbench.commands.flags import Device, Json, Settings, TaskName, Whole, check_range, parse_settings, quoted
from workbench.commands.stop import StopOnSignal
from workbench.console import Bar, print_json


def fit(
    task: TaskName,
    out: Path,
    critic: Annotated[
        Literal["iql", "td_vgf", "td_actor"] | None, tyro.conf.arg(metavar="{iql,td_vgf,td_actor}")
    ] = None,
    rule: Annotated[tuple[str, ...], tyro.conf.arg(metavar="RULE ...")] = (),
    steps: Whole = None,
    seed: Whole = None,
    data: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None,
    device: Device = "auto",
    resume: bool = False,
    clip_actions: bool = False,
    save_every: int = 1000,
    snapshots: int = 0,
    settings: Settings = (),
    as_json: Json = False,
) -> None:
    """Train a behaviour flow and a critic. Ctrl-C saves and says how to go on.

    Args:
        task: Name of the task (workbench tasks).
        out: Folder of the run; it must not exist, unless --resume.
        rule: Train also the parts that these steering rules need beyond flow and critic (workbench rules). With --critic
            td_actor a single rule is the actor too.
        critic: How the critic is trained: IQL (default), TD through the value gradient flow, or TD with a rule's own actions
            (--set actor=RULE).
        steps: Updates; without it the task's own number.
        seed: Fixes data, weights, minibatches and noise (default 0).
        data: Folder made by workbench generate, or a file (.npz, .hdf5: docs/tasks.md); built-in tasks need none.
        device: auto takes CUDA when there is one.
        resume: Go on with the run in --out.
        clip_actions: Clip actions of the data to [-1, 1] instead of refusing them.
        save_every: Updates between two checkpoints.
        snapshots: How many copies of the weights to keep, evenly over the run; the training page shows them.
    """
    from workbench.engine.data.boundaries import episodes_in_words
    from workbench.engine.steering.rules import find_rule
    from workbench.engine.training.plan import extra_parts
    from workbench.runs.training import TrainingRun

    check_range("--save-every", save_every, 1, None)
    check_range("--snapshots", snapshots, 0, 10_000)
    flags: dict[str, Any] = {
        name: value for name, value in {"critic": critic, "steps": steps, "seed": seed}.items() if value is not None
    }
    others = parse_settings(settings)
    parts = [part for name in rule for part in extra_parts(find_rule(name).needs)]
    if parts:
        flags["parts"] = list(dict.fromkeys(parts))
    if critic == "td_actor" and len(rule) == 1 and "actor" not in others:
        flags["actor"] = rule[0]
    for name in flags.keys() & others.keys():
        raise ValueError(
            f"{name} is given twice: --{name} {flags[name]} and --set {name}={others[name]}; leave one out"
        )
    run = TrainingRun.open(
        task, out, flags | others, data=data, device=device, resume=resume, clip_actions=clip_actions
    )
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
    if as_json:
        print_json(result)
    elif not stopped:
        print(
            f"trained {result['step']:,} steps in {result['seconds']:.1f} s on {episodes_in_words(run.trainer.data.ends)}; "
            f"steer it: workbench evaluate {quoted(out)} --rule qgf"
        )
    if stopped:
        print(f"stopped at step {result['step']:,}, saved; {again}", file=sys.stderr)
        raise SystemExit(130)


def _losses(losses: dict[str, float]) -> str:
    return " ".join(f"{name} {value:.4g}" for name, value in losses.items())
