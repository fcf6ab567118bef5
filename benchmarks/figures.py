"""Counterparts of the papers' figures on small tasks, each with seeds, intervals and a sentence: holds here, does not, undecided.

``python -m benchmarks figures NAME …``: noise (QGF figure 3), q_reached (figure 4), computing (figures 6 and 7), sizes (figure
9), better_critic (figure 10), backpropagation (figure 14), weights (figure 20), chunks (lengths 1, 5, 10), transport (VGF's
ablations), chain (DQC's claim on known values), online (offline to online on pointmaze, VGF against FQL). Strengths are chosen on
episodes that are not reported.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from benchmarks.figures_chain import chain
from benchmarks.figures_critic import better_critic, noise
from benchmarks.figures_online import online
from benchmarks.seeds import (
    EPISODES,
    REPORTING,
    SEEDS,
    TASKS,
    WEIGHTS,
    Best,
    Method,
    asked,
    best_of,
    of_seeds,
    paired,
    said,
    shown,
    trained,
)
from benchmarks.timing import table
from workbench.engine.metrics.estimator import q_reached
from workbench.engine.metrics.intervals import bootstrap_mean
from workbench.engine.steering.rules import make_rule
from workbench.engine.steering.run import steer
from workbench.engine.tasks.registry import make_task
from workbench.engine.tasks.rollout import rollout
from workbench.engine.training.loop.trainer import Trainer

GRADIENTS = ("qgf", "qgf_jacobian", "qgf_chain", "bptt", "noisy")
SIZES = ((32, 2), (64, 2), (128, 3))  # width × depth of every network


def reached() -> None:
    """Figure 4: QGF reaches a higher Q than other estimators of the same gradient."""
    for name, make in TASKS.items():
        found = np.empty((len(GRADIENTS), len(SEEDS), len(WEIGHTS)))
        for number, trainer in enumerate(trained(make())):
            for place, key in enumerate(GRADIENTS):
                rule = make_rule(key)
                states, noise = asked(trainer, rule, 3000 + number)
                found[place, number] = q_reached(rule, trainer.parts(), states, noise, WEIGHTS)
        table(
            f"{name}: Q reached, task units, mean of {len(SEEDS)} seeds [95%]",
            ("rule", *[f"w = {weight:g}" for weight in WEIGHTS]),
            [[key, *[of_seeds(found[i, :, w]) for w in range(len(WEIGHTS))]] for i, key in enumerate(GRADIENTS)],
        )
        for place, key in enumerate(GRADIENTS[1:], 1):
            said(f"QGF reaches more Q than {key}, mean over weights", bootstrap_mean((found[0] - found[place]).mean(1)))


GREEDY = {"pick": "greedy"}
METHODS = {
    "best of 1": Method("bc"),
    "best of 4": Method("best_of_n", settings={"particles": 4}),
    "best of 16": Method("best_of_n", settings={"particles": 16}),
    "best of 64": Method("best_of_n", settings={"particles": 64}),
    "QGF": Method("qgf", "weight", WEIGHTS),
    "QGF + best of 4": Method("qgf", "weight", WEIGHTS, {"particles": 4, **GREEDY}),
    "QGF + best of 16": Method("qgf", "weight", WEIGHTS, {"particles": 16, **GREEDY}),
    "GradStep": Method("grad_step", "steps", (1, 2, 5, 10, 20, 40)),
}


def computing() -> None:
    """Figures 6 and 7: return against network evaluations; QGF and best of 4 against best of 16."""
    for name in ("bandit2d", "three_exits"):
        task = TASKS[name]()
        trainers = trained(task)
        best = {label: best_of(method, task, trainers) for label, method in METHODS.items()}
        rows = [[label, one.chosen, one.evaluations, shown(one)] for label, one in best.items()]
        table(
            f"{name}: return against network evaluations of a decision",
            ("method", "chosen", "evaluations", "return"),
            sorted(rows, key=lambda row: row[2]),
        )
        said("QGF + best of 4 returns more than best of 16", paired(best["QGF + best of 4"], best["best of 16"]))


def sizes() -> None:
    """Figure 9: with larger networks QGF gains at least as much as methods that train an actor."""
    task, keys = make_task("three_exits"), ("qgf", "fql", "qam")
    methods = {"qgf": Method("qgf", "weight", WEIGHTS), "fql": Method("fql"), "qam": Method("qam")}
    best: dict[str, list[Best]] = {key: [] for key in keys}
    for width, depth in SIZES:
        trainers = trained(task, hidden=(width,) * depth, parts=("one_step", "adjoint_flow"))
        for key, found in best.items():
            found.append(best_of(methods[key], task, trainers))
    heads = ("rule", *[f"{width} × {depth}" for width, depth in SIZES])
    table("three_exits: return by the size of all networks", heads, [[k, *map(shown, best[k])] for k in keys])
    for key in keys[1:]:
        gains = [
            np.array([a.mean() - b.mean() for a, b in zip(found[-1].returns, found[0].returns, strict=True)])
            for found in (best["qgf"], best[key])
        ]
        said(f"QGF gains more from the largest networks than {key}", bootstrap_mean(gains[0] - gains[1]))


def chunks() -> None:
    """Chunk lengths 1, 5 and 10: several actions decided at once."""
    task, method = make_task("three_exits"), Method("qgf", "weight", WEIGHTS)
    best = {length: best_of(method, task, trained(task, chunk=length, n_step=max(length, 10))) for length in (1, 5, 10)}
    rows = [
        [length, one.chosen, one.evaluations, f"{one.evaluations / length:.1f}", shown(one)]
        for length, one in best.items()
    ]
    heads = ("chunk", "chosen", "evaluations a decision", "an action", "return")
    table("three_exits, QGF: chunks of h actions", heads, rows)
    for length in (5, 10):
        said(f"chunks of {length} return more than single actions", paired(best[length], best[1]))


def transport() -> None:
    """VGF: steps at test time (0 among them), particles, temperature, and the kernel's force."""
    task = make_task("three_exits")
    trainers = trained(task)
    plain = {"ascent": "plain", "step_size": 0.002, "alpha": 0.02, "pick": "uniform"}
    steps = (1, 3, 10, 30)
    methods = {
        "no transport (L = 0)": Method("vgf", settings={**plain, "steps": 0}),
        "VGF": Method("vgf", "steps", steps, plain),
        "greedy pick": Method("vgf", "steps", steps, plain | GREEDY),
        "4 particles": Method("vgf", "steps", steps, plain | {"particles": 4}),
        "32 particles": Method("vgf", "steps", steps, plain | {"particles": 32}),
        "α ten times as large": Method("vgf", "steps", steps, plain | {"alpha": 0.2}),
        "repulsion of a fixed bandwidth": Method("vgf", "steps", steps, plain | {"repulsion": "fixed_bandwidth"}),
        "no repulsion": Method("vgf", "steps", steps, plain | {"repulsion": "none"}),
        "1 particle (no kernel)": Method("vgf", "steps", steps, plain | {"particles": 1}),
    }
    best = {label: best_of(method, task, trainers) for label, method in methods.items()}
    rows = [[label, one.chosen, one.evaluations, shown(one)] for label, one in best.items()]
    table("three_exits, VGF: what each part of it is worth", ("variant", "chosen", "evaluations", "return"), rows)
    for label in [label for label in methods if label != "VGF"]:
        said(f"VGF returns more than with {label}", paired(best["VGF"], best[label]))


