"""What it costs to look for numbers that are not finite: `act` beside itself without the sum, in turn, one state at a time."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from functools import partial
from unittest import mock

import torch
from torch import Tensor

from benchmarks.timing import table
from workbench.engine.steering import run as steering
from workbench.engine.steering.noise import draw_noise
from workbench.engine.steering.rules import RULES, make_rule
from workbench.engine.steering.run import act
from workbench.engine.training.build import build_networks
from workbench.engine.training.config import make_config
from workbench.engine.training.plan import extra_parts

NAMES = ("bc", "best_of_n", "grad_step", "qgf", "vgf", "qgf_chain", "fql")
S, D, HIDDEN, ROUNDS, MANY = 29, 8, (256, 256, 256), 1000, 60
DONE = torch.zeros(())


def run() -> None:
    rows = []
    for name in NAMES:
        needs = RULES[name].needs
        config = make_config(hidden=HIDDEN, parts=extra_parts(needs))
        parts = build_networks(config, S, D).parts(config, tuple({"reference", "critic", "target_critic", *needs}))
        rule = make_rule(name)
        for states in (1, 64):
            observations = torch.randn(states, S, generator=torch.Generator().manual_seed(0))
            noise = draw_noise(states, rule.particles, D, torch.Generator().manual_seed(1), rule.extra_draws())
            call = partial(act, rule, parts, observations, noise)
            with_sum, without = _in_turn(call, ROUNDS if states == 1 else MANY)
            base = _undisturbed(without)
            extra = _undisturbed(with_sum) - base
            rows.append((name, states, f"{1e6 * base:.0f}", f"{1e6 * extra:+.1f}", f"{100 * extra / base:+.2f}%"))
    table("the guard of act", ("rule", "states", "without, µs", "guard, µs", "guard"), rows)


def _undisturbed(seconds: list[float]) -> float:
    """The lowest twentieth: what else the machine does only ever adds."""
    return statistics.quantiles(seconds, n=20)[0]


def _in_turn(call: Callable[[], Tensor], rounds: int) -> tuple[list[float], list[float]]:
    """CPU seconds of neighbouring calls, with and without the sum: pairs, so that a busy machine meets both alike."""
    times: tuple[list[float], list[float]] = ([], [])
    for round_ in range(-20, rounds):
        for which in (0, 1) if round_ % 2 else (1, 0):
            patched = mock.patch.object(steering, "_total", (lambda *_: DONE) if which else steering._total)
            with patched:
                start = time.thread_time()
                call()
                seconds = time.thread_time() - start
            if round_ >= 0:
                times[which].append(seconds)
    return times


if __name__ == "__main__":
    run()
