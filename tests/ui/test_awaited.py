"""Parts that a page trains on demand: once for all, with words, a button, and nobody else's work cancelled."""

import threading
import time
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from plain_rules import rules_without_parts

from workbench.engine.models.parts import Parts
from workbench.engine.steering.rules import RULES
from workbench.engine.tasks.registry import make_task
from workbench.ui.controls.awaited import Awaited, slow_parts
from workbench.ui.controls.rule import lacking
from workbench.ui.pages.particles.page import ParticlesPage
from workbench.ui.server.parts_cache import Cache


@pytest.fixture(scope="module")
def parts() -> Parts:
    """Of bandit2d: closed-form flow, learned critic."""
    return make_task("bandit2d").parts()


def test_a_rule_lacks_what_nobody_trains_on_demand(parts: Parts) -> None:
    assert "needs critic" in lacking(RULES["qgf"], Parts(1, 2, parts.reference))
    assert all(lacking(rule, parts) == "" for rule in RULES.values())
    assert slow_parts(parts)["fql"] == "one step"
    assert set(slow_parts(parts)) == set(RULES) - set(rules_without_parts())
    assert "fql" not in slow_parts(replace(parts, extra={"one_step": torch.nn.Identity()}))


class Slow:
    """Trains learned parts when it is told to; counts how often."""

    def __init__(self) -> None:
        self.go, self.calls, self.fails = threading.Event(), 0, False

    def __call__(self, task, parts, part, report) -> Parts:
        self.calls += 1
        while not self.go.is_set():
            report(0.4, 12.3)
            time.sleep(0.005)
        if self.fails:
            raise OSError("disk full")
        return replace(parts, extra={part: torch.nn.Identity()})


def soon(true) -> None:
    end = time.monotonic() + 20
    while not true():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_further_parts_are_trained_once_for_all_and_cancelled_by_all(parts: Parts) -> None:
    slow = Slow()
    cache = Cache(lambda task, report: parts, slow)
    first, second = (Awaited(cache, lambda: None) for _ in "ab")
    found, words = first.ask("bandit2d", ["qgf"])
    assert (words.text, found.extra) == ("", {})
    soon(lambda: "13 s" in first.ask("bandit2d", ["vgf", "fql"])[1].text)
    assert first.ask("bandit2d", ["fql"])[1] == (
        "loading", "Training what FQL needs (one step): 13 s left, 40%", 0.4, "Cancel",
    )  # fmt: skip
    assert second.ask("bandit2d", ["fql"])[1].button == "Cancel"
    first.pressed()  # the other one still waits
    assert first.ask("bandit2d", ["fql"])[1].button == "Train it"
    assert first.ask("bandit2d", ["qgf"])[0] is not None  # the page goes on with other rules
    assert second.ask("bandit2d", ["fql"])[1].button == "Cancel"
    second.pressed()
    soon(lambda: not any(thread.is_alive() for thread in cache._threads))
    assert second.ask("bandit2d", ["fql"])[1].button == "Train it"
    slow.fails = True
    slow.go.set()
    second.pressed()
    soon(lambda: second.ask("bandit2d", ["fql"])[1].kind == "error")
    assert "could not be trained. disk full" in second.ask("bandit2d", ["fql"])[1].text
    slow.fails = False
    second.pressed()
    soon(lambda: second.ask("bandit2d", ["fql"])[0] is not None)
    calls = slow.calls
    first.pressed()
    found, words = first.ask("bandit2d", ["fql"])
    assert list(found.extra) == ["one_step"]
    assert (words.text, slow.calls) == ("", calls)
    cache.close()


def test_a_page_trains_what_its_rule_needs_and_warns_when_the_peak_moves(parts: Parts) -> None:
    cache = Cache(lambda task, report: parts, lambda task, parts, part, report: replace(parts, extra={part: jump}))
    page = ParticlesPage({"rule": "fql", "task": "bandit2d"}, cache)

    def shown() -> bool:
        page.ask()
        return page.picture is not None

    soon(shown)
    assert [trace.rule for trace in page.answer.traces] == ["bc", "fql"]
    assert "'fql')" in page.code()
    page._moved_peak(SimpleNamespace(new=[0.0, 0.0]))
    soon(lambda: "peak has moved since FQL learned" in page.stages.notice.get("text", ""))


def jump(observations, noise):
    return 0.1 * noise


def test_sessions_take_turns_with_what_they_train(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asked for two trainings stands behind who asked for one, and what waits can be cancelled at once."""
    gate, order = threading.Event(), []

    def train(source, parts, part, report) -> Parts:
        gate.wait(60)
        order.append(part)
        return replace(parts, extra={part: torch.nn.Identity()})

    cache, visitor = Cache(lambda task, report: parts, train), ["greedy"]
    monkeypatch.setattr("workbench.ui.server.parts_cache.visitor", lambda: visitor[0])
    cache.wait("bandit2d")
    greedy, modest, fickle = (Awaited(cache, lambda: None) for _ in range(3))
    for part in ("robust_critic", "conditioned_flow", "value_gradient"):
        cache.ready("bandit2d", (part,), greedy)
    visitor[0] = "modest"
    cache.ready("bandit2d", ("edp_flow",), modest)
    made = cache.ready("bandit2d", ("rebrac_actor",), fickle)
    assert made.waits
    cache.cancel("bandit2d", "rebrac_actor", fickle)
    assert made.stopped
    assert not made.waits
    gate.set()
    soon(lambda: len(order) == 4)
    assert order == ["robust_critic", "edp_flow", "conditioned_flow", "value_gradient"]


def test_words_say_that_a_training_waits_for_its_turn(parts: Parts) -> None:
    slow = Slow()
    cache = Cache(lambda task, report: parts, slow)
    mine = Awaited(cache, lambda: None)
    cache.wait("bandit2d")
    cache.ready("bandit2d", ("robust_critic",), slow)
    assert "when it is its turn" in mine.ask("bandit2d", ["fql"])[1].text
    slow.go.set()
    soon(lambda: mine.ask("bandit2d", ["fql"])[0] is not None)
