"""One process that draws pictures or does work of seconds, seen from the server, and what it keeps there."""

from __future__ import annotations

import logging
import pickle
import threading
import time
from collections import OrderedDict
from contextlib import suppress
from typing import Any, NamedTuple

from workbench.engine.models.parts import Parts
from workbench.engine.steering.rules import RULES
from workbench.engine.tasks.protocol import Task
from workbench.engine.words import UserError
from workbench.runs.child import ChildFunction
from workbench.ui.server.crew import METER
from workbench.ui.server.drawing import Draws, LetGo, NotWanted, Order, PictureOrder, Work, WorkOrder, draw_pictures
from workbench.ui.server.fault import ToldError
from workbench.ui.server.packing import size_of, unpacked
from workbench.views.caller import NOBODY, Caller, OvertakenError

log = logging.getLogger(__name__)
POLICIES = 8  # kept in a process at once
PAGES = 1024  # of which a process keeps something
MOST_HELD = 2**29  # bytes of pictures that a process keeps
MOST_FAILED_STARTS = 5  # of a process: then something here is wrong, and the thread that asks draws
GLANCE = 0.05  # seconds between two looks whether what is done is still wanted
OVERDUE = 5.0  # seconds that work which is not wanted any more gets to notice
PATIENCE = 2.0  # seconds that a process which closed its pipe gets to end


class Material(NamedTuple):
    """What is worked with: a policy, and its task.

    Attributes
    ----------
    name : str
        Under which a process keeps it.
    parts : Parts or None
        None where they are still to be made.
    task : Task
    rules : tuple of str
        Names of the rules that are asked for.
    """

    name: str
    parts: Parts | None
    task: Task
    rules: tuple[str, ...]


class DiedError(RuntimeError):
    """A process ended while it drew."""


