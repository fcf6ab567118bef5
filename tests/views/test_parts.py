"""The parts of a policy of the list, and the traces that are drawn with them."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from workbench.engine.models.parts import Parts
from workbench.engine.steering.noise import draw_noise
from workbench.engine.steering.rules import make_rule
from workbench.engine.steering.run import steer
from workbench.engine.steering.trace import Trace
from workbench.views import parts as views_parts
from workbench.views.paper import picture
from workbench.views.parts import one_thread, parts_for, with_part
from workbench.views.policies import Source, find


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Parts]]:
    """What is asked to be trained, which is answered with the name of the part; no policy is known yet."""
    asked: list[tuple[str, Parts]] = []

    def train(source: Source, parts: Parts, part: str) -> Parts:
        asked.append((part, parts))
        return replace(parts, extra={part: part}, value=torch.nn.Identity())

    monkeypatch.setattr(views_parts, "train_part", train)
    monkeypatch.setattr(views_parts, "_made", {})
    return asked


def test_a_closed_form_is_made_once(trained: list[tuple[str, Parts]]) -> None:
    first = parts_for("bandit2d")
    assert parts_for("bandit2d", "qgf") is first
    assert first.action_dim == 2
    assert first.data is not None
    assert trained == []


def test_learned_parts_are_trained_once_each_from_the_policy_as_it_was_made(trained: list[tuple[str, Parts]]) -> None:
    first = parts_for("bandit2d")
    one = parts_for("bandit2d", "fql")
    both = parts_for("bandit2d", "cfgrl", "fql")
    names = [name for name, _ in trained]
    assert len(names) == len(set(names)) == 2
    assert set(both.extra) == set(names) > set(one.extra)
    assert all(base.extra == {} and base.value is first.value for _, base in trained)
    assert parts_for("bandit2d", "fql") is both


def test_a_state_value_of_ones_own_is_kept() -> None:
    own, other = torch.nn.Identity(), torch.nn.Identity()
    base = replace(find("bandit2d").task.parts(), value=own)
    assert with_part(base, replace(base, value=other, extra={"x": 1})).value is own
    assert with_part(replace(base, value=None), replace(base, value=other)).value is other


@pytest.mark.parametrize(("name", "rule", "words"), [("bandit9d", "qgf", "bandit9d"), ("bandit2d", "qfg", "qfg")])
def test_what_is_not_there_is_said(name: str, rule: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parts_for(name, rule)


def test_threads_are_given_back_after_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[int] = []
    monkeypatch.setattr(torch, "get_num_threads", lambda: 7)
    monkeypatch.setattr(torch, "set_num_threads", said.append)
    with pytest.raises(RuntimeError), one_thread():
        raise RuntimeError
    assert said == [1, 7]


def traced(parts: Parts) -> Callable[[str], Trace]:
    """Steers 16 particles at the state of zeros."""
    noise = draw_noise(16, 1, parts.action_dim, torch.Generator().manual_seed(0))
    states = torch.zeros(16, parts.observation_dim)
    return lambda rule: steer(make_rule(rule), parts, states, noise)


@pytest.mark.parametrize("task", ["bandit1d", "bandit2d"])
def test_a_picture_has_a_panel_for_each_trace(task: str) -> None:
    parts = find(task).task.parts()
    steered = traced(parts)
    figure = picture(steered("bc"), steered("qgf"), parts=parts)
    assert len(figure.axes) == 2
    assert all(axes.get_title() for axes in figure.axes)


def test_a_picture_of_more_dimensions_says_what_draws_them() -> None:
    parts = find("bandit2d").task.parts()
    trace = traced(parts)("bc")
    wide = replace(trace, positions=torch.zeros(*trace.positions.shape[:-1], 5))
    with pytest.raises(ValueError, match=r"one or two dimensions, these have 5; .*views\.terrain"):
        picture(wide, parts=parts)
    with pytest.raises(ValueError, match="at least one trace"):
        picture(parts=parts)
