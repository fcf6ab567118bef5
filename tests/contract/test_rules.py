"""The contract that every steering rule keeps: what comes out, its limits, its noise; looped over the registry."""

import random

import numpy as np
import pytest
import torch
from contract.scenes import MOST_EXTRA, SIZES, analytic, scene
from hypothesis import given
from hypothesis import settings as profile
from hypothesis import strategies as st

from workbench.engine.steering.kernel import rbf, repulsion
from workbench.engine.steering.noise import Noise, draw_noise
from workbench.engine.steering.rules import RULES, make_rule
from workbench.engine.steering.run import act, steer
from workbench.engine.training.config import FitConfig

each_rule = pytest.mark.parametrize("name", RULES)
each_size = pytest.mark.parametrize("size", SIZES, ids=str)
each_seed = pytest.mark.parametrize("seed", [0, 1, 2])


# --- what comes out ---------------------------------------------------------------------------------------------


@each_rule
@each_size
@each_seed
def test_shapes_bounds_and_finiteness(name: str, size: tuple[int, int, int, int], seed: int) -> None:
    (b, n, d, _), (parts, observations, noise) = size, scene(size, seed)
    rule = make_rule(name)
    trace = steer(rule, parts, observations, noise, seed=seed)
    ticks = rule.ticks()
    assert trace.positions.shape == (ticks + 1, b, n, d)
    assert trace.times.shape == (ticks + 1,)
    assert trace.pushes.shape == trace.queries.shape == (ticks, b, n, d)
    assert trace.q_along.shape == (ticks, b, n)
    assert trace.q.shape == trace.transport.shape == (b, n)
    assert trace.picked.shape == (b,)
    assert trace.actions.shape == (b, d)
    for array in (trace.positions, trace.pushes, trace.q, trace.transport, *trace.terms.values()):
        assert torch.isfinite(array).all()
        assert array.dtype is torch.float32
        assert not array.requires_grad
    assert torch.equal(torch.isnan(trace.queries).any(-1), torch.isnan(trace.q_along))
    assert all(term.shape == trace.pushes.shape for term in trace.terms.values())
    assert float(trace.positions[-1].abs().max()) <= 1.0
    assert torch.equal(trace.positions[0], noise.start)
    assert float(trace.times[0]) == 0.0
    assert float(trace.times[-1]) == pytest.approx(1.0)
    assert (trace.times.diff() > -1e-6).all()
    assert ((trace.picked >= 0) & (trace.picked < n)).all()
    assert trace.rule == name
    assert trace.seed == seed
    assert make_rule(trace.rule, **trace.settings) == rule
    assert torch.equal(trace.observations, observations)
    assert all(isinstance(array, np.ndarray) for array in trace.arrays().values())


@each_rule
@each_size
def test_act_is_steer_bitwise_and_repeatable(name: str, size: tuple[int, int, int, int]) -> None:
    parts, observations, noise = scene(size)
    for pick in ("greedy", "softmax", "uniform"):
        rule = make_rule(name, pick=pick)
        actions = act(rule, parts, observations, noise)
        assert torch.equal(actions, steer(rule, parts, observations, noise).actions)
        assert torch.equal(actions, act(rule, parts, observations, noise))


@each_rule
@each_size
@each_seed
def test_a_state_does_not_see_the_rest_of_its_batch(name: str, size: tuple[int, int, int, int], seed: int) -> None:
    parts, observations, noise = scene(size, seed)
    rule = make_rule(name)
    together = steer(rule, parts, observations, noise)
    for i in range(size[0]):
        alone = steer(rule, parts, observations[i : i + 1], noise.states(slice(i, i + 1)))
        assert torch.allclose(alone.positions[:, 0], together.positions[:, i], rtol=0.0, atol=1e-5)
        # the action, not its number: where particles have met, rounding decides which of them is picked
        assert torch.allclose(alone.actions[0], together.actions[i], rtol=0.0, atol=1e-5)


