"""Many people for a long time, some of them greedy, with drawing processes that are killed: who waits, and what is lost.

Most people move a slider every few seconds over the scene of ``python -m benchmarks ui``; the greedy ones ask for 1024
particles that all push each other, the next picture as soon as they have one. ``--seconds``, ``--sessions``, ``--greedy``
and ``--kills`` change the run; ``--against DIR`` runs the same on the code of another checkout first.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.timing import table
from benchmarks.ui import ROOT, SCENE, children, cpu, p95, resident, server
from benchmarks.ui_client import Client

GREED = "/particles?rule=vgf&particles=1024&shown=1024"
THINK = (2.0, 6.0)  # seconds between two movements of one person
DISCARDED = 45.0  # seconds until the server has let go of sessions whose pages were closed
AFTER = 8.0  # seconds after a kill in which a picture's wait counts as its cost
PATIENCE = 120.0  # seconds after which a picture is lost


@dataclass
class Outcome:
    """What a soak found.

    Attributes
    ----------
    waits, greedy_waits : list of (float, float)
        When each picture was asked for, in seconds since the start, and for how many milliseconds it was waited.
    errors : list of str
        Errors of the server or its pages.
    asked, lost : int
        Pictures that were asked for; those that never came.
    last : int
        Sessions whose last picture is the one that they asked for last.
    kills : list of float
        When a drawing process was killed.
    memory, descriptors : tuple
        MiB and count of the server before and after; a drawing process's memory goes with it.
    drawing : tuple
        MiB of the drawing processes before and after.
    spent : tuple of float
        Share of a processor that the server and its drawing processes took.
    """

    sessions: int
    waits: list[tuple[float, float]] = field(default_factory=list)
    greedy_waits: list[tuple[float, float]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    asked: int = 0
    lost: int = 0
    last: int = 0
    kills: list[float] = field(default_factory=list)
    memory: tuple[float, float] = (0.0, 0.0)
    drawing: tuple[float, float] = (0.0, 0.0)
    descriptors: tuple[int, int] = (0, 0)
    spent: tuple[float, float] = (0.0, 0.0)

    def after_kills(self) -> list[float]:
        """Waits that began just before or soon after a kill."""
        return [wait for when, wait in self.waits if any(kill - 1.0 < when < kill + AFTER for kill in self.kills)]


def descriptors(pid: int) -> int:
    """Open files of a process."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def _still(pid: int) -> int:
    """Open files of a process once it closes no more of them."""
    found = -1
    while found != (found := descriptors(pid)):
        time.sleep(2.0)
    return found


class Person:
    """One session that moves one slider between two stops, and checks that what it asked for last is what it sees."""

    def __init__(self, url: str, number: int, greedy: bool) -> None:
        self.client = Client(url, GREED if greedy else f"{SCENE}&seed={number}")
        self.greedy, self.luck = greedy, random.Random(number)
        self._slider, self._word = ("wb-steps", "steps") if greedy else ("wb-weight", "weight")
        self._low, self._high = (8, 12) if greedy else (1, 60)

    async def open(self) -> None:
        await self.client.open(self._slider)

    def _next(self) -> int:
        return self._low + (self.client.value - self._low + 1) % (self._high - self._low + 1)

    def _shown(self, header: dict[str, object]) -> bool:
        """Whether a frame shows what was asked for last."""
        number = float(self.client.stops[self.client.value].split()[0])
        subtitle = header["stages"][1]["subtitle"]  # type: ignore[index]
        return f"{self._word} {number:g}:" in str(subtitle)

    async def picture(self) -> float:
        """Move the slider, the greedy twice at once, and wait for the picture of the last movement; milliseconds."""
        start = time.perf_counter()
        for _ in range(2 if self.greedy else 1):
            await self.client.push(self._next())
        while not self._shown(await self.client.frame()):
            pass
        return 1e3 * (time.perf_counter() - start)


async def live(person: Person, outcome: Outcome, start: float, end: float) -> None:
    """One person's visit; what goes wrong is counted."""
    waits = outcome.greedy_waits if person.greedy else outcome.waits
    try:
        if not person.greedy:
            await asyncio.sleep(person.luck.uniform(0.0, THINK[1]))
        while True:
            outcome.asked += 1
            when = time.perf_counter() - start
            try:
                waits.append((when, await asyncio.wait_for(person.picture(), PATIENCE)))
            except TimeoutError:
                outcome.lost += 1
                return
            if time.perf_counter() >= end:
                outcome.last += 1
                return
            if not person.greedy:
                await asyncio.sleep(min(person.luck.uniform(*THINK), max(0.0, end - time.perf_counter())))
    except Exception as error:  # counted: "no errors" is what is to be reached
        outcome.errors.append(f"{type(error).__name__}: {error}")


async def killer(pid: int, outcome: Outcome, start: float, times: list[float]) -> None:
    """Kill a drawing process at each of the times, one after the other in turn."""
    for number, when in enumerate(times):
        await asyncio.sleep(max(0.0, start + when - time.perf_counter()))
        found = sorted(_drawing(pid))
        if found:
            with suppress(ProcessLookupError):
                os.kill(found[number % len(found)], signal.SIGKILL)
                outcome.kills.append(time.perf_counter() - start)


def _drawing(pid: int) -> list[int]:
    """The processes that draw for a server: forked from a child that only has imported what they need, or its own children."""
    return [
        process
        for child in children(pid)
        for process in (children(child) if _runs(child, b"forkserver") else [child] * _runs(child, b"spawn_main"))
        if not _works(process)
    ]