class Painter:
    """One process, the pipe to it, and what it keeps: whoever holds `lock` may use them.

    Parameters
    ----------
    polite : bool
        Where processors are scarce it lets the others go first.
    name : str
        What it does, for the system's list of processes.

    Attributes
    ----------
    lock : Lock
    draws_heavy : bool
        What it draws now is a heavy picture.
    """

    def __init__(self, polite: bool = False, name: str = "draw pictures") -> None:
        self.polite = polite
        self.lock = threading.Lock()
        self.draws_heavy = False
        self._closed: list[int] = []  # pages of which the process still keeps something
        self._policies: OrderedDict[str, Parts] = OrderedDict()
        self._held: OrderedDict[int, dict[int, Any]] = OrderedDict()  # of each page's last picture
        self._sizes: dict[int, int] = {}  # bytes of that
        self._child = ChildFunction(
            draw_pictures,
            polite,
            name=name,
            preload=[draw_pictures.__module__],
            most_failed_starts=MOST_FAILED_STARTS,
        )

    @property
    def gave_up(self) -> bool:
        """It ended again and again before it could draw: something here is wrong."""
        return self._child.gave_up

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._child.pid

    def up(self) -> bool:
        """Whether it can draw; one that ended is replaced."""
        if not self.gave_up and self.lock.acquire(blocking=False):
            try:
                if not self._child.is_alive:
                    self._replace()
                elif not self._child.has_come_up and self._child.pipe.poll():
                    with suppress(EOFError, OSError):
                        if self._child.pipe.recv_bytes() == b"ready":
                            self._child.came_up()
            finally:
                self.lock.release()
        return self._child.has_come_up

    def take(self, heavy: bool) -> bool:
        """Hold its lock, if it can draw and draws nothing."""
        if not self.lock.acquire(blocking=False):
            return False
        if not self._child.has_come_up:  # it ended meanwhile
            self.lock.release()
            return False
        self.draws_heavy = heavy
        return True

    def release(self) -> None:
        """It draws nothing any more."""
        self.draws_heavy = False
        self.lock.release()
        self._let_go()

    def forget(self, page: int) -> None:
        """The page was closed, or is drawn by another process: nothing is kept of it, here and there."""
        self._closed.append(page)
        self._let_go()

    def draw(self, page: int, kind: type[Draws], asked: Any, material: Material) -> Any:
        """The picture, or None when it cannot be drawn there; by who holds the lock.

        Raises
        ------
        DiedError
            The process ended; another one is started.
        UserError, ToldError
            It was refused, or failed, in words.
        """
        held = self._held.setdefault(page, {})
        self._held.move_to_end(page)
        content = self._answer(PictureOrder(asked, *self._of(material), page, kind), material, NOBODY)
        if content is None:
            return None
        new, outline = content
        picture, self._held[page] = unpacked(new, outline, held)
        self._sizes[page] = size_of(self._held[page])
        self._keep_within_bounds()
        return picture

    def work(self, work: Work, asked: Any, material: Material, caller: Caller) -> Any:
        """What ``work(asked, parts, task, caller)`` gives, or None when it cannot be done there; by who holds the lock.

        Raises
        ------
        OvertakenError
            The caller does not want it any more; a process that does not notice in time is ended.
        DiedError, UserError, ToldError
            As for `draw`.
        """
        return self._answer(WorkOrder(asked, *self._of(material), work), material, caller)

    def _of(self, material: Material) -> tuple[str, tuple[Parts | None, Task] | None, list[Any]]:
        """What an order says of its policy."""
        there = material.parts is not None and self._policies.get(material.name) is material.parts
        return (
            material.name,
            None if there else (material.parts, material.task),
            [RULES[rule] for rule in material.rules],
        )

    def _answer(self, order: Order, material: Material, caller: Caller) -> Any:
        """Send an order and wait for its answer; None when one of them cannot travel."""
        try:
            block = pickle.dumps(order)
        except Exception as error:  # pickle raises what it likes
            log.info("%s cannot be worked on elsewhere: %s", material.name, error)
            return None
        try:
            self._child.pipe.send_bytes(block)
            how, content, seconds = self._wait(caller)
        except (EOFError, OSError):
            raise DiedError(f"a process that worked on {material.name} ended ({self._replace()})") from None
        METER.elsewhere += seconds
        if how == "cannot":
            log.info("%s cannot be worked on elsewhere: %s", material.name, content)
            return None
        if material.parts is not None:
            self._policies[material.name] = material.parts
            self._policies.move_to_end(material.name)
        if how == "overtaken":
            raise OvertakenError
        if how in ("refused", "fault"):
            raise UserError(content) if how == "refused" else ToldError(content)
        return content

    def _wait(self, caller: Caller) -> tuple[str, Any, float]:
        """The answer; meanwhile the caller hears how far it is, and is asked whether it is still wanted."""
        pipe, unwanted_since = self._child.pipe, None
        while True:
            if pipe.poll(GLANCE):
                how, content, seconds = pickle.loads(pipe.recv_bytes())  # noqa: S301 -- our own child's
                if how != "progress":
                    return how, content, seconds
                caller.progress(*content)
            if unwanted_since is not None and time.monotonic() - unwanted_since > OVERDUE:
                self._replace()
                raise OvertakenError
            if unwanted_since is None and caller.overtaken():
                unwanted_since = time.monotonic()
                pipe.send_bytes(pickle.dumps(NotWanted()))

    def close(self) -> None:
        """End the process for good; who waits for its picture draws it."""
        self._child.kill()
        if self.lock.acquire(timeout=PATIENCE):  # else who draws is about to find out
            self._child.wait()
            self.lock.release()

    def _let_go(self) -> None:
        """Let go of what was closed, unless the process draws: then whoever asked for that does it afterwards."""
        while self._closed and self.lock.acquire(blocking=False):
            try:
                pages, self._closed = self._closed, []
                self._drop(LetGo([page for page in pages if self._forget(page)]))
            finally:
                self.lock.release()

    def _keep_within_bounds(self) -> None:
        """Of what was used longest ago the process and this end keep no more than the bounds say."""
        over = LetGo()
        while len(self._held) > 1 and (len(self._held) > PAGES or sum(self._sizes.values()) > MOST_HELD):
            page = next(iter(self._held))
            self._forget(page)
            over.pages.append(page)
        while len(self._policies) > POLICIES:
            over.policies.append(self._policies.popitem(last=False)[0])
        self._drop(over)

    def _forget(self, page: int) -> bool:
        """Let go of it at this end; whether there was something."""
        self._sizes.pop(page, None)
        return self._held.pop(page, None) is not None

    def _drop(self, what: LetGo) -> None:
        if (what.pages or what.policies) and self._child.has_come_up:
            with suppress(OSError):  # it ended: the next picture finds out
                self._child.pipe.send_bytes(pickle.dumps(what))

    def _replace(self) -> str:
        """Start a process in the place of one that ended, or that closed its pipe; how that one ended, in words."""
        self._policies.clear()
        self._held.clear()
        self._sizes.clear()
        return self._child.restart(PATIENCE)
