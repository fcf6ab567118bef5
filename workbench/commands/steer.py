"""``workbench evaluate | steer``: run a rule on trained parts."""

from __future__ import annotations

import json
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from workbench.commands.flags import SEEDS, Device, Folder, Json, Settings, check_range, parse_settings
from workbench.commands.model_flags import NOTHING, Given, read_given, settings_of
from workbench.commands.numbers import in_words
from workbench.console import Bar, print_json
from workbench.engine.words import UserError, counted

if TYPE_CHECKING:
    from workbench.engine.metrics.evaluate import Evaluation
    from workbench.engine.metrics.intervals import Interval
    from workbench.engine.metrics.support import DataSupport
    from workbench.engine.tasks.protocol import Task
    from workbench.engine.training.loop.checkpoint import Run

MOST_PARTICLES = 65_536


@settings_of("workbench.engine.tasks.latency:Latency")
def evaluate(
    run: Folder,
    rule: str,
    settings: Settings = (),
    episodes: int = 200,
    seed: int = 0,
    device: Device = "auto",
    weights: Literal["fp32", "bf16", "int8"] = "fp32",
    as_json: Json = False,
    *,
    given: Given = NOTHING,
) -> None:
    """Play episodes with a steering rule and measure return, transport, shift, support and the critic's error.

    docs/glossary.md says what each number is. With --delay a decision takes time, in environment steps (docs/deploy.md).

    Args:
        run: Folder of a run (workbench fit).
        rule: Name of the rule (workbench rules).
        episodes: Episodes to play.
        seed: Fixes starts and noise. Choose a strength on one seed and report it on another.
        device: auto takes CUDA where there is one and the episodes are enough to gain by it, and says why.
        weights: The networks' matrices rounded to bf16, which makes decisions at few states faster on a CPU, or to int8
            (docs/speed.md, "Precision of a policy").
    """
    from workbench.engine.metrics.evaluate import evaluate as measure
    from workbench.engine.models.native.half import slow_because
    from workbench.engine.settings import make
    from workbench.engine.steering.rules import make_rule
    from workbench.engine.tasks.latency import Latency
    from workbench.engine.tasks.registry import make_task
    from workbench.engine.training.loop.checkpoint import load_run
    from workbench.runs.devices import choose_device, evaluation_work, why_auto

    check_range("--episodes", episodes, 1, None)
    check_range("--seed", seed, 0, SEEDS - 1)
    steering = make_rule(rule, **parse_settings(settings))
    latency = make(Latency, read_given(evaluate, given), "latency", "latency setting '{}'")
    loaded = load_run(run)
    played = make_task(loaded.task)
    size = evaluation_work(steering, loaded, episodes, played.info.horizon)
    where, why = choose_device(device, size), why_auto(device, size)
    slow = slow_because(where) if weights == "bf16" else ""
    for words in filter(None, (why, slow)):
        print(words, file=sys.stderr)
    with closing(Bar(episodes, "evaluate", "episodes")) as bar:
        measured = measure(
            steering,
            loaded.parts(where, None if weights == "fp32" else weights),
            played,
            episodes,
            seed,
            tick=bar.tick(),
            data=_support_of(loaded),
            latency=latency,
        )
    score = _score(played, measured)
    if as_json:
        reduced = {} if weights == "fp32" else {"weights": weights}
        print_json(reduced | measured.as_dict() | ({} if score is None else {"normalised_score": score.as_dict()}))
        return
    if weights != "fp32":
        print(f"weights rounded to {weights}")
    for line in in_words(measured.as_dict()):
        print(line)
    if score is not None:
        print(f"normalised score (0 random, 100 expert): {score.mean:.1f} [{score.low:.1f}, {score.high:.1f}]")


def _score(task: Task, measured: Evaluation) -> Interval | None:
    """The benchmark's own score of the episodes, where it published one."""
    from workbench.engine.metrics.intervals import bootstrap_mean
    from workbench.engine.tasks.abilities import HasScores

    if not isinstance(task, HasScores):
        return None
    scores = task.normalised_scores(measured.record.returns, measured.record.success)
    return None if scores is None else bootstrap_mean(scores, measured.seed)


def _support_of(run: Run) -> DataSupport | None:
    """The run's data, to measure support; None, with a line that says why, where they cannot be had."""
    from workbench.engine.metrics.support import DataSupport
    from workbench.runs.training import training_data

    try:
        return DataSupport(training_data(run))
    except (UserError, OSError) as missing:
        print(f"support is not measured: {missing}", file=sys.stderr)
        return None


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
    from workbench.engine.training.loop.checkpoint import load_run

    if out.exists():
        raise UserError(f"{out} exists; choose another name")
    if out.suffix != ".npz":
        raise UserError(f"--out must end in .npz, got {out.name}")
    if not out.parent.is_dir():
        raise UserError(f"the folder {out.parent} does not exist; make it first, or choose another --out")
    check_range("--seed", seed, 0, SEEDS - 1)
    steering, loaded = make_rule(rule, **parse_settings(settings)), load_run(run)
    check_range("--states", states, 1, len(loaded.probes))
    check_range("--particles", particles, 1, MOST_PARTICLES)
    parts = loaded.parts()
    generator = torch.Generator().manual_seed(seed)
    noise = draw_noise(states, particles, parts.action_dim, generator, steering.extra_draws())
    trace = trace_of(steering, parts, loaded.probes[:states], noise, seed)
    about = {"task": loaded.task, "rule": trace.rule, "settings": trace.settings, "seed": seed, "drawn": particles}
    about["chunk"] = parts.chunk  # positions hold chunk · D numbers, the first step's action first
    write_arrays(out, trace.arrays() | {"about": np.array(json.dumps(about))})
    size = {"ticks": len(trace.times) - 1, "states": states, "particles": particles}
    result = about | {"out": str(out)} | size | {"transport": float(trace.of_kept(trace.transport).mean())}
    if as_json:
        print_json(result)
    else:
        print(
            f"{out}: {counted(size['ticks'], 'tick')} × {counted(states, 'state')} × "
            f"{counted(particles, 'particle')}, transport {result['transport']:.4g}"
        )
