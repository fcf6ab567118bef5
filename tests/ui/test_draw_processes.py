"""Pictures that are drawn in another process: the same ones, and what happens when they cannot be."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar
from weakref import WeakSet

import numpy as np
import pytest
import torch
from plain_rules import rules_without_parts
from ui.until import lives, until

from workbench.engine.models.parts import Parts
from workbench.engine.steering.rules import RULES
from workbench.engine.steering.rules.qgf import QGF
from workbench.engine.tasks.registry import make_task
from workbench.engine.words import UserError
from workbench.ui.server.crew import METER
from workbench.ui.server.draw_processes import Desk, Studio
from workbench.ui.server.drawing import NICE
from workbench.ui.server.fault import ToldError
from workbench.ui.server.packing import packed, unpacked
from workbench.views.particles import Artist, Picture
from workbench.views.question import Policy, Question
from workbench.views.terrain import Surveyor, View, terrain


class Stubborn(Exception):
    """An exception that does not survive pickling."""

    def __init__(self, one: str, other: str) -> None:
        super().__init__(f"{one}, {other}")


class Fragile:
    """An artist that ends its process, fails, works, or says in which process it stands."""

    def __init__(self) -> None:
        self.made = time.process_time()

    def draw(self, asked: str, parts: Parts, task: Any) -> int:
        if asked.startswith("die"):
            _, how, file = asked.split(maxsplit=2)
            if how == "always" or not Path(file).exists():
                with Path(file).open("a") as deaths:
                    deaths.write("x")
                os.kill(os.getpid(), signal.SIGKILL)
        if asked == "nice":
            return os.nice(0)
        while asked == "work" and time.process_time() - self.made < 0.1:
            pass
        if asked == "fail":
            raise UserError("take fewer particles")
        if asked == "break":
            raise Stubborn("first", "second")
        return os.getpid()


class Counted:
    """An artist that says how many of its kind its process has."""

    alive: ClassVar["WeakSet[Counted]"] = WeakSet()

    def __init__(self) -> None:
        self.alive.add(self)

    def draw(self, asked: str, parts: Parts, task: Any) -> int:
        return len(self.alive)


@pytest.fixture(scope="module")
def studio() -> Iterator[Studio]:
    studio = Studio(1)
    studio.start()
    assert wait_for(studio) == 1
    yield studio
    studio.close()


@pytest.fixture(scope="module")
def pair() -> Iterator[Studio]:
    studio = Studio(2)
    studio.start()
    assert (
        wait_for(studio, 2) == 2
    )  # until then a picture is drawn here, and one that is to end its process would end this
    yield studio
    studio.close()


@pytest.fixture(scope="module")
def policy() -> tuple[Parts, Any]:
    task = make_task("bandit2d")
    return task.parts(), task


def wait_for(studio: Studio, count: int = 1) -> int:
    until(lambda: studio.up() == count)
    return studio.up()


def question(rule: str = "qgf", **settings: Any) -> Question:
    return Question("bandit2d", (Policy(rule, settings or dict(RULES[rule].bc_at)),), 3, 64)


def ask(desk: Desk, asked: Question, policy: tuple[Parts, Any]) -> Picture:
    picture: Picture = desk.draw((asked, "difference"), asked, *policy)
    return picture


def same(one: Any, other: Any) -> bool:
    return bool(np.array_equal(np.asarray(one), np.asarray(other), equal_nan=True))


@pytest.mark.parametrize("rule", rules_without_parts())
def test_every_rule_is_drawn_as_here(studio: Studio, policy: tuple[Parts, Any], rule: str) -> None:
    there, here = ask(Desk(Artist, studio), question(rule), policy), ask(Desk(Artist, Studio()), question(rule), policy)
    assert str(there.answer.numbers) == str(here.answer.numbers)  # NaN is not equal to itself
    assert there.ground_look == here.ground_look
    assert same(there.ground, here.ground)
    assert same(there.truth, here.truth)
    for one, other in zip(there.answer.traces, here.answer.traces, strict=True):
        assert (one.rule, one.settings, one.seed) == (other.rule, other.settings, other.seed)
        mine, yours = one.arrays(), other.arrays()
        assert list(mine) == list(yours)
        assert all(same(mine[name], yours[name]) for name in mine)
        assert all(isinstance(value, torch.Tensor) for value in one.terms.values())


def test_the_landscape_is_drawn_as_here(studio: Studio, policy: tuple[Parts, Any]) -> None:
    view = View(question("qgf", weight=1.0))
    there, here = Desk(Surveyor, studio).draw(view, view.question, *policy), terrain(view, *policy)
    assert same(there.values, here.values)
    assert same(there.spread, here.spread)
    assert same(there.trust.distance, here.trust.distance)
    assert there.extent == here.extent


def test_what_did_not_change_is_the_same_object_and_does_not_travel(studio: Studio, policy: tuple[Parts, Any]) -> None:
    desk = Desk(Artist, studio)
    first, second = (ask(desk, question("qgf", weight=weight), policy) for weight in (0.5, 0.6))
    assert second.ground is first.ground
    assert second.truth is first.truth
    assert second.answer.traces[0] is first.answer.traces[0]
    assert second.answer.traces[1] is not first.answer.traces[1]

    whole, held = packed(first, {})
    change, now = packed(second, held)
    assert sum(map(len, change)) < 0.5 * sum(map(len, whole))
    there, have = unpacked(*whole, {})
    again, _ = unpacked(*change, have)
    assert again.ground is there.ground
    assert same(again.answer.traces[1].positions, second.answer.traces[1].positions)
    assert set(now) == {id(value) for value in now.values()}


def test_pages_do_not_see_each_others_pictures(
    studio: Studio, policy: tuple[Parts, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """More pages than are kept, in turn, twice: those that were forgotten are drawn anew."""
    monkeypatch.setattr("workbench.ui.server.painter.PAGES", 8)
    desks = [Desk(Artist, studio) for _ in range(8 + 3)]
    for _ in range(2):
        for number, desk in enumerate(desks):
            asked = question("qgf", weight=0.1 + 0.01 * number)
            picture = ask(desk, asked, policy)
            assert picture.answer.question == asked
            assert picture.answer.traces[1].settings["weight"] == pytest.approx(0.1 + 0.01 * number)


def test_a_page_that_was_closed_is_forgotten(studio: Studio, policy: tuple[Parts, Any]) -> None:
    desks = [Desk(Counted, studio) for _ in range(5)]
    assert [desk.draw("count", question(), *policy) for desk in desks] == [1, 2, 3, 4, 5]
    for desk in desks[:3]:
        desk.close()
    assert desks[4].draw("count", question(), *policy) == 2
    # A picture that was under way when its page was closed starts anew, and is whole.
    picture_desk = Desk(Artist, studio)
    first = ask(picture_desk, question(), policy)
    picture_desk.close()
    assert same(ask(picture_desk, question(), policy).answer.traces[1].positions, first.answer.traces[1].positions)


def test_a_policy_that_changed_is_sent_again(studio: Studio) -> None:
    task = make_task("bandit2d")
    desk, parts = Desk(Artist, studio), task.parts()
    asked = question("qgf", weight=1.0)
    before = ask(desk, asked, (parts, task))
    _, moved = task.move_peak((0.9, -0.9), parts)
    after = ask(desk, asked, (moved, task))
    assert not same(before.answer.traces[1].positions, after.answer.traces[1].positions)
    assert same(ask(desk, asked, (parts, task)).answer.traces[1].positions, before.answer.traces[1].positions)


def test_an_error_keeps_its_words_and_the_process(studio: Studio, policy: tuple[Parts, Any]) -> None:
    desk = Desk(Fragile, studio)
    process = desk.draw("where", question(), *policy)
    assert process != os.getpid()
    with pytest.raises(UserError, match="take fewer particles"):
        desk.draw("fail", question(), *policy)
    with pytest.raises(ToldError, match=r"fault of the workbench.*Stubborn: first, second"):
        desk.draw("break", question(), *policy)
    assert desk.draw("where", question(), *policy) == process


def test_a_picture_whose_process_dies_is_asked_again(policy: tuple[Parts, Any], tmp_path: Path) -> None:
    studio = Studio(1)
    studio.start()
    try:
        assert wait_for(studio) == 1
        desk = Desk(Fragile, studio)
        process = desk.draw("where", question(), *policy)
        os.kill(process, signal.SIGKILL)  # between two pictures: nobody's fault, and nobody sees it
        assert desk.draw("where", question(), *policy) not in (process, os.getpid())  # a new one is worth waiting for
        with ThreadPoolExecutor(2) as threads:  # another picture meanwhile comes too
            dying = threads.submit(desk.draw, f"die once {tmp_path / 'died'}", question(), *policy)
            until(lambda: (tmp_path / "died").exists())
            assert Desk(Fragile, studio).draw("where", question(), *policy) != process
            assert dying.result(120) not in (process, os.getpid())  # never here, where it could end the server
    finally:
        studio.close()
    assert studio.up() == 0
    assert desk.draw("where", question(), *policy) == os.getpid()


def test_a_question_that_ends_two_processes_is_refused_in_words(
    pair: Studio, policy: tuple[Parts, Any], tmp_path: Path
) -> None:
    desk, deaths = Desk(Fragile, pair), tmp_path / "deaths"
    for one in (desk, desk, Desk(Fragile, pair)):  # nor is it asked again later, or for somebody else
        with pytest.raises(ValueError, match=r"Two processes ended .*signal SIGKILL.*not tried again.*fewer particles"):
            one.draw(f"die always {deaths}", question(), *policy)
        assert deaths.read_text() == "xx"
    assert wait_for(pair, 2) == 2
    assert desk.draw("where", question(), *policy) != os.getpid()


def test_deaths_over_time_do_not_use_up_a_process(pair: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pair._painters[0]._child, "_most_failed_starts", 1)
    for _ in range(2):
        assert wait_for(pair, 2) == 2
        before = pair._painters[0].pid
        assert before is not None
        os.kill(before, signal.SIGKILL)
        until(lambda before=before: pair.up() < 2 or pair._painters[0].pid != before)
    assert wait_for(pair, 2) == 2


def test_a_heavy_picture_is_drawn_by_the_polite_process(
    pair: Studio, policy: tuple[Parts, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert wait_for(pair, 2) == 2
    light = {Desk(Fragile, pair).draw("nice", question(), *policy) for _ in range(3)}
    monkeypatch.setattr(METER, "heavy", True)
    heavy = {Desk(Fragile, pair).draw("nice", question(), *policy) for _ in range(3)}
    assert light == {os.nice(0)}
    assert heavy == {min(19, os.nice(0) + NICE)}
    before = METER.elsewhere
    Desk(Fragile, pair).draw("work", question(), *policy)
    assert METER.elsewhere - before >= 0.1  # what it cost there is on the account here


def heavily(desk: Desk, policy: tuple[Parts, Any]) -> Any:
    """Where a heavy picture is drawn that is asked for in a thread."""
    METER.heavy = True
    return desk.draw("where", question(), *policy)


def test_a_page_waits_for_the_process_that_has_its_last_picture(
    pair: Studio, policy: tuple[Parts, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workbench.ui.server.draw_processes.SAME", 600.0)
    assert wait_for(pair, 2) == 2
    quick, polite = pair._painters
    desk = Desk(Fragile, pair)
    assert desk.draw("where", question(), *policy) == quick.pid
    with ThreadPoolExecutor(2) as threads:
        assert quick.take(heavy=False)
        light = threads.submit(desk.draw, "where", question(), *policy)
        assert Desk(Fragile, pair).draw("where", question(), *policy) == polite.pid  # a new page takes who is free
        assert not light.done()
        quick.release()
        assert light.result(120) == quick.pid
        assert polite.take(heavy=False)
        heavy = threads.submit(heavily, Desk(Fragile, pair), policy)
        assert desk.draw("where", question(), *policy) == quick.pid
        assert not heavy.done()
        polite.release()
        assert heavy.result(120) == polite.pid


def test_a_light_picture_does_not_wait_for_a_heavy_one(
    pair: Studio, policy: tuple[Parts, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workbench.ui.server.draw_processes.SAME", 600.0)
    assert wait_for(pair, 2) == 2
    quick, polite = pair._painters
    desk = Desk(Fragile, pair)
    with ThreadPoolExecutor(1) as threads:
        assert threads.submit(heavily, desk, policy).result(120) == polite.pid
    assert desk.number in polite._held
    assert polite.take(heavy=True)
    assert desk.draw("where", question(), *policy) == quick.pid
    polite.release()
    assert desk.number not in polite._held  # it has moved
    assert desk.number in quick._held


def test_of_a_closed_page_nothing_is_kept_here(studio: Studio, policy: tuple[Parts, Any]) -> None:
    (painter,) = studio._painters
    idle, drawn = Desk(Artist, studio), Desk(Artist, studio)
    for desk in (idle, drawn):
        ask(desk, question(), policy)
    assert painter.take(heavy=False)
    drawn.close()  # somebody draws: it is let go after that
    assert drawn.number in painter._held
    painter.release()
    idle.close()
    assert painter._held.keys().isdisjoint({idle.number, drawn.number})


def test_what_is_kept_has_a_bound(studio: Studio, policy: tuple[Parts, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    (painter,) = studio._painters
    desks = [Desk(Artist, studio) for _ in range(4)]
    whole = ask(desks[0], question(), policy)
    size = painter._sizes[desks[0].number]
    assert size > sum(trace.positions.nbytes + trace.pushes.nbytes for trace in whole.answer.traces)
    monkeypatch.setattr("workbench.ui.server.painter.MOST_HELD", int(2.5 * size))
    for desk in (*desks, *desks):
        again = ask(desk, question(), policy)
        assert same(again.answer.traces[1].positions, whole.answer.traces[1].positions)
    assert list(painter._held) == [desk.number for desk in desks[-2:]]


def test_a_process_ends_with_its_server_however_that_ends(root: Path) -> None:
    lines = (
        "import time",
        "from workbench.ui.server.draw_processes import Studio",
        "studio = Studio(1)",
        "studio.start()",
        "print(studio._painters[0].pid, flush=True)",
        "time.sleep(600)",
    )
    server = subprocess.Popen([sys.executable, "-c", "\n".join(lines)], cwd=root, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    process = int(server.stdout.readline())
    assert lives(process)
    server.kill()
    server.communicate(timeout=240)  # the process must be up to notice
    end = time.monotonic() + 240.0
    while lives(process):
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_rule_that_no_module_defines_is_drawn_here(
    studio: Studio, policy: tuple[Parts, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Mine(QGF):
        name = "mine"
        title = "Mine"

    monkeypatch.setitem(RULES, "mine", Mine)
    asked = question("mine", weight=1.0)
    mine, qgf = (ask(Desk(Artist, studio), one, policy) for one in (asked, question("qgf", weight=1.0)))
    assert same(mine.answer.traces[1].positions, qgf.answer.traces[1].positions)
    where = Desk(Fragile, studio)
    assert where.draw("where", asked, *policy) == os.getpid()
    assert where.draw("where", question(), *policy) != os.getpid()


def test_what_a_process_imports_leaves_panel_out(root: Path) -> None:
    code = "import sys, workbench.ui.server.draw_processes, workbench.views.particles; sys.exit('panel' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0