def _works(pid: int) -> bool:
    """Whether it does work of seconds and draws no pictures; before these had names, all drew."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().strip() in ("work", "train")
    return False


def _runs(pid: int, what: bytes) -> bool:
    """Whether a process's command line says so; one that has ended runs nothing."""
    with suppress(OSError):
        return what in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False


async def opened(people: list[Person], outcome: Outcome) -> list[Person]:
    """Open all pages, four at once; those that were opened."""
    gate = asyncio.Semaphore(4)

    async def one(person: Person) -> bool:
        async with gate:
            try:
                await person.open()
            except Exception as error:  # counted, as in `live`
                outcome.errors.append(f"a page did not open: {type(error).__name__}: {error}")
                return False
        return True

    found = await asyncio.gather(*(one(person) for person in people))
    return [person for person, there in zip(people, found, strict=True) if there]


async def closed(people: list[Person]) -> None:
    for person in people:
        if person.client.socket is not None:
            await person.client.close()


def made(url: str, sessions: int, greedy: int) -> list[Person]:
    return [Person(url, number, number >= sessions - greedy) for number in range(sessions)]


async def visit(url: str, pid: int, outcome: Outcome, greedy: int, seconds: float, kills: int) -> None:
    """The run itself."""
    people = await opened(made(url, outcome.sessions, greedy), outcome)
    before, drawn = cpu(pid), cpu(*_drawing(pid))
    start = time.perf_counter()
    times = [seconds * (number + 1) / (kills + 1) for number in range(kills)]
    end = start + seconds
    await asyncio.gather(killer(pid, outcome, start, times), *(live(person, outcome, start, end) for person in people))
    took = time.perf_counter() - start
    outcome.spent = ((cpu(pid) - before) / took, max(0.0, cpu(*_drawing(pid)) - drawn) / took)
    await closed(people)


async def warmed(url: str, outcome: Outcome, greedy: int) -> None:
    """A first round of the same sessions, each with a picture: what the server keeps for good is there before it is measured."""
    people = await opened(made(url, outcome.sessions, greedy), outcome)
    await asyncio.gather(*(person.picture() for person in people))
    await closed(people)


def soak(
    url: str, pid: int, sessions: int, greedy: int, seconds: float, kills: int, discarded: float = DISCARDED
) -> Outcome:
    """Run it against a server.

    Parameters
    ----------
    url : str
    pid : int
        The server's process.
    sessions, greedy : int
        In all, and how many of them are greedy.
    seconds : float
    kills : int
        Drawing processes that are killed, at times spread evenly over the run.
    discarded : float
        Seconds to wait for the server to let go of closed pages; open files are waited for longer.
    """
    outcome = Outcome(sessions)
    asyncio.run(warmed(url, outcome, greedy))
    time.sleep(discarded)
    memory, drawing, files = resident(pid), resident(*_drawing(pid)), _still(pid)
    asyncio.run(visit(url, pid, outcome, greedy, seconds, kills))
    time.sleep(discarded)
    end = time.monotonic() + PATIENCE
    while descriptors(pid) > files and time.monotonic() < end:
        time.sleep(0.2)
    outcome.memory = (memory, resident(pid))
    outcome.drawing = (drawing, resident(*_drawing(pid)))
    outcome.descriptors = (files, descriptors(pid))
    return outcome


def rows_of(outcome: Outcome) -> list[list[object]]:
    """The table."""

    def spread(waits: list[float]) -> tuple[str, str]:
        if len(waits) < 2:
            return "–", "–"
        middle = sorted(waits)[len(waits) // 2]
        return f"{middle:.0f} ms", f"{p95(waits):.0f} ms (longest {max(waits):.0f})"

    others, greedy = ([wait for _, wait in waits] for waits in (outcome.waits, outcome.greedy_waits))
    memory, drawing, files = outcome.memory, outcome.drawing, outcome.descriptors
    return [
        [f"{len(others)} pictures of the others", *spread(others), "p95 ≤ 250 ms"],
        [f"… asked within {AFTER:.0f} s of one of {len(outcome.kills)} kills", *spread(outcome.after_kills()), ""],
        [f"{len(greedy)} pictures of the greedy", *spread(greedy), ""],
        ["errors", str(len(outcome.errors)), "; ".join(sorted(set(outcome.errors)))[:100], "0"],
        [f"lost pictures of {outcome.asked}", str(outcome.lost), "", "0"],
        [f"sessions of {outcome.sessions} that see what they chose last", str(outcome.last), "", "all"],
        ["memory of the server, before and after", f"{memory[0]:.0f} MiB", f"{memory[1]:.0f} MiB", "+20 at most"],
        ["memory of the drawing processes", f"{drawing[0]:.0f} MiB", f"{drawing[1]:.0f} MiB", ""],
        ["open files", str(files[0]), str(files[1]), "the same"],
        ["processors used by server and drawing", *(f"{share:.2f}" for share in outcome.spent), ""],
    ]


def run() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks soak")
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--sessions", type=int, default=100)
    parser.add_argument("--greedy", type=int, default=4)
    parser.add_argument("--kills", type=int, default=4)
    parser.add_argument("--against", metavar="DIR", default="", help="another checkout, measured first")
    told, _ = parser.parse_known_args()
    print(f"load of this machine at the start: {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors", flush=True)
    for root in [Path(told.against)] * bool(told.against) + [ROOT]:
        with server(root) as (url, pid):
            outcome = soak(url, pid, told.sessions, told.greedy, told.seconds, told.kills)
        title = f"{told.sessions} sessions for {told.seconds:.0f} s, {told.greedy} of them greedy"
        table(f"{title}: {root.name}", ("what", "median", "p95", "to reach"), rows_of(outcome))
        print(f"load of this machine at the end: {os.getloadavg()[0]:.1f}", flush=True)
