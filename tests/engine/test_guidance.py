"""Known answers of the rules that push during the flow: a linear velocity field and a quadratic critic, by hand."""

from typing import Any

import pytest
import torch
from contract.scenes import SIZES, scene
from torch import Tensor

from workbench.engine.models.parts import Parts
from workbench.engine.steering.noise import draw_noise
from workbench.engine.steering.rules import make_rule
from workbench.engine.steering.run import act, steer

SLOPE, TARGET, STEPS = -0.7, torch.tensor([0.3, -0.2, 0.5]), 5


def linear_parts() -> Parts:
    """v(s, a, t) = c·a, Q(s, a) = -½‖a - m‖²: small noise never reaches the clip, so all is linear."""
    return Parts(
        1,
        3,
        lambda observations, actions, t: SLOPE * actions,
        lambda observations, actions: -0.5 * (actions - TARGET).square().sum(1),
    )


def growth(steps: int) -> float:
    """What ``steps`` Euler steps multiply an action by."""
    return (1.0 + SLOPE / STEPS) ** steps


# The first push divided by δ·w, at the noise a: where the critic is asked, and the Jacobian there.
FIRST_GUIDANCE = {
    "noisy": (1.0, 1.0),
    "qgf": (1.0 + SLOPE, 1.0),
    "qgf_jacobian": (1.0 + SLOPE, 1.0 + SLOPE),
    "qgf_chain": (growth(STEPS), 1.0),
    "bptt": (growth(STEPS), growth(STEPS)),
}


@pytest.mark.parametrize("name", FIRST_GUIDANCE)
def test_closed_form(name: str) -> None:
    """All ticks against the recursion a ← a + δ (c a + w j_i (m - s_i a)), s_i and j_i known at every tick."""
    noise = draw_noise(4, 2, 3, torch.Generator().manual_seed(0))
    noise = noise._replace(start=0.2 * noise.start)
    weight = 0.5
    trace = steer(make_rule(name, weight=weight, flow_steps=STEPS), linear_parts(), torch.zeros(4, 1), noise)
    a, seen = noise.start, [noise.start]
    for i in range(STEPS):
        left = 1.0 - i / STEPS
        long, chain = 1.0 + left * SLOPE, growth(STEPS - i)
        where, jacobian = {
            "noisy": (1.0, 1.0),
            "qgf": (long, 1.0),
            "qgf_jacobian": (long, long),
            "qgf_chain": (chain, 1.0),
            "bptt": (chain, chain),
        }[name]
        if i == 0:
            assert (where, jacobian) == pytest.approx(FIRST_GUIDANCE[name])
        torch.testing.assert_close(trace.queries[i], where * a)
        a = a + (SLOPE * a + weight * jacobian * (TARGET - where * a)) / STEPS
        seen.append(a)
    torch.testing.assert_close(trace.positions, torch.stack(seen))


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("weight", [0.1, 5.0])
def test_bptt_of_one_step_is_qgf_jacobian(size: tuple[int, int, int, int], weight: float) -> None:
    parts, observations, noise = scene(size)
    one, other = (
        act(make_rule(name, weight=weight, flow_steps=1), parts, observations, noise)
        for name in ("bptt", "qgf_jacobian")
    )
    assert torch.equal(one, other)


def test_bptt_in_pieces_is_bptt_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows are taken a bounded number at a time; that is not seen in the result."""
    parts, observations, noise = scene((5, 3, 2, 4))
    whole = act(make_rule("bptt"), parts, observations, noise)
    monkeypatch.setattr("workbench.engine.steering.rules.bptt.ROWS", 7)
    torch.testing.assert_close(act(make_rule("bptt"), parts, observations, noise), whole, rtol=0.0, atol=1e-5)


def test_bptt_is_the_gradient_of_the_final_value() -> None:
    """Finite differences of Q at the end of the flow, in double precision."""

    def velocity(observations: Tensor, actions: Tensor, t: Tensor) -> Tensor:
        return torch.sin(3.0 * actions.flip(1)) - t[:, None] * actions

    def critic(observations: Tensor, actions: Tensor) -> Tensor:
        return torch.cos(2.0 * actions).sum(1) * actions[:, 0]

    def final(a: Tensor) -> Tensor:
        for i in range(STEPS):
            a = a + velocity(a, a, torch.full((len(a),), i / STEPS, dtype=a.dtype)) / STEPS
        return critic(a, a.clamp(-1.0, 1.0))

    start = 0.3 * torch.randn(4, 2, dtype=torch.float64)
    rule: Any = make_rule("bptt", flow_steps=STEPS)
    g, q, _ = rule.guidance(Parts(1, 2, velocity, critic), torch.zeros(4, 1), start[:, None], start[:, None], 0.0)
    torch.testing.assert_close(q[:, 0], final(start))
    for d in range(2):
        step = torch.zeros(2, dtype=torch.float64)
        step[d] = 1e-6
        torch.testing.assert_close(g[:, 0, d], (final(start + step) - final(start - step)) / 2e-6, rtol=0, atol=1e-7)
