"""How cost grows: time, work and peak memory against every size that a user sets, each with its fitted exponent.

``python -m benchmarks growth [--axes NAME ...] [--picture FILE]``. An exponent is the slope of the logarithm of the cost
over that of the size, with its 95% interval; the last four sizes count, since small ones are all overhead.
"""

from __future__ import annotations

import math
import statistics
import time
import tracemalloc
from argparse import ArgumentParser
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy.stats import t as student

from benchmarks.counting import Count, count
from benchmarks.timing import table
from benchmarks.updates import random_data, trainer
from workbench.engine.data.transitions import make_transitions
from workbench.engine.models.parts import Parts
from workbench.engine.steering.forces import forces
from workbench.engine.steering.noise import draw_noise
from workbench.engine.steering.rules import make_rule
from workbench.engine.steering.run import act
from workbench.engine.tasks.three_exits import ThreeExits
from workbench.engine.training.build import build_networks
from workbench.engine.training.config import make_config
from workbench.engine.training.loop.together import TrainerGroup
from workbench.engine.training.loop.trainer import Trainer

Call = Callable[[], Any]
FITTED = 4  # of the largest sizes


class Axis(NamedTuple):
    """One size that is varied.

    Attributes
    ----------
    title : str
    make : callable
        ``make(size) -> call``, made ready.
    sizes : tuple of int
    counted : tuple of int
        Smaller ones, at which operations are counted in the tests.
    most : float
        The exponent that work may have: what the formula says.
    memory : float
        The same of the peak of memory.
    loops : bool
        Whether it is a number of steps that follow one another, or of pieces; else the number of operations must not grow.
    arrays : bool
        Whether NumPy's memory counts too.
    """

    title: str
    make: Callable[[int], Call]
    sizes: tuple[int, ...]
    counted: tuple[int, ...]
    most: float = 1.0
    memory: float = 1.0
    loops: bool = False
    arrays: bool = False


class Fit(NamedTuple):
    """An exponent and its 95% interval."""

    exponent: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.exponent:.2f} [{self.low:.2f}, {self.high:.2f}]"


def fit(sizes: Sequence[float], costs: Sequence[float]) -> Fit:
    """The slope of log cost over log size, by least squares, with Student's interval."""
    x, y = np.log(np.asarray(sizes[-FITTED:], float)), np.log(np.maximum(np.asarray(costs[-FITTED:], float), 1e-12))
    x = x - x.mean()
    slope = float(x @ y / (x @ x))
    left = y - y.mean() - slope * x
    spread = math.sqrt(float(left @ left) / (len(x) - 2) / float(x @ x))
    half = float(student.ppf(0.975, len(x) - 2)) * spread
    return Fit(slope, slope - half, slope + half)


def update(**settings: Any) -> Call:
    return trainer(4, 2, **({"hidden": (64, 64)} | settings)).step


def _parts(action_dim: int = 2, hidden: tuple[int, ...] = (64, 64)) -> Parts:
    config = make_config(hidden=hidden)
    return build_networks(config, 4, action_dim).parts(config, ("reference", "critic", "target_critic"))


def decision(name: str, states: int = 16, action_dim: int = 2, drawn: int = 0, **settings: Any) -> Call:
    rule, generator = make_rule(name, **settings), torch.Generator().manual_seed(0)
    noise = draw_noise(states, drawn or rule.particles, action_dim, generator, rule.extra_draws())
    seen, parts = torch.randn(states, 4, generator=generator), _parts(action_dim)
    return lambda: act(rule, parts, seen, noise)


def seeds(number: int) -> Call:
    config = make_config(steps=10**9, hidden=(64, 64))
    data = random_data(4, 2)
    return TrainerGroup([Trainer(data, replace_seed(config, seed)) for seed in range(number)]).step


def replace_seed(config: Any, seed: int) -> Any:
    return config.model_copy(update={"seed": seed})


