"""Time of one QGF action, 512×4, T = 10, eager and compiled."""

from __future__ import annotations

from functools import partial

import torch

from benchmarks.timing import alternate, table
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

HIDDEN = (512,) * 4


def parts() -> Parts:
    config = make_config(hidden=HIDDEN)
    return build_networks(config, 29, 8).parts(config, ("reference", "critic", "target_critic"))


def run() -> None:
    keep_large_blocks()
    rule, policy, rows = make_rule("qgf", weight=0.3), parts(), []
    for states, reach, repeats in ((1, 1.85, 200), (256, 71.0, 15)):
        observations = torch.randn(states, 29, generator=torch.Generator().manual_seed(0))
        noise = draw_noise(states, 1, 8, torch.Generator().manual_seed(1))
        with fast_matmul(states, HIDDEN[0], observations.device):
            actors = {"eager": partial(act, rule, policy)}
            if compiler_available():
                actors["compiled"] = compile_act(rule, policy)
            seconds = alternate([partial(actor, observations, noise) for actor in actors.values()], repeats)
        for name, value in zip(actors, seconds, strict=True):
            rows.append(
                [
                    f"QGF action, {states} state(s), {name}",
                    f"{1e3 * value:.2f}",
                    f"{reach:g}",
                    f"{value / seconds[0]:.2f}",
                ]
            )
    table("Milliseconds per call (512×4, T = 10, obs 29, act 8)", ("work", "ms", "to reach", "time / eager"), rows)
