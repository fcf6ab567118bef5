"""Pictures are drawn, and work of seconds is done, in processes of their own: the one that talks to the browsers does neither.

A thread beside the server's loop waits for the interpreter's lock at every operation of a small network, and the loop waits
for the thread. So what a picture needs travels through a pipe, the policy once, and only what changed since the page's last
picture comes back. Outside a server (a notebook), until the first process is up, and for what cannot travel (a rule that no
module defines) the picture is drawn in the thread that asks.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from itertools import count
from typing import Any

from workbench.engine.models.parts import Parts
from workbench.engine.tasks.protocol import Task
from workbench.engine.words import UserError
from workbench.ui.server.crew import METER
from workbench.ui.server.deadly import Deadly
from workbench.ui.server.drawing import Draws, Work
from workbench.ui.server.painter import DiedError, Material, Painter
from workbench.views.caller import Caller
from workbench.views.question import Question

log = logging.getLogger(__name__)
PROCESSES = 2  # that draw pictures: a heavy picture in one leaves the other to the light ones, on one processor too
SAME = 0.1  # seconds that a page waits for the process of its last picture: elsewhere the next takes longer to draw
LOOK = 0.05  # seconds between two looks whether a process came up, which it says through its pipe alone


class Studio:
    """Processes that draw; none until `start`.

    One of them is polite: where processors are scarce it lets the others, and the server, go first. Heavy pictures
    (`workbench.ui.server.crew`) are drawn there, and light ones elsewhere while they can. A page stays with the process that
    drew its last picture: what that one keeps of it makes the next one several times cheaper.

    Parameters
    ----------
    size : int
        How many. Each takes some 20 MB beside what all of them share, and 2 MB for every page that it draws.
    polite : bool
        All of them are, not the last one alone.
    name : str
        What they do, for the system's list of processes.
    """

    def __init__(self, size: int = PROCESSES, polite: bool = False, name: str = "draw pictures") -> None:
        self._polite, self._name = polite, name
        self._size = size
        self._painters: list[Painter] = []
        self._lock = threading.Lock()
        self._freed = threading.Condition()
        self._deadly = Deadly()
        self._came_up = False

    def start(self) -> None:
        """Start the processes, once; they take some seconds to come up, and end with this one."""
        with self._lock:
            if not self._painters:
                self._painters = [
                    Painter(self._polite or number == self._size - 1 > 0, self._name) for number in range(self._size)
                ]

    @property
    def started(self) -> bool:
        """Whether there are processes, up or not yet."""
        return bool(self._painters)

    def up(self) -> int:
        """How many of them can draw."""
        return sum(painter.up() for painter in self._painters)

    def close(self) -> None:
        """End the processes; from now on whoever asks draws."""
        painters, self._painters = self._painters, []
        for painter in painters:
            painter.close()

    def forget(self, desk: Desk) -> None:
        """Its page was closed."""
        for painter in self._painters:
            painter.forget(desk.number)

    def draw(self, desk: Desk, asked: Any, material: Material) -> Any:
        """As `Desk.draw`, or None when it has to be drawn here."""
        return self._try(
            desk, desk.kind, asked, lambda painter: painter.draw(desk.number, desk.kind, asked, material), patient=False
        )

    def work(self, work: Work, asked: Any, material: Material, caller: Caller, patient: bool = False) -> Any:
        """What ``work(asked, parts, task, caller)`` gives, or None when it has to be done here.

        Parameters
        ----------
        work : callable
            That can be imported by its name.
        asked : object
        material : Material
        caller : Caller
        patient : bool
            Wait for the first process to come up.

        Raises
        ------
        OvertakenError
            The caller does not want it any more.
        UserError, ToldError
            It failed there, in words, or two processes ended with it.
        """
        return self._try(None, work, asked, lambda painter: painter.work(work, asked, material, caller), patient)

    def _try(
        self,
        desk: Desk | None,
        kind: Callable[..., Any],
        asked: Any,
        act: Callable[[Painter], Any],
        patient: bool,
    ) -> Any:
        """Act with a free process, again with another one when it ends; never here, where it could end the server."""
        while True:
            again = self._deadly.check(kind, asked)
            painter = self._free(desk, patient or again)
            if painter is None:
                if again:
                    raise UserError("The process that did this ended, and no other one starts; see the server's log.")
                return None
            try:
                answer = act(painter)
            except DiedError as error:
                log.warning("%s; it is asked again", error)
                self._deadly.add(kind, asked, str(error))
            else:
                self._deadly.survived(kind, asked)
                return answer
            finally:
                painter.release()
                with self._freed:
                    self._freed.notify_all()

    def _free(self, desk: Desk | None, patient: bool) -> Painter | None:
        """A process that is up and does nothing, held; None when there will be none, or not soon and who asks does it."""
        start = time.monotonic()
        while True:
            painters = [painter for painter in self._painters if not painter.gave_up]
            ready = [painter for painter in painters if painter.up()]
            self._came_up = self._came_up or bool(ready)
            for painter in self._fitting(desk, painters, ready, time.monotonic() - start < SAME):
                if painter.take(METER.heavy):
                    if desk is not None:
                        desk.move_to(painter)
                    return painter
            if not painters or not (self._came_up or patient):
                return None
            with self._freed:
                self._freed.wait(LOOK)

    def _fitting(self, desk: Desk | None, painters: list[Painter], ready: list[Painter], early: bool) -> list[Painter]:
        """Of those that are ready the ones that may draw the page's next picture, the best first."""
        if METER.heavy:
            polite = [painter for painter in painters if painter.polite]
            return [painter for painter in polite or painters if painter in ready]
        last = None if desk is None else desk.last
        if early and last in ready and not last.draws_heavy:
            return [last]
        return sorted(ready, key=lambda painter: painter.polite)


STUDIO = Studio()


class Desk:
    """A page's place in the studio, with an artist of its own for what has to be drawn here.

    Parameters
    ----------
    kind : type of Draws
        A class that can be imported by its name.
    """

    _numbers = count()

    def __init__(self, kind: type[Draws], studio: Studio = STUDIO) -> None:
        self.kind, self.number = kind, next(self._numbers)
        self.last: Painter | None = None
        self._studio, self._own = studio, kind()

    def draw(self, asked: Any, question: Question, parts: Parts, task: Task) -> Any:
        """The picture.

        Parameters
        ----------
        asked : object
            What the artist is asked.
        question : Question
            What of it names the policy and the rules.
        parts : Parts
        task : Task

        Raises
        ------
        UserError
            The artist failed there, in its words, or two processes ended with it; one that draws here raises what it likes.
        """
        rules = tuple(policy.rule for policy in question.policies)
        picture = self._studio.draw(self, asked, Material(question.task, parts, task, rules))
        return self._own.draw(asked, parts, task) if picture is None else picture

    def move_to(self, painter: Painter) -> None:
        """That process draws the next picture; the one of the last picture keeps nothing any more."""
        if self.last is not None and self.last is not painter:
            self.last.forget(self.number)
        self.last = painter

    def close(self) -> None:
        """The page was closed: what is kept for it is let go."""
        self._studio.forget(self)