@each_rule
@given(
    st.tuples(st.integers(1, 4), st.integers(1, 9), st.integers(1, 4), st.integers(1, 5)),
    st.integers(0, 1000),
    st.integers(0, 2**16),
)
@profile(max_examples=20)
def test_particles_permute_with_their_noise(name: str, size: tuple[int, int, int, int], seed: int, order: int) -> None:
    parts, observations, noise = scene(size, seed)
    permutation = torch.randperm(size[1], generator=torch.Generator().manual_seed(order))
    # The published repulsion gives an extra push to whichever particle of the median pair comes first in the array: see
    # test_the_published_repulsion_depends_on_the_order.
    symmetric = {"repulsion": "fixed_bandwidth"} if "repulsion" in RULES[name].model_fields else {}
    rule = make_rule(name, **symmetric)
    one = steer(rule, parts, observations, noise)
    other = steer(rule, parts, observations, Noise(*(part[:, permutation] for part in noise)))
    assert torch.allclose(one.positions[:, :, permutation], other.positions, rtol=0.0, atol=1e-4)
    best = one.q.gather(1, one.picked[:, None]), other.q.gather(1, other.picked[:, None])
    assert torch.allclose(*best, rtol=0.0, atol=1e-3)  # another particle only where Q is the same


def test_the_published_repulsion_depends_on_the_order() -> None:
    """Known of the published code, and kept for parity: it pushes a pair of particles the same way, not apart."""
    x = torch.tensor([[[0.1], [0.3]]])
    push = repulsion(rbf(x), "published")
    flipped = repulsion(rbf(x.flip(1)), "published").flip(1)
    assert (push > 0.0).all()
    assert (flipped < 0.0).all()
    fixed, fixed_flipped = repulsion(rbf(x), "fixed_bandwidth"), repulsion(rbf(x.flip(1)), "fixed_bandwidth").flip(1)
    torch.testing.assert_close(fixed, fixed_flipped)


# --- limits -----------------------------------------------------------------------------------------------------


@each_rule
@each_size
@each_seed
def test_zero_strength_is_bc_bitwise(name: str, size: tuple[int, int, int, int], seed: int) -> None:
    b, _, d, s = size
    parts, observations, noise = scene((b, 1, d, s), seed)
    settings = RULES[name].bc_at
    if settings is None:  # steered in training: no setting of the test time makes it the behaviour policy
        assert RULES[name].trained_strength in FitConfig.model_fields
        return
    assert RULES[name].strength in RULES[name].model_fields
    if name != "bc":
        assert RULES[name].strength in settings
    steered = steer(make_rule(name, **settings), parts, observations, noise)
    plain = steer(make_rule("bc"), parts, observations, noise)
    assert torch.equal(steered.positions[-1], plain.positions[-1])
    assert torch.equal(steered.actions, plain.actions)
    assert (steered.transport == 0.0).all()


@pytest.mark.parametrize("name", [name for name in RULES if RULES[name].bc_at is not None])
@each_size
@pytest.mark.parametrize("critic", ["online", "target"])
def test_zero_strength_with_a_greedy_pick_is_best_of_n_bitwise(
    name: str, size: tuple[int, int, int, int], critic: str
) -> None:
    parts, observations, noise = scene(size)
    settings = RULES[name].bc_at | {"particles": size[1], "pick": "greedy", "critic": critic}
    best = act(make_rule("best_of_n", critic=critic), parts, observations, noise)
    assert torch.equal(act(make_rule(name, **settings), parts, observations, noise), best)


@each_rule
def test_every_rule_picks_among_its_particles(name: str) -> None:
    """Best-of-N is an option of every rule: the greedy pick is the arg max of Q over what the rule made of N particles."""
    parts, observations, noise = scene((4, 6, 3, 5))
    trace = steer(make_rule(name, particles=6, pick="greedy"), parts, observations, noise)
    assert trace.q is not None
    assert torch.equal(trace.picked, trace.q.argmax(1))


@each_size
@each_seed
@pytest.mark.parametrize("critic", ["online", "target"])
def test_vgf_without_steps_is_best_of_n_bitwise(size: tuple[int, int, int, int], seed: int, critic: str) -> None:
    parts, observations, noise = scene(size, seed)
    vgf = act(make_rule("vgf", steps=0, critic=critic), parts, observations, noise)
    assert torch.equal(vgf, act(make_rule("best_of_n", critic=critic), parts, observations, noise))


@each_rule
def test_strength_matters(name: str) -> None:
    """The opposite of the limit: away from zero strength the actions are not bc's."""
    if name == "bc":
        return
    parts, observations, noise = scene((4, 6, 3, 5))
    assert not torch.equal(
        act(make_rule(name), parts, observations, noise), act(make_rule("bc"), parts, observations, noise)
    )


