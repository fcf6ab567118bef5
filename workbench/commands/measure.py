"""``workbench measure estimator | mmd | offline | precision``: what is measured on a policy beside its evaluation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import tyro

from workbench.commands.flags import SEEDS, Device, Folder, Json, Settings, check_range, parse_settings
from workbench.commands.numbers import in_words
from workbench.console import print_json, print_table
from workbench.engine.words import UserError


def estimator(
    run: Folder,
    rule: tuple[str, ...] = (),
    noise: Annotated[tuple[float, ...], tyro.conf.arg(metavar="SIZE ...")] = (0.01, 0.03, 0.1, 0.3, 1.0),
    states: int = 256,
    seed: int = 0,
    as_json: Json = False,
) -> None:
    """How far each guidance gradient turns when its action is moved a little (QGF, figure 3).

    Prints cos(g(a_t), g(a_t + ε)), mean over states and flow steps, with 95% intervals over states.

    Args:
        run: Folder of a run (workbench fit).
        rule: Rules to compare; without it all that guide during the flow and whose parts the run has.
        noise: Lengths of ε, action units.
        states: Dataset states to ask at, up to 256.
        seed: Fixes the noise; the same for every rule.
    """
    import torch

    from workbench.engine.metrics.estimator import noise_sensitivity
    from workbench.engine.steering.noise import draw_noise
    from workbench.engine.steering.protocol import DuringFlow
    from workbench.engine.steering.rules import RULES, make_rule
    from workbench.engine.training.loop.checkpoint import load_run

    check_range("--seed", seed, 0, SEEDS - 1)
    if not noise or min(noise) <= 0.0:
        raise UserError(f"--noise takes lengths above 0, such as --noise 0.1 0.3; got {list(noise)}")
    loaded = load_run(run)
    check_range("--states", states, 1, len(loaded.probes))
    parts = loaded.parts()
    chosen = [make_rule(name) for name in rule] or [
        make_rule(name)
        for name, kind in RULES.items()
        if issubclass(kind, DuringFlow) and set(kind.needs) <= set(parts.available())
    ]
    by_rule: dict[str, Any] = {}
    for steered in chosen:
        if not isinstance(steered, DuringFlow):
            raise UserError(
                f"rule '{steered.name}' has no gradient during the flow; workbench rules lists those that do"
            )
        generator = torch.Generator().manual_seed(seed)
        start = draw_noise(states, 1, parts.action_dim, generator, steered.extra_draws())
        generator.manual_seed(seed + 1)  # the same directions, however much noise the rule itself takes
        directions = torch.randn(steered.flow_steps, *start.start.shape, generator=generator)
        result = noise_sensitivity(steered, parts, loaded.probes[:states], start, directions, noise)
        levels = zip(noise, result.cosine, result.silent, strict=True)
        by_rule[steered.name] = [
            {"noise": size} | cosine.as_dict() | {"silent": silent} for size, cosine, silent in levels
        ]
    if as_json:
        print_json(by_rule)
        return
    print_table(
        ("rule", *[f"‖ε‖ = {size:g}" for size in noise]),
        [(name, *[f"{x['mean']:.4f} [{x['low']:.4f}, {x['high']:.4f}]" for x in row]) for name, row in by_rule.items()],
    )


def mmd(
    run: Folder,
    settings: Settings = (),
    states: int = 64,
    seed: int = 0,
    as_json: Json = False,
) -> None:
    """MMD² of VGF's particles from the behaviour's over the transport steps, beside the bound of VGF's theory.

    One run of L steps holds every smaller number of steps. The theory speaks of plain steps and the textbook repulsion: those
    are the defaults here; other settings are measured too, and the reason why nothing is proven for them is printed.

    Args:
        run: Folder of a run (workbench fit).
        settings: Settings of rule vgf, such as steps=30 alpha=0.02 step_size=0.002.
        states: Dataset states, up to 256; means over them are printed.
        seed: Fixes the noise.
    """
    import torch

    from workbench.engine.metrics.mmd import mmd_against_theory
    from workbench.engine.steering.noise import draw_noise
    from workbench.engine.steering.rules import make_rule
    from workbench.engine.steering.run import steer
    from workbench.engine.training.loop.checkpoint import load_run

    check_range("--seed", seed, 0, SEEDS - 1)
    loaded = load_run(run)
    check_range("--states", states, 1, len(loaded.probes))
    rule = make_rule("vgf", **({"ascent": "plain", "repulsion": "fixed_bandwidth"} | parse_settings(settings)))
    parts = loaded.parts()
    noise = draw_noise(states, rule.particles, parts.action_dim, torch.Generator().manual_seed(seed))
    curve = mmd_against_theory(steer(rule, parts, loaded.probes[:states], noise, seed), parts)
    columns = [x.mean(1).tolist() for x in (curve.measured, curve.bound, curve.stepwise)]
    names = ("steps", "measured", "bound", "stepwise")
    rows = [dict(zip(names, (i, *row), strict=True)) for i, row in enumerate(zip(*columns, strict=True))]
    if as_json:
        print_json({"curve": rows, "sigma": float(curve.sigma.mean()), "unproven": curve.unproven})
        return
    print_table(names, [[str(row["steps"]), *[f"{row[name]:.4g}" for name in names[1:]]] for row in rows])
    print(f"not proven for these settings: {curve.unproven}" if curve.unproven else "proven for these settings")


def offline(
    run: Folder,
    rule: str,
    settings: Settings = (),
    seed: int = 0,
    fitted_q: bool = False,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """What the data alone say of a rule: shift, transport, support, what the critic promises. No episode is played.

    Beside it importance weighting says what the data's own episodes tell of the rule, and how many of them carry that.

    Args:
        run: Folder of a run (workbench fit).
        rule: Name of the rule (workbench rules).
        seed: Fixes the noise.
        fitted_q: Train a critic of the rule itself on the data, and say what it is worth (slower).
        device: auto takes CUDA where there is one and the work is large enough to gain by it.
    """
    from workbench.engine.metrics.offline import evaluate_offline
    from workbench.engine.steering.rules import make_rule
    from workbench.engine.training.loop.checkpoint import load_run
    from workbench.experiments.offline import measure_offline
    from workbench.runs.devices import choose_device, offline_work
    from workbench.runs.training import training_data

    check_range("--seed", seed, 0, SEEDS - 1)
    steering = make_rule(rule, **parse_settings(settings))
    loaded = load_run(run)
    parts = loaded.parts(choose_device(device, offline_work(steering, loaded)))
    data = training_data(loaded)
    if fitted_q:
        measured, _ = measure_offline(steering, parts, loaded.task, seed, data, hidden=tuple(loaded.config.hidden))
    else:
        measured = evaluate_offline(steering, parts, loaded.task, seed, data)
    result = measured.as_dict()
    if as_json:
        print_json(result)
        return
    for line in in_words(result):
        print(line)
    if measured.importance is None:
        print("importance weighting: not with action chunks, whose decisions the rows of the data are not")
    else:
        print(measured.importance.in_words())
    print("no return was measured: no episode was played")


def precision(
    run: Folder,
    rule: str,
    settings: Settings = (),
    episodes: int = 100,
    seed: int = 0,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """What a reduced precision costs a policy: error of its actions, difference of its return, and time of a decision.

    Products of bf16 (and TF32 on NVIDIA GPUs), and weights rounded to bf16 or int8, each beside full fp32 with the same starts
    and noise. The return's difference has its 95% interval over the episodes.

    Args:
        run: Folder of a run (workbench fit).
        rule: Name of the rule (workbench rules).
        episodes: Episodes to play each way.
        seed: Fixes starts and noise.
        device: auto takes CUDA where there is one and the episodes are enough to gain by it.
    """
    from workbench.engine.metrics.reduced import measure_reduced
    from workbench.engine.steering.rules import make_rule
    from workbench.engine.tasks.registry import make_task
    from workbench.engine.training.loop.checkpoint import load_run
    from workbench.runs.devices import choose_device, evaluation_work

    check_range("--episodes", episodes, 1, None)
    check_range("--seed", seed, 0, SEEDS - 1)
    steering = make_rule(rule, **parse_settings(settings))
    loaded = load_run(run)
    task = make_task(loaded.task)
    where = choose_device(device, evaluation_work(steering, loaded, episodes, task.info.horizon))
    found = measure_reduced(steering, loaded.parts(where), task, episodes, seed)
    if as_json:
        print_json([one.as_dict() for one in found])
        return
    print_table(
        ("how", "action error", "largest", "return, difference", "1 state, ms", "256 states, ms"),
        [
            (
                one.way,
                f"{one.action_error:.2g}",
                f"{one.largest_error:.2g}",
                f"{one.gain.mean:.3g} [{one.gain.low:.3g}, {one.gain.high:.3g}]",
                f"{one.ms_one:.2f}",
                f"{one.ms_many:.2f}",
            )
            for one in found
        ],
    )


MEASURE: dict[str, Callable[..., None]] = {
    "estimator": estimator,
    "mmd": mmd,
    "offline": offline,
    "precision": precision,
}
