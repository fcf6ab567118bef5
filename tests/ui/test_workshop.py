"""Work of seconds that is done in another process: the same answers, how far it is, and what happens when it cannot be."""

import os
import pickle
import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ui.until import lives, until

from workbench.engine.metrics.evaluate import Evaluation
from workbench.engine.models.parts import Parts
from workbench.engine.steering.rules import RULES
from workbench.engine.tasks.registry import make_task
from workbench.engine.tasks.three_exits import ThreeExits
from workbench.engine.words import UserError
from workbench.ui.server import workshop
from workbench.ui.server.draw_processes import Studio
from workbench.ui.server.drawing import NotWanted
from workbench.ui.server.fault import ToldError
from workbench.ui.server.painter import Material
from workbench.ui.server.parts_cache import LONG, Cache, Latest
from workbench.views import presets, rollout_presets
from workbench.views.budget import marks
from workbench.views.caller import NOBODY, Caller, OvertakenError, Waiting, go_on
from workbench.views.episodes import episodes
from workbench.views.parts import built_in_parts
from workbench.views.policies import Source, find
from workbench.views.question import Policy, Question
from workbench.views.rollouts import Order, play_both


def told_work(asked: str, parts: Parts, task: Any, caller: Caller) -> Any:
    """Does as it is told."""
    how, _, file = asked.partition(" ")
    if how == "count":
        for step in range(1000):
            go_on(caller, step / 1000, 1000.0 - step)
            time.sleep(0.002)
    if how == "hang":
        while Path(file).exists():  # it looks at nobody
            time.sleep(0.01)
    if how == "die" and not Path(file).exists():
        Path(file).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "refuse":
        raise UserError("take fewer episodes")
    if how == "break":
        raise ZeroDivisionError("of ours")
    if how == "exit":
        sys.exit(3)
    if how == "secret":
        return threading.Lock()
    return os.getpid()


@pytest.fixture(scope="module")
def studio() -> Iterator[Studio]:
    studio = Studio(1, polite=True)
    studio.start()
    until(lambda: studio.up() == 1)
    yield studio
    studio.close()


@pytest.fixture(scope="module")
def bandit() -> Material:
    task = make_task("bandit2d")
    return Material("bandit2d", task.parts(), task, ("qgf", "vgf"))


