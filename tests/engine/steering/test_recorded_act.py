"""A recorded decision is the decision, for every rule and any number of states; episodes played with it are the same."""

import math

import numpy as np
import pytest
import torch
from contract.scenes import make_parts, scene
from engine.tape import TapeRecorder

from workbench.engine.models.activation import is_traced
from workbench.engine.models.native import operations
from workbench.engine.steering.finite import NonFiniteError
from workbench.engine.steering.graphs import MOST, Actor
from workbench.engine.steering.noise import Noise, draw_noise
from workbench.engine.steering.rules import RULES, make_rule
from workbench.engine.steering.run import act
from workbench.engine.tasks import pilot
from workbench.engine.tasks.rollout import rollout
from workbench.engine.tasks.three_exits import ThreeExits


@pytest.fixture(autouse=True)
def _plain_operations(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a GPU: a tape sees PyTorch's operations, which round otherwise than the passes in C."""
    monkeypatch.setattr(operations, "library", lambda: None)


def recorded(name: str, size: tuple[int, int, int, int]) -> tuple[Actor, TapeRecorder]:
    parts, _, _ = scene(size)
    actor, recorder = Actor(make_rule(name), parts), TapeRecorder()
    actor.recorder = recorder
    return actor, recorder


def meet(seed: int, size: tuple[int, int, int, int], name: str) -> tuple[torch.Tensor, Noise]:
    b, n, d, s = size
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(b, s, generator=generator), draw_noise(b, n, d, generator, RULES[name]().extra_draws())


@pytest.mark.parametrize("name", RULES)
def test_every_rule_can_be_recorded_and_is_the_same(name: str) -> None:
    size = (4, 3, 2, 4)
    actor, recorder = recorded(name, size)
    parts, _, _ = scene(size)
    for seed in range(3):
        observations, noise = meet(seed, size, name)
        assert torch.allclose(actor(observations, noise), act(make_rule(name), parts, observations, noise), atol=1e-6)
    assert [tape.launches for tape in recorder.tapes] == [3]


def test_one_recording_for_each_number_of_states_and_the_oldest_go() -> None:
    actor, recorder = recorded("qgf", (1, 1, 2, 4))
    for states in (1, 2, 1, *range(3, MOST + 2), 1, 2):
        observations, noise = meet(0, (states, 1, 2, 4), "qgf")
        assert actor(observations, noise).shape == (states, 2)
    assert len(recorder.tapes) == MOST + 2  # each size once, and 1 or 2 again after it had to go


def test_an_actor_of_the_cpu_is_act() -> None:
    parts, observations, noise = scene((4, 3, 2, 4))
    actor = Actor(make_rule("vgf"), parts)
    assert actor.recorder is None
    assert torch.equal(actor(observations, noise), act(make_rule("vgf"), parts, observations, noise))


def test_bad_numbers_are_refused_as_by_act() -> None:
    actor, _ = recorded("qgf", (2, 1, 2, 4))
    observations, noise = meet(0, (2, 1, 2, 4), "qgf")
    actor(observations, noise)
    observations[1, 2] = math.nan
    with pytest.raises(NonFiniteError, match="state 1: column 2 of the observation is NaN"):
        actor(observations, noise)
    with pytest.raises(ValueError, match="nothing to steer"):
        actor(torch.zeros(0, 4), Noise(torch.zeros(0, 1, 2), torch.zeros(0, 1)))


def test_new_weights_in_the_same_place_are_used() -> None:
    actor, _ = recorded("qgf", (2, 1, 2, 4))
    parts = actor._parts
    observations, noise = meet(0, (2, 1, 2, 4), "qgf")
    before = actor(observations, noise)
    with torch.no_grad():
        parts.reference.net.theta.mul_(1.5)
    after = actor(observations, noise)
    assert not torch.equal(before, after)
    assert torch.allclose(after, act(make_rule("qgf"), parts, observations, noise), atol=1e-6)


class Looks(torch.nn.Module):
    """A velocity field that looks at a number."""

    def __init__(self, inner: torch.nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, observations: torch.Tensor, actions: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        velocity: torch.Tensor = self.inner(observations, actions, t)
        return velocity if float(velocity.detach().sum()) < 1e9 else -velocity


def test_parts_that_cannot_be_recorded_act_as_before_and_say_so_once() -> None:
    parts = make_parts(4, 2)
    parts = type(parts)(4, 2, Looks(parts.reference), parts.critic)
    actor = Actor(make_rule("qgf"), parts)
    actor.recorder = TapeRecorder()
    observations, noise = meet(0, (2, 1, 2, 4), "qgf")
    with pytest.warns(UserWarning, match=r"rule 'qgf' with these parts cannot be recorded.*looks at a number"):
        found = actor(observations, noise)
    assert actor.recorder is None
    for actions in (found, actor(observations, noise)):
        assert torch.equal(actions, act(make_rule("qgf"), parts, observations, noise))


def test_what_is_being_captured_counts_as_traced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else constants that are remembered would lie in the recording's memory."""
    assert not is_traced()
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_current_stream_capturing", lambda: True)
    assert is_traced()


def test_episodes_are_the_same_and_are_one_recording(monkeypatch: pytest.MonkeyPatch) -> None:
    """Episodes end one by one; those that are over keep their places filled, so that the number of states stays."""
    task, parts, rule = ThreeExits(), make_parts(4, 2), make_rule("qgf", weight=0.1)
    expected = rollout(rule, parts, task, 12, seed=3)
    assert len(set(expected.lengths.tolist())) > 3
    recorder = TapeRecorder()

    class Recorded(Actor):
        def __init__(self, *given: object) -> None:
            super().__init__(*given)  # type: ignore[arg-type]
            self.recorder = recorder

    monkeypatch.setattr(pilot, "Actor", Recorded)
    found = rollout(rule, parts, task, 12, seed=3)
    assert np.array_equal(found.lengths, expected.lengths)
    np.testing.assert_allclose(found.returns, expected.returns, atol=1e-4)
    np.testing.assert_allclose(found.q_first, expected.q_first, atol=1e-4)
    assert [tape.launches for tape in recorder.tapes] == [int(expected.lengths.max())]
