"""``workbench export``: a steered policy as files that run without the workbench."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from workbench.commands.flags import Folder, Json, Settings, Whole, parse_settings
from workbench.console import print_json


def export(
    run: Folder,
    rule: str,
    out: Path,
    settings: Settings = (),
    format: Literal["both", "pt2", "onnx"] = "both",
    states: Whole = None,
    delay: int = 0,
    as_json: Json = False,
) -> None:
    """Write a rule and its policy as a torch.export program and as ONNX, each compared with the workbench's own actions.

    Noise is an input: policy.json in the folder says what goes in, what comes out, and what a decision takes.

    Args:
        run: Folder of a run (workbench fit).
        rule: Name of the rule (workbench rules).
        out: Folder to write; it must not exist.
        format: policy.pt2, policy.onnx, or both. ONNX needs the extra "export".
        states: Make it for this number of states alone; without it, it takes any number.
        delay: Environment steps that a decision takes: real-time chunking, whose chunks go on from the one before
            (docs/deploy.md).
    """
    from workbench.engine.settings import make
    from workbench.engine.steering.rules import make_rule
    from workbench.engine.tasks.latency import Latency
    from workbench.engine.training.loop.checkpoint import load_run
    from workbench.runs.exporting import FORMATS, export_policy

    steering, loaded = make_rule(rule, **parse_settings(settings)), load_run(run)
    formats = FORMATS if format == "both" else (format,)
    about = {"task": loaded.task, "data": loaded.fingerprint, "seed": loaded.config.seed}
    late = make(Latency, {"delay": delay}, "latency", "latency setting '{}'") if delay else None
    written = export_policy(steering, loaded.parts(), out, formats=formats, states=states, about=about, latency=late)
    if as_json:
        print_json(
            {
                "out": str(written.folder),
                "states": written.states,
                "differs_from_act_by": written.differences,
                "ms_per_decision": written.milliseconds,
            }
        )
        return
    own = written.milliseconds["act"]
    for name, apart in written.differences.items():
        took = written.milliseconds[name]
        print(
            f"{written.folder / 'policy'}.{name}: differs from act by {apart:.1g} at most, {took:.3g} ms a decision "
            f"(act {own:.3g} ms)"
        )
