"""Pictures are drawn in processes of their own, so that the one that talks to the browsers has its interpreter to itself.

A thread beside the server's loop waits for the interpreter's lock at every operation of a small network, and the loop waits
for the thread. So what a picture needs travels through a pipe, the policy once, and only what changed since the page's last
picture comes back. Outside a server (a notebook), before a process is up, and for what cannot travel (a rule that no module
defines) the picture is drawn in the thread that asks.
"""

from __future__ import annotations

import io
import logging
import multiprocessing
import os
import pickle
import signal
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from multiprocessing.connection import Connection
from typing import Any, Protocol

import numpy as np
import torch

from workbench.engine.allocator import keep_large_blocks
from workbench.engine.models.parts import Parts
from workbench.engine.steering.rules import RULES
from workbench.engine.steering.trace import Trace
from workbench.engine.tasks.protocol import Task
from workbench.ui.server.crew import METER
from workbench.ui.server.deadly import Deadly
from workbench.ui.server.parts_cache import PROCESSES, told
from workbench.views.question import Question

log = logging.getLogger(__name__)
POLICIES = 8  # kept in a process at once
DESKS = 64  # likewise
PATIENCE = 2.0  # seconds that a process which closed its pipe gets to end
LARGE = 1000  # numbers; a smaller array travels again
MOST_FAILURES = 5  # of a process to come up: then something here is wrong, and the thread that asks draws
NICE = 5  # of the polite process: a third of the others' share where processors are scarce


class Draws(Protocol):
    """Draws one page's pictures; what it keeps of one serves the next."""

    def draw(self, asked: Any, parts: Parts, task: Task) -> Any:
        """The picture that was asked for."""


class DiedError(RuntimeError):
    """A process ended while it drew."""


