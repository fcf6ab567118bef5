"""A number that is not finite never becomes an action without a word: every rule, every source of such numbers.

The contract: a decision that used the spoilt number is refused with rule, place and cause; one that did not use it is the
same to the bit as without it.
"""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from contract.scenes import scene
from torch import Tensor

from workbench.engine.models.parts import Normalizer, Parts, q_gradient
from workbench.engine.steering.finite import NonFiniteError
from workbench.engine.steering.noise import Noise
from workbench.engine.steering.protocol import Rule
from workbench.engine.steering.rules import RULES, make_rule
from workbench.engine.steering.run import act, steer

SIZE, ROW = (3, 4, 2, 5), 1  # B, N, D, S; the state that is spoilt
BAD = [math.nan, math.inf, -math.inf]


class Spoilt:
    """A part whose answers are ``bad`` where the marked state is asked about, or only at a time, or in one row."""

    def __init__(self, inner: Any, marked: Tensor, bad: float, value: bool = True, time: float | None = None) -> None:
        self.inner, self.marked, self.bad, self.value, self.time = inner, marked, bad, value, time

    def _spoil(self, observations: Tensor, answer: Tensor, axis: int = 0) -> Tensor:
        hit = (observations[:, : len(self.marked)] == self.marked).all(1)
        shape = [1] * answer.dim()
        shape[axis] = len(hit)
        return torch.where(hit.view(shape), torch.tensor(self.bad), answer)

    def __call__(self, observations: Tensor, *inputs: Any) -> Any:
        answer = self.inner(observations, *inputs)
        if not self.value or (
            self.time is not None and abs(float(torch.as_tensor(inputs[-1]).max()) - self.time) > 1e-6
        ):
            return answer
        if isinstance(answer, tuple):
            return tuple(self._spoil(observations, one) for one in answer)
        return self._spoil(observations, answer, answer.dim() - 1 if answer.shape[-1] == len(observations) else 0)


class SpoiltCritic(Spoilt):
    """A critic whose gradient is ``bad``; its values only if ``value``."""

    def value_and_grad(self, observations: Tensor, actions: Tensor, how: Any) -> tuple[Tensor, Tensor]:
        q, grad = q_gradient(self.inner, observations, actions, how)
        return q, self._spoil(observations, grad)


def marked_state(parts: Parts, observations: Tensor) -> Tensor:
    return parts.normalize(observations)[ROW]


def one(tensor: Tensor, bad: float, *place: int) -> Tensor:
    spoilt = tensor.clone()
    spoilt[place] = bad
    return spoilt


Case = tuple[Parts, Tensor, Noise]
SOURCES: dict[str, Callable[[Parts, Tensor, Noise, float], Case]] = {
    "gradient": lambda p, o, n, bad: (_critics(p, o, bad, value=False), o, n),
    "critic": lambda p, o, n, bad: (_critics(p, o, bad, value=True), o, n),
    "reference": lambda p, o, n, bad: (
        replace(p, reference=Spoilt(p.reference, marked_state(p, o), bad)), o, n),
    "reference at the end": lambda p, o, n, bad: (
        replace(p, reference=Spoilt(p.reference, marked_state(p, o), bad, time=0.9)), o, n),
    "learned parts": lambda p, o, n, bad: (
        replace(p, extra={name: Spoilt(part, marked_state(p, o), bad) for name, part in p.extra.items()}), o, n),
    "observation": lambda p, o, n, bad: (p, one(o, bad, ROW, 2), n),
    "one particle's noise": lambda p, o, n, bad: (p, o, n._replace(start=one(n.start, bad, ROW, 2, 0))),
    "extra noise": lambda p, o, n, bad: (p, o, n._replace(extra=one(n.extra, bad, ROW, 2, 0, 1))),  # type: ignore[arg-type]
    "choice": lambda p, o, n, bad: (p, o, n._replace(choice=one(n.choice, bad, ROW, 2))),
    "normalizer": lambda p, o, n, bad: (
        replace(p, normalizer=Normalizer(one(torch.zeros(5), bad, 3), torch.ones(5))), o, n),
}  # fmt: skip


