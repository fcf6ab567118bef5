"""What a process that draws pictures, or does work of seconds, does: orders come through a pipe, answers go back.

It keeps the policies, and of each page an artist and the last picture, until the other end says to let go of them: that end
knows which pages are open, and how much all of it takes (`workbench.ui.server.painter`).
"""

from __future__ import annotations

import logging
import os
import pickle
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any, Protocol

import torch

from workbench.engine.allocator import give_back, keep_large_blocks
from workbench.engine.models.parts import Parts
from workbench.engine.steering.rules import RULES
from workbench.engine.tasks.protocol import Task
from workbench.engine.words import refusal
from workbench.ui.server.fault import told
from workbench.ui.server.packing import packed
from workbench.views import particles, rollouts, terrain  # noqa: F401 -- forked from one that has them, it starts at once
from workbench.views.caller import Caller, OvertakenError
from workbench.views.contained import contained

log = logging.getLogger(__name__)
NICE = 5  # of the polite process: a third of the others' share where processors are scarce
OFTEN = 0.05  # seconds between two words on how far a piece of work is
QUIET = 1.0  # seconds without an order after which freed memory goes back to the system


class Draws(Protocol):
    """Draws one page's pictures; what it keeps of one serves the next."""

    def draw(self, asked: Any, parts: Parts, task: Task) -> Any:
        """The picture that was asked for."""


Work = Callable[[Any, Any, Any, Caller], Any]  # work(asked, parts, task, caller); it can be imported by its name


@dataclass
class Order:
    """What is asked through the pipe.

    Attributes
    ----------
    asked : object
        What the artist, or the work, is asked.
    policy : str
        Name of the policy.
    parts_and_task : tuple or None
        The policy's, when they are not there yet.
    rules : list of type
        What the page's rules are at the other end, for some are made while a server runs.
    """

    asked: Any
    policy: str
    parts_and_task: tuple[Parts | None, Task] | None
    rules: list[Any]


@dataclass
class PictureOrder(Order):
    """A page's next picture, by an artist of that ``kind``."""

    page: int
    kind: type[Draws]


@dataclass
class WorkOrder(Order):
    """A piece of work; how far it is comes back meanwhile."""

    work: Work


class NotWanted:
    """The work that is being done is not wanted any more; there is no answer but that of the work."""


@dataclass
class LetGo:
    """What is not needed any more; there is no answer."""

    pages: list[int] = field(default_factory=list)
    policies: list[str] = field(default_factory=list)


class FarCaller:
    """Who waits at the other end of the pipe.

    Parameters
    ----------
    pipe : Connection
    """

    def __init__(self, pipe: Connection) -> None:
        self._pipe, self._told, self._gone = pipe, 0.0, False

    def progress(self, *values: float) -> None:
        """Tell the other end, but not too often."""
        now = time.monotonic()
        if now - self._told >= OFTEN:
            self._told = now
            self._pipe.send_bytes(pickle.dumps(("progress", values, 0.0)))

    def overtaken(self) -> bool:
        """Whether the other end said so, or is not there any more."""
        if not self._gone and self._pipe.poll():
            with suppress(EOFError, OSError):
                self._pipe.recv_bytes()  # while work is done, nothing else comes
            self._gone = True
        return self._gone


class Drawing:
    """The artists of all pages, and what the other end has of their pictures.

    Parameters
    ----------
    pipe : Connection
        For work that says how far it is.
    """

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._policies: dict[str, tuple[Parts | None, Task]] = {}
        self._artists: dict[int, Draws] = {}
        self._held: dict[int, dict[int, Any]] = {}

    def let_go(self, what: LetGo) -> None:
        """Forget it."""
        for page in what.pages:
            self._artists.pop(page, None)
            self._held.pop(page, None)
        for policy in what.policies:
            self._policies.pop(policy, None)

    def answer(self, order: Order) -> tuple[str, Any]:
        """``done`` and what it is, or ``refused``, ``fault`` or ``overtaken`` and words: not every exception can travel."""
        for rule in order.rules:
            RULES[rule.name] = rule
        if order.parts_and_task is not None:
            self._policies[order.policy] = order.parts_and_task
        try:
            if isinstance(order, PictureOrder):
                return "done", self._picture(order)
            assert isinstance(order, WorkOrder)
            with contained("the answer"):
                return "done", order.work(order.asked, *self._policies[order.policy], FarCaller(self._pipe))
        except OvertakenError:
            return "overtaken", ""
        except Exception as error:  # whatever it was, who asked is told
            return "fault" if refusal(error) is None else "refused", told(error)

    def _picture(self, order: PictureOrder) -> Any:
        artist = self._artists.get(order.page)
        if artist is None:
            artist = self._artists[order.page] = order.kind()
        parts, task = self._policies[order.policy]
        assert parts is not None, "pictures are of policies that are there"
        content, self._held[order.page] = packed(artist.draw(order.asked, parts, task), self._held.get(order.page, {}))
        return content


def draw_pictures(pipe: Connection, polite: bool = False) -> None:
    """Answer orders until the pipe closes."""
    if polite:
        os.nice(NICE)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the server ends its children
    torch.set_num_threads(1)
    keep_large_blocks()
    drawing = Drawing(pipe)
    with suppress(EOFError, OSError):
        pipe.send_bytes(b"ready")
        while True:
            block = pipe.recv_bytes()
            start = time.process_time()
            try:
                order = pickle.loads(block)  # noqa: S301 -- our own parent's
            except Exception as error:  # a class that cannot be imported here
                how, content = "cannot", f"{type(error).__name__}: {error}"
            else:
                if isinstance(order, NotWanted):  # it was done before that came
                    continue
                if isinstance(order, LetGo):
                    drawing.let_go(order)
                    if not pipe.poll(QUIET):
                        give_back()
                    continue
                how, content = drawing.answer(order)
            pipe.send_bytes(_sealed(how, content, time.process_time() - start))


def _sealed(how: str, content: Any, seconds: float) -> bytes:
    """The answer as bytes; in words where what was made cannot travel."""
    try:
        return pickle.dumps((how, content, seconds))
    except Exception as error:  # pickle raises what it likes
        return pickle.dumps(("cannot", f"{type(error).__name__}: {error}", seconds))
