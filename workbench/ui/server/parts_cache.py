"""What all users of one server share: tasks, and their parts, made once and in the background."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar
from weakref import WeakSet

from workbench.engine.models.parts import Parts
from workbench.engine.tasks.abilities import HasParts
from workbench.engine.tasks.protocol import Task
from workbench.engine.training.plan import extra_parts
from workbench.ui.server.crew import Crew
from workbench.ui.server.draw_processes import PROCESSES
from workbench.ui.server.fault import ToldError, told
from workbench.ui.server.painter import Material
from workbench.ui.server.turns import Turn, Turns
from workbench.ui.server.workshop import add_part, build, elsewhere
from workbench.views.background import begin, ending
from workbench.views.caller import NOBODY, Caller, OvertakenError
from workbench.views.contained import contained
from workbench.views.effort import Effort
from workbench.views.parts import Report, one_thread, with_part
from workbench.views.policies import Source, find, forgotten

log = logging.getLogger(__name__)
SHORT = 0.03
USUAL = 20.0  # seconds that a learned part takes, until it is known
Q = TypeVar("Q")
A = TypeVar("A")


@dataclass
class Status:
    """How far the parts of a task are: ``parts`` when ready, ``error`` in words when that failed, else ``progress``.

    Attributes
    ----------
    progress : float
        Share done.
    left : float
        Seconds; NaN while unknown.
    part : str
        The learned part that is being trained; "" for the task's own policy.
    stopped : bool
        It was cancelled.
    base : Parts or None
        The policy without learned parts.
    wanted, refused : WeakSet
        Who waits for it, and who cancelled it.
    cancelled : bool
        All who waited have cancelled it: it ends at its next report.
    waits : bool
        Others are trained before it.
    """

    progress: float = 0.0
    parts: Parts | None = None
    error: str = ""
    left: float = float("nan")
    part: str = ""
    stopped: bool = False
    base: Parts | None = None
    wanted: WeakSet[Any] = field(default_factory=WeakSet)
    refused: WeakSet[Any] = field(default_factory=WeakSet)
    cancelled: bool = False
    waits: bool = False


class Cache:
    """The parts of every source (`workbench.views.policies`) by its name, for the whole process.

    Parameters
    ----------
    build : callable
        ``build(task, report) -> Parts``, of a built-in task.
    further : callable
        ``further(source, parts, part, report) -> Parts``, with one part more.
    """

    def __init__(
        self,
        build: Callable[[Any, Callable[[float], None]], Parts] = build,
        further: Callable[[Source, Parts, str, Report], Parts] = add_part,
    ) -> None:
        self._build, self._further = build, further
        self._parts: dict[tuple[str, str], Status] = {}
        # One learned part at a time: the pages need the other cores.
        self._turns: Turns[tuple[Source, Status, Status]] = Turns(1)
        self._status: dict[str, Status] = {}
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._closing = False

    def task(self, name: str) -> Task:
        """The source's task; raises as `workbench.views.policies.find`."""
        return find(name).task

    def status(self, name: str, train: bool = True) -> Status:
        """How far the parts are, starting to make them on the first call; a failed try starts again on `retry`.

        Without ``train`` only what costs no training is started: what is read, and closed forms.
        """
        source = find(name)
        with self._lock:
            if name in self._status:
                return self._status[name]
            if not train and source.run is None and not isinstance(source.task, HasParts):
                return Status()
            self._status = {known: one for known, one in self._status.items() if not forgotten(known)}
            self._parts = {key: one for key, one in self._parts.items() if not forgotten(key[0])}
            status = self._status[name] = Status()
        self._start(f"train {name}", self._make, source, status).join(
            SHORT
        )  # a closed form is there before the page is
        return status

    def _start(self, name: str, work: Callable[..., None], *arguments: Any) -> threading.Thread:
        thread = begin(name, work, *arguments)
        self._threads = [one for one in self._threads if one.is_alive()] + [thread]
        return thread

    def ready(self, name: str, needs: tuple[str, ...], who: object, train: bool = True) -> Status:
        """As `status`, but with the learned parts among ``needs`` too, which are trained in the background, one by one.

        Parameters
        ----------
        name : str
        needs : tuple of str
            What the rules need.
        who : object
            Who asks: a training goes on until it is done, or until all who asked have cancelled it.
        train : bool
            As for `status`.
        """
        status = self.status(name, train)
        if status.parts is None:
            return status
        have = status.parts.available()
        part = next((part for part in extra_parts(needs) if part not in have), "")
        if not part:
            return status
        with self._lock:
            learned = self._parts.get((name, part))
            if learned is not None and who in learned.refused:
                return Status(part=part, stopped=True)
            if learned is not None and not learned.stopped:
                learned.wanted.add(who)
                learned.cancelled = False
                return learned
            if not train:
                return Status(part=part)
            learned = self._parts[name, part] = Status(part=part, wanted=WeakSet((who,)), waits=True)
            self._turns.ask((name, part), (find(name), status, learned), USUAL, visitor())
        self._train()
        return learned

    def _train(self) -> None:
        """Start the training whose turn it is, if none runs."""
        with self._lock:
            turn = None if self._closing or ending() else self._turns.take()
        if turn is not None:
            source, _, learned = turn.question
            learned.waits = False
            self._start(f"train {learned.part} for {source.name}", self._add, turn)

    def cancel(self, name: str, part: str, who: object) -> None:
        """``who`` no longer waits for a learned part; when nobody does, its training stops."""
        with self._lock:
            learned = self._parts.get((name, part))
            if learned is not None:
                learned.refused.add(who)
                learned.wanted.discard(who)
                learned.cancelled = not learned.wanted
                if learned.cancelled and self._turns.drop((name, part)) is not None:
                    learned.waits, learned.stopped = False, True

    def retry(self, name: str, part: str = "", who: object = None) -> None:
        """Forget a failed try, and that ``who`` cancelled the training of ``part``."""
        with self._lock:
            if name in self._status and self._status[name].error:
                del self._status[name]
            learned = self._parts.get((name, part))
            if learned is not None:
                learned.refused.discard(who)
                if learned.error or learned.stopped:
                    del self._parts[name, part]

    def wait(self, name: str) -> Parts:
        """The parts, waiting for them; ToldError with the reason when they could not be made."""
        status = self.status(name)
        while status.parts is None:
            if status.error:
                raise ToldError(status.error)
            threading.Event().wait(0.05)
        return status.parts

    def work(
        self,
        work: Callable[[Q, Any, Any, Caller], A],
        asked: Q,
        name: str,
        rules: Iterable[str],
        caller: Caller = NOBODY,
    ) -> A:
        """What ``work(asked, parts, task, caller)`` gives, in a process of its own where a server runs.

        Parameters
        ----------
        work : callable
            That can be imported by its name; it takes seconds.
        asked : object
        name : str
            Of a source, whose parts are waited for.
        rules : iterable of str
            Those that are asked for.
        caller : Caller

        Raises
        ------
        OvertakenError
            The caller does not want it any more.
        """
        return elsewhere(work, asked, Material(name, self.wait(name), self.task(name), tuple(rules)), caller)

    def stop(self) -> None:
        """Nothing more is wanted: what is being made ends at its next report, and nothing new begins."""
        self._closing = True

    def close(self, patience: float = 10.0) -> None:
        """`stop`, and wait for that."""
        self.stop()
        for thread in self._threads:
            thread.join(patience)

    def _make(self, source: Source, status: Status) -> None:
        def report(progress: float) -> None:
            if self._closing or ending():
                raise OvertakenError
            status.progress = progress

        try:
            with one_thread(), contained(f"the policy '{source.name}'"):
                parts = self._build(source.task, report) if source.run is None else source.parts()
                status.parts = replace(parts, data=source.near())
        except OvertakenError:
            status.error = "the server is stopping"
        except Exception as error:  # whatever it was, the page must say it instead of loading for ever
            log.warning("making the parts of %s failed: %s", source.name, error)
            status.error = told(error)

    def _add(self, turn: Turn[tuple[Source, Status, Status]]) -> None:
        """Train one learned part, and add it to the parts that everybody sees."""
        source, status, learned = turn.question
        start = time.monotonic()

        def report(progress: float, left: float) -> None:
            if self._closing or ending() or learned.cancelled:
                raise OvertakenError
            learned.progress, learned.left = progress, left

        try:
            report(0.0, float("nan"))
            assert status.parts is not None
            # Always from the policy as it was made, so that what is found on disk does not depend on the order.
            base = replace(status.parts, extra={}) if status.base is None else status.base
            status.base = base
            with contained(f"the part '{learned.part}'"):
                trained = self._further(source, base, learned.part, report)
            status.parts = with_part(status.parts, trained)
        except OvertakenError:
            learned.stopped = True
        except Exception as error:  # as above
            log.warning("training %s for %s failed: %s", learned.part, source.name, error)
            learned.error = told(error)
        finally:
            with self._lock:
                self._turns.done(turn, time.monotonic() - start)
            self._train()