def tails(trainer: Trainer, key: str, seed: int) -> tuple[float, float]:
    """Lengths of a rule's gradients over states and flow steps, silent ones left out: 99th percentile over median, and median."""
    rule = make_rule(key, weight=1e-4)  # all rules are asked on the unsteered way
    states, noise = asked(trainer, rule, seed)
    pushes = steer(rule, trainer.parts(), states, noise).pushes.norm(dim=-1).flatten().double().numpy()
    lengths = pushes[pushes > 0.0] / 1e-4
    return float(np.quantile(lengths, 0.99) / np.median(lengths)), float(np.median(lengths))


def backpropagation() -> None:
    """Figure 14: backpropagation through time has gradients of very different lengths, QGF's are alike."""
    keys = ("qgf", "qgf_jacobian", "bptt")
    for name, make in TASKS.items():
        trainers = trained(make())
        found = np.array([[tails(trainer, key, 3000 + i) for i, trainer in enumerate(trainers)] for key in keys])
        table(
            f"{name}: length of the gradient over states and flow steps",
            ("rule", "99% over median", "median, per unit of weight"),
            [[key, of_seeds(found[i, :, 0]), of_seeds(found[i, :, 1])] for i, key in enumerate(keys)],
        )
        difference = np.log(found[2, :, 0]) - np.log(found[0, :, 0])
        said("BPTT's gradients have a longer tail than QGF's (log of the ratio)", bootstrap_mean(difference))


def weights() -> None:
    """Figure 20: over how much of a wide range of weights a rule keeps its best return."""
    for name in ("bandit2d", "three_exits"):
        task = TASKS[name]()
        trainers = trained(task)
        flow = np.array(
            [
                rollout(make_rule("bc"), t.parts(), task, EPISODES, REPORTING + i).returns.mean()
                for i, t in enumerate(trainers)
            ]
        )
        kept, rows = {}, []
        for key in GRADIENTS:
            means = np.array(
                [
                    [
                        rollout(make_rule(key, weight=w), t.parts(), task, EPISODES, REPORTING + i).returns.mean()
                        for w in WEIGHTS
                    ]
                    for i, t in enumerate(trainers)
                ]
            )  # (seeds, weights)
            gain = means - flow[:, None]
            kept[key] = gain.mean(1) / np.maximum(gain.max(), 1e-9)
            rows.append([key, *[f"{value:.2f}" for value in means.mean(0)], of_seeds(kept[key])])
        heads = ("rule", *[f"w = {w:g}" for w in WEIGHTS], "gain kept over the range")
        table(f"{name}: return at each weight, mean of {len(SEEDS)} seeds", heads, rows)
        for key in GRADIENTS[1:]:
            said(f"QGF keeps more of its best gain over the range than {key}", bootstrap_mean(kept["qgf"] - kept[key]))


FIGURES: Mapping[str, Callable[[], None]] = {
    "noise": noise,
    "q_reached": reached,
    "computing": computing,
    "backpropagation": backpropagation,
    "weights": weights,
    "sizes": sizes,
    "better_critic": better_critic,
    "chunks": chunks,
    "transport": transport,
    "chain": chain,
    "online": online,
}


def run(names: Sequence[str] = ()) -> None:
    """Those named, or all."""
    unknown = [name for name in names if name not in FIGURES]
    if unknown:
        raise SystemExit(f"no figure named {', '.join(unknown)}; there are {', '.join(FIGURES)}")
    for name in names or FIGURES:
        begun = time.process_time()
        FIGURES[name]()
        print(f"  {name}: {time.process_time() - begun:.0f} s of processor time", flush=True)
