"""What a page says while its picture waits, and that what was chosen last is what is shown in the end."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest
from ui.until import until

from workbench.ui.controls.waiting import DRAWN, TURN, Waiting
from workbench.ui.server.crew import Crew
from workbench.ui.server.parts_cache import Latest
from workbench.views.effort import Effort


class Clock:
    """A page whose calls in some time are made when the test says so."""

    def __init__(self) -> None:
        self.due: list[Callable[[], None]] = []

    def soon(self, seconds: float, call: Callable[[], None]) -> Callable[[], None]:
        self.due.append(call)
        return lambda: self.due.remove(call) if call in self.due else None

    def passes(self) -> None:
        due, self.due = self.due, []
        for call in due:
            call()


class Desk:
    """A page's questions, each answered when the test opens its gate."""

    def __init__(self, crew: Crew) -> None:
        self.gates: dict[int, Future[None]] = {}
        self.shown: list[int] = []
        self.words: list[tuple[str, str]] = []
        self.clock = Clock()
        self.latest: Latest[int, int] = Latest(self._work, self._show, crew)
        page: Any = self.clock
        self.waiting = Waiting(page, self.latest, lambda kind, text: self.words.append((kind, text)))

    def _work(self, question: int) -> int:
        self.gates[question].result(60)
        return question

    def _show(self, question: int, answer: int | None, error: Exception | None) -> None:
        assert answer == question
        self.shown.append(answer)

    def ask(self, question: int) -> None:
        self.gates[question] = Future()
        self.latest.ask(question)
        self.waiting.asked()

    def answer(self, question: int) -> None:
        self.gates[question].set_result(None)


@pytest.fixture
def crew() -> Crew:
    return Crew("test", 1)


def test_a_page_says_that_its_picture_waits_and_then_that_it_is_drawn(crew: Crew) -> None:
    other, mine = Desk(crew), Desk(crew)
    other.ask(1)
    until(lambda: not other.latest.waits)
    mine.ask(1)
    assert mine.words == []  # not at once: most pictures come sooner
    mine.clock.passes()
    assert mine.words == [("waiting", TURN)]
    other.answer(1)
    until(lambda: not mine.latest.waits)
    mine.clock.passes()
    assert mine.words[-1] == ("waiting", DRAWN)
    mine.answer(1)
    until(lambda: not mine.latest.busy)
    mine.waiting.came()  # the page shows it, and says what it has to say
    mine.clock.passes()
    assert len(mine.words) == 2
    assert mine.clock.due == []


def test_words_of_a_picture_that_nobody_wants_any_more_go_away(crew: Crew) -> None:
    mine = Desk(crew)
    mine.ask(1)
    until(lambda: not mine.latest.waits)
    mine.clock.passes()
    mine.answer(1)
    until(lambda: not mine.latest.busy)
    mine.clock.passes()  # it came, and was not shown: `came` was never called
    assert mine.words == [("waiting", DRAWN), ("", "")]
    mine.ask(2)
    mine.waiting.stop()  # the page says something else instead
    mine.clock.passes()
    assert len(mine.words) == 2
    mine.answer(2)


def test_a_hand_that_goes_on_asking_is_told_too(crew: Crew) -> None:
    other, mine = Desk(crew), Desk(crew)
    other.ask(1)
    until(lambda: not other.latest.waits)
    for question in range(5):
        mine.ask(question)
    assert len(mine.clock.due) == 1
    mine.clock.passes()
    assert mine.words == [("waiting", TURN)]
    other.answer(1)
    mine.answer(4)
    until(lambda: bool(mine.shown))
    assert mine.shown == [4]


def test_what_was_chosen_last_is_shown_in_the_end() -> None:
    crew, shown = Crew("test", 2), [[] for _ in range(5)]  # type: list[Any]
    slow = threading.Event()
    pages: list[Latest[int, int]] = []

    def work(question: int) -> int:
        slow.wait(0.001 * (question % 3))
        if question % 7 == 3:
            raise ValueError("this one cannot be drawn")
        return question

    for answers in shown:
        effort = Effort("picture", None, 0.02)
        pages.append(
            Latest(
                work, lambda question, _, error, answers=answers: answers.append(question), crew, lambda _, e=effort: e
            )
        )
    for question in range(101):
        for page in pages:
            page.ask(question)
        if question % 10 == 0:
            time.sleep(0.002)
    until(lambda: not any(page.busy for page in pages))
    for answers in shown:
        assert answers[-1] == 100
        assert answers == sorted(set(answers))  # in order, none twice


def test_work_is_done_in_fair_turns(crew: Crew) -> None:
    """A page that asked three times stands behind those that asked once, whatever came first."""
    gate, order = threading.Event(), []  # type: ignore[var-annotated]
    crew.ask("first", "first", gate.wait, Effort("work"))  # type: ignore[arg-type]
    for key in ("a1", "a2", "b1", "c1"):
        crew.ask(key, key[0], lambda key=key: order.append(key), Effort("work"))
    assert crew.drop("c1")
    assert not crew.drop("c1")
    crew.ask("c1", "c", lambda: order.append("c1"), Effort("work"))
    gate.set()
    until(lambda: len(order) == 4)
    assert order == ["a1", "b1", "c1", "a2"]
