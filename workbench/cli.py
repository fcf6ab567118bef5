"""The command line: ``workbench doctor | tasks | rules | generate | fit | evaluate | steer | serve``.

Each command is a function; tyro makes its flags from the signature. torch is imported by the commands that need it, so
that ``--help`` answers at once.
"""

from __future__ import annotations

import json
import shlex
import signal
import sys
import time
from contextlib import closing
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, Literal

import tyro

from workbench.console import Bar, errors_in_words, print_json, print_table

app = tyro.extras.SubcommandApp()
Device = Literal["auto", "cpu", "cuda"]
Json = Annotated[bool, tyro.conf.arg(name="json", help="Print one JSON value instead of a table.")]
Settings = Annotated[
    tuple[tuple[str, ...], ...],
    tyro.conf.UseAppendAction,  # --set a=1 b=2 and --set a=1 --set b=2 mean the same
    tyro.conf.arg(name="set", metavar="KEY=VALUE ...", help="Settings, as many as you like."),
]
Whole = Annotated[int | None, tyro.conf.arg(metavar="INT")]
TaskName = Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="TASK")]
Folder = Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
SEEDS, MOST_PARTICLES = 2**31, 65_536


@app.command
def doctor(as_json: Json = False) -> None:
    """Check this installation: versions, optional extras, processor and GPU."""
    from workbench.doctor import examine

    findings = examine()
    if as_json:
        print_json(findings)
    else:
        print_table(("what", "found"), [(name, str(value)) for name, value in findings.items()])


@app.command
def tasks(as_json: Json = False) -> None:
    """List the tasks."""
    from workbench.engine.tasks.registry import TASKS, make_task

    found = [vars(make_task(name).info) for name in TASKS]
    ogbench = {
        "name": "ogbench/<id>",
        "title": "OGBench",
        "summary": "any OGBench single-task environment",
        "extra": "ogbench",
    }
    if as_json:
        print_json([*found, ogbench])
        return
    rows = [(i["name"], f"{i['observation_dim']} → {i['action_dim']}", str(i["horizon"]), i["summary"]) for i in found]
    print_table(
        ("task", "obs → action", "steps", "what"),
        [*rows, (ogbench["name"], "", "", f"{ogbench['summary']} (extra: ogbench)")],
    )


@app.command
def rules(as_json: Json = False) -> None:
    """List the steering rules with their equations and settings."""
    from workbench.engine.steering.rules import RULES

    if as_json:
        print_json([rule.describe() for rule in RULES.values()])
        return
    for rule in RULES.values():
        print(f"{rule.name}: {rule.title} ({rule.paper}); needs {', '.join(rule.needs)}\n  {rule.equation}")
        for item in rule.describe()["settings"]:
            bounds = f", {item['low']:g} to {item['high']:g}" if "low" in item else ""
            choices = f", one of {', '.join(item['choices'])}" if "choices" in item else ""
            unit = f" {item['unit']}" if item["unit"] else ""
            print(f"    {item['name']} = {item['default']}{unit}{bounds}{choices}: {item['meaning']}")


@app.command
def generate(task: TaskName, out: Path, rows: Whole = None, seed: int = 0) -> None:
    """Make a dataset.

    Args:
        task: Name of the task (workbench tasks).
        out: Folder for the files; data that are there already are left untouched.
        rows: Transitions; without it the task's usual number.
        seed: The same seed gives the same files.
    """
    from workbench.engine.tasks.registry import make_task
    from workbench.engine.tasks.storage import save_generated

    made, started = make_task(task), time.perf_counter()
    with closing(Bar(rows or 0, "generate", "rows")) as bar:
        files = save_generated(made, out, rows, seed, bar.tick())
    for path in files:
        print(f"{path}  {path.stat().st_size / 2**20:.1f} MiB")
    print(
        f"done in {time.perf_counter() - started:.1f} s; "
        f"train on it: workbench fit {task} --data {_quoted(out)} --out RUN",
        file=sys.stderr,
    )


