"""Training updates a second, against the same update in plain torch and against the matrix-multiply bound."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import torch

from benchmarks.plain_torch import PlainUpdate
from benchmarks.timing import alternate, table, without_c
from workbench.doctor import matmul_gflops
from workbench.engine.data.transitions import Transitions, make_transitions
from workbench.engine.training.config import make_config
from workbench.engine.training.fast.compiled import compiler_available
from workbench.engine.training.loop.trainer import Trainer

ROWS = 5000


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
    name: str, sizes: tuple[int, int, tuple[int, ...]], reach: float, bound: float, **settings: Any
) -> list[list[str]]:
    observation_dim, action_dim, hidden = sizes
    count = 10 if hidden[0] > 200 else 100
    if hidden[0] > 600:
        count = 1
    ours, plainly = (trainer(*sizes[:2], hidden=hidden, **settings) for _ in range(2))
    rows, chunk = ours.config.batch_size, ours.config.chunk
    peer = PlainUpdate(observation_dim, action_dim * chunk, hidden)
    batch = ours.replay.batch(torch.arange(rows))

    def repeat(step: Any) -> Any:
        return lambda: [step() for _ in range(count)]

    plain = repeat(
        lambda: peer.step(batch.observations, batch.actions, batch.rewards, batch.discounts, batch.next_observations)
    )
    ways = {"passes in C": repeat(ours.step), "PyTorch's operations": without_c(repeat(plainly.step))}
    if compiler_available():
        compiled = trainer(observation_dim, action_dim, hidden=hidden, compile=True, **settings)
        compiled.step()
        compiled.compiled = dict.fromkeys(compiled.compiled, True)
        print(f"{name}: {compiled.choice}")
        ways["compiled"] = repeat(compiled.step)
    *seconds, plain_seconds = alternate([*ways.values(), plain], repeats=7, warm_up=2)
    gflop = 2e-9 * rows * multiply_adds(observation_dim, action_dim * chunk, hidden)
    return [
        [
            f"{name}, {label}",
            f"{count / total:.1f}",
            f"{reach:g}",
            f"{plain_seconds / total:.2f}×",
            f"{count / total * gflop / bound:.0%}",
        ]
        for label, total in zip(ways, seconds, strict=True)
    ]


def vgf_rows(steps: int, reach: float, reference: str) -> list[list[str]]:
    settings: dict[str, Any] = {"critic": "td_vgf", "family": "vgf", "hidden": (512,) * 4, "transport_steps": steps}
    ours, plainly = (trainer(29, 8, reference=reference, reference_steps=1, **settings) for _ in range(2))
    ours.step()
    plainly.step()
    ways = {"passes in C": ours.step, "PyTorch's operations": without_c(plainly.step)}
    seconds = alternate(list(ways.values()), repeats=7, warm_up=2)
    name = f"VGF critic update, 512×4, N = 10, L_train = {steps}, {reference} reference"
    return [[f"{name}, {way}", f"{1.0 / s:.2f}", f"{reach:g}", "", ""] for way, s in zip(ways, seconds, strict=True)]


def run() -> None:
    bound = matmul_gflops()
    rows = [
        *qgf_row("QGF update, 512×4, batch 256, obs 29, act 8", (29, 8, (512,) * 4), 52, bound),
        *qgf_row("QGF update, 128×2, batch 256, obs 4, act 2", (4, 2, (128,) * 2), 1400, bound),
        *qgf_row("QGF update, 64×2, batch 256, obs 4, act 2", (4, 2, (64,) * 2), 1400, bound),
        *qgf_row("QGF update, 1024×4, batch 1024, chunk 5", (29, 8, (1024,) * 4), 2, bound, batch_size=1024, chunk=5),
        *vgf_rows(1, 18, "frozen"),
        *vgf_rows(5, 5.8, "frozen"),
        *vgf_rows(1, 7.9, "joint"),
        *vgf_rows(5, 4, "joint"),
    ]
    title = f"Updates a second (matrix multiply here: {bound:.0f} GFLOP/s fp32, {torch.get_num_threads()} threads)"
    table(title, ("work", "steps/s", "to reach", "speed / plain torch", "of the multiply bound"), rows)
