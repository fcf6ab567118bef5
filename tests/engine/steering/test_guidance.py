"""Known answers of the rules that push during the flow: a linear velocity field and a quadratic critic, by hand."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from contract.scenes import SIZES, scene
from torch import Tensor

from workbench.engine.models.mixture import MixtureFlow
from workbench.engine.models.parts import Parts
from workbench.engine.models.posterior import posterior_samples
from workbench.engine.steering.noise import draw_noise
from workbench.engine.steering.protocol import State
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


# --- tamed Jacobians, and QPILOTS-U ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tamed", "plain"),
    [
        ({"jacobian": "regularised", "share": 0.0}, "qgf_jacobian"),
        ({"jacobian": "regularised", "share": 1.0}, "qgf"),
        ({"jacobian": "smooth", "scatter": 0.0, "samples": 3}, "qgf_jacobian"),
    ],
    ids=str,
)
def test_a_tamed_jacobian_s_ends(tamed: dict[str, Any], plain: str) -> None:
    """No regularisation and no scatter are J itself; the identity alone is QGF."""
    parts, observations, noise = scene((4, 3, 2, 5))
    found = steer(make_rule("qgf_jacobian", weight=2.0, **tamed), parts, observations, noise).positions
    torch.testing.assert_close(found, steer(make_rule(plain, weight=2.0), parts, observations, noise).positions)


def test_half_regularised_is_half_way() -> None:
    noise = draw_noise(4, 2, 3, torch.Generator().manual_seed(0))
    noise = noise._replace(start=0.2 * noise.start)
    rules = (make_rule("qgf_jacobian", jacobian="regularised", share=0.25), make_rule("qgf_jacobian"), make_rule("qgf"))
    first = [steer(rule, linear_parts(), torch.zeros(4, 1), noise).pushes[0] for rule in rules]
    torch.testing.assert_close(first[0], 0.75 * first[1] + 0.25 * first[2])


def test_the_nearest_rotation_turns_and_does_not_stretch() -> None:
    """v = A a with I + (1 - t) A = 0.4 R at t = 0: the push is Rᵀ∇Q, as long as ∇Q itself."""
    turn = torch.tensor([[0.6, -0.8], [0.8, 0.6]])
    stretch = 0.4 * turn - torch.eye(2)
    slope = torch.tensor([0.3, -0.1])
    parts = Parts(1, 2, lambda s, a, t: a @ stretch.mT, lambda s, a: a @ slope)
    noise = draw_noise(3, 2, 2, torch.Generator().manual_seed(0))
    noise = noise._replace(start=0.1 * noise.start)
    for settings, expected in (({"jacobian": "orthogonal"}, turn.mT @ slope), ({}, 0.4 * turn.mT @ slope)):
        rule = make_rule("qgf_jacobian", weight=0.5, flow_steps=STEPS, **settings)
        push = steer(rule, parts, torch.zeros(3, 1), noise).pushes[0]
        torch.testing.assert_close(push, (0.5 / STEPS * expected).expand(3, 2, 2))


def test_a_smoothed_jacobian_is_the_mean_of_those_around() -> None:
    """v = ½ a² has J = 1 + (1 - t) a: the mean over places a + σ ε is J at their mean, by hand."""
    parts = Parts(1, 1, lambda s, a, t: 0.5 * a.square(), lambda s, a: 2.0 * a[:, 0])
    noise = draw_noise(5, 2, 1, torch.Generator().manual_seed(0), extra=3)
    noise = noise._replace(start=0.05 * noise.start)
    rule: Any = make_rule("qgf_jacobian", jacobian="smooth", scatter=0.1, samples=3, weight=0.5, flow_steps=STEPS)
    push = steer(rule, parts, torch.zeros(5, 1), noise).pushes[0]
    assert noise.extra is not None
    expected = 0.5 / STEPS * 2.0 * (1.0 + noise.start + 0.1 * noise.extra.mean(2))
    torch.testing.assert_close(push, expected)


def test_qpilots_u_by_hand() -> None:
    """The push is α ‖v‖ long in the direction of Jᵀ∇Q at the estimate, and there is none in the first step."""
    noise = draw_noise(4, 2, 3, torch.Generator().manual_seed(0))
    noise = noise._replace(start=0.2 * noise.start)
    trace = steer(make_rule("qpilots_u", weight=0.4, flow_steps=STEPS), linear_parts(), torch.zeros(4, 1), noise)
    a = noise.start
    for i in range(STEPS):
        v, j = SLOPE * a, 1.0 + (1.0 - i / STEPS) * SLOPE
        g = j * (TARGET - j * a)
        push = 0.4 * v.norm(dim=-1, keepdim=True) / g.norm(dim=-1, keepdim=True) * g if i else torch.zeros_like(a)
        torch.testing.assert_close(trace.pushes[i], push / STEPS, rtol=1e-4, atol=1e-6)
        a = a + (v + push) / STEPS
    torch.testing.assert_close(trace.positions[-1], a, rtol=1e-4, atol=1e-6)


def test_qpilots_u_does_not_see_the_scale_of_q_and_its_gate_does() -> None:
    parts, observations, noise = scene((4, 3, 2, 5))
    louder = replace(parts, target_critic=lambda s, a: 100.0 * parts.target_critic(s, a))
    one, other = (steer(make_rule("qpilots_u"), some, observations, noise).positions for some in (parts, louder))
    torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)
    shut = steer(make_rule("qpilots_u", gate_kappa=1e4), louder, observations, noise).positions[-1]
    torch.testing.assert_close(shut, steer(make_rule("bc"), parts, observations, noise).positions[-1])


# --- QPILOTS-M: samples of what a noised action may become --------------------------------------------------------


def gaussian(mean: float, scale: float) -> MixtureFlow:
    return MixtureFlow(torch.full((1, 2), mean), torch.tensor([scale]), torch.ones(1))


@pytest.mark.parametrize("t", [0.0, 0.25, 0.5, 0.75])
def test_posterior_samples_have_the_known_mean_and_spread(t: float) -> None:
    """Data N(m, s²): given x_t the clean action is N(m + s² t (x_t - t m) / τ², s² (1-t)² / τ²), τ² = (1-t)² + t² s².

    4000 samples: the mean's standard error is 0.016 spreads, the variance's 0.022; 1000 Euler steps leave less.
    """
    m, s, steps = 0.4, 0.3, 1000
    flow, x = gaussian(m, s), torch.tensor([[0.2, -0.7]])
    noise = torch.randn(1, 4000, 2, generator=torch.Generator().manual_seed(0))
    v = flow(x, x, t)
    found = posterior_samples(flow, torch.zeros(1, 1), x, v, t, noise, steps)[0]
    tau = (1.0 - t) ** 2 + t**2 * s**2
    mean, spread = m + s**2 * t * (x[0] - t * m) / tau, s * (1.0 - t) / tau**0.5
    assert ((found.mean(0) - mean).abs() < 4.0 * 0.016 * spread).all()
    assert ((found.var(0) / spread**2 - 1.0).abs() < 4.0 * 0.022).all()


def test_posterior_samples_of_two_modes_are_in_proportion() -> None:
    """Bayes: a mode's share is its weight times the density of x_t that it would make, N(x_t; t m, (1-t)² + t² s²)."""
    flow = MixtureFlow(torch.tensor([[-0.5], [0.5]]), torch.tensor([0.05, 0.05]), torch.tensor([1.0, 3.0]))
    noise = torch.randn(2, 4000, 1, generator=torch.Generator().manual_seed(0))
    x, t = torch.tensor([[0.0], [0.45]]), 0.5
    found = posterior_samples(flow, torch.zeros(2, 1), x, flow(x, x, t), t, noise, 200)[..., 0]
    odds = 3.0 * torch.exp(((x + 0.25).square() - (x - 0.25).square()) / (2.0 * (0.25 + 0.25 * 0.05**2)))[:, 0]
    share = odds / (1.0 + odds)
    right = (found > 0.0).float().mean(1)
    error = 4.0 * (share * (1.0 - share) / 4000).sqrt() + 0.005  # four standard errors, and the steps'
    assert ((right - share).abs() < error).all()
    assert ((found.abs() - 0.5).abs() < 0.25).all()