class Studio:
    """Processes that draw; none until `start`.

    One of them is polite: where processors are scarce it lets the others, and the server, go first. Heavy pictures
    (`workbench.ui.server.crew`) go there, light ones elsewhere while they can.

    Parameters
    ----------
    size : int
        How many. Each takes some 300 MB.
    """

    def __init__(self, size: int = PROCESSES) -> None:
        self._size = size
        self._painters: list[_Painter] = []
        self._lock = threading.Lock()
        self._freed = threading.Condition()
        self._deadly = Deadly()

    def start(self) -> None:
        """Start the processes, once; they take some seconds to come up, and end with this one."""
        with self._lock:
            if not self._painters:
                self._painters = [_Painter(polite=number == self._size - 1 > 0) for number in range(self._size)]

    def up(self) -> int:
        """How many of them can draw."""
        return sum(painter.up() for painter in self._painters)

    def close(self) -> None:
        """End the processes; from now on whoever asks draws."""
        painters, self._painters = self._painters, []
        for painter in painters:
            painter.close()

    def forget(self, desk: Desk) -> None:
        """Its page was closed: what the processes keep for it is let go with the next picture."""
        for painter in self._painters:
            painter.gone.append(desk.number)

    def draw(self, desk: Desk, asked: Any, question: Question, parts: Parts, task: Task) -> Any:
        """As `Desk.draw`, or None when it has to be drawn here.

        A picture whose process ends is asked again; never here, where it could end the server.
        """
        while True:
            again = self._deadly.check(desk.kind, asked)
            painter = self._free(desk, patient=again or METER.heavy)
            if painter is None:
                if again:
                    raise ValueError("The process that drew this ended, and no other one starts; see the server's log.")
                return None
            try:
                found = painter.draw(desk, asked, question, parts, task)
            except DiedError as error:
                log.warning("%s; it is asked again", error)
                self._deadly.add(desk.kind, asked, str(error))
            else:
                self._deadly.survived(desk.kind, asked)
                return found
            finally:
                painter.lock.release()
                with self._freed:
                    self._freed.notify_all()

    def _free(self, desk: Desk, patient: bool) -> _Painter | None:
        """A process that is up and draws nothing, held; None when there will be none, or not soon and who asks draws."""
        while True:
            painters = [painter for painter in self._painters if not painter.gave_up]
            ready = [painter for painter in painters if painter.up()]
            for painter in sorted(ready, key=lambda one: (one is not desk.last, one.polite != METER.heavy)):
                if painter.take():
                    desk.last = painter
                    return painter
            if not painters or (len(ready) < len(painters) and not patient):
                return None
            with self._freed:
                self._freed.wait(0.05)  # a process that comes up says so through its pipe alone


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
        self.last: _Painter | None = None  # what it keeps of this page makes the next picture cheaper
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
        ValueError
            The artist failed there, in its words, or two processes ended with it; one that draws here raises what it likes.
        """
        found = self._studio.draw(self, asked, question, parts, task)
        return self._own.draw(asked, parts, task) if found is None else found

    def close(self) -> None:
        """The page was closed."""
        self._studio.forget(self)


class _Painter:
    """One process, and the pipe to it."""

    def __init__(self, polite: bool = False) -> None:
        self.polite = polite
        self.lock = threading.Lock()
        self._failures, self._ready = 0, False
        self._start()

    @property
    def gave_up(self) -> bool:
        """It ended again and again before it could draw: something here is wrong."""
        return self._failures >= MOST_FAILURES

    def _start(self) -> None:
        self._known: OrderedDict[str, Parts] = OrderedDict()
        self._held: OrderedDict[int, dict[int, Any]] = OrderedDict()
        self._ready = False
        self.gone: list[int] = []  # desks that were closed
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=paint, args=(theirs, self.polite), daemon=True, name="draw pictures")
        self._process.start()
        theirs.close()

    def take(self) -> bool:
        """Hold its lock, if it can draw and draws nothing."""
        if not self.lock.acquire(blocking=False):
            return False
        ready = self._ready
        if not ready:  # it ended meanwhile
            self.lock.release()
        return ready

    def up(self) -> bool:
        """Whether it can draw; one that ended is replaced."""
        if not self.gave_up and self.lock.acquire(blocking=False):
            try:
                if not self._process.is_alive():
                    self._bury()
                elif not self._ready and self._pipe.poll():
                    with suppress(EOFError, OSError):
                        self._ready = self._pipe.recv_bytes() == b"ready"
                        self._failures = 0
            finally:
                self.lock.release()
        return self._ready

    def draw(self, desk: Desk, asked: Any, question: Question, parts: Parts, task: Task) -> Any:
        """As `Studio.draw`, by who holds the lock."""
        name = question.task
        new = None if self._known.get(name) is parts else (parts, task)
        rules, gone = [RULES[policy.rule] for policy in question.policies], self.gone[:]
        try:
            order = pickle.dumps((desk.number, desk.kind, asked, name, rules, new, gone))
        except Exception as error:  # pickle raises what it likes
            log.info("%s cannot be drawn elsewhere: %s", name, error)
            return None
        del self.gone[: len(gone)]
        for number in gone:
            self._held.pop(number, None)
        try:
            self._pipe.send_bytes(order)
            how, content, seconds = pickle.loads(self._pipe.recv_bytes())  # noqa: S301 -- our own child's
        except (EOFError, OSError):
            raise DiedError(f"a process that drew {name} ended ({self._bury()})") from None
        METER.elsewhere += seconds
        if how == "cannot":
            log.info("%s cannot be drawn elsewhere: %s", name, content)
            return None
        _keep(self._known, name, parts, POLICIES)
        if how == "error":
            raise ValueError(content)
        new_ones, outline = content
        picture, held = unpacked(new_ones, outline, self._held.get(desk.number, {}))
        _keep(self._held, desk.number, held, DESKS)
        return picture

    def close(self) -> None:
        """End the process for good; who waits for its picture draws it."""
        self._failures = MOST_FAILURES
        self._process.kill()
        self._process.join()

    def _bury(self) -> str:
        self._process.join(PATIENCE)
        self._process.kill()
        self._process.join()
        code = self._process.exitcode or 0
        self._process.close()
        self._pipe.close()
        self._failures += not self._ready
        self._ready = False
        if not self.gave_up:
            self._start()
        return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def _keep(shelf: OrderedDict[Any, Any], key: Any, value: Any, most: int) -> None:
    """Put ``value`` on a shelf that holds ``most``; the process and its pipe's other end do the same, in the same order."""
    shelf[key] = value
    shelf.move_to_end(key)
    while len(shelf) > most:
        shelf.popitem(last=False)


