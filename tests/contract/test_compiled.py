"""Every rule, and every loss that can be, is one whole graph for torch's compiler; what cannot is refused in words.

The graphs are captured and run as they are, without generating code, which would take minutes.
"""

import importlib
import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from contract.scenes import make_parts
from engine.small_runs import small_trainer

from workbench.engine.steering.compiled import compile_act
from workbench.engine.steering.finite import NonFiniteError
from workbench.engine.steering.noise import Noise, draw_noise
from workbench.engine.steering.rules import RULES, make_rule
from workbench.engine.steering.run import act
from workbench.engine.training.losses import LEARNED_PARTS
from workbench.engine.training.plan import extra_parts

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")  # torch's compiler imports its old one
DIFFERENTIATE = (
    "qgf_jacobian",
    "bptt",
    "robust_q",
)  # inside the update, which torch's function transforms do not allow
LEARNED = [name for name, rule in RULES.items() if extra_parts(rule.needs) and name not in DIFFERENTIATE]
ACTORS = [*LEARNED, "qgf", "vgf"]


@pytest.fixture(autouse=True)
def _capture_only(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def whole(function: Callable[..., Any], on_cpu: bool) -> Callable[..., Any]:
        return torch.compile(function, fullgraph=True, dynamic=False, backend="eager")

    for name in ("steering", "training.fast"):
        monkeypatch.setattr(importlib.import_module(f"workbench.engine.{name}.compiled"), "compile_whole", whole)
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


@pytest.mark.parametrize("name", RULES)
def test_every_rule_acts_the_same_as_one_graph(name: str) -> None:
    short = {key: 2 for key in ("flow_steps", "particles") if getattr(RULES[name](), key) > 2}
    rule = make_rule(name, **short)
    parts, generator = make_parts(3, 2), torch.Generator().manual_seed(0)
    noise = draw_noise(3, rule.particles, 2, generator, rule.extra_draws())
    observations = torch.randn(3, 3, generator=generator)
    expected = act(rule, parts, observations, noise)
    torch.testing.assert_close(compile_act(rule, parts)(observations, noise), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["bc", "grad_step", "qgf", "vgf", "fql"])
def test_a_compiled_rule_refuses_what_is_not_finite(name: str) -> None:
    """The graph hands out a number beside the actions; it is looked at outside, so that the graph stays whole."""
    rule, parts = make_rule(name, particles=2), make_parts(3, 2)
    noise, observations = draw_noise(2, 2, 2, torch.Generator().manual_seed(0)), torch.zeros(2, 3)
    compiled = compile_act(rule, parts)
    assert torch.isfinite(compiled(observations, noise)).all()
    for bad in (math.nan, math.inf):
        with pytest.raises(NonFiniteError, match=f"rule '{name}', state 1: column 2 of the observation is"):
            compiled(torch.tensor([[0.0, 0.0, 0.0], [0.0, 0.0, bad]]), noise)
    with pytest.raises(ValueError, match="nothing to steer"):
        compiled(torch.zeros(0, 3), Noise(torch.zeros(0, 2, 2), torch.zeros(0, 2)))


def train_both_ways(**changes: Any) -> None:
    eager, compiled = small_trainer(**changes), small_trainer(**changes, compile=True)
    compiled.compiled = {", ".join(phase.losses): True for phase in compiled.phases}
    for _ in range(2):
        expected, found = eager.step(), compiled.step()
        for key, loss in expected.items():
            torch.testing.assert_close(found[key], loss, rtol=1e-5, atol=1e-5)


def test_all_learned_parts_train_the_same_as_one_graph() -> None:
    train_both_ways(parts=tuple(LEARNED_PARTS), flow_steps=2)


def test_a_mean_flow_trains_the_same_as_one_graph() -> None:
    train_both_ways(behaviour="mean_flow")


@pytest.mark.parametrize("actor", ACTORS)
def test_actors_train_the_same_as_one_graph(actor: str) -> None:
    train_both_ways(critic="td_actor", actor=actor, flow_steps=2, particles=2)


@pytest.mark.parametrize("actor", DIFFERENTIATE)
def test_an_actor_that_differentiates_its_own_steps_is_refused_in_words(actor: str) -> None:
    with pytest.raises(ValueError, match=r"cannot be compiled.*compile=false"):
        small_trainer(critic="td_actor", actor=actor, flow_steps=2, compile=True).step()