def test_at_the_last_tick_every_sample_is_the_one_step_estimate() -> None:
    parts, observations, noise = scene((3, 2, 2, 4))
    rows, a = observations.repeat_interleave(2, 0), noise.start.flatten(0, 1)
    v = parts.reference(rows, a, 0.75)
    found = posterior_samples(parts.reference, rows, a, v, 0.75, noise.extra.flatten(0, 1), 4)
    torch.testing.assert_close(found, (a + 0.25 * v)[:, None].expand_as(found))


@pytest.mark.parametrize("jacobian", [False, True])
def test_qpilots_with_one_step_is_qgf(jacobian: bool) -> None:
    """T = 1: nothing is left to sample, so all M samples are QGF's estimate, with or without its Jacobian."""
    parts, observations, noise = scene((4, 3, 2, 5))
    found = act(make_rule("qpilots_m", flow_steps=1, jacobian=jacobian), parts, observations, noise)
    twin = make_rule("qgf_jacobian" if jacobian else "qgf", flow_steps=1)
    torch.testing.assert_close(found, act(twin, parts, observations, noise), rtol=0.0, atol=1e-6)


def test_qpilots_gradient_of_a_quadratic_is_at_the_mean_sample() -> None:
    """∇Q is linear for Q = -½‖a - m‖², so the mean gradient is m minus the mean sample; and it is what is recorded."""
    parts = linear_parts()
    noise = draw_noise(3, 2, 3, torch.Generator().manual_seed(0), extra=8)
    rule: Any = make_rule("qpilots_m", samples=8, flow_steps=STEPS)
    a = 0.1 * noise.start
    g, q, query = rule.guidance(parts, torch.zeros(6, 1), a, SLOPE * a, 0.4, extra=0.1 * noise.extra)
    torch.testing.assert_close(g, TARGET - query)
    assert (q <= -0.5 * (query - TARGET).square().sum(-1) + 1e-6).all()  # Jensen: Q is concave


