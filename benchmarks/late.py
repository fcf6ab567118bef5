"""Why DSRL, chunks of actions and floq learn three_exits late: what was looked at, on a training seed that no table reports.

DSRL: how much Q differs between the actions that one state's noise makes (its deviation over 64 draws, mean of 512 states of the
data), beside the weight of the entropy that training ends with. Chunks: how many episodes of the behaviour flow alone end in
lava, of chunks of 5 and single actions, by the networks' size. floq: the cosine between ∇Q at an action of the flow and at the
same with N(0, 0.1²) added, mean of 2,000 states: 1 where Q is a plane.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.nn.functional import cosine_similarity

from benchmarks.timing import table
from workbench.engine.models.parts import Parts, q_gradient, q_values
from workbench.engine.models.velocity import sample
from workbench.engine.steering.rules import make_rule
from workbench.engine.tasks.registry import make_task
from workbench.engine.tasks.rollout import rollout
from workbench.engine.training.config import make_config
from workbench.engine.training.loop.fit import fit
from workbench.engine.training.loop.trainer import Trainer

TASK, SEED, EPISODES, PLAYED = make_task("three_exits"), 11, 200, 777
ACTOR: dict[str, Any] = {"actor": "fql", "target_aggregate": "mean", "fql_alpha": 10.0}
FLOQ: dict[str, Any] = {"critic": "floq", "floq_steps": 4, "floq_starts": 2}


def train(**settings: Any) -> Parts:
    defaults = TASK.training_defaults(settings.get("critic", "iql"))
    trainer = Trainer(TASK.generate(None, SEED), make_config(**(defaults | settings | {"seed": SEED})))
    for _ in fit(trainer):
        pass
    return trainer.parts()


def states(parts: Parts, count: int) -> torch.Tensor:
    """Rows of the data, normalised."""
    return parts.normalize(TASK.generate(None, SEED).sample_states(0, count))


def of_noise(temperature: float) -> list[object]:
    parts = train(parts=("noise_policy",), dsrl_temperature=temperature)
    rows = states(parts, 512).repeat_interleave(64, 0)
    with torch.no_grad():
        actions = sample(parts.reference, rows, torch.randn(len(rows), parts.action_dim), 10)
        spread = q_values(parts.pick_critic("online"), rows, actions, "mean").view(-1, 64).std(1).mean()
        left = parts.part("noise_temperature")(rows).exp()
    return [f"{temperature:g}", f"{float(left):.3f}", f"{float(spread):.3f}"]


def of_chunks(chunk: int, hidden: tuple[int, ...]) -> list[object]:
    played = rollout(make_rule("bc"), train(chunk=chunk, n_step=10, hidden=hidden), TASK, EPISODES, PLAYED)
    lava = (played.terminated & (played.returns == 0.0)).mean()
    return [chunk, " × ".join(map(str, (hidden[0], len(hidden)))), f"{played.returns.mean():.2f}", f"{lava:.0%}"]


def of_gradient(steps: int, critic: dict[str, Any]) -> list[object]:
    parts = train(steps=steps, **ACTOR, **critic)
    rows = states(parts, 2000)
    with torch.no_grad():
        actions = sample(parts.reference, rows, torch.randn(len(rows), parts.action_dim), 10)
    moved = (actions + 0.1 * torch.randn_like(actions)).clamp(-1.0, 1.0)
    here, there = (q_gradient(parts.pick_critic("online"), rows, at, "mean")[1] for at in (actions, moved))
    fql = rollout(make_rule("fql"), parts, TASK, EPISODES, PLAYED)
    cosine = float(cosine_similarity(here, there, dim=1).mean())
    return [critic["critic"], f"{steps:,}", f"{cosine:.4f}", f"{np.mean(fql.returns):.2f}"]


def run() -> None:
    torch.manual_seed(0)
    noise = [of_noise(temperature) for temperature in (1.0, 0.1)]
    table("DSRL: weight of the entropy", ("at first", "after 4,000 updates", "Q's deviation over noise"), noise)
    flows = [of_chunks(chunk, hidden) for chunk in (1, 5) for hidden in ((64, 64), (256, 256))]
    table("the behaviour flow alone", ("chunk", "networks", "return", "into lava"), flows)
    critics = [of_gradient(steps, critic) for critic in ({"critic": "td_actor"}, FLOQ) for steps in (4000, 12_000)]
    table("the critic of FQL's actions, α = 10", ("critic", "updates", "cosine", "FQL's return"), critics)
