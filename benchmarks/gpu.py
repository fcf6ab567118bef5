"""``python -m benchmarks gpu``: updates, decisions, and whole fits on a GPU, recorded and not, at each precision.

About two minutes on one card, whose name and measured peak stand in the title. Each row says what is to be reached on an
H200. ``--device cpu --quick`` runs the same code at tiny sizes, which says nothing about speed.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any
from unittest import mock

import torch

from benchmarks.timing import table
from benchmarks.updates import random_data
from workbench.engine import cuda
from workbench.engine.metrics.evaluate import evaluate
from workbench.engine.models.fused import operations
from workbench.engine.models.parts import Parts
from workbench.engine.precision import Precision, products
from workbench.engine.steering.graphs import Actor
from workbench.engine.steering.noise import draw_noise
from workbench.engine.steering.rules import make_rule
from workbench.engine.tasks.three_exits import ThreeExits
from workbench.engine.training.build import build_networks
from workbench.engine.training.config import make_config
from workbench.engine.training.fast.graphs import UNROLL
from workbench.engine.training.loop.fit import fit
from workbench.engine.training.loop.together import TrainerGroup
from workbench.engine.training.loop.trainer import Trainer
from workbench.engine.words import counted
from workbench.runs.devices import choose_device, decide, training_work


@dataclass(frozen=True)
class Bench:
    """Where to measure, and how large: ``quick`` is for a test."""

    device: torch.device
    quick: bool

    @property
    def seconds(self) -> float:
        """How long a rate is measured."""
        return 0.02 if self.quick else 0.5

    def hidden(self, width: int, depth: int) -> tuple[int, ...]:
        return (8,) * depth if self.quick else (width,) * depth

    def ways(self) -> list[Way]:
        """Those that the device knows."""
        return [way for way in WAYS if way[-1] != "tf32" or self.device.type == "cuda"]

    def wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def timed(self, call: Callable[[], object]) -> float:
        self.wait()
        start = time.perf_counter()
        call()
        self.wait()
        return time.perf_counter() - start

    def rate(self, trainer: Trainer | TrainerGroup) -> tuple[float, float]:
        """Updates a second, and the seconds until the first launches of either kind were done."""
        warm_up = self.timed(lambda: (trainer.step(1), trainer.step(UNROLL)))
        begun, start = trainer.step_number, time.perf_counter()
        while time.perf_counter() - start < self.seconds:
            for _ in range(1 if self.quick else UNROLL):
                trainer.step(UNROLL)
            self.wait()
        return (trainer.step_number - begun) / (time.perf_counter() - start), warm_up


def repeat(call: Callable[[], object], count: int) -> None:
    for _ in range(count):
        call()


UPDATES: tuple[tuple[str, int, int, tuple[int, int], dict[str, Any]], ...] = (
    ("QGF update 512×4, batch 256", 1500, 275, (512, 4), {}),
    ("QGF update 128×2, batch 256", 4000, 560, (128, 2), {}),
    ("QGF update 1024×4, batch 1024, chunk 5", 400, 0, (1024, 4), {"batch_size": 1024, "chunk": 5}),
    (
        "VGF update 512×4, N = 10, L_train = 1, joint",
        300,
        0,
        (512, 4),
        {"critic": "td_vgf", "family": "vgf", "reference": "joint", "transport_steps": 1},
    ),
)
Way = tuple[str, int, bool, Precision]  # its name, the branches of its recording (0: none is made), are layers fused
WAYS: tuple[Way, ...] = (
    ("kernel by kernel", 0, True, "highest"),
    ("recorded in a row, by PyTorch's kernels", 1, False, "highest"),
    ("recorded in a row", 1, True, "highest"),
    ("recorded", cuda.LANES, True, "highest"),
    ("recorded, TF32", cuda.LANES, True, "tf32"),
    ("recorded, bf16", cuda.LANES, True, "bf16"),
)


def _nowhere(x: torch.Tensor) -> bool:
    return False


@contextmanager
def as_said(way: Way) -> Iterator[bool]:
    """Within this block recordings and layers are as ``way`` says; whether there is a recording at all."""
    _, branches, fused, _ = way
    plain = nullcontext() if fused else mock.patch.object(operations, "is_ours", _nowhere)
    with mock.patch.object(cuda, "LANES", max(1, branches)), plain:
        yield branches > 0


def updates(bench: Bench) -> list[list[str]]:
    rows = []
    for name, reach, peer, size, settings in UPDATES:
        dims = (4, 2) if size[0] == 128 else (29, 8)
        data = random_data(*dims)
        for way in bench.ways():
            batch = {"batch_size": 16} if bench.quick else {}
            config = make_config(**(settings | batch), hidden=bench.hidden(*size), precision=way[-1], steps=10**9)
            with as_said(way) as recorded:
                trainer = Trainer(data, config, bench.device)
                if not recorded:
                    trainer.launches = None
                rate, warm_up = bench.rate(trainer)
            held = "" if not recorded else "yes" if trainer.launches is not None else "no"
            rows.append([name, way[0], held, f"{rate:.0f}", f"{reach}", f"{peer or '–'}", f"{warm_up:.1f}"])
            del trainer
    return rows


def policy(bench: Bench) -> Parts:
    config = make_config(hidden=bench.hidden(512, 4))
    networks = build_networks(config, 29, 8).to(bench.device)
    return networks.parts(config, ("reference", "critic", "target_critic"))


def decisions(bench: Bench) -> list[list[str]]:
    rule, parts, rows = make_rule("qgf", weight=0.3), policy(bench), []
    for states, reach, peer in ((1, 0.5, 2.0), (256, 0.8, 2.9)):
        generator = torch.Generator(bench.device).manual_seed(0)
        observations = torch.randn(states, 29, generator=generator, device=bench.device)
        noise = draw_noise(states, 1, 8, generator)
        for way in bench.ways():
            actor, count = Actor(rule, parts), 2 if bench.quick else 100
            once = partial(actor, observations, noise)
            with as_said(way) as recorded, products(way[-1], bench.device):
                if not recorded:
                    actor.recorder = None
                warm_up = bench.timed(once)
                spent = bench.timed(partial(repeat, once, count))
            row = [
                f"QGF act 512×4, {counted(states, 'state')}",
                way[0],
                f"{1e3 * spent / count:.2f}",
                f"{reach}",
                f"{peer}",
            ]
            rows.append([*row, f"{warm_up:.1f}"])
    return rows


def whole(bench: Bench) -> list[list[str]]:
    """``fit three_exits`` and ``evaluate``, on the card, on the processor, and where ``auto`` would do them."""
    task = ThreeExits()
    short = {"steps": 20, "hidden": (8, 8)} if bench.quick else {}
    config = make_config(**(task.training_defaults() | short))
    work, data = training_work(config, 4, 2), task.generate(500 if bench.quick else None, 0)
    rows, episodes, rule = [], 5 if bench.quick else 50, make_rule("qgf", weight=1.0)
    for device in dict.fromkeys((bench.device, torch.device("cpu"))):
        trainer = Trainer(data, config, device)
        fitted = bench.timed(partial(list, fit(trainer)))
        play = partial(evaluate, rule, trainer.parts(), task, episodes, 0)
        first, again = bench.timed(play), bench.timed(play)
        rows.append([f"fit three_exits, {config.steps} updates", device.type, f"{fitted:.1f}", "4"])
        rows.append([f"evaluate, {episodes} episodes, the first time", device.type, f"{first:.1f}", "2"])
        rows.append([f"evaluate, {episodes} episodes, again", device.type, f"{again:.1f}", "2"])
    chosen = choose_device("auto", work)
    rows.append(["auto", chosen.type, "", decide(work).why])
    return rows


def together(bench: Bench) -> list[list[str]]:
    task = ThreeExits()
    batch = {"batch_size": 16} if bench.quick else {}
    data = task.generate(500 if bench.quick else None, 0)

    def group(seeds: int) -> Trainer | TrainerGroup:
        settings = task.training_defaults() | batch | {"steps": 10**9}
        trainers = [Trainer(data, make_config(**settings, seed=seed), bench.device) for seed in range(seeds)]
        return TrainerGroup(trainers) if seeds > 1 else trainers[0]

    one, seeds = bench.rate(group(1))[0], 2 if bench.quick else 32
    many = bench.rate(group(seeds))[0]
    return [
        [f"three_exits, {seeds} seeds at once", f"{1e3 / one:.2f}", f"{1e3 / many:.2f}", f"{one / many:.2f}×", "1.5×"]
    ]


def peaks(bench: Bench) -> str:
    """Measured speed of a large product, TFLOP/s, at each precision."""
    size, found = 64 if bench.quick else 8192, []
    a, b = (torch.randn(size, size, device=bench.device) for _ in range(2))
    for precision in ("highest", "tf32", "bf16"):
        if precision == "tf32" and bench.device.type != "cuda":
            continue
        left, right = (a.bfloat16(), b.bfloat16()) if precision == "bf16" else (a, b)
        with products("tf32" if precision == "tf32" else "highest", bench.device):
            once = partial(torch.mm, left, right)
            repeat(once, 2)
            spent = bench.timed(partial(repeat, once, 5)) / 5
        found.append(f"{precision} {2e-12 * size**3 / spent:.3g}")
    return ", ".join(found) + " TFLOP/s"


def asked_bench(name: str) -> Bench:
    """What the flags of the benchmark ``name`` say; ends with words where there is no card."""
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks {name}")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cuda")
    parser.add_argument("--quick", action="store_true")
    asked = parser.parse_known_args()[0]
    if asked.device == "cuda" and not torch.cuda.is_available():
        print("there is no CUDA device here; --device cpu --quick tries the script itself", file=sys.stderr)
        raise SystemExit(2)
    return Bench(torch.device(asked.device), asked.quick)


def run() -> None:
    bench = asked_bench("gpu")
    card = torch.cuda.get_device_name() if bench.device.type == "cuda" else "the CPU"
    print(f"{card}, torch {torch.__version__}; products of large matrices: {peaks(bench)}")
    heads = ("work", "how", "recorded", "updates/s", "to reach", "authors' JAX on an H200", "warm-up, s")
    table("Updates", heads, updates(bench))
    heads = ("work", "how", "ms", "to reach", "authors' JAX on an H200", "warm-up, s")
    table("Decisions", heads, decisions(bench))
    table("Seeds at once", ("work", "one, ms", "all, ms", "all / one", "to reach"), together(bench))
    table("From start to end, in a process that is warm", ("work", "device", "s", "to reach"), whole(bench))
