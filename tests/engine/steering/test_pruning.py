"""Dropping the worst particles in the middle of the flow."""

import pytest
import torch
from contract.scenes import analytic, make_parts, scene
from torch import Tensor

from workbench.engine.metrics.cost import evaluations_by_part
from workbench.engine.metrics.shift import draw_clouds
from workbench.engine.models.parts import Parts
from workbench.engine.steering.finite import NonFiniteError
from workbench.engine.steering.noise import draw_noise
from workbench.engine.steering.program import arguments_of, program_of
from workbench.engine.steering.pruning import Pruned
from workbench.engine.steering.rules import RULES, make_rule
from workbench.engine.steering.run import act, steer

PRUNED = [name for name, rule in RULES.items() if issubclass(rule, Pruned)]
each_rule = pytest.mark.parametrize("name", PRUNED)
SIZE = (4, 6, 2, 5)


def test_the_rules_that_pick_among_independent_particles_have_it() -> None:
    assert {"best_of_n", "idql", "qgf", "bptt"} <= set(PRUNED)
    assert not {"bc", "vgf", "fql"} & set(PRUNED)


@each_rule
@pytest.mark.parametrize("keep", [6, 7, 1024])
def test_keeping_all_is_the_rule_itself_bitwise(name: str, keep: int) -> None:
    parts, observations, noise = scene(SIZE)
    plain, pruned = (
        steer(make_rule(name, particles=6, **more), parts, observations, noise) for more in ({}, {"keep": keep})
    )
    assert torch.equal(plain.positions, pruned.positions)
    assert torch.equal(plain.picked, pruned.picked)
    assert pruned.kept is None


@each_rule
@pytest.mark.parametrize("keep", [1, 2, 5])
@pytest.mark.parametrize("at", [0.0, 0.4, 1.0])
def test_what_is_left_and_what_is_recorded(name: str, keep: int, at: float) -> None:
    parts, observations, noise = scene(SIZE)
    rule = make_rule(name, particles=6, keep=keep, prune_at=at, pick="greedy")
    trace, plain = (
        steer(some, parts, observations, noise) for some in (rule, make_rule(name, particles=6, pick="greedy"))
    )
    assert trace.kept is not None
    assert trace.kept.shape == (4, 6)
    assert (trace.kept.sum(1) == keep).all()
    assert trace.kept.gather(1, trace.picked[:, None]).all()
    assert torch.allclose(trace.actions, act(rule, parts, observations, noise), rtol=0.0, atol=1e-6)
    torch.testing.assert_close(trace.positions[-1][trace.kept], plain.positions[-1][trace.kept], rtol=0.0, atol=1e-5)
    assert torch.isfinite(trace.positions).all()
    assert trace.q is not None
    assert torch.isfinite(trace.q).all()
    best = trace.q.where(trace.kept, -torch.inf).argmax(1)
    assert torch.equal(trace.picked, best)
    cut = min(round(at * 10), 9)
    gone = ~trace.kept
    for tick in range(cut, len(trace.positions)):  # they stand where they were asked
        assert torch.equal(trace.positions[tick][gone], trace.positions[cut][gone])
    assert (trace.pushes[cut + 1 :].transpose(0, 1)[:, :, :, 0].transpose(1, 2)[gone] == 0.0).all()
    assert trace.of_kept(trace.transport).shape == (4 * keep,)
    assert "kept" in trace.arrays()


def test_those_with_the_highest_value_of_their_clean_estimate_stay() -> None:
    """Against a plain restatement: one step from the cut's time, clipped, valued, sorted."""
    parts, observations, noise = scene(SIZE)
    rule = make_rule("best_of_n", particles=6, keep=3, prune_at=0.3)
    trace = steer(rule, parts, observations, noise)
    here, t = trace.positions[3], 0.3
    seen = parts.normalize(observations).repeat_interleave(6, 0)
    v = parts.reference(seen, here.flatten(0, 1), torch.full((24,), t))
    clean = (here.flatten(0, 1) + (1.0 - t) * v).clamp(-1.0, 1.0)
    q = parts.target_critic(seen, clean).amin(0).view(4, 6)
    torch.testing.assert_close(trace.q_along[3], q, rtol=1e-4, atol=1e-5)
    assert trace.kept is not None
    for row in range(4):
        assert set(trace.kept[row].nonzero()[:, 0].tolist()) == set(q[row].argsort(descending=True)[:3].tolist())


