"""A decision as one call into C is the decision, sees the weights of the moment, and stands aside for what it does not know."""

import copy
import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from unittest import mock

import pytest
import torch
from contract.scenes import make_parts, scene
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.fx.experimental.proxy_tensor import make_fx

from workbench.engine.models.critic import CriticEnsemble
from workbench.engine.models.mlp import MlpShape
from workbench.engine.models.native import build, operations
from workbench.engine.models.parts import Normalizer, Parts
from workbench.engine.models.rounded import with_rounded_weights
from workbench.engine.models.velocity import TimeInput, VelocityField
from workbench.engine.precision import products
from workbench.engine.steering import run
from workbench.engine.steering.finite import NonFiniteError
from workbench.engine.steering.loop import in_one_call, loop_of
from workbench.engine.steering.noise import Noise, draw_noise
from workbench.engine.steering.protocol import Rule
from workbench.engine.steering.rules import QGF, RULES, make_rule
from workbench.engine.steering.run import act, steer

needs_library = pytest.mark.skipif(build.library() is None, reason=build.reason())
LOOPS = ("qgf", "bc", "best_of_n")


def whole(rule: Rule, parts: Parts, observations: Tensor, noise: Noise) -> Tensor | None:
    """Actions if they were made in one call, else None."""
    results: list[Any] = []

    def noted(*args: Any) -> Any:
        results.append(in_one_call(*args))
        return results[-1]

    with mock.patch.object(run, "in_one_call", noted):
        actions = act(rule, parts, observations, noise)
    return None if results[0] is None else actions


def ordinary(rule: Rule, parts: Parts, observations: Tensor, noise: Noise) -> Tensor:
    with mock.patch.object(run, "in_one_call", return_value=None):
        return act(rule, parts, observations, noise)


def perturbed(parts: Parts, seed: int) -> Parts:
    """Biases, scales and shifts that are not those of a new network."""
    generator = torch.Generator().manual_seed(seed)
    for part in (parts.reference, parts.critic, parts.target_critic):
        assert isinstance(part, nn.Module)
        with torch.no_grad():
            for theta in part.parameters():
                theta.add_(0.1 * torch.randn(theta.shape, generator=generator))
    return parts


@st.composite
def networks(draw: st.DrawFn) -> tuple[Parts, int]:
    """Parts of any shape that C knows, and a seed."""
    seed, s, d, chunk = (draw(st.integers(*ends)) for ends in ((0, 10**6), (1, 20), (1, 4), (1, 5)))
    time: TimeInput = draw(st.sampled_from(["raw", "sinusoidal"]))

    def shape(inputs: int, outputs: int, members: int) -> MlpShape:
        hidden = tuple(draw(st.lists(st.sampled_from([1, 3, 16, 33, 64, 130]), max_size=3)))
        norm = draw(st.sampled_from(["all", "all_but_last", "none"]))
        return MlpShape(inputs, outputs, hidden, draw(st.sampled_from(["relu", "gelu"])), norm, members)

    generator = torch.Generator().manual_seed(seed)
    d *= chunk
    flow = VelocityField(s, d, shape(VelocityField.inputs(s, d, time), d, 1), time, generator)
    critic, target = (CriticEnsemble(s, d, shape(s + d, 1, draw(st.integers(1, 5))), generator) for _ in range(2))
    normalizer = draw(st.sampled_from([None, Normalizer(torch.full((s,), 0.1), torch.full((s,), 2.0))]))
    parts = Parts(s, d, flow, critic, target, normalizer=normalizer, chunk=chunk)
    return perturbed(parts, seed), seed


@needs_library
@settings(max_examples=150)
@given(
    made=networks(),
    states=st.one_of(st.integers(1, 30), st.sampled_from([64, 65])),
    particles=st.sampled_from([1, 1, 2, 5]),
    name=st.sampled_from(LOOPS),
    steps=st.integers(1, 12),
    weight=st.sampled_from([0.0, 0.3, 1.0, 3.0]),
    choice=st.fixed_dictionaries(
        {
            "critic": st.sampled_from(["target", "online"]),
            "aggregate": st.sampled_from(["min", "mean"]),
            "pick": st.sampled_from(["greedy", "softmax", "uniform"]),
            "pick_aggregate": st.sampled_from(["min", "mean"]),
        }
    ),
)
def test_it_is_the_decision(
    made: tuple[Parts, int], states: int, particles: int, name: str, steps: int, weight: float, choice: dict[str, Any]
) -> None:
    parts, seed = made
    generator = torch.Generator().manual_seed(seed)
    observations = torch.randn(states, parts.observation_dim, generator=generator)
    noise = draw_noise(states, particles, parts.action_dim, generator)
    strength: dict[str, Any] = {"weight": weight} if name == "qgf" else {}
    rule = make_rule(name, flow_steps=steps, particles=particles, **strength, **choice)
    before = [part.clone() for part in noise if part is not None]
    found = whole(rule, parts, observations, noise)
    assert found is not None
    torch.testing.assert_close(found, ordinary(rule, parts, observations, noise), rtol=0.0, atol=1e-5)
    assert all(torch.equal(a, b) for a, b in zip(before, noise[:2], strict=True)), "the noise was written to"