def test_qpilots_jacobian_is_the_gradient_of_the_mean_value() -> None:
    """Finite differences of (1/M) Σ_m Q over the samples, the noise held fixed, in double precision."""

    def velocity(observations: Tensor, actions: Tensor, t: Tensor) -> Tensor:
        return torch.sin(2.0 * actions.flip(1)) - t[:, None] * actions

    def critic(observations: Tensor, actions: Tensor) -> Tensor:
        return torch.cos(2.0 * actions).sum(1) * actions[:, 0]

    parts, t, m = Parts(1, 2, velocity, critic), 0.4, 3
    extra = torch.randn(4, 1, m, 2, dtype=torch.float64)

    def mean_value(a: Tensor) -> Tensor:
        v = velocity(a, a, torch.full((len(a),), t, dtype=a.dtype))
        clean = posterior_samples(velocity, torch.zeros(4, 1), a, v, t, extra[:, 0], STEPS).clamp(-1.0, 1.0)
        return critic(clean, clean.flatten(0, 1)).view(4, m).mean(1)

    start = 0.3 * torch.randn(4, 2, dtype=torch.float64)
    rule: Any = make_rule("qpilots_m", flow_steps=STEPS, samples=m, jacobian=True)
    g, q, _ = rule.guidance(parts, torch.zeros(4, 1), start[:, None], start[:, None], t, extra=extra)
    torch.testing.assert_close(q[:, 0], mean_value(start))
    for d in range(2):
        step = torch.zeros(2, dtype=torch.float64)
        step[d] = 1e-6
        slope = (mean_value(start + step) - mean_value(start - step)) / 2e-6
        torch.testing.assert_close(g[:, 0, d], slope, rtol=0, atol=1e-7)


