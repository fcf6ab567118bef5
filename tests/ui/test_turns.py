"""Whose question is worked on next: known answers, and what holds for every sequence of asking and answering."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.ui.server.costs import Costs
from workbench.ui.server.deadly import FORGIVEN, MOST, Deadly
from workbench.ui.server.turns import LEAST, Turn, Turns


def served(turns: Turns[str], count: int, again: bool = True) -> list[str]:
    """Who has the next turns of one worker, when everybody asks again at once."""
    order = []
    for _ in range(count):
        turn = turns.take()
        assert turn is not None
        order.append(str(turn.key))
        turns.done(turn, turn.cost)
        if again:
            turns.ask(turn.key, turn.question, turn.cost)
    return order


def test_equal_sessions_take_turns() -> None:
    turns: Turns[str] = Turns(1)
    for who in "abc":
        turns.ask(who, "", 1.0)
    assert served(turns, 7) == ["a", "b", "c", "a", "b", "c", "a"]


def test_a_session_that_asks_for_much_stands_behind_those_that_ask_for_little() -> None:
    turns: Turns[str] = Turns(1)
    turns.ask("greedy", "", 8.0)
    turns.ask("modest", "", 1.0)
    assert Counter(served(turns, 18)) == {"greedy": 2, "modest": 16}


def test_a_newcomer_does_not_wait_for_what_others_had_before() -> None:
    turns: Turns[str] = Turns(1)
    for who in "ab":
        turns.ask(who, "", 1.0)
    served(turns, 100)
    turns.ask("new", "", 1.0)
    assert "new" in served(turns, 3)


def test_a_session_with_several_questions_pays_for_all() -> None:
    turns: Turns[str] = Turns(1)
    for number in range(3):
        turns.ask(f"a{number}", "", 1.0, who="a")
    turns.ask("b", "", 1.0)
    assert served(turns, 4, again=False) == ["a0", "b", "a1", "a2"]


def test_weights_share_in_proportion() -> None:
    turns: Turns[str] = Turns(1)
    for who, weight in (("one", 1.0), ("three", 3.0)):
        turns.ask(who, "", 1.0, weight=weight)
    order = []
    for _ in range(40):
        turn = turns.take()
        assert turn is not None
        order.append(turn.key)
        turns.done(turn, 1.0)
        turns.ask(turn.key, "", 1.0, weight=3.0 if turn.key == "three" else 1.0)
    assert Counter(order) == {"one": 10, "three": 30}
    with pytest.raises(ValueError, match="above zero"):
        turns.ask("none", "", 1.0, weight=0.0)
    with pytest.raises(ValueError, match="at least one worker"):
        Turns(0)


def test_the_newest_question_takes_the_place_of_the_one_that_waits() -> None:
    turns: Turns[str] = Turns(1)
    assert turns.ask("a", "first", 1.0) is None
    turns.ask("b", "other", 1.0)
    assert turns.ask("a", "second", 1.0) == "first"
    running = turns.take()
    assert running is not None
    assert running.question == "second"
    turns.ask("a", "third", 1.0)
    assert turns.waits("a")
    assert turns.busy("a")
    assert turns.take() is None  # its own question runs, and the worker is taken
    turns.done(running, 1.0)
    following = [turns.take()]
    assert following[0] is not None
    assert following[0].key == "b"
    assert turns.drop("a") == "third"
    assert turns.drop("a") is None
    assert len(turns) == 0


def test_of_one_key_only_one_is_worked_on() -> None:
    turns: Turns[str] = Turns(3)
    turns.ask("a", "first", 1.0)
    running = turns.take()
    turns.ask("a", "second", 1.0)
    assert turns.take() is None
    assert running is not None
    turns.done(running, 1.0)
    following = turns.take()
    assert following is not None
    assert following.question == "second"


def test_what_it_really_cost_is_paid() -> None:
    turns: Turns[str] = Turns(1)
    for who in "ab":
        turns.ask(who, "", 1.0)
    order = []
    for _ in range(12):
        turn = turns.take()
        assert turn is not None
        order.append(turn.key)
        turns.done(turn, 5.0 if turn.key == "a" else 1.0)  # "a" costs more than anybody thought
        turns.ask(turn.key, "", 1.0)
    assert Counter(order)["a"] == 2


def test_heavy_questions_leave_a_worker_to_the_light_ones() -> None:
    turns: Turns[str] = Turns(2, heavy=1.0)
    for who in "xyz":
        turns.ask(who, "", 2.0)
    first = turns.take()
    assert first is not None
    assert turns.take() is None
    turns.ask("light", "", 0.1)
    light = turns.take()
    assert light is not None
    assert light.key == "light"
    turns.done(first, 2.0)
    second = turns.take()
    assert second is not None
    assert second.key == "y"
    alone: Turns[str] = Turns(1, heavy=1.0)
    alone.ask("x", "", 2.0)
    assert alone.take() is not None  # one worker does everything


class Watched(Turns[int]):
    """Says what the order is decided by."""

    def ahead(self, key: object) -> float:
        """How much the session of ``key`` is ahead of those who are served now."""
        return self._tag(key) - self._now


ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["ask", "ask", "take", "done", "drop"]),
        st.integers(0, 5),
        st.floats(LEAST, 4.0),
        st.sampled_from([1.0, 1.0, 2.0]),
    ),
    max_size=120,
)


@settings(deadline=None, max_examples=150)
@given(actions=ACTIONS, workers=st.integers(1, 3), heavy=st.sampled_from([1.5, float("inf")]))
def test_invariants(actions: list[tuple[str, int, float, float]], workers: int, heavy: float) -> None:
    turns = Watched(workers, heavy)
    newest: dict[int, int] = {}  # what waits, by key
    running: list[Turn[int]] = []
    waited: dict[int, tuple[float, Counter[int]]] = {}  # each one's lead when it asked, and what others had since
    for number, (what, key, cost, weight) in enumerate(actions):
        if what == "ask":
            assert turns.ask(key, number, cost, weight=weight) == newest.get(key)
            if key not in newest and heavy == float("inf"):
                waited[key] = (turns.ahead(key), Counter())
            newest[key] = number
        elif what == "drop":
            assert turns.drop(key) == newest.pop(key, None)
            waited.pop(key, None)
        elif what == "done" and running:
            turn = running.pop(key % len(running))
            turns.done(turn, turn.cost)
        elif what == "take":
            taken = turns.take()
            if taken is None:
                # Idle only when it has to be: all workers busy, or nothing that may start.
                able = [one for one in turns._waiting.values() if one.key not in {turn.key for turn in running}]
                full = sum(turn.cost >= heavy for turn in running) >= max(1, workers - 1)
                assert len(running) == workers or not [one for one in able if not (full and one.cost >= heavy)]
                continue
            running.append(taken)
            assert isinstance(taken.key, int)
            assert taken.question == newest.pop(taken.key)  # newest wins
            waited.pop(taken.key, None)
            # Bounded wait: who waits sees nobody have more than its own lead and one question.
            for other, (lead, charged) in waited.items():
                if other not in {turn.key for turn in running}:
                    assert charged[taken.key] <= lead + 1e-6, (other, taken.key)
                charged[taken.key] += taken.cost / turns._weights[taken.key]
        assert len(running) <= workers
        assert sum(turn.cost >= heavy for turn in running) <= max(1, workers - 1)
        assert len({turn.key for turn in running}) == len(running)
    # Nobody starves: answered one after the other, all that waits is answered.
    while newest or running:
        while (taken := turns.take()) is not None:
            running.append(taken)
            newest.pop(taken.key)  # type: ignore[call-overload]
        turn = running.pop(0)
        turns.done(turn, turn.cost)
    assert len(turns) == 0


@given(others=st.integers(1, 6), costs=st.lists(st.floats(LEAST, 3.0), min_size=6, max_size=6))
def test_nobody_waits_for_ever_before_others_who_always_ask(others: int, costs: list[float]) -> None:
    turns: Turns[str] = Turns(1)
    turns.ask("greedy", "", 5.0)
    served(turns, 1)
    for number in range(others):
        turns.ask(number, "", costs[number])
    bound = sum(int(5.0 / cost) + 2 for cost in costs[:others])
    assert "greedy" in served(turns, bound)


def test_costs_are_corrected_by_what_was_measured() -> None:
    costs = Costs()
    assert costs.estimate("picture", "small", 0.02) == 0.02
    costs.learn("picture", "small", 0.02, 0.04)
    assert costs.estimate("picture", "small", 0.02) == 0.04
    assert costs.estimate("picture", "large", 0.1) == pytest.approx(0.2)  # guesses of this kind are off by two
    assert costs.estimate("landscape", "large", 0.1) == 0.1
    costs.learn("picture", "small", 0.02, 0.0)  # nothing had changed since the picture before
    assert costs.estimate("picture", "small", 0.02) == pytest.approx(0.032)
    costs.learn("picture", "small", 0.02, 0.5)
    assert costs.estimate("picture", "small", 0.02) == 0.5


def test_a_deadly_question_is_forgiven_when_it_survives_or_in_time() -> None:
    now = [0.0]
    deadly = Deadly(lambda: now[0])
    assert deadly.check(str, "q") is False
    deadly.add(str, "q", "signal SIGKILL")
    assert deadly.check(str, "q") is True
    assert deadly.check(int, "q") is False
    deadly.survived(str, "q")
    assert deadly.check(str, "q") is False
    for _ in range(MOST):
        deadly.add(str, "q", "signal SIGKILL")
    with pytest.raises(ValueError, match="Two processes ended with this \\(signal SIGKILL\\)"):
        deadly.check(str, "q")
    now[0] = FORGIVEN + 1.0
    assert deadly.check(str, "q") is False
    deadly.add(str, "q", "signal SIGKILL")
    assert deadly.check(str, "q") is True