@app.command
def fit(
    task: TaskName,
    out: Path,
    critic: Annotated[Literal["iql", "td_vgf"] | None, tyro.conf.arg(metavar="{iql,td_vgf}")] = None,
    steps: Whole = None,
    seed: Whole = None,
    data: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None,
    device: Device = "auto",
    resume: bool = False,
    clip_actions: bool = False,
    save_every: int = 1000,
    settings: Settings = (),
    as_json: Json = False,
) -> None:
    """Train a behaviour flow and a critic. Ctrl-C saves and says how to go on.

    Args:
        task: Name of the task (workbench tasks).
        out: Folder of the run; it must not exist, unless --resume.
        critic: How the critic is trained: IQL (default), or TD through the value gradient flow.
        steps: Updates; without it the task's own number.
        seed: Fixes data, weights, minibatches and noise (default 0).
        data: Folder made by workbench generate; built-in tasks make their data without it.
        device: auto takes CUDA when there is one.
        resume: Go on with the run in --out.
        clip_actions: Clip actions of the data to [-1, 1] instead of refusing them.
        save_every: Updates between two checkpoints.
    """
    from workbench.training_run import TrainingRun

    _check_range("--save-every", save_every, 1, None)
    flags = {
        name: value for name, value in {"critic": critic, "steps": steps, "seed": seed}.items() if value is not None
    }
    others = parse_settings(settings)
    for name in flags.keys() & others.keys():
        raise ValueError(
            f"{name} is given twice: --{name} {flags[name]} and --set {name}={others[name]}; leave one out"
        )
    run = TrainingRun.open(
        task, out, flags | others, data=data, device=device, resume=resume, clip_actions=clip_actions
    )
    again = f"go on with: workbench fit {task} --out {_quoted(out)} --resume"
    stop, started, last = _StopOnSignal(), time.perf_counter(), None
    try:
        with closing(Bar(run.trainer.total_steps, "fit", "steps", run.trainer.step_number)) as bar, stop:
            for last in run.progress(should_stop=stop.asked, save_every=save_every):
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
            f"trained {result['step']:,} steps in {result['seconds']:.1f} s; "
            f"steer it: workbench evaluate {_quoted(out)} --rule qgf"
        )
    if stopped:
        print(f"stopped at step {result['step']:,}, saved; {again}", file=sys.stderr)
        raise SystemExit(130)