@needs_library
@pytest.mark.parametrize("states", [1, 2, 4, 6, 7, 17, 64, 100])
@pytest.mark.parametrize("name", LOOPS)
def test_it_is_the_trace_bitwise(name: str, states: int) -> None:
    parts, observations, noise = scene((states, 1, 3, 5))
    rule = make_rule(name, particles=1)
    found = whole(rule, parts, observations, noise)
    assert found is not None
    assert torch.equal(found, steer(rule, parts, observations, noise).actions)


@needs_library
def test_any_layout_of_the_numbers_will_do() -> None:
    parts, observations, noise = scene((6, 3, 2, 4))
    rule = make_rule("qgf", particles=3)
    plain = whole(rule, parts, observations, noise)
    turned = Noise(noise.start.permute(2, 0, 1).contiguous().permute(1, 2, 0), noise.choice)
    found = whole(rule, parts, observations.T.contiguous().T, turned)
    assert plain is not None
    assert found is not None
    assert torch.equal(plain, found)
    one = whole(rule, replace(parts, normalizer=None), observations[:1].expand(6, -1), noise)
    same = whole(rule, replace(parts, normalizer=None), observations[:1].repeat(6, 1), noise)
    assert one is not None
    assert same is not None
    assert torch.equal(one, same)
    exact = whole(rule, parts, observations.double(), noise)
    assert exact is not None
    torch.testing.assert_close(exact, plain)


@needs_library
@pytest.mark.parametrize("part", ["reference", "target_critic"])
def test_new_weights_are_seen(part: str) -> None:
    parts, observations, noise = scene((2, 1, 2, 4))
    rule, net = make_rule("qgf", weight=2.0), parts.part(part).net
    seen = [whole(rule, parts, observations, noise)]

    def look() -> None:
        found = whole(rule, parts, observations, noise)
        assert found is not None
        torch.testing.assert_close(found, ordinary(rule, parts, observations, noise), rtol=0.0, atol=1e-6)
        assert not torch.equal(found, seen[-1])
        seen.append(found)

    with torch.no_grad():
        net.theta.mul_(1.5)
    look()
    other = make_parts(4, 2, seed=7).part(part)
    parts.part(part).load_state_dict(other.state_dict())
    look()
    adam = torch.optim.Adam([net.theta], lr=0.1)
    net(torch.randn(5, net.shape.inputs)).sum().backward()
    adam.step()
    look()
    net.theta.data = net.theta.data * 0.5  # in other memory
    look()
    net.theta = nn.Parameter(net.theta.detach() * 3.0)
    look()


@needs_library
def test_threads_do_not_meet() -> None:
    many = [
        scene(size, seed) for seed, size in enumerate([(1, 1, 2, 4), (5, 2, 3, 7), (40, 1, 2, 4), (1, 4, 6, 17)] * 3)
    ]
    rule = make_rule("qgf", weight=1.0)
    alone = [whole(rule, *each) for each in many]
    assert all(found is not None for found in alone)
    with ThreadPoolExecutor(8) as threads:
        together = list(threads.map(lambda each: act(rule, *each), many * 40))
    for found, expected in zip(together, alone * 40, strict=True):
        assert torch.equal(found, expected)


@needs_library
@pytest.mark.parametrize("states", [1, 3, 64])
@pytest.mark.parametrize("name", LOOPS)
def test_numbers_that_are_not_finite_are_told_of(name: str, states: int) -> None:
    parts, observations, noise = scene((states, 2, 2, 4))
    rule, last = make_rule(name), states - 1

    def words(*given: Any) -> str:
        with pytest.raises(NonFiniteError) as one:
            act(rule, *given)
        with mock.patch.object(run, "in_one_call", return_value=None), pytest.raises(NonFiniteError) as other:
            act(rule, *given)
        assert str(one.value) == str(other.value)
        return str(one.value)

    for bad in (math.nan, math.inf):
        seen, start = observations.clone(), noise.start.clone()
        seen[last, 1] = bad
        assert "observation" in words(parts, seen, noise)
        start[last, 1, 0] = bad
        assert "noise" in words(parts, observations, noise._replace(start=start))
        spoilt = copy.deepcopy(parts)
        assert isinstance(spoilt.reference, VelocityField)
        with torch.no_grad():
            spoilt.reference.net.theta[3] = bad
        assert "weights of part 'reference'" in words(spoilt, observations, noise)
        if name == "qgf":
            spoilt = copy.deepcopy(parts)
            assert isinstance(spoilt.target_critic, CriticEnsemble)
            with torch.no_grad():
                spoilt.target_critic.net.theta[0] = bad
            assert "target_critic" in words(spoilt, observations, noise)
    if name != "qgf":
        assert "thrown" in words(parts, observations, noise._replace(start=noise.start * 1e25))


class Reversed(QGF):
    """A rule of somebody's own that has QGF's settings."""

    def guidance(self, *args: Any) -> Any:
        """Away from what the critic likes."""
        g, q, clean = super().guidance(*args)
        return -g, q, clean


