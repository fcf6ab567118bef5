"""Whose question is worked on next: fair turns between sessions, by what they cost."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

Q = TypeVar("Q")
LEAST = 1e-3  # seconds; nothing is free, or somebody who asks for nothings could ask for ever


@dataclass(eq=False)
class Turn(Generic[Q]):
    """A question that waits or is worked on.

    Attributes
    ----------
    key : hashable
        Whose newest question it is: another one of the same key takes its place while it waits.
    who : hashable
        The session that pays for it.
    question : object
    cost : float
        Estimated seconds.
    number : int
        Its place in the order of arrival; a question that takes another's place keeps it.
    """

    key: Hashable
    who: Hashable
    question: Q
    cost: float
    number: int


class Turns(Generic[Q]):
    """Questions of many sessions before a few workers: start-time fair queueing, without clock, threads or processes.

    Every session has a tag: how much work it has had, counted from that of the sessions which are served now. The waiting
    session of the least tag is next; of equal ones who waits longest. So sessions that ask alike take turns, one that had
    much stands behind those that had little, by at most what its last questions cost, and nobody waits for ever. Heavy
    questions together never have the last worker, so that light ones wait for light ones alone.

    Parameters
    ----------
    workers : int
        Questions that are worked on at once.
    heavy : float
        Estimated seconds from which a question is a heavy one.
    """

    def __init__(self, workers: int, heavy: float = float("inf")) -> None:
        if workers < 1:
            raise ValueError(f"turns need at least one worker, got {workers}")
        self._workers, self._heavy = workers, heavy
        self._waiting: dict[Hashable, Turn[Q]] = {}
        self._running: dict[Hashable, Turn[Q]] = {}
        self._now = 0.0  # the tag of those who are served now
        self._tags: dict[Hashable, float] = {}
        self._weights: dict[Hashable, float] = {}
        self._arrivals = 0

    def ask(self, key: Hashable, question: Q, cost: float, who: Hashable = None, weight: float = 1.0) -> Q | None:
        """Put a question in line; the one of the same key that still waited, which is forgotten, else None.

        Parameters
        ----------
        key : hashable
        question : object
        cost : float
            Estimated seconds.
        who : hashable, optional
            The session; without it ``key`` is one of its own.
        weight : float
            A session of weight 2 gets twice as much as one of weight 1 while both wait.
        """
        if not weight > 0.0:
            raise ValueError(f"a session's weight is above zero, got {weight}")
        who = key if who is None else who
        before = self._waiting.get(key)
        if before is None:
            self._arrivals += 1
        number = self._arrivals if before is None else before.number
        self._weights[who] = weight
        self._waiting[key] = Turn(key, who, question, max(LEAST, cost), number)
        return None if before is None else before.question

    def drop(self, key: Hashable) -> Q | None:
        """Forget what waits under ``key``; it, or None."""
        before = self._waiting.pop(key, None)
        return None if before is None else before.question

    def take(self) -> Turn[Q] | None:
        """The next one to work on, which is charged for its estimate; None while nothing can start.

        Of one key only one is worked on at a time, so that answers come in the order of the questions.
        """
        if len(self._running) >= self._workers:
            return None
        full = sum(self.heavy(turn) for turn in self._running.values()) >= max(1, self._workers - 1)
        able = [
            turn for turn in self._waiting.values() if turn.key not in self._running and not (full and self.heavy(turn))
        ]
        if not able:
            return None
        turn = min(able, key=lambda turn: (self._tag(turn.who), turn.number))
        del self._waiting[turn.key]
        self._running[turn.key] = turn
        self._now = self._tag(turn.who)
        self._charge(turn, turn.cost)
        return turn

    def done(self, turn: Turn[Q], spent: float) -> None:
        """It is worked on no longer: its session pays what it really cost, in seconds."""
        del self._running[turn.key]
        self._charge(turn, max(LEAST, spent) - turn.cost)
        active = {one.who for one in (*self._waiting.values(), *self._running.values())}
        self._tags = {who: tag for who, tag in self._tags.items() if tag > self._now}
        self._weights = {who: weight for who, weight in self._weights.items() if who in active or who in self._tags}

    def heavy(self, turn: Turn[Q]) -> bool:
        """Whether it is one of those that never have the last worker."""
        return turn.cost >= self._heavy

    def waits(self, key: Hashable) -> bool:
        """Whether a question of ``key`` has not started."""
        return key in self._waiting

    def busy(self, key: Hashable) -> bool:
        """Whether one waits or is worked on."""
        return key in self._waiting or key in self._running

    def __len__(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def _tag(self, who: Hashable) -> float:
        return max(self._now, self._tags.get(who, 0.0))

    def _charge(self, turn: Turn[Q], seconds: float) -> None:
        self._tags[turn.who] = self._tags.get(turn.who, self._now) + seconds / self._weights[turn.who]
