"""A steered policy as files that run without the workbench: a ``torch.export`` program and ONNX, checked against `act`."""

from __future__ import annotations

import importlib.util
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from workbench.engine.data.atomic import folder_at_once
from workbench.engine.models.parts import Parts
from workbench.engine.steering.inpaint import held_parts
from workbench.engine.steering.noise import Noise, draw_noise
from workbench.engine.steering.program import arguments_of, inputs_of, most_states, program_of, quiet
from workbench.engine.steering.protocol import Rule
from workbench.engine.steering.run import act
from workbench.engine.tasks.latency import Latency
from workbench.engine.words import MissingExtraError, UserError

Format = Literal["pt2", "onnx"]
FORMATS: tuple[Format, ...] = ("pt2", "onnx")
ABOUT = "policy.json"
OUTPUTS = ("actions", "check")
EXACT = 1e-5  # by which an exported action may differ from `act`
TIMED = 30  # decisions, of which the median is told
WARM = 5


@dataclass(frozen=True)
class Exported:
    """What was written, and how near it is to `act`.

    Attributes
    ----------
    folder : Path
    differences : dict of str to float
        Largest difference of an action by format.
    milliseconds : dict of str to float
        Of a decision at one state (or the fixed number of them) on one thread, by format; ``act`` is this package's own.
    states : int or None
        B, where the program is for one number of states.
    """

    folder: Path
    differences: dict[str, float]
    milliseconds: dict[str, float]
    states: int | None


def export_policy(
    rule: Rule,
    parts: Parts,
    out: str | Path,
    *,
    formats: Sequence[Format] = FORMATS,
    states: int | None = None,
    about: Mapping[str, object] | None = None,
    latency: Latency | None = None,
) -> Exported:
    """Write a folder with ``policy.pt2``, ``policy.onnx`` and ``policy.json``, which says what goes in and comes out.

    Normaliser, flow steps, guidance, clips and the choice of the particle are inside; noise is an input, so whoever deploys the
    policy owns its randomness. Each file is compared with `act` at random states and noise before the folder is there.

    Parameters
    ----------
    rule : Rule
    parts : Parts
        Torch modules.
    out : path
        The folder; it must not exist.
    formats : sequence of {"pt2", "onnx"}
    states : int, optional
        B, for which alone it is made; without it any number of states can be given.
    about : mapping, optional
        More that ``policy.json`` should say.
    latency : Latency, optional
        Of real-time chunking: the program's observations then begin with what the chunk before planned, and its chunks go on from
        there. The first chunk of an episode has none before it: export without this too.

    Returns
    -------
    Exported

    Raises
    ------
    UserError
        The rule or parts cannot be exported, an action differs by more than 1e-5, or ``out`` exists.
    MissingExtraError
        ONNX is asked for and its packages are not installed.
    """
    folder = Path(out)
    if folder.exists():
        raise UserError(f"{folder} exists; choose another folder")
    if states is not None and states < 1:
        raise UserError(f"a policy is exported for one state at least, got {states}")
    unknown = [name for name in formats if name not in FORMATS]
    if unknown or not formats:
        raise UserError(f"formats are {', '.join(FORMATS)}; got {', '.join(map(repr, formats)) or 'none'}")
    if "onnx" in formats:
        _check_onnx()
    if latency is not None:
        parts, plan = _continuing(rule, parts, latency)
        about = {**plan, **dict(about or {})}
    program = program_of(rule, parts, states)
    with folder_at_once(folder) as draft:
        runners: dict[str, Callable[..., Any]] = {}
        if "pt2" in formats:
            torch.export.save(program, draft / "policy.pt2")
            runners["pt2"] = _run_program(draft / "policy.pt2")
        if "onnx" in formats:
            _write_onnx(program, rule, draft / "policy.onnx")
            runners["onnx"] = _run_onnx(draft / "policy.onnx")
        differences = {name: _difference(run, rule, parts, states) for name, run in runners.items()}
        for name, difference in differences.items():
            if not difference <= EXACT:
                raise UserError(
                    f"the exported {name} differs from act by {difference:.2g}, more than {EXACT:g}; rule '{rule.name}' "
                    f"with these parts is not exported"
                )
        milliseconds = _timed(rule, parts, runners, states or 1)
        most = {"states_at_most": most_states(program)} if states is None else {}
        note = _note(rule, parts, states, differences, milliseconds) | most | dict(about or {})
        (draft / ABOUT).write_text(json.dumps(note, indent=2) + "\n", encoding="utf-8")
    return Exported(folder, differences, milliseconds, states)


def _continuing(rule: Rule, parts: Parts, latency: Latency) -> tuple[Parts, dict[str, object]]:
    """Parts that continue a plan, and what ``policy.json`` says of it."""
    schedule, width = latency.schedule(parts.chunk), parts.action_dim
    if latency.way != "rtc" or not schedule.shared:
        raise UserError(
            "only real-time chunking makes another program: latency takes way='rtc' and a delay of 1 step or more; for the other "
            "ways export without it"
        )
    held = held_parts(rule, parts, schedule.delay, schedule.shared, latency.clip)
    says = (
        f"the first {width} of the observations: actions of the chunk before from its step {schedule.every} on, then zeros. "
        f"Play the new chunk from its step {schedule.delay} on"
    )
    return held, {"plan": {"numbers": width, "from_step": schedule.every, "play_from": schedule.delay, "meaning": says}}


