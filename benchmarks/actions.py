"""Time of one QGF action, T = 10: PyTorch's operations, passes in C, and compiled."""

from __future__ import annotations

from functools import partial

import torch

from benchmarks.timing import alternate, table, without_c
from workbench.engine.allocator import keep_large_blocks
from workbench.engine.models.parts import Parts
from workbench.engine.precision import fast_matmul
from workbench.engine.steering.compiled import compile_act
from workbench.engine.steering.noise import draw_noise
from workbench.engine.steering.rules import make_rule
from workbench.engine.steering.run import act
from workbench.engine.training.build import build_networks
from workbench.engine.training.config import make_config
from workbench.engine.training.fast.compiled import compiler_available

# networks, states, milliseconds to reach, repeats
WORK = (
    ((29, 8, (512,) * 4), 1, 1.35, 200),
    ((29, 8, (512,) * 4), 256, 53.0, 15),
    ((4, 2, (128,) * 2), 1, 0.22, 200),
    ((4, 2, (128,) * 2), 256, 5.0, 50),
)


def parts(observation_dim: int, action_dim: int, hidden: tuple[int, ...]) -> Parts:
    config = make_config(hidden=hidden)
    return build_networks(config, observation_dim, action_dim).parts(config, ("reference", "critic", "target_critic"))


def run() -> None:
    keep_large_blocks()
    rule, rows = make_rule("qgf", weight=0.3), []
    for sizes, states, reach, repeats in WORK:
        observation_dim, action_dim, hidden = sizes
        policy = parts(*sizes)
        observations = torch.randn(states, observation_dim, generator=torch.Generator().manual_seed(0))
        noise = draw_noise(states, 1, action_dim, torch.Generator().manual_seed(1))
        with fast_matmul(states, hidden[0], observations.device):
            plain = partial(act, rule, policy, observations, noise)
            ways = {"PyTorch's operations": without_c(plain), "passes in C": plain}
            if compiler_available():
                ways["compiled"] = partial(compile_act(rule, policy), observations, noise)
            seconds = alternate(list(ways.values()), repeats)
        rows += [
            [
                f"QGF action, {hidden[0]}×{len(hidden)}, {states} state(s), {name}",
                f"{1e3 * value:.2f}",
                f"{reach:g}",
                f"{value / seconds[0]:.2f}",
            ]
            for name, value in zip(ways, seconds, strict=True)
        ]
    table("Milliseconds per call (T = 10)", ("work", "ms", "to reach", "time / PyTorch's operations"), rows)
