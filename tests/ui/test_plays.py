"""Episodes follow a hand: those of a moment ago are seen, only those of what is shown give numbers, slow ones are given up."""

import threading
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from workbench.ui.pages.particles import plays as module
from workbench.ui.pages.particles.plays import Plays
from workbench.views.caller import Caller, OvertakenError
from workbench.views.question import Policy, Question

HERE = Question("three_exits", (Policy("qgf"),), 0, 256, (0.0, 0.0, 0.0, 0.0), None)
WAIT = 30.0


class Stage:
    """A page whose episodes are played when it is told to."""

    def __init__(self) -> None:
        self.closed, self.wanted = False, HERE
        self.go, self.begun, self.shown = threading.Event(), threading.Event(), threading.Event()
        self.seen: list[tuple[bool, Any]] = []
        self.given_up: list[bool] = []
        self.cache = SimpleNamespace(work=self.work)
        self.plays = Plays(self, lambda: self.wanted, self.show)  # type: ignore[arg-type]

    def later(self, call: Callable[..., None]) -> Callable[..., None]:
        return call

    def work(self, work: Any, question: Question, task: str, rules: Any, caller: Caller) -> list[Question]:
        self.begun.set()
        self.go.wait(WAIT)
        self.given_up.append(caller.overtaken())
        self.shown.set()
        if caller.overtaken():
            raise OvertakenError
        return [question]

    def show(self, whole: bool) -> None:
        self.seen.append((whole, self.plays.newest if whole else self.plays.passing))

    def play(self, question: Question, then: Question) -> None:
        """Ask for ``question``, and want something else before its episodes are over."""
        self.begun.clear()
        self.go.clear()
        self.wanted = question
        self.plays.ask(question)
        assert self.begun.wait(WAIT)
        self.wanted = then
        self.go.set()
        while self.plays.busy:
            threading.Event().wait(0.01)


def test_what_is_shown_has_its_own_episodes() -> None:
    stage = Stage()
    stage.play(HERE, HERE)
    assert stage.seen == [(True, [HERE])]
    assert (stage.plays.newest, stage.plays.passing) == ([HERE], None)
    stage.plays.forget()
    assert stage.plays.newest is None


def test_episodes_of_a_moment_ago_are_seen_and_give_no_numbers() -> None:
    stage, on = Stage(), replace(HERE, policies=(Policy("qgf", {"weight": 2.0}),))
    stage.play(HERE, on)
    assert stage.given_up == [False]
    assert stage.seen == [(False, [HERE])]
    assert stage.plays.newest is None
    stage.play(on, on)
    assert stage.plays.passing is None
    assert stage.plays.newest == [on]
    stage.plays.leave()
    assert stage.plays.newest is None


@pytest.mark.parametrize("other", [replace(HERE, task="bandit2d"), replace(HERE, policies=(Policy("vgf"),))])
def test_those_of_another_task_or_rule_are_not(other: Question) -> None:
    stage = Stage()
    stage.play(HERE, other)
    assert stage.seen == []
    assert stage.plays.passing is None


def test_what_takes_long_is_given_up_for_the_newest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LIVE", -1.0)
    stage = Stage()
    stage.play(HERE, replace(HERE, seed=3))
    assert stage.given_up == [True]
    assert stage.seen == []
    stage.play(HERE, HERE)  # and what is wanted is played, however long it takes
    assert stage.seen == [(True, [HERE])]