def paint(pipe: Connection, polite: bool = False) -> None:
    """What a process of the studio does until its pipe closes."""
    if polite:
        os.nice(NICE)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the server ends its children
    torch.set_num_threads(1)
    keep_large_blocks()
    policies: OrderedDict[str, tuple[Parts, Any]] = OrderedDict()
    artists: OrderedDict[int, Draws] = OrderedDict()
    held: OrderedDict[int, dict[int, Any]] = OrderedDict()

    def answer(order: bytes) -> tuple[str, Any]:
        try:
            desk, kind, asked, name, rules, new, gone = pickle.loads(order)  # noqa: S301 -- our own parent's
        except Exception as error:  # a class that cannot be imported here
            return "cannot", f"{type(error).__name__}: {error}"
        for rule in rules:
            RULES[rule.name] = rule
        for number in gone:
            artists.pop(number, None)
            held.pop(number, None)
        _keep(policies, name, new or policies[name], POLICIES)
        try:
            artist = artists.get(desk) or kind()
            _keep(artists, desk, artist, DESKS)
            content, now = packed(artist.draw(asked, *policies[name]), held.get(desk, {}))
        except Exception as error:  # as words: not every exception can be pickled
            if not isinstance(error, ValueError):
                log.exception("a picture of %s failed", name)
            return "error", told(error)
        _keep(held, desk, now, DESKS)
        return "picture", content

    with suppress(EOFError, OSError):
        pipe.send_bytes(b"ready")
        while True:
            order = pipe.recv_bytes()
            start = time.process_time()
            how, content = answer(order)
            pipe.send_bytes(pickle.dumps((how, content, time.process_time() - start)))


def packed(picture: Any, held: dict[int, Any]) -> tuple[tuple[bytes, bytes], dict[int, Any]]:
    """A picture as bytes without what the other end has; and what it has then, by number.

    Parameters
    ----------
    picture : object
    held : dict
        What the other end has: the traces and large arrays of the page's last picture.
    """
    now: dict[int, Any] = {}

    def shared(value: Any) -> int | None:
        if isinstance(value, Trace) or (isinstance(value, np.ndarray) and value.size > LARGE):
            now[id(value)] = value
            return id(value)
        return None

    outline = _dumped(picture, shared)
    new = {number: value for number, value in now.items() if number not in held}
    return (_dumped(new, lambda _: None), outline), now


def unpacked(new: bytes, outline: bytes, held: dict[int, Any]) -> tuple[Any, dict[int, Any]]:
    """Invert `packed`: what was there before is the same object again."""
    have = held | pickle.loads(new)  # noqa: S301
    now: dict[int, Any] = {}

    class Outline(pickle.Unpickler):
        def persistent_load(self, number: int) -> Any:
            now[number] = have[number]
            return have[number]

    return Outline(io.BytesIO(outline)).load(), now


def _dumped(value: Any, number_of: Callable[[Any], int | None]) -> bytes:
    """``value`` pickled; tensors as arrays, which is many times faster; what has a number as that."""

    class Pickler(pickle.Pickler):
        def persistent_id(self, found: Any) -> int | None:
            return number_of(found)

        def reducer_override(self, found: Any) -> Any:
            return (
                (torch.from_numpy, (found.detach().cpu().numpy(),)) if type(found) is torch.Tensor else NotImplemented
            )

    file = io.BytesIO()
    Pickler(file, protocol=5).dump(value)
    return file.getvalue()