class Doubled(CriticEnsemble):
    """A critic of somebody's own."""

    def value_and_grad(self, *args: Any) -> tuple[Tensor, Tensor]:
        """Twice as steep."""
        value, grad = super().value_and_grad(*args)
        return value, 2.0 * grad


def changed(parts: Parts, **shape: Any) -> Parts:
    """The same with networks of another kind."""
    generator = torch.Generator().manual_seed(3)
    assert isinstance(parts.reference, VelocityField)
    own = replace(parts.reference.net.shape, **shape)
    return replace(
        parts, reference=VelocityField(parts.observation_dim, parts.action_dim, own, "sinusoidal", generator)
    )


def hooked(parts: Parts, inner: bool) -> Parts:
    assert isinstance(parts.reference, VelocityField)
    module = parts.reference.net if inner else parts.reference
    module.register_forward_hook(lambda _, __, out: 2.0 * out)
    return parts


def with_doubled_critic(parts: Parts) -> Parts:
    assert isinstance(parts.critic, CriticEnsemble)
    critic = Doubled(parts.observation_dim, parts.action_dim, parts.critic.net.shape)
    critic.load_state_dict(parts.critic.state_dict())
    return replace(parts, target_critic=critic)


def as_function(parts: Parts) -> Parts:
    flow = parts.reference
    return replace(parts, reference=lambda s, a, t: flow(s, a, t))


@pytest.mark.parametrize(
    ("rule", "change"),
    [
        (make_rule("qgf", gate_kappa=1.0), None),
        (make_rule("qgf", keep=1), None),
        (make_rule("best_of_n", keep=2), None),
        (make_rule("qgf", aggregate="mean", pessimism=1.0), None),
        (Reversed(weight=2.0), None),
        (make_rule("qgf"), with_doubled_critic),
        (make_rule("qgf"), as_function),
        (make_rule("qgf"), lambda parts: changed(parts, activation="mish")),
        (make_rule("bc"), lambda parts: changed(parts, norm_after=True)),
        (make_rule("bc"), lambda parts: hooked(parts, True)),
        (make_rule("bc"), lambda parts: hooked(parts, False)),
        *((make_rule(name), None) for name in RULES if name not in LOOPS),
    ],
)
def test_what_it_does_not_know_goes_the_ordinary_way(rule: Rule, change: Any) -> None:
    parts, observations, noise = scene((2, 3, 2, 4))
    parts = parts if change is None else change(parts)
    assert whole(rule, parts, observations, noise) is None
    found, trace = act(rule, parts, observations, noise), steer(rule, parts, observations, noise)
    torch.testing.assert_close(found, trace.actions, rtol=0.0, atol=1e-5)


def test_whoever_looks_inside_sees_the_operations(monkeypatch: pytest.MonkeyPatch) -> None:
    parts, observations, noise = scene((2, 1, 2, 4))
    rule = make_rule("qgf", weight=1.0)
    plain = act(rule, parts, observations, noise)
    double = Parts(
        4,
        2,
        *(copy.deepcopy(part).double() for part in (parts.reference, parts.critic, parts.target_critic)),  # type: ignore[attr-defined]
        normalizer=parts.normalizer,
    )
    precise = Noise(noise.start.double(), noise.choice)
    assert whole(rule, double, observations, precise) is None
    torch.testing.assert_close(act(rule, double, observations, precise).float(), plain, rtol=0.0, atol=1e-5)
    with products("bf16", torch.device("cpu")):
        assert whole(rule, parts, observations, noise) is None
    with nn.modules.module.register_module_forward_hook(lambda *_: None):
        assert whole(rule, parts, observations, noise) is None

    def decide(seen: Tensor) -> Tensor:
        return run.decide(rule, parts, seen, noise)[0]

    with torch.no_grad():
        traced = make_fx(decide)(observations)
        torch.testing.assert_close(traced(observations + 1.0), decide(observations + 1.0), rtol=0.0, atol=1e-5)
        each = torch.func.vmap(lambda seen: decide(seen.expand(2, -1))[0])(observations)
    assert each.shape == (2, 2)
    monkeypatch.setattr(operations, "library", lambda: None)
    assert whole(rule, parts, observations, noise) is None
    torch.testing.assert_close(act(rule, parts, observations, noise), plain, rtol=0.0, atol=1e-5)


@needs_library
def test_rounded_weights_are_plain_networks() -> None:
    parts, observations, noise = scene((2, 1, 2, 4))
    rounded = with_rounded_weights(parts, "int8")
    found = whole(make_rule("qgf"), rounded, observations, noise)
    assert found is not None
    torch.testing.assert_close(found, ordinary(make_rule("qgf"), rounded, observations, noise), rtol=0.0, atol=1e-6)


@needs_library
def test_networks_that_do_not_fit_are_refused_as_ever() -> None:
    parts, observations, noise = scene((2, 1, 2, 4))
    wrong = replace(parts, target_critic=make_parts(5, 2).target_critic)
    assert loop_of(make_rule("qgf"), 1) is not None
    assert in_one_call(make_rule("qgf"), wrong, observations, noise.start) is None
    with pytest.raises(RuntimeError):
        act(make_rule("qgf"), wrong, observations, noise)
