"""What a process that draws pictures does: orders come through a pipe, pictures go back.

It keeps the policies, and of each page an artist and the last picture, until the other end says to let go of them: that end
knows which pages are open, and how much all of it takes (`workbench.ui.server.painter`).
"""

from __future__ import annotations

import logging
import os
import pickle
import signal
import time
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
from workbench.views import particles, terrain  # noqa: F401 -- a process that is forked from one that has them starts at once

log = logging.getLogger(__name__)
NICE = 5  # of the polite process: a third of the others' share where processors are scarce
QUIET = 1.0  # seconds without an order after which freed memory goes back to the system


class Draws(Protocol):
    """Draws one page's pictures; what it keeps of one serves the next."""

    def draw(self, asked: Any, parts: Parts, task: Task) -> Any:
        """The picture that was asked for."""


@dataclass
class Order:
    """What is asked through the pipe.

    Attributes
    ----------
    page : int
    kind : type of Draws
    asked : object
        What the artist is asked.
    policy : str
        Name of the policy.
    parts_and_task : tuple or None
        The policy's, when they are not there yet.
    rules : list of type
        What the page's rules are at the other end, for some are made while a server runs.
    """

    page: int
    kind: type[Draws]
    asked: Any
    policy: str
    parts_and_task: tuple[Parts, Task] | None
    rules: list[Any]


@dataclass
class LetGo:
    """What is not needed any more; there is no answer."""

    pages: list[int] = field(default_factory=list)
    policies: list[str] = field(default_factory=list)


class Drawing:
    """The artists of all pages, and what the other end has of their pictures."""

    def __init__(self) -> None:
        self._policies: dict[str, tuple[Parts, Task]] = {}
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
        """``picture`` and its bytes, or ``refused`` or ``fault`` and words: not every exception can travel."""
        for rule in order.rules:
            RULES[rule.name] = rule
        if order.parts_and_task is not None:
            self._policies[order.policy] = order.parts_and_task
        try:
            artist = self._artists.get(order.page)
            if artist is None:
                artist = self._artists[order.page] = order.kind()
            picture = artist.draw(order.asked, *self._policies[order.policy])
            content, self._held[order.page] = packed(picture, self._held.get(order.page, {}))
        except Exception as error:  # whatever it was, who asked is told
            return "fault" if refusal(error) is None else "refused", told(error)
        return "picture", content


def draw_pictures(pipe: Connection, polite: bool = False) -> None:
    """Answer orders until the pipe closes."""
    if polite:
        os.nice(NICE)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the server ends its children
    torch.set_num_threads(1)
    keep_large_blocks()
    drawing = Drawing()
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
                if isinstance(order, LetGo):
                    drawing.let_go(order)
                    if not pipe.poll(QUIET):
                        give_back()
                    continue
                how, content = drawing.answer(order)
            pipe.send_bytes(pickle.dumps((how, content, time.process_time() - start)))