@pytest.fixture
def server(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> Studio:
    """What a server has."""
    monkeypatch.setattr(workshop, "WORKSHOP", studio)
    return studio


def question(task: str, weight: float = 1.0) -> Question:
    policies = (Policy("qgf", {**RULES["qgf"]().model_dump(), "weight": weight}),)
    return Question(task, policies, 3, 16, state=find(task).start)


def test_it_is_done_in_another_process(studio: Studio, bandit: Material) -> None:
    first, second = (studio.work(told_work, "", bandit, NOBODY) for _ in range(2))
    assert first == second != os.getpid()


def test_the_caller_hears_how_far_it_is(studio: Studio, bandit: Material) -> None:
    heard: list[tuple[float, ...]] = []
    studio.work(told_work, "count", bandit, Waiting(lambda *values: heard.append(values)))
    assert heard[0] == (0.0, 1000.0)
    assert heard == sorted(heard)
    assert 5 < len(heard) < 500  # a word for each of a thousand steps would keep the server busy


def test_what_is_not_wanted_any_more_ends(studio: Studio, bandit: Material) -> None:
    heard: list[float] = []
    with pytest.raises(OvertakenError):
        studio.work(told_work, "count", bandit, Waiting(lambda *v: heard.append(v[0]), lambda: len(heard) > 2))
    assert heard[-1] < 0.9
    before = studio.work(told_work, "", bandit, NOBODY)
    with pytest.raises(OvertakenError):
        studio.work(told_work, "count", bandit, Waiting(gone=lambda: True))
    assert studio.work(told_work, "", bandit, NOBODY) == before  # the same process goes on


def test_no_word_too_late_disturbs_what_comes_next(studio: Studio, bandit: Material) -> None:
    """It is done at the moment at which the caller says that it is not wanted."""
    painter = studio._painters[0]
    painter._child.pipe.send_bytes(pickle.dumps(NotWanted()))
    assert studio.work(told_work, "count", bandit, NOBODY) == painter.pid


def test_one_that_does_not_notice_is_replaced(
    studio: Studio, bandit: Material, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workbench.ui.server.painter.OVERDUE", 0.2)
    (tmp_path / "hang").touch()
    before, gone = studio.work(told_work, "", bandit, NOBODY), chain([False], repeat(True))
    with pytest.raises(OvertakenError):
        studio.work(told_work, f"hang {tmp_path / 'hang'}", bandit, Waiting(gone=lambda: next(gone)))
    until(lambda: not lives(before))
    until(lambda: studio.up() == 1)
    assert studio.work(told_work, "", bandit, NOBODY) not in (before, os.getpid())


def test_work_whose_process_is_killed_is_done_again(studio: Studio, bandit: Material, tmp_path: Path) -> None:
    assert lives(studio.work(told_work, f"die {tmp_path / 'died'}", bandit, NOBODY))
    assert (tmp_path / "died").exists()


@pytest.mark.parametrize(
    ("how", "error", "words"),
    [
        ("refuse", UserError, "take fewer episodes"),
        ("break", ToldError, "fault of the workbench"),
        ("exit", UserError, "SystemExit"),
    ],
)
def test_an_error_comes_back_in_words(
    studio: Studio, bandit: Material, how: str, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        studio.work(told_work, how, bandit, NOBODY)


def test_what_cannot_travel_is_done_here(server: Studio, bandit: Material) -> None:
    assert workshop.elsewhere(told_work, "secret", bandit, NOBODY) is not None
    here = lambda asked, parts, task, caller: os.getpid()  # noqa: E731 -- a function without a name that can be imported
    assert workshop.elsewhere(here, "", bandit, NOBODY) == os.getpid()


def test_without_a_server_it_is_done_here(bandit: Material) -> None:
    assert workshop.elsewhere(told_work, "", bandit, NOBODY) == os.getpid()


def facts(measured: Evaluation) -> dict[str, Any]:
    """All but how long it took."""
    return {name: value for name, value in measured.as_dict().items() if not name.startswith("ms_")}


def test_episodes_are_the_same_as_here(studio: Studio) -> None:
    task = ThreeExits()
    material = Material("three_exits", built_in_parts(task), task, ("qgf",))
    asked = question("three_exits", 0.3)
    there = studio.work(episodes, asked, material, NOBODY)
    here = episodes(asked, material.parts, task, NOBODY)  # type: ignore[arg-type]
    for one, other in zip(there, here, strict=True):
        np.testing.assert_array_equal(one.paths, other.paths)
        np.testing.assert_array_equal(one.returns, other.returns)
    order = Order("three_exits", "qgf", other=30.0, episodes=20, seed=1)
    heard: list[float] = []
    both = studio.work(play_both, order, material, Waiting(lambda share: heard.append(share)))
    for one, other in zip(both, play_both(order, material.parts, task, NOBODY), strict=True):  # type: ignore[arg-type]
        np.testing.assert_array_equal(one.paths, other.paths)
        assert facts(one.measured) == facts(other.measured)
    assert heard


@pytest.mark.parametrize(
    ("work", "asked"),
    [
        (presets.tell, ("balanced", question("bandit2d"))),
        (rollout_presets.tell, ("too_far", Order("bandit2d", "qgf"))),
        (marks, question("bandit2d")),
    ],
    ids=["a preset", "a story", "my settings"],
)
def test_other_work_is_the_same_as_here(studio: Studio, bandit: Material, work: Any, asked: Any) -> None:
    there, here = studio.work(work, asked, bandit, NOBODY), work(asked, bandit.parts, bandit.task, NOBODY)
    assert str(there) == str(here)
    with pytest.raises(OvertakenError):
        work(asked, bandit.parts, bandit.task, Waiting(gone=lambda: True))


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workbench.engine.training.loop.quick.user_cache_path", lambda name: tmp_path)


@pytest.fixture
def brief() -> Source:
    """A source whose trainings take a moment; a child process that is forked sees its task as it travels."""
    return replace(find("three_exits"), task=Brief())


class Brief(ThreeExits):
    """Three exits with few steps of training."""

    def training_defaults(self, critic: str = "iql") -> dict[str, Any]:
        return {**super().training_defaults(critic), "steps": 60}

    def generate(self, rows: int | None, seed: int) -> Any:
        return super().generate(2_000, seed)


def weights(parts: Parts) -> list[torch.Tensor]:
    return [*parts.reference.state_dict().values(), *parts.critic.state_dict().values()]  # type: ignore[attr-defined, union-attr]


def test_parts_are_trained_elsewhere_as_here(server: Studio, empty_cache: None, brief: Source, tmp_path: Path) -> None:
    shares: list[float] = []
    there = workshop.build(brief.task, shares.append)
    assert shares[0] == 0.0
    again = workshop.build(brief.task, shares.append)  # read from the disk
    shutil.rmtree(tmp_path / "quick")
    here = built_in_parts(brief.task)
    assert all(torch.equal(one, other) for one, other in zip(weights(there), weights(here), strict=True))
    assert all(torch.equal(one, other) for one, other in zip(weights(there), weights(again), strict=True))


def test_a_training_that_nobody_wants_ends_with_its_process(
    server: Studio, empty_cache: None, brief: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    hired: list[int] = []

    class Watched(Studio):
        def close(self) -> None:
            hired.extend(painter.pid for painter in self._painters)
            super().close()

    def report(share: float) -> None:
        raise OvertakenError

    monkeypatch.setattr(workshop, "Studio", Watched)
    with pytest.raises(OvertakenError):
        workshop.build(brief.task, report)
    (process,) = hired
    until(lambda: not lives(process))


def test_a_learned_part_is_trained_elsewhere_and_added(server: Studio, empty_cache: None, brief: Source) -> None:
    parts = workshop.build(brief.task, lambda share: None)
    reports: list[tuple[float, float]] = []
    trained = workshop.add_part(brief, parts, "robust_critic", lambda *values: reports.append(values))
    assert "robust_critic" in trained.available()
    assert reports


def test_a_studio_that_was_closed_does_no_more_work(bandit: Material) -> None:
    studio = Studio(1)
    studio.start()
    until(lambda: studio.up() == 1)
    studio.close()
    with pytest.raises(OvertakenError):  # it is not done here either: the server is ending
        studio.work(told_work, "", bandit, NOBODY)


def test_a_training_whose_process_is_ended_with_the_server_does_not_begin_anew(
    server: Studio, empty_cache: None, brief: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server stops: nothing more is wanted, then its children are ended."""
    hired: list[Studio] = []

    class Watched(Studio):
        def start(self) -> None:
            super().start()
            hired.append(self)

    stopping = threading.Event()

    def report(share: float) -> None:
        if hired and hired[0].up() and share > 0.0:
            stopping.set()
            os.kill(hired[0]._painters[0].pid, signal.SIGTERM)
        if stopping.is_set():
            raise OvertakenError

    monkeypatch.setattr(workshop, "Studio", Watched)
    with pytest.raises(OvertakenError):
        workshop.build(Brief(), report)


def test_the_threads_of_the_server_only_wait(server: Studio) -> None:
    """A page's question of seconds costs the server's own process next to nothing."""
    cache = Cache()
    cache.wait("bandit2d")
    answers: list[Any] = []
    asker: Latest[str, int] = Latest(
        lambda asked: cache.work(told_work, asked, "bandit2d", ("qgf",)),
        lambda asked, answer, error: answers.append(answer),
        LONG,
    )
    asker.ask("count")
    until(lambda: bool(answers))
    assert answers != [os.getpid()]