def _check_onnx() -> None:
    missing = [name for name in ("onnx", "onnxscript", "onnxruntime") if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingExtraError(
            f"ONNX needs {', '.join(missing)}: pip install 'workbench[export]'; or ask for the format pt2 alone"
        )


def _write_onnx(program: torch.export.ExportedProgram, rule: Rule, place: Path) -> None:
    with quiet():
        onnx = torch.onnx.export(
            program, dynamo=True, verbose=False, input_names=list(inputs_of(rule)), output_names=list(OUTPUTS)
        )
    assert onnx is not None, "with dynamo a program comes back"
    onnx.save(place)


def _run_program(place: Path) -> Callable[..., Any]:
    run = torch.export.load(place).module()

    def actions(*inputs: Tensor) -> np.ndarray:
        with torch.no_grad():
            result: np.ndarray = run(*inputs)[0].numpy()
        return result

    return actions


def _run_onnx(place: Path) -> Callable[..., Any]:
    import onnxruntime  # type: ignore[import-untyped]

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(place, options, providers=["CPUExecutionProvider"])
    names = [one.name for one in session.get_inputs()]

    def actions(*inputs: Tensor) -> np.ndarray:
        result: np.ndarray = session.run(["actions"], dict(zip(names, (x.numpy() for x in inputs), strict=True)))[0]
        return result

    return actions


def _drawn(rule: Rule, parts: Parts, states: int, seed: int) -> tuple[Tensor, Noise]:
    """Random states, some far from the data, and noise."""
    generator = torch.Generator().manual_seed(seed)
    noise = draw_noise(states, rule.particles, parts.action_dim, generator, rule.extra_draws())
    observations = torch.randn(states, parts.observation_dim, generator=generator)
    if parts.behaviour_states is not None:
        places = torch.randint(len(parts.behaviour_states), (states,), generator=generator)
        observations = torch.where(
            torch.rand(states, 1, generator=generator) < 0.5, observations, parts.behaviour_states[places]
        )
    return observations, noise


def _difference(run: Callable[..., Any], rule: Rule, parts: Parts, states: int | None) -> float:
    """The largest difference to `act`, over several numbers of states."""
    apart = []
    for seed, count in enumerate((1, 2, 7, 64) if states is None else (states,) * 3):
        observations, noise = _drawn(rule, parts, count, seed)
        wanted = act(rule, parts, observations, noise).numpy()
        apart.append(float(np.abs(run(*arguments_of(rule, observations, noise)) - wanted).max()))
    return max(apart)


def _timed(rule: Rule, parts: Parts, runners: dict[str, Callable[..., Any]], states: int) -> dict[str, float]:
    """Median milliseconds of a decision on one thread, of `act` and of each format, in turns."""
    observations, noise = _drawn(rule, parts, states, 0)
    inputs = arguments_of(rule, observations, noise)
    calls: dict[str, Callable[[], Any]] = {"act": lambda: act(rule, parts, observations, noise)}
    calls |= {name: partial(run, *inputs) for name, run in runners.items()}
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    took: dict[str, list[float]] = {name: [] for name in calls}
    try:
        for number in range(WARM + TIMED):
            for name, call in calls.items():
                start = time.perf_counter()
                call()
                if number >= WARM:
                    took[name].append(1e3 * (time.perf_counter() - start))
    finally:
        torch.set_num_threads(threads)
    return {name: float(np.median(times)) for name, times in took.items()}


def _note(
    rule: Rule, parts: Parts, states: int | None, differences: dict[str, float], milliseconds: dict[str, float]
) -> dict[str, Any]:
    """What ``policy.json`` says."""
    b: int | str = "B" if states is None else states
    n, d, m = rule.particles, parts.action_dim, rule.extra_draws()
    shapes = {"observations": [b, parts.observation_dim], "start": [b, n, d], "choice": [b, n], "extra": [b, n, m, d]}
    meanings = {
        "observations": "as the environment gives them, not normalised",
        "start": "standard normal, drawn anew for every decision",
        "choice": "uniform on (0, 1), drawn anew for every decision",
        "extra": "standard normal, drawn anew for every decision",
    }
    return {
        "rule": rule.name,
        "settings": rule.model_dump(mode="json"),
        "inputs": {name: {"shape": shapes[name], "is": meanings[name]} for name in inputs_of(rule)},
        "outputs": {
            "actions": {"shape": [b, d], "is": "in [-1, 1]; with chunks the first step's action first"},
            "check": {"shape": [], "is": "NaN or infinite as soon as any number on the way was: then do not act"},
        },
        "chunk": parts.chunk,
        "differs_from_act_by": differences,
        "ms_per_decision": milliseconds,
        "dtype": "float32",
    }