CACHE = Cache()


# As many as there are drawing processes, so that none of them waits for one. Without processes small networks hold the
# interpreter half of the time: more threads would slow each other down.
QUICK = Crew("steer", PROCESSES)
# For work of seconds, as many as there are processes for it.
LONG = Crew("long", PROCESSES)


def visitor() -> Hashable:
    """The session whose code runs, None outside a server."""
    import panel as pn  # here: the processes that draw come up without it

    document = pn.state.curdoc
    return None if document is None or document.session_context is None else document.session_context.id


class Latest(Generic[Q, A]):
    """Answer the newest question only: one at a time in a worker thread, dropping those that newer ones overtook.

    Sessions take turns; what the visitor who makes this asks is on that visitor's account.

    Parameters
    ----------
    work : callable
        ``work(question) -> answer``, in a worker thread.
    deliver : callable
        ``deliver(question, answer, error)``; it must bring the result back to the page's own thread.
    crew : Crew, optional
        `QUICK` for answers at the speed of the hand, which should not wait behind work of seconds; `LONG` for that.
    effort : callable, optional
        ``effort(question)``, what it may cost; without it as much as this visitor's last one.
    """

    crew = Crew("work", 4)

    def __init__(
        self,
        work: Callable[[Q], A],
        deliver: Callable[[Q, A | None, Exception | None], None],
        crew: Crew | None = None,
        effort: Callable[[Q], Effort] | None = None,
    ) -> None:
        self.crew = crew or Latest.crew
        self._who = visitor()
        self._work, self._deliver = work, deliver
        usual = Effort(getattr(work, "__qualname__", type(work).__name__), self._who)
        self._effort = effort or (lambda question: usual)

    def ask(self, question: Q) -> None:
        """Ask; an earlier question that has not started is forgotten."""
        self.crew.ask(self, self._who, lambda: self._answer(question), self._effort(question))

    def drop(self) -> None:
        """Forget what has not started."""
        self.crew.drop(self)

    @property
    def busy(self) -> bool:
        """Whether something runs or waits."""
        return self.crew.busy(self)

    @property
    def waits(self) -> bool:
        """Whether the newest question has not started."""
        return self.crew.waits(self)

    def _answer(self, question: Q) -> None:
        try:
            with contained("the answer"):
                answer = self._work(question)
        except Exception as error:  # whatever it was, who asked is told
            self._deliver(question, None, error)
        else:
            self._deliver(question, answer, None)
