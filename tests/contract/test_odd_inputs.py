"""Empty, odd and misplaced inputs of every rule: refused in words, or the same answer as the ordinary input gives."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from contract.scenes import make_parts, scene
from torch import Tensor

import workbench as wb
from workbench.engine.models.parts import Parts
from workbench.engine.steering.noise import Noise, draw_noise
from workbench.engine.steering.rules import RULES, make_rule
from workbench.engine.steering.run import act, steer

SIZE = (3, 4, 2, 5)  # B, N, D, S
Case = tuple[Parts, Tensor, Noise]
each_rule = pytest.mark.parametrize("name", RULES)


def empty(*size: int) -> Noise:
    b, n, d = size
    return Noise(torch.zeros(b, n, d), torch.zeros(b, n), torch.zeros(b, n, 4, d))


def with_noise(change: Callable[[Tensor], Any]) -> Callable[[Parts, Tensor, Noise], Case]:
    return lambda p, o, n: (p, o, Noise(*(change(x) for x in n)))  # type: ignore[arg-type]


REFUSED: dict[str, tuple[Callable[[Parts, Tensor, Noise], Any], str]] = {
    "no states": (lambda p, o, n: (p, o[:0], empty(0, 4, 2)), r"nothing to steer: .*\(0, 4, 2\)"),
    "no particles": (lambda p, o, n: (p, o, empty(3, 0, 2)), r"nothing to steer: .*\(3, 0, 2\)"),
    "no dimensions": (lambda p, o, n: (p, o, empty(3, 4, 0)), r"noise.start must be \(B, N, D\) = \(3, N, 2\)"),
    "a list": (lambda p, o, n: (p, o.tolist(), n), "observations must be a tensor of real numbers .*got list"),
    "an array": (lambda p, o, n: (p, o.numpy(), n), "observations must be a tensor .*got ndarray"),
    "complex": (lambda p, o, n: (p, o.to(torch.complex64), n), "observations must be .*got complex64"),
    "one tensor of noise": (lambda p, o, n: (p, o, n.start), "noise must be a Noise, got Tensor; draw it"),
    "whole noise": (with_noise(lambda x: x.long()), r"noise.start must be a tensor of floats, got int64; draw it"),
    "noise as arrays": (with_noise(lambda x: x.numpy()), r"noise.start must be a tensor of floats, got ndarray"),
    "double noise": (with_noise(lambda x: x.double()), r"float64.*float32.*one kind of number"),
    "observations elsewhere": (lambda p, o, n: (p, o.to("meta"), n), "observations is on meta, .* on cpu; move all"),
    "noise elsewhere": (with_noise(lambda x: x.to("meta")), "noise.start is on meta, .* on cpu; move all"),
}


@pytest.mark.parametrize("case", REFUSED)
@each_rule
def test_refused_in_words(name: str, case: str) -> None:
    change, words = REFUSED[case]
    for run in (act, steer):
        with pytest.raises(ValueError, match=words):
            run(make_rule(name), *change(*scene(SIZE)))


@pytest.mark.parametrize("changes", [{"flow_steps": 0}, {"flow_steps": -3}, {"flow_steps": 2, "steps": -2}], ids=str)
@each_rule
def test_no_steps(name: str, changes: dict[str, int]) -> None:
    if not set(changes) <= set(RULES[name].model_fields):
        return
    for run in (act, steer):
        with pytest.raises(ValueError, match=f"rule '{name}' has no step to take: .*at least 1"):
            run(make_rule(name).model_copy(update=changes), *scene(SIZE))


@each_rule
def test_every_number_of_a_setting_must_be_finite(name: str) -> None:
    numbers = [item["name"] for item in RULES[name].describe()["settings"] if item["type"] in ("number", "integer")]
    for setting in numbers:
        for value in (float("nan"), float("inf"), float("-inf")):
            with pytest.raises(ValueError, match=f"setting '{setting}' of rule '{name}': must be"):
                make_rule(name, **{setting: value})


def strided(x: Tensor) -> Tensor:
    """The same numbers, every other one of a larger tensor."""
    return torch.stack((x, torch.full_like(x, 9.0)), -1)[..., 0]


SAME: dict[str, Callable[[Parts, Tensor, Noise], Case]] = {
    "double observations": lambda p, o, n: (replace(p, normalizer=None), o.double(), n),
    "not contiguous": lambda p, o, n: (p, strided(o), Noise(*map(strided, n))),  # type: ignore[arg-type]
    "transposed": lambda p, o, n: (p, o.T.contiguous().T, n._replace(start=n.start.transpose(0, 1).contiguous().transpose(0, 1))),
    "with gradients": lambda p, o, n: (
        p, o.clone().requires_grad_(), Noise(*(x.clone().requires_grad_() for x in n))),  # type: ignore[union-attr]
    "expanded": lambda p, o, n: (p, o[:1].expand(3, -1), n),
}  # fmt: skip


@pytest.mark.parametrize("case", SAME)
@each_rule
def test_the_same_answer(name: str, case: str) -> None:
    parts, observations, noise = scene(SIZE)
    if case == "double observations":
        parts = replace(parts, normalizer=None)
    if case == "expanded":
        observations = observations[:1].repeat(3, 1)
    rule = make_rule(name)
    expected, changed = act(rule, parts, observations, noise), SAME[case](parts, observations, noise)
    torch.testing.assert_close(act(rule, *changed), expected, rtol=1e-6, atol=1e-6)
    trace = steer(rule, *changed)
    torch.testing.assert_close(trace.actions, expected, rtol=1e-6, atol=1e-6)
    assert not trace.actions.requires_grad
    assert trace.arrays()["actions"].shape == (3, 2)


@pytest.mark.parametrize("dtype", [torch.int64, torch.int8, torch.bool])
def test_whole_numbers_are_observations_too(dtype: torch.dtype) -> None:
    parts, observations, noise = scene(SIZE)
    whole = (observations > 0).to(dtype)
    bare = replace(parts, normalizer=None)
    rule = make_rule("qgf")
    assert torch.equal(act(rule, bare, whole, noise), act(rule, bare, whole.float(), noise))


@each_rule
def test_inside_inference_mode(name: str) -> None:
    """The mode around the call, tensors made inside it, or both: the same actions."""
    rule, (parts, observations, noise) = make_rule(name), scene(SIZE)
    plain = Parts(5, 2, lambda s, a, t: 0.1 * s[:, :2] - a, lambda s, a: -(a - s[:, :2]).square().sum(1))
    for these in [parts, *([plain] if set(rule.needs) <= {"reference", "critic"} else [])]:
        expected = act(rule, these, observations, noise)
        with torch.inference_mode():
            made = observations.clone(), Noise(*(x.clone() for x in noise))  # type: ignore[union-attr]
            assert made[0].is_inference()
            for inputs in (made, (observations, noise)):
                assert torch.equal(act(rule, these, *inputs), expected)
                assert torch.equal(steer(rule, these, *inputs).actions, expected)
        assert torch.equal(act(rule, these, *made), expected)


def test_parts_made_inside_inference_mode_are_named() -> None:
    with torch.inference_mode():
        network = torch.nn.Linear(7, 1)
    parts = Parts(5, 2, lambda s, a, t: -a, lambda s, a: network(torch.cat((s, a), 1))[:, 0])
    with pytest.raises(ValueError, match=r"made inside torch.inference_mode\(\)"):
        act(make_rule("qgf"), parts, scene(SIZE)[1], scene(SIZE)[2])


def test_check_parts_and_evaluate_inside_inference_mode() -> None:
    task = wb.make_task("three_exits")
    info = task.info
    parts = Parts(info.observation_dim, info.action_dim, lambda s, a, t: -a, lambda s, a: -(a - 0.3).square().sum(1))
    outside = wb.evaluate(make_rule("qgf"), parts, task, 2, seed=0)
    report = str(wb.check_parts(parts))
    with torch.inference_mode():
        assert str(wb.check_parts(parts)) == report
        assert wb.evaluate(make_rule("qgf"), parts, task, 2, seed=0).returns == outside.returns


@pytest.mark.parametrize("size", [(0, 1, 1), (1, 0, 1), (1, 1, 0), (-1, 1, 1)])
def test_noise_for_nothing(size: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="one state, one particle and one action dimension at least, got states"):
        draw_noise(*size, torch.Generator())


@pytest.mark.parametrize("sizes", [(0, 2), (2, 0), (-1, 2)])
def test_parts_without_dimensions(sizes: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="must both be at least 1"):
        Parts(*sizes, lambda s, a, t: a)


def test_an_error_of_the_parts_own_stays_as_it_is() -> None:
    def broken(observations: Tensor, actions: Tensor, t: Tensor) -> Tensor:
        raise RuntimeError("out of paper")

    with pytest.raises(RuntimeError, match="out of paper"):
        act(make_rule("bc"), replace(make_parts(5, 2), reference=broken), scene(SIZE)[1], scene(SIZE)[2])