def _critics(parts: Parts, observations: Tensor, bad: float, value: bool) -> Parts:
    marked = marked_state(parts, observations)
    return replace(
        parts,
        critic=SpoiltCritic(parts.critic, marked, bad, value),
        target_critic=SpoiltCritic(parts.target_critic, marked, bad, value),
    )


@pytest.mark.parametrize("bad", BAD, ids=str)
@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("name", RULES)
def test_refused_in_words_or_untouched(name: str, source: str, bad: float) -> None:
    rule, (parts, observations, noise) = make_rule(name), scene(SIZE)
    clean = act(rule, parts, observations, noise)
    case = SOURCES[source](parts, observations, noise, bad)
    for run in (act, lambda *inputs: steer(*inputs).actions):
        error, found = answer(run, rule, case)
        if error is None:
            assert torch.isfinite(found).all()
            never = bad == -math.inf and source in ("critic", "learned parts")  # −∞: "never this one", an answer
            assert never or torch.equal(found, clean)
        else:
            assert f"rule '{name}'" in str(error)
            assert error.row == (0 if source == "normalizer" else ROW)
            assert f"state {error.row}" in str(error)
            assert error.cause


def answer(run: Callable[..., Tensor], rule: Rule, case: Case) -> tuple[NonFiniteError | None, Tensor]:
    try:
        return None, run(rule, *case)
    except NonFiniteError as error:
        return error, torch.empty(0)


MUST = [  # what certainly uses the source, so that the test above cannot pass by looking away
    *((name, "reference") for name in ("bc", "best_of_n", "grad_step", "qgf", "vgf", "bptt", "idql", "noisy")),
    *((name, "reference at the end") for name in ("bc", "qgf", "vgf", "qgf_chain", "bptt", "cfgrl")),
    *((name, "gradient") for name in ("grad_step", "qgf", "qgf_jacobian", "qgf_chain", "bptt", "noisy", "qpilots_m")),
    *((name, "gradient") for name in ("vgf", "vgf_zero")),
    *((name, "learned parts") for name in ("cfgrl", "vgf_amortised", "fql", "edp", "rebrac", "iql", "qam")),
    *((name, "learned parts") for name in ("dsrl", "fbrac", "fawac", "iql_flow", "dac", "qsm")),
    *((name, "observation") for name in RULES),
    *((name, "normalizer") for name in RULES),
]  # fmt: skip


@pytest.mark.parametrize("bad", BAD, ids=str)
@pytest.mark.parametrize(("name", "source"), MUST)
def test_what_is_used_is_refused(name: str, source: str, bad: float) -> None:
    rule, case = make_rule(name), SOURCES[source](*scene(SIZE), bad)
    for run in (act, steer):
        with pytest.raises(NonFiniteError):
            run(rule, *case)


@pytest.mark.parametrize("bad", [math.nan, math.inf], ids=str)
@pytest.mark.parametrize(("name", "source"), [("robust_q", "learned parts"), ("qgf", "critic"), ("vgf", "critic")])
def test_a_q_that_is_not_finite_is_refused_where_it_steers(name: str, source: str, bad: float) -> None:
    """Its gradient may be 0 there (`torch.where`), which would leave the particle unsteered without a word."""
    with pytest.raises(NonFiniteError):
        act(make_rule(name, particles=1), *SOURCES[source](*scene(SIZE), bad))


@pytest.mark.parametrize("pick", ["greedy", "softmax"])
@pytest.mark.parametrize("name", ["best_of_n", "qgf", "vgf_amortised", "fql"])
def test_no_particle_is_picked_by_a_q_that_is_nan(name: str, pick: str) -> None:
    rule, (parts, observations, noise) = (
        make_rule(name, pick=pick, **({"weight": 0.0} if name == "qgf" else {})),
        scene(SIZE),
    )
    with pytest.raises(NonFiniteError, match=r"state 1, particle 0: Q is NaN: the particle cannot be picked"):
        act(rule, _critics(parts, observations, math.nan, value=True), observations, noise)


