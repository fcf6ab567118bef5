"""Networks, kernels, directions, particles and samples equal the two papers' own code (shared/parity/FORMAT.md).

One test per published array: its name says which settings produced it.
"""

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from parity.coverage import LOSS_PATTERNS, STEERING_PATTERNS
from torch import Tensor

from workbench.engine.data.transitions import Batch
from workbench.engine.models.parts import Parts, q_gradient
from workbench.engine.models.published import load_published
from workbench.engine.models.velocity import sample
from workbench.engine.steering.kernel import rbf, repulsion
from workbench.engine.steering.noise import Noise
from workbench.engine.steering.protocol import Rule, State
from workbench.engine.steering.rules import make_rule
from workbench.engine.steering.run import act
from workbench.engine.training.losses.flow_matching import flow_matching_loss

HERE = Path(__file__).parent / "data"
SHARED = Path(__file__).parents[3] / "shared" / "parity"


class Published:
    """One file: its arrays as tensors, and our networks around its weights."""

    def __init__(self, path: Path) -> None:
        with np.load(path, allow_pickle=False) as archive:
            self.z = {name: torch.from_numpy(np.asarray(archive[name])) for name in archive.files}
        self.family = path.stem[:3]
        self.parts: Parts = load_published(path, self.family)
        self.observations = self.z["in.observations"]
        self.actions = self.z["in.actions"]

    @property
    def particles(self) -> int:
        return int(self.z["cfg.particles"])

    @property
    def next_rows(self) -> Tensor:
        """(B·N, S): the particles of the published transport belong to the next observations."""
        return self.z["in.next_observations"].repeat_interleave(self.particles, 0)

    def points(self, at: str) -> Tensor:
        return self.z["in.svgd_X"] if at == "X" else self.z["out.bc_particles"]


@cache
def published(path: Path) -> Published:
    return Published(path)


def noise_of(start: Tensor) -> Noise:
    return Noise(start, torch.full(start.shape[:2], 0.5))


def rule_of(p: Published, name: str, **settings: Any) -> Rule:
    steps = p.z["cfg.denoise_steps" if p.family == "qgf" else "cfg.bc_flow_steps"]
    return make_rule(name, flow_steps=int(steps), **settings)


# --- both ---------------------------------------------------------------------------------------------------------


def q_of(p: Published, which: str) -> Tensor:
    critic = p.parts.critic if which == "online" else p.parts.target_critic
    return critic(p.observations, p.actions)


def v_of(p: Published) -> Tensor:
    return p.parts.value(p.observations)


# --- QGF ----------------------------------------------------------------------------------------------------------


def frequencies(p: Published) -> Tensor:
    return p.parts.reference.frequencies


def embedding(p: Published, times: str) -> Tensor:
    return p.parts.reference.embed(p.z[f"in.t_{times}"])


def qgf_velocity(p: Published, times: str) -> Tensor:
    return p.parts.reference(p.observations, p.z["in.a_t"], p.z[f"in.{times}"])


def target_gradient(p: Published, how: str, at: str) -> Tensor:
    return q_gradient(p.parts.target_critic, p.observations, p.z[f"in.{at}"], how)[1]


def guided_sample(p: Published, kind: str, how: str, w: str, variant: str | None) -> Tensor:
    name = {"euler": "qgf", "eulerjac": "qgf_jacobian", "noisy": "noisy"}[kind]
    rule = rule_of(p, name, weight=float(w), aggregate=how)
    if variant == "_single_obs0":
        return act(rule, p.parts, p.observations[:1], noise_of(p.z["in.sample_noise_single"][None]))[0]
    n = 4 if variant == "_bon4" else 1
    start = p.z["in.sample_noise_bon4" if variant == "_bon4" else "in.sample_noise"]
    return act(rule, p.parts, p.observations, noise_of(start.view(len(p.observations), n, -1)))


def grad_step(p: Published, steps: str, size: str, sign: str | None) -> Tensor:
    rule = rule_of(p, "grad_step", steps=int(steps), step_size=float(size), sign=sign is not None)
    return act(rule, p.parts, p.observations, noise_of(p.z["in.sample_noise"][:, None]))


def bptt(p: Published, w: str) -> Tensor:
    return act(rule_of(p, "bptt", weight=float(w)), p.parts, p.observations, noise_of(p.z["in.sample_noise"][:, None]))


# --- VGF ----------------------------------------------------------------------------------------------------------


def noised_action(p: Published) -> Tensor:
    """What the flow-matching loss shows to the network."""
    seen = []

    def spy(observations: Tensor, actions: Tensor, t: Tensor | float) -> Tensor:
        seen.append(actions)
        return actions

    batch = Batch(p.observations, p.actions, p.z["in.rewards"], p.z["in.masks"], p.z["in.next_observations"], None)
    flow_matching_loss(spy, batch, p.z["in.bc_x0"], p.z["in.bc_t"][:, 0])
    return seen[0]


def vgf_velocity(p: Published) -> Tensor:
    return p.parts.reference(p.observations, p.z["out.bc_xt"], p.z["in.bc_t"][:, 0])


def online_gradient(p: Published, how: str) -> Tensor:
    return q_gradient(p.parts.critic, p.observations, p.actions, how)[1]


def reference_particles(p: Published) -> Tensor:
    samples = sample(p.parts.reference, p.next_rows, p.z["in.particle_noise"], int(p.z["cfg.bc_flow_steps"]))
    return samples.view(-1, p.particles, p.parts.action_dim)