def episodes(number: int = 64, steps: int = 20, name: str = "qgf") -> Call:
    from workbench.engine.tasks.rollout import rollout

    rule, parts, task = make_rule(name), replace(_parts(), chunk=1), ThreeExits()
    return lambda: rollout(rule, parts, task, number, 0, most_steps=steps)


def rows(number: int) -> Call:
    """Make a dataset ready and draw a minibatch from it."""
    rng = np.random.default_rng(0)
    seen, actions = rng.normal(size=(2, number, 4)), rng.uniform(-1, 1, (number, 2))
    rewards, masks, ends = rng.normal(size=number), np.ones(number), np.arange(number) % 50 == 49
    config = make_config(steps=10**9, hidden=(8, 8), n_step=3)
    return lambda: Trainer(make_transitions(seen[0], actions, rewards, masks, seen[1], ends), config).step()


def draws(number: int) -> Call:
    """An update from a dataset that is ready already."""
    rng = np.random.default_rng(0)
    seen, actions = rng.normal(size=(2, number, 4)), rng.uniform(-1, 1, (number, 2))
    ends = np.arange(number) % 50 == 49
    data = make_transitions(seen[0], actions, rng.normal(size=number), np.ones(number), seen[1], ends)
    ready = Trainer(data, make_config(steps=10**9, hidden=(64, 64)))
    return ready.step


def kernel(particles: int) -> Call:
    generator = torch.Generator().manual_seed(0)
    x, score = (torch.randn(1, particles, 4, generator=generator) for _ in range(2))
    return lambda: forces(x, score, "published")


def powers(first: int, number: int, factor: int = 2) -> tuple[int, ...]:
    return tuple(first * factor**i for i in range(number))


AXES = {
    "batch": Axis("QGF update: batch", lambda n: update(batch_size=n), powers(128, 6), powers(256, 4)),
    "width": Axis(
        "QGF update: width", lambda n: update(hidden=(n, n)), powers(64, 5), powers(256, 3), most=2.0, memory=2.0
    ),
    "layers": Axis(
        "QGF update: hidden layers", lambda n: update(hidden=(64,) * n), powers(2, 5), powers(8, 3), loops=True
    ),
    "critics": Axis("QGF update: critics K", lambda n: update(members=n), powers(1, 5), (4, 8, 16)),
    "transport": Axis(
        "VGF update: L_train",
        lambda n: update(critic="td_vgf", reference="joint", family="vgf", transport_steps=n, flow_steps=2),
        (4, 8, 16, 32),
        (8, 16, 32),
        loops=True,
    ),
    "seeds": Axis("Update of several seeds at once", seeds, powers(2, 5), (4, 8, 16), loops=True),
    "rows": Axis("Dataset made ready: rows", rows, powers(20_000, 5, 3), powers(10_000, 3, 3), loops=True, arrays=True),
    "draws": Axis(
        "QGF update: rows of the dataset",
        draws,
        powers(20_000, 5, 3),
        powers(10_000, 3, 3),
        most=0.0,
        memory=0.0,
        arrays=True,
    ),
    "states": Axis("QGF act: states", lambda n: decision("qgf", n), powers(64, 6), powers(64, 3)),
    "dims": Axis("QGF act: action dimensions D", lambda n: decision("qgf", action_dim=n), powers(8, 6), powers(64, 3)),
    "flow": Axis(
        "QGF act: flow steps T", lambda n: decision("qgf", flow_steps=n), (6, 12, 24, 48, 96), (12, 24, 48), loops=True
    ),
    "chain": Axis(
        "QGF-Chain act: flow steps T",
        lambda n: decision("qgf_chain", flow_steps=n),
        (12, 24, 48, 96),
        (6, 12, 24),
        most=2.0,
        loops=True,
    ),
    "particles": Axis("Best-of-N act: N", lambda n: decision("best_of_n", particles=n), powers(32, 6), powers(32, 3)),
    "vgf": Axis(
        "VGF act: transport steps L",
        lambda n: decision("vgf", steps=n),
        (12, 25, 50, 100, 200),
        (25, 50, 100),
        loops=True,
    ),
    "kernel": Axis(
        "VGF's forces: particles N", kernel, (1000, 2500, 4000, 6300, 10_000), (300, 600, 1200), most=2.0, memory=2.0
    ),
    "episodes": Axis("Rollout: episodes", lambda n: episodes(n, 3), powers(64, 6), powers(64, 3), arrays=True),
    "steps": Axis(
        "Rollout: environment steps",
        lambda n: episodes(8, n, "bc"),
        (4, 8, 16, 32),
        (5, 10, 20),
        loops=True,
    ),
}