@pytest.mark.parametrize("name", [name for name in RULES if set(RULES[name].needs) <= {"reference", "critic"}])
def test_guidance_climbs_a_smooth_hill(name: str) -> None:
    """Every steered rule raises Q on average, at its default settings, where the critic is a hill next to the data."""
    parts = analytic(2)
    noise = draw_noise(200, 4, 2, torch.Generator().manual_seed(0), MOST_EXTRA)
    reached = steer(make_rule(name), parts, torch.zeros(200, 1), noise)
    plain = steer(make_rule("bc"), parts, torch.zeros(200, 1), noise)
    picked = [trace.q.gather(1, trace.picked[:, None]).mean() for trace in (reached, plain)]
    if name == "bc":
        assert torch.equal(*picked)
    else:
        assert picked[0] > picked[1] + 0.01


# --- noise ------------------------------------------------------------------------------------------------------


@each_rule
def test_the_noise_is_the_only_randomness(name: str) -> None:
    parts, observations, noise = scene((3, 5, 2, 4))
    kept = Noise(*(part.clone() for part in noise))
    rule, results = make_rule(name, pick="softmax"), []
    for seed in (0, 1):
        torch.manual_seed(seed)
        random.seed(seed)
        before = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].copy()  # noqa: NPY002
        results.append(act(rule, parts, observations, noise))
        steer(rule, parts, observations, noise)
        assert torch.equal(torch.get_rng_state(), before[0])
        assert random.getstate() == before[1]
        assert np.array_equal(np.random.get_state()[1], before[2])  # noqa: NPY002
    assert torch.equal(*results)
    assert all(torch.equal(part, old) for part, old in zip(noise, kept, strict=True))  # and is not changed


def test_noise_comes_from_its_generator() -> None:
    before = torch.get_rng_state()
    one, two = (draw_noise(3, 5, 2, torch.Generator().manual_seed(7)) for _ in range(2))
    assert torch.equal(one.start, two.start)
    assert torch.equal(one.choice, two.choice)
    assert torch.equal(torch.get_rng_state(), before)
    assert one.start.shape == (3, 5, 2)
    assert one.choice.shape == (3, 5)
    assert ((one.choice >= 0.0) & (one.choice < 1.0)).all()
    assert one.extra is None


def test_extra_noise_leaves_the_rest_as_it_was() -> None:
    """Rules that ask for more and rules that do not stay paired, now and at the next call of the same generator."""
    plain, more = torch.Generator().manual_seed(7), torch.Generator().manual_seed(7)
    firsts = []
    for _ in range(3):
        one, other = draw_noise(3, 5, 2, plain), draw_noise(3, 5, 2, more, extra=4)
        assert torch.equal(one.start, other.start)
        assert torch.equal(one.choice, other.choice)
        assert other.extra is not None
        assert other.extra.shape == (3, 5, 4, 2)
        firsts.append(other.extra)
    assert torch.equal(draw_noise(3, 5, 2, torch.Generator().manual_seed(7), extra=4).extra, firsts[0])
    assert not torch.equal(firsts[0], firsts[1])
    some = other.states(torch.tensor([2, 0]))
    assert torch.equal(some.start, other.start[[2, 0]])
    assert torch.equal(some.extra, other.extra[[2, 0]])
    assert one.states(slice(1)).extra is None


def test_extra_noise_is_standard_normal_and_independent() -> None:
    noise = draw_noise(4000, 1, 1, torch.Generator().manual_seed(0), extra=2)
    together = torch.cat((noise.start[:, 0], noise.extra[:, 0, :, 0]), 1)  # (4000, 3)
    assert together.mean(0).abs().max() < 4.0 / 4000**0.5
    assert (torch.cov(together.T) - torch.eye(3)).abs().max() < 4.0 * (2.0 / 4000) ** 0.5


@pytest.mark.parametrize("name", [name for name, rule in RULES.items() if rule().extra_draws()])
def test_missing_extra_noise_is_named_with_its_cure(name: str) -> None:
    parts, observations, noise = scene((2, 3, 2, 4))
    for wrong in (None, noise.extra[:, :, :0], noise.extra[0], noise.extra[..., :1]):
        with pytest.raises(ValueError, match=rf"rule '{name}' needs noise.extra .*extra=rule.extra_draws\(\)"):
            act(make_rule(name), parts, observations, noise._replace(extra=wrong))