# --- rules with parts of their own -------------------------------------------------------------------------------


def test_robust_q_follows_the_sum_and_not_the_mean() -> None:
    """Q_R = -½‖a - t m‖²: the push at time t is δ w (t m - a), whatever the number of states."""
    parts = replace(
        linear_parts(),
        extra={"robust_critic": lambda s, a, t: -0.5 * (a - t[:, None] * TARGET).square().sum(1)},
    )
    noise = draw_noise(5, 2, 3, torch.Generator().manual_seed(0))
    trace = steer(make_rule("robust_q", weight=0.5, flow_steps=STEPS), parts, torch.zeros(5, 1), noise)
    for i in range(STEPS - 1):
        torch.testing.assert_close(trace.pushes[i], 0.5 / STEPS * (i / STEPS * TARGET - trace.positions[i]))


@pytest.mark.parametrize("base", ["reference", "own"])
def test_cfgrl_in_closed_form(base: str) -> None:
    """v = c a, v_o = b a + o·k: published v_u + w (v_c - v_u), or the same push on the shared flow."""
    b, k, weight = 0.3, torch.tensor([0.1, -0.2, 0.05]), 1.7
    parts = replace(linear_parts(), extra={"conditioned_flow": lambda s, a, t: b * a + s[:, -1:] * k})
    noise = draw_noise(4, 1, 3, torch.Generator().manual_seed(0))
    noise = noise._replace(start=0.2 * noise.start)
    rule = make_rule("cfgrl", weight=weight, flow_steps=STEPS, base=base)
    a = noise.start[:, 0]
    for _ in range(STEPS):
        a = a + ((b if base == "own" else SLOPE) * a + weight * k) / STEPS
    torch.testing.assert_close(act(rule, parts, torch.zeros(4, 1), noise), a)


def test_amortised_vgf_clips_the_norm_of_a_state_s_particles_together() -> None:
    long, short = torch.tensor([3.0, -4.0, 0.0]), torch.tensor([0.3, -0.4, 0.0])
    for f, expected in ((long, long / (5.0 * 2**0.5)), (short, short)):
        parts = replace(linear_parts(), extra={"value_gradient": lambda s, a, f=f: f.expand_as(a)})
        rule: Any = make_rule("vgf_amortised", ascent="plain", step_size=0.1)
        step, _, _ = rule.move(parts, State(torch.zeros(4, 2, 3), torch.zeros(8, 1), 10))
        torch.testing.assert_close(step, 0.1 * expected.expand(4, 2, 3))


def test_amortised_vgf_with_the_exact_gradient_is_grad_step() -> None:
    parts, observations, noise = scene((3, 1, 2, 4))
    exact = lambda s, a: 0.1 * parts.critic.value_and_grad(s, a, "mean")[1]  # noqa: E731 -- small, so that nothing is clipped
    parts = replace(parts, extra={"value_gradient": exact})
    learned = make_rule("vgf_amortised", ascent="plain", step_size=0.5, steps=3)
    plain = make_rule("grad_step", step_size=0.05, steps=3, critic="online", aggregate="mean")
    found = act(learned, parts, observations, noise)
    torch.testing.assert_close(found, act(plain, parts, observations, noise))


@pytest.mark.parametrize("ascent", ["adam", "plain"])
def test_vgf_zero_is_vgf_without_repulsion_at_alpha_one(ascent: str) -> None:
    parts, observations, noise = scene((4, 10, 2, 4))
    settings = {"ascent": ascent, "steps": 5, "step_size": 0.05}
    twin = act(make_rule("vgf", repulsion="none", alpha=1.0, **settings), parts, observations, noise)
    assert torch.equal(act(make_rule("vgf_zero", **settings), parts, observations, noise), twin)
