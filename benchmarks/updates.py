"""Training updates a second, against the same update in plain torch and against the matrix-multiply bound."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import torch

from benchmarks.plain_torch import PlainUpdate
from benchmarks.timing import alternate, median_seconds, table
from workbench.doctor import matmul_gflops
from workbench.engine.data.transitions import Transitions, make_transitions
from workbench.engine.training.config import make_config
from workbench.engine.training.fast.compiled import compiler_available
from workbench.engine.training.loop.trainer import Trainer

ROWS, BATCH = 5000, 256


def random_data(observation_dim: int, action_dim: int) -> Transitions:
    rng = np.random.default_rng(0)
    observations = rng.normal(size=(2, ROWS, observation_dim))
    actions = rng.uniform(-1, 1, (ROWS, action_dim))
    ends = np.arange(ROWS) % 50 == 49
    return make_transitions(observations[0], actions, rng.normal(size=ROWS), np.ones(ROWS), observations[1], ends)


def trainer(observation_dim: int, action_dim: int, **settings: Any) -> Trainer:
    return Trainer(random_data(observation_dim, action_dim), make_config(steps=10**9, **settings))


def multiply_adds(observation_dim: int, action_dim: int, hidden: tuple[int, ...]) -> float:
    """Of one QGF update per row: a forward pass costs one network, a backward pass two."""

    def network(inputs: int, outputs: int) -> int:
        widths = (inputs, *hidden, outputs)
        return sum(a * b for a, b in itertools.pairwise(widths))

    flow = network(observation_dim + action_dim + 16, action_dim)
    critic, value = network(observation_dim + action_dim, 1), network(observation_dim, 1)
    return 3 * flow + 2 * 3 * critic + 2 * critic + 3 * value + value


def qgf_row(
    name: str, observation_dim: int, action_dim: int, hidden: tuple[int, ...], reach: float, bound: float
) -> list[list[str]]:
    ours, count = trainer(observation_dim, action_dim, hidden=hidden), 10 if hidden[0] > 200 else 100
    peer = PlainUpdate(observation_dim, action_dim, hidden)
    batch = ours.replay.batch(torch.arange(BATCH))

    def repeat(step: Any) -> Any:
        return lambda: [step() for _ in range(count)]

    plain = repeat(
        lambda: peer.step(batch.observations, batch.actions, batch.rewards, batch.discounts, batch.next_observations)
    )
    calls, names = [repeat(ours.step), plain], ["eager"]
    if compiler_available():
        compiled = trainer(observation_dim, action_dim, hidden=hidden, compile=True)
        compiled.step()
        calls, names = [repeat(ours.step), repeat(compiled.step), plain], ["eager", "compiled"]
    *seconds, plain_seconds = alternate(calls, repeats=7, warm_up=1)
    gflop = 2e-9 * BATCH * multiply_adds(observation_dim, action_dim, hidden)
    rows = []
    for label, total in zip(names, seconds, strict=True):
        rate = count / total
        rows.append(
            [
                f"{name}, {label}",
                f"{rate:.1f}",
                f"{reach:g}",
                f"{plain_seconds / total:.2f}×",
                f"{rate * gflop / bound:.0%}",
            ]
        )
    return rows


def vgf_row(steps: int, reach: float, reference: str) -> list[str]:
    settings: dict[str, Any] = {"critic": "td_vgf", "family": "vgf", "hidden": (512,) * 4, "transport_steps": steps}
    ours = trainer(29, 8, reference=reference, reference_steps=1, **settings)
    ours.step()
    rate = 1.0 / median_seconds(ours.step, repeats=7, warm_up=2)
    return [
        f"VGF critic update, 512×4, N = 10, L_train = {steps}, {reference} reference",
        f"{rate:.2f}",
        f"{reach:g}",
        "",
        "",
    ]


def run() -> None:
    bound = matmul_gflops()
    rows = [
        *qgf_row("QGF update, 512×4, batch 256, obs 29, act 8", 29, 8, (512,) * 4, 41, bound),
        *qgf_row("QGF update, 128×2, batch 256, obs 4, act 2", 4, 2, (128,) * 2, 700, bound),
        vgf_row(1, 5, "frozen"),
        vgf_row(5, 2.5, "frozen"),
        vgf_row(1, 5, "joint"),
        vgf_row(5, 2.5, "joint"),
    ]
    title = f"Updates a second (matrix multiply here: {bound:.0f} GFLOP/s fp32, {torch.get_num_threads()} threads)"
    table(title, ("work", "steps/s", "to reach", "speed / plain torch", "of the multiply bound"), rows)
