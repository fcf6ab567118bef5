"""The pages at the speed of the hand: painted frames in headless Chromium, many people at once, memory of sessions.

``python -m benchmarks ui --against PATH`` serves another checkout by its own source in the same sitting, and prints both with
their ratio. ``--full`` lets thirty people work for five minutes instead of thirty seconds.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from playwright.sync_api import Browser, sync_playwright

from benchmarks import ui_browser as one
from benchmarks.timing import table
from benchmarks.ui_people import growth, people
from benchmarks.ui_server import FLAGS, ROOT, p95, server, training

REPEATS = 10


class Side(NamedTuple):
    """A checkout that is served."""

    name: str
    root: Path
    url: str
    pid: int


class Number(NamedTuple):
    """One line of the table: what, its unit, what is to be reached."""

    what: str
    unit: str
    reach: str

    def said(self, value: float | None) -> str:
        """The value with its unit; a dash where this checkout has no such thing."""
        if value is None:
            return "–"
        return f"{value:.{2 if self.unit == 's' else 1 if self.unit == '/s' else 0}f} {self.unit}".strip()


Found = dict[Number, float]
Measure = Callable[[Side, Any], Found]  # in a browser; None for people without one
KEY = Number("slider key → painted, two rules, p50", "ms", "≤ 50")
KEY_HIGH = Number("slider key → painted, p95", "ms", "")
BUSY = Number("slider key → painted while a training runs, p95", "ms", "≤ 150")
DIAL = Number("drag of the strength, pictures a second", "/s", "≥ 15")
PEAK = Number("drag of the peak, pictures a second", "/s", "≥ 15")
SCRUB = Number("scrub of flow time, frames a second", "fps", "≥ 55")
OPENING = Number("the opening, frames a second", "fps", "≥ 50")
INDEX = Number("index first usable, warm, p50", "s", "≤ 1")
USABLE = Number("Particles first usable, warm, p50", "s", "≤ 1")
PICTURE = Number("Particles first picture, warm, p50", "s", "")
COLD = Number("first picture after the server answers", "s", "≤ 3")
THIRTY = Number("30 people, change → picture, p95", "ms", "≤ 75")
THIRTY_MIDDLE = Number("30 people, change → picture, p50", "ms", "")
HUNDRED = Number("100 people open at once, change → picture, p95", "ms", "≤ 250")
ERRORS = Number("errors of all those people", "", "0")
SERVER_EACH = Number("a picture's time in the server", "ms", "")
DRAWN_EACH = Number("a picture's time in the drawing processes", "ms", "")
GROWTH = Number("60 sessions twice: growth of the second round", "MiB", "< 20")
MEMORY = Number("memory after them", "MiB", "")


def keys(side: Side, browser: Browser) -> Found:
    page = one.opened(browser, side.url)
    times = one.key_to_paint(page)
    with training(side.root):
        busy = one.key_to_paint(page, 40)
    page.context.close()
    return {KEY: statistics.median(times), KEY_HIGH: p95(times), BUSY: p95(busy)}


def dial(side: Side, browser: Browser) -> Found:
    page = one.opened(browser, side.url)
    found = {DIAL: one.dial_drag(page)}
    page.context.close()
    return found


def peak(side: Side, browser: Browser) -> Found:
    page = one.opened(browser, side.url)
    found = {PEAK: one.peak_drag(page), SCRUB: statistics.median(one.scrub(page) for _ in range(3))}
    page.context.close()
    return found


def opening(side: Side, browser: Browser) -> Found:
    return {OPENING: one.opening(browser, side.url)}


def first(side: Side, browser: Browser) -> Found:
    def middle(call: Callable[[], float]) -> float:
        return statistics.median(call() for _ in range(REPEATS))

    return {
        INDEX: middle(lambda: one.usable(browser, side.url)),
        USABLE: middle(lambda: one.usable(browser, side.url + one.SCENE)),
        PICTURE: middle(lambda: one.first_picture(browser, side.url)),
    }


def cold(side: Side, browser: Browser) -> Found:
    with server(side.root) as (url, _):
        return {COLD: one.first_picture(browser, url, since=time.perf_counter())}


def many(seconds: float) -> Measure:
    def crowds(side: Side, browser: None) -> Found:
        times, errors, spent, drawn = asyncio.run(people(side.url, side.pid, 30, seconds))
        crowd, more, _, _ = asyncio.run(people(side.url, side.pid, 100, 20.0))
        if min(len(times), len(crowd)) < 2:
            raise RuntimeError(f"of 130 people {errors + more} met an error, too few are left to measure")
        return {
            THIRTY_MIDDLE: statistics.median(times),
            THIRTY: p95(times),
            HUNDRED: p95(crowd),
            ERRORS: errors + more,
            SERVER_EACH: 1e3 * spent / len(times),
            DRAWN_EACH: 1e3 * drawn / len(times),
        }

    return crowds


def left(side: Side, browser: None) -> Found:
    more, after = growth(side.url, side.pid)
    return {GROWTH: more, MEMORY: after}


@contextmanager
def sides(roots: dict[str, Path]) -> Iterator[list[Side]]:
    """A server of each checkout, all at once: who is not asked does nothing."""
    with ExitStack() as stack:
        yield [Side(name, root, *stack.enter_context(server(root))) for name, root in roots.items()]


def asked(measure: Measure, side: Side, browser: Browser | None) -> Found:
    """What a measure finds; nothing, and the reason is printed, where it fails: an older checkout may not have it."""
    try:
        found = measure(side, browser)
    except Exception as error:  # the others are measured all the same
        words = f"{type(error).__name__}: {error}".splitlines()[0][:120]
        print(f"   {side.name}: not measured by {measure.__name__}: {words}", flush=True)
        return {}
    for number, value in found.items():
        print(f"   {side.name}: {number.what}: {number.said(value)}", flush=True)
    return found


def in_browser(side: Side, measure: Measure) -> Found:
    """One measure in a browser of its own: nothing that ran before is still there, and no event loop is either."""
    sys.path.insert(0, str(ROOT / "tests"))
    from chromium import find_chromium

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS.split())
        found = asked(measure, side, browser)
        browser.close()
    return found


def lines(found: list[Found]) -> list[list[str]]:
    """The table's rows: this checkout, the other one and the ratio to it where there is one, what is to be reached."""
    rows = []
    for number in dict.fromkeys(number for one_side in found for number in one_side):
        values = [one_side.get(number) for one_side in found]
        row = [number.what, *[number.said(value) for value in values]]
        if len(values) > 1:
            row.append("–" if values[0] is None or not values[1] else f"{values[0] / values[1]:.2f}")
        rows.append([*row, number.reach])
    return rows


def run() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks ui")
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--against", type=Path, metavar="PATH")
    chosen = parser.parse_known_args()[0]
    roots = {"here": ROOT}
    if chosen.against is not None:
        if not (chosen.against / "workbench").is_dir():
            parser.error(f"--against takes the root of a checkout; {chosen.against} has no workbench/")
        roots["against"] = chosen.against.resolve()
    print(f"load of this machine at the start: {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors", flush=True)
    measures: list[Measure] = [keys, dial, peak, opening, first, cold]
    crowds: list[Measure] = [many(300.0 if chosen.full else 30.0), left]
    found: list[Found] = [{} for _ in roots]
    with sides(roots) as served:
        for measure in measures:
            for side, record in zip(served, found, strict=True):
                record |= in_browser(side, measure)
        for measure in crowds:
            for side, record in zip(served, found, strict=True):
                record |= asked(measure, side, None)
    more = ("against", "ratio") if len(roots) > 1 else ()
    title = "Pages: 512 particles × 20 steps × 2 rules over 100×100"
    table(title, ("what", "here", *more, "to reach"), lines(found))
