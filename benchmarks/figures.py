"""Counterparts of the papers' figures on small tasks, each with seeds, intervals and a sentence: holds here, does not, undecided.

``python -m benchmarks figures NAME …``: q_reached (QGF figure 4), computing (figures 6 and 7), backpropagation (figure 14),
weights (figure 20), sizes (figure 9), chunks (lengths 1, 5, 10), transport (VGF's ablations). Strengths are chosen on episodes
that are not reported.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from benchmarks.timing import table
from workbench.engine.metrics.choose import Played, choose_strength
from workbench.engine.metrics.cost import network_evaluations
from workbench.engine.metrics.estimator import q_reached
from workbench.engine.metrics.intervals import Interval, bootstrap_mean, bootstrap_runs
from workbench.engine.steering.noise import draw_noise
from workbench.engine.steering.protocol import Rule
from workbench.engine.steering.rules import make_rule
from workbench.engine.steering.run import steer
from workbench.engine.tasks.protocol import Task
from workbench.engine.tasks.registry import make_task
from workbench.engine.tasks.rollout import rollout
from workbench.engine.tasks.wide_bandit import WideBandit
from workbench.engine.training.config import make_config
from workbench.engine.training.loop.together import fit_together
from workbench.engine.training.loop.trainer import Trainer

SEEDS, STATES, EPISODES = range(5), 256, 200
CHOOSING, REPORTING = 1000, 2000
TASKS: dict[str, Callable[[], Task]] = {
    "bandit1d": lambda: make_task("bandit1d"),
    "bandit2d": lambda: make_task("bandit2d"),
    "wide bandit": WideBandit,
    "three_exits": lambda: make_task("three_exits"),
}
GRADIENTS = ("qgf", "qgf_jacobian", "qgf_chain", "bptt", "noisy")
SIZES = ((32, 2), (64, 2), (128, 3))  # width × depth of every network
WEIGHTS = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)


def trained(task: Task, **settings: Any) -> list[Trainer]:
    """One training a seed, by the task's settings and ``settings``."""
    config = task.training_defaults() | settings
    trainers = [Trainer(task.generate(None, seed), make_config(**config, seed=seed)) for seed in SEEDS]
    for _ in fit_together(trainers):
        pass
    return trainers


def verdict(difference: Interval) -> str:
    """What an interval of a difference says of the claim that it is above 0."""
    if difference.low > 0.0:
        return "holds here"
    return "does not hold here" if difference.high < 0.0 else "is undecided here"


def said(claim: str, difference: Interval) -> None:
    """The sentence of a figure."""
    span = f"{difference.mean:+.3f} [{difference.low:+.3f}, {difference.high:+.3f}]"
    print(f"  {claim}: {verdict(difference)} ({span}, 95% over {len(SEEDS)} training seeds)")


def of_seeds(values: np.ndarray) -> str:
    found = bootstrap_mean(values)
    return f"{found.mean:.3f} [{found.low:.3f}, {found.high:.3f}]"


def asked(trainer: Trainer, rule: Rule, seed: int) -> tuple[torch.Tensor, object]:
    """States of the data and noise, the same for every rule."""
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randint(len(trainer.data), (STATES,), generator=generator)
    states = torch.from_numpy(trainer.data.observations)[rows]
    return states, draw_noise(STATES, 1, trainer.parts().action_dim, generator, rule.extra_draws())


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


class Method(NamedTuple):
    """A rule with its settings, and the strengths to choose from along ``axis``; no axis: as it is."""

    rule: str
    axis: str = ""
    strengths: tuple[float, ...] = (0.0,)
    settings: Mapping[str, Any] = {}

    def at(self, strength: float) -> Rule:
        """At one of its strengths."""
        whole = int(strength) if self.axis in ("steps", "particles") else strength
        return make_rule(self.rule, **self.settings, **({self.axis: whole} if self.axis else {}))


class Best(NamedTuple):
    """A method at the strength that the choosing episodes prefer: what it reports, for each seed, and what a decision costs."""

    chosen: str
    reported: Interval
    returns: list[np.ndarray]
    evaluations: int


def best_of(method: Method, task: Task, trainers: Sequence[Trainer], episodes: int | None = None) -> Best:
    played = []
    for strength in method.strengths:
        for number, trainer in enumerate(trainers):
            for base in (CHOOSING, REPORTING):
                record = rollout(method.at(strength), trainer.parts(), task, episodes or EPISODES, base + number)
                played.append(Played(float(strength), number, base, record.returns))
    choice = choose_strength(played, [CHOOSING], [REPORTING])
    returns = [p.returns for p in played if (p.strength, p.seed) == (choice.strength, REPORTING)]
    state = torch.zeros(task.info.observation_dim)
    cost = network_evaluations(method.at(choice.strength), trainers[0].parts(), state)
    return Best(f"{method.axis} = {choice.strength:g}" if method.axis else "", choice.reported, returns, cost)


def paired(one: Best, two: Best) -> Interval:
    """Mean difference of the returns of the same seeds and episodes."""
    return bootstrap_runs([a - b for a, b in zip(one.returns, two.returns, strict=True)])


def shown(best: Best) -> str:
    return f"{best.reported.mean:.3f} [{best.reported.low:.3f}, {best.reported.high:.3f}]"


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
        "no kernel (α → 0)": Method(
            "vgf_zero", "steps", steps, {"ascent": "plain", "step_size": 0.1, "pick": "uniform"}
        ),
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
    "q_reached": reached,
    "computing": computing,
    "backpropagation": backpropagation,
    "weights": weights,
    "sizes": sizes,
    "chunks": chunks,
    "transport": transport,
}


def run(names: Sequence[str] = ()) -> None:
    """Those named, or all."""
    unknown = [name for name in names if name not in FIGURES]
    if unknown:
        raise SystemExit(f"no figure named {', '.join(unknown)}; there are {', '.join(FIGURES)}")
    for name in names or FIGURES:
        FIGURES[name]()
