"""``workbench online``: go on with environment steps after offline training."""

from __future__ import annotations

import sys
import time
from contextlib import closing
from pathlib import Path

from workbench.commands.flags import Device, Folder, Json, Settings, parse_settings, quoted
from workbench.commands.model_flags import NOTHING, Given, read_given, settings_of
from workbench.commands.stop import StopOnSignal
from workbench.console import Bar, print_json
from workbench.engine.words import UserError, counted


@settings_of(
    "workbench.engine.online.config:OnlineConfig",
    without=("settings",),  # --set
    otherwise={
        "rule": "none, but a resumed run keeps its own",
        "seed": "the offline run's",
        "learning_rate": "the offline run's first",
    },
)
def online(
    run: Folder,
    out: Path,
    settings: Settings = (),
    device: Device = "auto",
    resume: bool = False,
    as_json: Json = False,
    *,
    given: Given = NOTHING,
) -> None:
    """Let a trained policy act and go on learning from what it meets. Ctrl-C saves and says how to go on.

    Args:
        run: Folder of a finished offline run (workbench fit); it is left as it is.
        out: Folder of the online run; it must not exist, unless --resume.
        device: auto takes the kind of device that the run was trained on.
        resume: Go on with the run in --out; of its settings only --steps may be another.
    """
    from workbench.runs.online import OnlineRun

    wanted = read_given(online, given)
    if settings:
        wanted["settings"] = parse_settings(settings)
    if "rule" not in wanted and not resume:
        raise UserError("which rule acts? --rule NAME (workbench rules), such as --rule vgf")
    opened = OnlineRun.resume(out, wanted, device) if resume else OnlineRun.start(run, out, wanted, device)
    learner = opened.learner
    again = f"go on with: workbench online {quoted(run)} --out {quoted(out)} --resume"
    stop, started, stopped, note, last = StopOnSignal(), time.perf_counter(), False, "", None
    try:
        with closing(Bar(learner.config.steps, "online", "env steps", learner.counts.env_steps)) as bar, stop:

            def tick(what: str, finished: int, episodes: int) -> None:
                at = min(learner.counts.env_steps, learner.config.steps)
                bar.at(at, f"({what}: {finished} of {counted(episodes, 'episode')} over)")

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
            f"played {counted(learner.counts.env_steps, 'step')} and did {counted(learner.counts.updates, 'update')} "
            f"in {result['seconds']:.1f} s; "
            f"returns against steps are in {quoted(out)}/online.jsonl"
        )
    if stopped:
        print(f"stopped after {counted(learner.counts.env_steps, 'environment step')}, saved; {again}", file=sys.stderr)
        raise SystemExit(130)