def kernel_part(p: Published, what: str, at: str) -> Tensor:
    k = rbf(p.points(at))
    symmetric = torch.tensor(torch.equal(k.distances, k.distances.mT))
    return {"K": k.values, "d2": k.distances, "inv_sigma2": 2.0 * k.gamma, "d2_exactly_symmetric": symmetric}[what]


def repulsion_of(p: Published, fixed: str | None, at: str) -> Tensor:
    return repulsion(rbf(p.points(at)), "fixed_bandwidth" if fixed else "published")


def score(p: Published, how: str, at: str) -> Tensor:
    x = p.points(at)
    return q_gradient(p.parts.critic, p.next_rows, x.flatten(0, 1), how)[1].view(x.shape)


def direction(p: Published, how: str, alpha: str, at: str) -> Tensor:
    """A plain step of length 1 is the direction itself."""
    rule = rule_of(p, "vgf", aggregate=how, alpha=float(alpha), ascent="plain", step_size=1.0)
    step, _, info = rule.move(p.parts, State(p.points(at), p.next_rows, rule.flow_steps))
    assert torch.equal(step, info.terms["attraction"] + info.terms["repulsion"])
    return step


def moved_particles(p: Published, how: str, alpha: str, steps: str, at: str) -> Tensor:
    rule = rule_of(p, "vgf", aggregate=how, alpha=float(alpha), step_size=float(p.z["cfg.vgf_lr"]), steps=int(steps))
    state = State(p.points(at), p.next_rows, rule.flow_steps)
    for _ in range(int(steps)):
        state, _ = rule.step(p.parts, p.observations, state)
    return state.actions


def evaluated(p: Published, steps: str) -> Tensor:
    rule = rule_of(p, "vgf", steps=int(steps), step_size=float(p.z["cfg.vgf_lr"]))
    return act(rule, p.parts, p.z["in.eval_obs"][None], noise_of(p.z["in.eval_noise"][None]))[0]


COMPUTE: dict[str, list[Callable[..., Tensor]]] = {
    "both": [q_of, v_of],
    "qgf": [frequencies, embedding, qgf_velocity, target_gradient, guided_sample, grad_step, bptt],
    "vgf": [
        noised_action,
        vgf_velocity,
        online_gradient,
        reference_particles,
        kernel_part,
        repulsion_of,
        score,
        direction,
        moved_particles,
        evaluated,
    ],
}


def tolerance(name: str) -> float:
    """FORMAT.md's, as max abs error over max(1, max abs value)."""
    if re.fullmatch(r"particles_.*_alpha1\.0_.*\.bc", name) or name.startswith("eval_action_"):
        return 1e-4
    if re.fullmatch(r"sample_eulerjac_.*_w5\.0", name) or name.startswith("bptt_"):
        return 3e-5
    return 1e-5


def files() -> list[Path]:
    """c1 stands in this repository; c2 is added where the shared folder is at hand."""
    extra = [SHARED / f"{family}_c2.npz" for family in ("qgf", "vgf")]
    return [HERE / "qgf_c1.npz", HERE / "vgf_c1.npz", *(path for path in extra if path.exists())]


def outputs(path: Path) -> list[str]:
    with np.load(path, allow_pickle=False) as archive:
        return [name.removeprefix("out.") for name in archive.files if name.startswith("out.")]


def steering_patterns(family: str) -> list[tuple[str, Callable[..., Tensor]]]:
    return [pair for group in ("both", family) for pair in zip(STEERING_PATTERNS[group], COMPUTE[group], strict=True)]


def cases() -> list[Any]:
    found = []
    for path in files():
        for name in outputs(path):
            for pattern, compute in steering_patterns(path.stem[:3]):
                if match := re.fullmatch(pattern, name):
                    found.append(pytest.param(path, name, compute, match.groupdict(), id=f"{path.stem}-{name}"))
    return found


@pytest.mark.parametrize(("path", "name", "compute", "settings"), cases())
def test_array(path: Path, name: str, compute: Callable[..., Tensor], settings: dict[str, str | None]) -> None:
    p = published(path)
    ours, theirs = compute(p, **settings).detach(), p.z[f"out.{name}"]
    assert ours.shape == theirs.shape
    assert ours.dtype == theirs.dtype
    if theirs.dtype == torch.bool:
        assert torch.equal(ours, theirs)
        return
    error = float((ours - theirs).abs().max()) / max(1.0, float(theirs.abs().max()))
    assert error <= tolerance(name), f"error {error:.1e} > {tolerance(name):.0e}"


@pytest.mark.parametrize("path", files(), ids=lambda path: path.stem)
def test_every_array_is_compared_once(path: Path) -> None:
    patterns = [*LOSS_PATTERNS, *(pattern for pattern, _ in steering_patterns(path.stem[:3]))]
    names = outputs(path)
    counts = {name: sum(re.fullmatch(pattern, name) is not None for pattern in patterns) for name in names}
    assert {name: count for name, count in counts.items() if count != 1} == {}
    unused = [pattern for pattern in patterns if not any(re.fullmatch(pattern, name) for name in names)]
    assert set(unused) <= set(LOSS_PATTERNS)  # the losses' patterns serve both families


def test_every_loss_pattern_is_used() -> None:
    names = [name for path in files() for name in outputs(path)]
    assert [pattern for pattern in LOSS_PATTERNS if not any(re.fullmatch(pattern, name) for name in names)] == []