@pytest.mark.parametrize("name", [name for name, rule in RULES.items() if rule.strength == "weight"])
@pytest.mark.parametrize("weight", [1e30, math.inf, math.nan])
def test_a_weight_that_is_too_large_is_named(name: str, weight: float) -> None:
    rule, case = make_rule(name).model_copy(update={"weight": weight}), scene(SIZE)
    with pytest.raises(NonFiniteError) as caught:
        act(rule, *case)
    assert caught.value.tick in (1, 2, 3)  # QPILOTS-U does not steer the first step
    assert "weight" in caught.value.cause


def test_the_words_name_tick_time_state_and_cause() -> None:
    """The critic's slope is that of a square root at 0, in one corner alone."""

    def critic(observations: Tensor, actions: Tensor) -> Tensor:
        return -(actions - 1.0).square().sum(1).sqrt()

    def flow(observations: Tensor, actions: Tensor, t: Tensor) -> Tensor:
        return (1.0 - actions) * (t[:, None] > 0.45) * 1e3 * (observations > 0.5)

    observations, noise = torch.tensor([[0.0, 0.0], [1.0, 1.0]]), Noise(torch.zeros(2, 1, 2), torch.full((2, 1), 0.5))
    with pytest.raises(NonFiniteError) as caught:
        steer(make_rule("qgf", weight=0.01), Parts(2, 2, flow, critic), observations, noise)
    error = caught.value
    assert (error.rule, error.tick, error.row, error.particle, error.what) == ("qgf", 6, 1, 0, "the push")
    assert str(error).startswith("rule 'qgf', tick 6 of 10 (t = 0.50), state 1, particle 0: the push is NaN: ")
    assert "the critic's gradient is NaN at s = (1, 1), a = (1, 1): a square root" in str(error)


def test_finite_numbers_whose_sum_overflows_are_no_error() -> None:
    parts = Parts(1, 2, lambda s, a, t: torch.full_like(a, 3e38), lambda s, a: a.sum(1))
    case = parts, torch.zeros(4, 1), Noise(torch.zeros(4, 1, 2), torch.full((4, 1), 0.5))
    assert torch.equal(act(make_rule("bc", flow_steps=1), *case), torch.ones(4, 2))


def test_minus_infinity_takes_a_particle_out_of_the_choice() -> None:
    """A critic may forbid actions; the others are still there to choose from."""
    parts = Parts(1, 1, lambda s, a, t: -0.5 * a, lambda s, a: torch.where(a[:, 0] > 0, -math.inf, a[:, 0]))
    noise = Noise(torch.tensor([[[0.5], [-0.5], [-0.9]]]), torch.full((1, 3), 0.5))
    chosen = act(make_rule("best_of_n"), parts, torch.zeros(1, 1), noise)
    assert -0.5 < float(chosen) < 0.0


def test_weights_that_are_not_finite_are_named() -> None:
    parts, observations, noise = scene(SIZE)
    with torch.no_grad():
        next(parts.extra["one_step"].parameters()).fill_(math.nan)
    with pytest.raises(NonFiniteError, match=r"weights of part 'one_step' are not finite: train it again"):
        act(make_rule("fql"), parts, observations, noise)


def test_parts_that_answer_differently_each_time_are_named() -> None:
    answers = iter([math.nan])

    def moody(observations: Tensor, actions: Tensor, t: Tensor) -> Tensor:
        return torch.full_like(actions, next(answers, 0.0))

    with pytest.raises(NonFiniteError, match="the parts answer differently each time"):
        act(make_rule("bc", flow_steps=1), Parts(5, 2, moody), scene(SIZE)[1], scene(SIZE)[2])