def counted(axis: Axis) -> list[Count]:
    """What calls of the counted sizes cost, after one that warms up."""
    return [measured(axis.make(size), axis.arrays) for size in axis.counted]


def measured(call: Call, arrays: bool) -> Count:
    call()
    if not arrays:
        return count(call)
    tracemalloc.start()
    try:
        found = count(call)
        traced = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    return found._replace(peak=found.peak + traced)


def run() -> None:
    parser = ArgumentParser(prog="python -m benchmarks growth", description=__doc__)
    parser.add_argument(
        "--axes", nargs="+", choices=list(AXES), default=list(AXES), metavar="NAME", help=", ".join(AXES)
    )
    parser.add_argument("--picture", metavar="FILE", help="draw the curves here (.svg, .png)")
    options = parser.parse_known_args()[0]
    lines, curves = [], {}
    for name in options.axes:
        axis = AXES[name]
        seconds, costs = [], []
        for size in axis.sizes:
            call = axis.make(size)
            seconds.append(processor_seconds(call))
            costs.append(measured(call, axis.arrays))
        curves[axis.title] = axis.sizes, seconds, [cost.peak for cost in costs]
        last = f"{1e3 * seconds[-1]:.1f} ms, {costs[-1].peak / 2**20:.1f} MiB"
        fits = [fit(axis.sizes, values) for values in (seconds, [c.work for c in costs], [c.peak for c in costs])]
        sizes = f"{axis.sizes[0]:,} to {axis.sizes[-1]:,}"
        lines.append([axis.title, sizes, *map(str, fits), f"{axis.most:g}", last])
    heads = ("what", "sizes", "processor time", "work", "peak memory", "by the formula", "at the largest")
    threads = torch.get_num_threads()
    title = f"Exponents with 95% intervals ({threads} threads; work is counted: multiply-adds and numbers written)"
    table(title, heads, lines)
    if options.picture:
        draw(curves, options.picture)


def processor_seconds(call: Call, repeats: int = 5) -> float:
    """Median of some calls, of all processors together: what runs beside this counts less than on the clock."""
    times = []
    for _ in range(1 + repeats):
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return statistics.median(times[1:])


def draw(curves: dict[str, tuple[Sequence[int], Sequence[float], Sequence[int]]], file: str) -> None:
    """Processor time (solid) and peak memory (dashed) of every axis over its size, each beside the largest one's."""
    from matplotlib.figure import Figure

    columns = 6
    figure = Figure(figsize=(12, 1.9 * math.ceil(len(curves) / columns)), dpi=80, layout="constrained")
    for place, (title, (sizes, seconds, peaks)) in enumerate(curves.items(), 1):
        axes = figure.add_subplot(math.ceil(len(curves) / columns), columns, place)
        axes.loglog(sizes, [1e3 * s for s in seconds], "o-", color="#0b6fa4", markersize=3, label="ms")
        axes.loglog(sizes, [peak / 2**20 for peak in peaks], "s--", color="#a86f00", markersize=3, label="MiB")
        axes.set_title(title, fontsize=8)
        axes.set_xticks([sizes[0], sizes[-1]], [f"{sizes[0]:,}", f"{sizes[-1]:,}"])
        axes.minorticks_off()
        axes.tick_params(labelsize=7)
    figure.axes[0].legend(fontsize=7, frameon=False)
    figure.savefig(file)