@pytest.mark.parametrize(("keep", "at", "flow_steps"), [(2, 0.5, 10), (1, 0.0, 4), (3, 1.0, 4), (4, 0.5, 1)])
def test_the_cost_of_best_of_n(keep: int, at: float, flow_steps: int) -> None:
    """N (p + 1) + K (T − p − 1) velocities; N critics at the cut and K at the pick (none for a single one)."""
    rule = make_rule("best_of_n", particles=8, keep=keep, prune_at=at, flow_steps=flow_steps)
    p = min(round(at * flow_steps), flow_steps - 1)
    counted = evaluations_by_part(rule, make_parts(4, 2), torch.zeros(4))
    assert counted["reference"] == 8 * (p + 1) + keep * (flow_steps - p - 1)
    assert counted["critic"] == 8 + (keep if keep > 1 else 0)


def test_it_is_worth_its_cost_where_the_estimate_is_good() -> None:
    """16 particles cut to 4 at t = 0.3 are nearly as good as best of 16, and better than best of 4, for fewer evaluations."""
    parts, where = analytic(2), torch.zeros(400, 1)
    noise = draw_noise(400, 16, 2, torch.Generator().manual_seed(0))

    def value(particles: int, **more: float) -> tuple[float, int]:
        rule = make_rule("best_of_n", particles=particles, **more)
        few = noise._replace(start=noise.start[:, :particles], choice=noise.choice[:, :particles])
        actions = act(rule, parts, where, few)
        return float(parts.critic(where, actions).mean()), sum(evaluations_by_part(rule, parts, where[0]).values())

    (all16, cost16), (cut, cost), (best4, _) = value(16), value(16, keep=4, prune_at=0.3), value(4)
    assert best4 + 0.02 < cut <= all16 + 1e-6
    assert cut > all16 - 0.01
    assert cost < 0.7 * cost16


def test_measures_count_the_particles_that_are_left() -> None:
    """Best-of-N moves nobody, so its displacement is 0 with pruning too."""
    parts, observations, _ = scene(SIZE)
    rule = make_rule("best_of_n", particles=6, keep=2)
    clouds = draw_clouds(rule, parts, observations, 4, torch.Generator().manual_seed(0))
    assert clouds.displacement < 1e-5
    assert clouds.transport == 0.0


def test_a_fault_after_the_cut_names_the_particle_as_it_began() -> None:
    def breaks(observations: Tensor, actions: Tensor, t: Tensor) -> Tensor:
        return torch.where(t[:, None] > 0.85, torch.nan, -actions)

    parts = Parts(1, 2, breaks, lambda s, a: -(a - 0.3).square().sum(1))
    noise = draw_noise(2, 5, 2, torch.Generator().manual_seed(0))
    rule = make_rule("best_of_n", particles=5, keep=2, prune_at=0.2)
    with pytest.raises(NonFiniteError) as found:
        act(rule, parts, torch.zeros(2, 1), noise)
    kept = steer(rule, Parts(1, 2, lambda s, a, t: -a, parts.critic), torch.zeros(2, 1), noise).kept
    assert kept is not None
    assert found.value.particle in kept[0].nonzero()[:, 0].tolist()


def test_it_becomes_a_program_for_any_number_of_states() -> None:
    rule, parts = make_rule("qgf", particles=4, keep=2, gate_kappa=1.0), make_parts(4, 2)
    noise, where = draw_noise(3, 4, 2, torch.Generator().manual_seed(1)), torch.ones(3, 4)
    actions, _ = program_of(rule, parts).module()(*arguments_of(rule, where, noise))
    torch.testing.assert_close(actions, act(rule, parts, where, noise), rtol=0.0, atol=1e-5)
