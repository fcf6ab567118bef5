"""``workbench online``: go on with environment steps after offline training."""

from __future__ import annotations

import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from workbench.commands.flags import Device, Folder, Json, Settings, Whole, parse_settings, quoted
from workbench.commands.stop import StopOnSignal
from workbench.console import Bar, print_json
from workbench.engine.words import UserError

Number = Annotated[float | None, tyro.conf.arg(metavar="FLOAT")]
Sampling = Annotated[Literal["share", "uniform"] | None, tyro.conf.arg(metavar="{share,uniform}")]


def online(
    run: Folder,
    out: Path,
    rule: Annotated[str | None, tyro.conf.arg(metavar="RULE")] = None,
    settings: Settings = (),
    steps: Whole = None,
    episodes: Whole = None,
    updates_per_step: Number = None,
    sampling: Sampling = None,
    online_share: Number = None,
    capacity: Whole = None,
    warmup: Whole = None,
    learning_rate: Number = None,
    eval_every: Whole = None,
    eval_episodes: Whole = None,
    seed: Whole = None,
    device: Device = "auto",
    resume: bool = False,
    as_json: Json = False,
) -> None:
    """Let a trained policy act and go on learning from what it meets. Ctrl-C saves and says how to go on.

    Args:
        run: Folder of a finished offline run (workbench fit); it is left as it is.
        out: Folder of the online run; it must not exist, unless --resume.
        rule: Steering rule that acts (workbench rules); its settings by --set.
        steps: Environment steps in all (default 10000); a resumed run may be given more.
        episodes: Episodes played side by side between two stretches of updates (default 4).
        updates_per_step: Updates for each environment step (default 1).
        sampling: share (default): a fixed part of each minibatch is new; uniform: offline and new rows are alike.
        online_share: With sampling share, the part of the minibatch that is new (default 0.5, symmetric).
        capacity: New rows kept (default 200000); past that the newest replace the oldest.
        warmup: Environment steps before the first update (default 0).
        learning_rate: Adam's, constant; without it the one that the offline run began with.
        eval_every: Environment steps between two evaluations (default 5000).
        eval_episodes: Episodes of an evaluation (default 100), on a seed that no acting episode has.
        seed: Fixes starts and noise; without it the seed of the offline run.
        device: auto takes the kind of device that the run was trained on.
        resume: Go on with the run in --out.
    """
    from workbench.runs.online import OnlineRun

    flags: dict[str, Any] = {
        "rule": rule,
        "settings": parse_settings(settings) or None,
        "steps": steps,
        "episodes": episodes,
        "updates_per_step": updates_per_step,
        "sampling": sampling,
        "online_share": online_share,
        "capacity": capacity,
        "warmup": warmup,
        "learning_rate": learning_rate,
        "eval_every": eval_every,
        "eval_episodes": eval_episodes,
        "seed": seed,
    }
    given = {name: value for name, value in flags.items() if value is not None}
    if rule is None and not resume:
        raise UserError("which rule acts? --rule NAME (workbench rules), such as --rule vgf")
    opened = OnlineRun.resume(out, given, device) if resume else OnlineRun.start(run, out, given, device)
    learner = opened.learner
    again = f"go on with: workbench online {quoted(run)} --out {quoted(out)} --resume"
    stop, started, stopped, note, last = StopOnSignal(), time.perf_counter(), False, "", None
    try:
        with closing(Bar(learner.config.steps, "online", "env steps", learner.counts.env_steps)) as bar, stop:

            def tick(what: str, finished: int, episodes: int) -> None:
                at = min(learner.counts.env_steps, learner.config.steps)
                bar.at(at, f"({what}: {finished} of {episodes} episodes over)")

            for event in opened.events(stop.asked, tick):
                stopped = event.kind == "stopped"
                if event.kind == "evaluated" and event.returns is not None and event.success is not None:
                    last = event
                    note = f"return {event.returns.mean:.3f}, success {event.success.mean:.0%} at {event.env_steps:,}"
                    print(
                        f"{event.env_steps:>9,} env steps  {event.updates:>9,} updates  return {event.returns.mean:8.3f} "
                        f"[{event.returns.low:.3f}, {event.returns.high:.3f}]  success {event.success.mean:.1%}",
                        file=sys.stderr,
                    )
                bar.at(min(event.env_steps, learner.config.steps), f"({event.updates:,} updates; {note})")
    except OSError as error:
        error.add_note(f"the last checkpoint is intact; {again}")
        raise
    except KeyboardInterrupt:
        print(f"interrupted; the last checkpoint is intact; {again}", file=sys.stderr)
        raise SystemExit(130) from None
    result = {
        "task": learner.task.info.name,
        "out": str(out),
        "rule": learner.rule.name,
        "env_steps": learner.counts.env_steps,
        "updates": learner.counts.updates,
        "stopped": stopped,
        "seconds": time.perf_counter() - started,
        "return": None if last is None or last.returns is None else last.returns.as_dict(),
        "success": None if last is None or last.success is None else last.success.as_dict(),
    }
    if as_json:
        print_json(result)
    elif not stopped:
        print(
            f"played {result['env_steps']:,} steps and did {result['updates']:,} updates in {result['seconds']:.1f} s; "
            f"returns against steps are in {quoted(out)}/online.jsonl"
        )
    if stopped:
        print(f"stopped at {result['env_steps']:,} environment steps, saved; {again}", file=sys.stderr)
        raise SystemExit(130)