@app.command
def evaluate(
    run: Folder,
    rule: str,
    settings: Settings = (),
    episodes: int = 200,
    seed: int = 0,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Play episodes with a steering rule and measure return, shift, budget and the critic's error.

    Args:
        run: Folder of a run (workbench fit).
        rule: Name of the rule (workbench rules).
        episodes: Episodes to play.
        seed: Fixes starts and noise. Choose a budget on one seed and report it on another.
        device: auto takes CUDA when there is one.
    """
    from workbench.engine.metrics.evaluate import evaluate as measure
    from workbench.engine.steering.rules import make_rule
    from workbench.engine.tasks.registry import make_task
    from workbench.engine.training.checkpoint import load_run
    from workbench.training_run import choose_device

    _check_range("--episodes", episodes, 1, None)
    _check_range("--seed", seed, 0, SEEDS - 1)
    steering = make_rule(rule, **parse_settings(settings))
    where, loaded = choose_device(device), load_run(run)
    played = make_task(loaded.task)
    with closing(Bar(episodes, "evaluate", "episodes")) as bar:
        result = measure(
            steering, loaded.parts(where), played, episodes, seed, loaded.probes.to(where), bar.tick()
        ).as_dict()
    if as_json:
        print_json(result)
        return
    for name, value in result.items():
        if isinstance(value, dict) and "low" in value:
            value = f"{value['mean']:.3f}  [{value['low']:.3f}, {value['high']:.3f}]"
        elif isinstance(value, dict):
            value = "  ".join(
                f"{key}={item:.4g}" if isinstance(item, float) else f"{key}={item}" for key, item in value.items()
            )
        elif isinstance(value, float):
            value = f"{value:.4g}"
        print(f"{name:20} {value}")


@app.command
def steer(
    run: Folder,
    rule: str,
    out: Path,
    settings: Settings = (),
    states: int = 16,
    particles: int = 64,
    seed: int = 0,
    as_json: Json = False,
) -> None:
    """Run a rule at some states and store every particle position as NumPy arrays.

    Args:
        run: Folder of a run (workbench fit).
        rule: Name of the rule (workbench rules).
        out: File to write (.npz); it must not exist.
        states: Dataset states to steer at, up to 256.
        particles: Particles per state.
        seed: Fixes the noise.
    """
    import numpy as np
    import torch

    from workbench.engine.data.npz import write_arrays
    from workbench.engine.steering.noise import draw_noise
    from workbench.engine.steering.rules import make_rule
    from workbench.engine.steering.run import steer as trace_of
    from workbench.engine.training.checkpoint import load_run

    if out.exists():
        raise ValueError(f"{out} exists; choose another name")
    if out.suffix != ".npz":
        raise ValueError(f"--out must end in .npz, got {out.name}")
    if not out.parent.is_dir():
        raise ValueError(f"the folder {out.parent} does not exist; make it first, or choose another --out")
    _check_range("--seed", seed, 0, SEEDS - 1)
    steering, loaded = make_rule(rule, **parse_settings(settings)), load_run(run)
    _check_range("--states", states, 1, len(loaded.probes))
    _check_range("--particles", particles, 1, MOST_PARTICLES)
    parts = loaded.parts()
    noise = draw_noise(states, particles, parts.action_dim, torch.Generator().manual_seed(seed))
    trace = trace_of(steering, parts, loaded.probes[:states], noise, seed)
    about = {"task": loaded.task, "rule": trace.rule, "settings": trace.settings, "seed": seed, "drawn": particles}
    write_arrays(out, trace.arrays() | {"about": np.array(json.dumps(about))})
    size = {"ticks": len(trace.times) - 1, "states": states, "particles": particles}
    result = about | {"out": str(out)} | size | {"budget": float(trace.budget.mean())}
    if as_json:
        print_json(result)
    else:
        print(
            f"{out}: {result['ticks']} ticks × {states} states × {particles} particles, budget {result['budget']:.4g}"
        )


@app.command
def serve(port: int = 5006, address: str = "127.0.0.1", show: bool = False) -> None:
    """Serve the dashboards.

    Args:
        port: Port to listen on.
        address: Address to listen on; loopback unless told otherwise.
        show: Open a browser.
    """
    _check_range("--port", port, 0, 65_535)
    from workbench.ui.serve import serve as run_server

    run_server(port=port, address=address, show=show)


def parse_settings(groups: tuple[tuple[str, ...], ...]) -> dict[str, Any]:
    """Read groups of ``key=value`` pairs: numbers, true and false and lists as JSON has them, anything else as text."""
    found: dict[str, Any] = {}
    for pair in (pair for group in groups for pair in group):
        key, equals, text = pair.partition("=")
        if not equals or not key or not text:
            raise ValueError(f"--set takes key=value, such as --set steps=3; got '{pair}'")
        if key in found:
            raise ValueError(f"--set gives {key} twice, {found[key]} and {text}; leave one out")
        try:
            found[key] = json.loads(text)
        except ValueError:
            found[key] = text
    return found


class _StopOnSignal:
    """Within this block the first Ctrl-C (or SIGTERM) asks the loop to stop after its update, a second interrupts."""

    def __init__(self) -> None:
        self._asked = False

    def asked(self) -> bool:
        return self._asked

    def __enter__(self) -> None:
        self._before = {number: signal.signal(number, self._ask) for number in (signal.SIGINT, signal.SIGTERM)}

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self._asked:
            raise KeyboardInterrupt
        self._asked = True
        print("\nstopping after this update, then saving …", file=sys.stderr, flush=True)


def _check_range(flag: str, value: int, low: int, high: int | None) -> None:
    if value < low or (high is not None and value > high):
        allowed = f"at least {low}" if high is None else f"{low} to {high}"
        raise ValueError(f"{flag} must be {allowed}, got {value}")


def _quoted(path: Path) -> str:
    """``path`` as one word of a shell command."""
    return shlex.quote(str(path))


def _losses(losses: dict[str, float]) -> str:
    return " ".join(f"{name} {value:.4g}" for name, value in losses.items())


def main(args: list[str] | None = None) -> None:
    """Entry point of the ``workbench`` command."""
    with errors_in_words():
        try:
            app.cli(
                prog="workbench",
                description="Steer flow policies with a critic, and see what it does.",
                args=args,
                config=(tyro.conf.FlagCreatePairsOff,),
            )
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
            raise SystemExit(130) from None


if __name__ == "__main__":
    main()
