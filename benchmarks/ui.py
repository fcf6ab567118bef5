"""The pages at the speed of the hand: painted frames in headless Chromium, thirty people at once, memory of sessions.

`--full` (of ``python -m benchmarks ui --full``) runs thirty people for five minutes instead of thirty seconds.
"""

from __future__ import annotations

import asyncio
import math
import os
import random
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from benchmarks.timing import table
from benchmarks.ui_client import Client

ROOT = Path(__file__).resolve().parents[1]
FLAGS = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
# 20 steps in each of two rules, 512 particles, over the page's landscape of 100×100.
SCENE = "/particles?rule=qgf&flow_steps=20&rule2=vgf&steps2=10&shown=512"
PEOPLE = 30
THINK = (0.7, 1.3)  # seconds between two movements of one person


@contextmanager
def server(root: Path = ROOT) -> Iterator[tuple[str, int]]:
    """A real server in its own process, of the code in ``root``: its address and its process id."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    env = os.environ | {"PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "workbench.cli", "serve", "--port", str(port)]
    process = subprocess.Popen(command, env=env, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    try:
        while "Workbench is at" not in (line := process.stdout.readline()):
            assert line, "the server did not start"
        yield f"http://127.0.0.1:{port}", process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)


@contextmanager
def training() -> Iterator[None]:
    """A training in a process of its own, for as long as the block lasts."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "workbench.cli", "fit", "three_exits", "--out", f"{folder}/run"]
        env = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        process = subprocess.Popen(
            [*command, "--steps", "1000000"], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(8.0)  # until it trains
        try:
            yield
        finally:
            process.kill()
            process.wait()


def p95(values: list[float]) -> float:
    return statistics.quantiles(values, n=20, method="inclusive")[18]


def spread(times: list[float]) -> tuple[str, str]:
    """Median and p95 in words."""
    return f"{statistics.median(times):.0f} ms", f"{p95(times):.0f} ms"


def opened(page: Page, address: str) -> None:
    page.set_default_timeout(120_000)
    page.add_init_script(path=ROOT / "benchmarks" / "ui_probe.js")
    page.goto(address)
    page.wait_for_selector(".wb-scene[data-version]", timeout=120_000)
    page.wait_for_timeout(800)


def key_to_paint(page: Page, keys: int = 60) -> list[float]:
    """Milliseconds from a slider's key to the painted frame."""
    page.locator(".wb-policy-0 .wb-weight .noUi-handle").focus()
    times = []
    for number in range(keys + 5):
        page.evaluate("() => { window.wbWait = window.wbPainted() }")
        page.keyboard.press("ArrowLeft" if number % 2 else "ArrowRight")
        taken = page.evaluate("() => window.wbWait")
        if number >= 5:
            times.append(taken)
        page.wait_for_timeout(60)
    return times


def drags(page: Page, seconds: float = 5.0) -> float:
    """Pictures a second while the peak is dragged in a circle."""
    box = page.locator(".wb-stage[data-stage='1'] canvas.wb-canvas").bounding_box()
    assert box is not None
    half, centre = 1.25, (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)

    def at(x: float, y: float) -> tuple[float, float]:
        return centre[0] + x / half * box["width"] / 2, centre[1] - y / half * box["height"] / 2

    page.mouse.move(*at(0.55, 0.36))
    page.mouse.down()
    first = int(page.locator(".wb-scene").get_attribute("data-version") or 0)
    start = time.perf_counter()
    while (now := time.perf_counter() - start) < seconds:
        angle = 2.5 * now
        page.mouse.move(*at(0.1 + 0.5 * math.cos(angle), 0.1 + 0.5 * math.cos(angle - 1.57)))
    last = int(page.locator(".wb-scene").get_attribute("data-version") or 0)
    taken = time.perf_counter() - start
    page.mouse.up()
    return (last - first) / taken


class Rows(list[list[object]]):
    """Rows of the table, said as they come: the whole takes minutes."""

    def append(self, row: list[object]) -> None:
        print("  ", *row, sep="  ", flush=True)
        super().append(row)


def stat(pid: int) -> list[str]:
    """What the kernel says of a process, from its state on."""
    return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()


def children(pid: int) -> list[int]:
    """The processes that a process started."""
    started = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it ended meanwhile
            if int(stat(int(folder.name))[1]) == pid:
                started.append(int(folder.name))
    return started


def descendants(pid: int) -> list[int]:
    """The processes that a process started, and those that these did; of a server's, all that it draws in."""
    return [one for child in children(pid) for one in (child, *descendants(child))]


def cpu(*pids: int) -> float:
    """Seconds of processor time of processes so far."""
    return sum(int(ticks) for pid in pids for ticks in stat(pid)[11:13]) / os.sysconf("SC_CLK_TCK")


def in_the_browser(url: str, pid: int) -> Rows:
    """What one person sees."""
    sys.path.insert(0, str(ROOT / "tests"))
    from chromium import find_chromium

    rows = Rows()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS.split())
        size = {"width": 1440, "height": 900}
        page = browser.new_page(viewport=size)
        opened(page, url + SCENE)
        times = key_to_paint(page)
        rows.append(
            [
                "slider key → painted, two rules",
                f"{statistics.median(times):.0f} ms",
                f"{p95(times):.0f} ms",
                "p50 ≤ 70 ms",
            ]
        )
        rows.append(["drag of the peak, pictures a second", f"{drags(page):.1f}", "", "≥ 12"])
        sent: list[object] = []
        page.close()
        page = browser.new_page(viewport=size)
        page.on("websocket", lambda found: found.on("framesent", lambda frame: sent.append(frame)))
        opened(page, url + SCENE)
        quiet = len(sent)
        rates = [page.evaluate("() => window.wbScrub()") for _ in range(3)]
        rows.append(
            [
                "scrub of flow time",
                f"{statistics.median(rates):.0f} fps",
                f"{len(sent) - quiet} messages",
                "≥ 55 fps, none",
            ]
        )
        page.close()
        first = []
        for _ in range(10):
            context = browser.new_context(viewport=size)
            page = context.new_page()
            page.set_default_timeout(120_000)
            start = time.perf_counter()
            page.goto(url + SCENE)
            page.wait_for_selector(".wb-scene[data-version]")
            first.append(time.perf_counter() - start)
            context.close()
        rows.append(
            ["page first usable, warm server", f"{statistics.median(first):.2f} s", f"{p95(first):.2f} s", "≤ 2 s"]
        )
        page = browser.new_page(viewport=size)
        opened(page, url + SCENE)
        with training():
            times = key_to_paint(page, 40)
        rows.append(["… while a training runs", *spread(times), "p95 ≤ 150 ms"])
        browser.close()
    return rows


async def people(url: str, pid: int, seconds: float) -> tuple[list[float], int, float, float]:
    """Thirty people who move a slider about once a second, each with a noise of their own.

    Milliseconds from change to picture, errors, and seconds of processor time that the server and its drawing processes
    spent.
    """
    clients = [Client(url, f"{SCENE}&seed={number}") for number in range(PEOPLE)]
    for client in clients:
        await client.open("wb-weight")
    before, drawn = cpu(pid), cpu(*descendants(pid))
    times: list[float] = []
    errors = 0

    async def live(client: Client, luck: random.Random) -> None:
        nonlocal errors
        try:
            await asyncio.sleep(luck.uniform(*THINK))
            while time.perf_counter() < end:
                times.append(await client.move(client.value + 1 if client.value < client.high else 1))
                await asyncio.sleep(luck.uniform(*THINK))
        except Exception as error:  # counted: "0 errors" is what is to be reached
            print(f"  a client failed: {type(error).__name__}: {error}")
            errors += 1

    end = time.perf_counter() + seconds
    await asyncio.gather(*(live(client, random.Random(number)) for number, client in enumerate(clients)))
    spent, drawn = cpu(pid) - before, cpu(*descendants(pid)) - drawn
    for client in clients:
        await client.close()
    return times, errors, spent, drawn


async def sessions(url: str, count: int = 60) -> None:
    """Open and close sessions one after the other."""
    for _ in range(count):
        client = Client(url, SCENE)
        await client.open()
        await client.frame()
        await client.close()


def resident(*pids: int) -> float:
    """MiB of memory of processes; what they share counts in each."""
    texts = [Path(f"/proc/{pid}/status").read_text(encoding="utf-8") for pid in pids]
    return sum(int(text.split("VmRSS:")[1].split()[0]) for text in texts) / 1024


def memory(url: str, pid: int) -> list[object]:
    """Two rounds of 60 sessions; what the second adds to the memory of the first."""
    after = []
    for _ in range(2):
        asyncio.run(sessions(url))
        time.sleep(40.0)  # sessions are discarded some 15 to 32 s after their page was closed
        after.append(resident(pid, *descendants(pid)))
    return [
        "60 sessions twice: growth of the second round",
        f"{after[1] - after[0]:.0f} MiB",
        f"at {after[1]:.0f} MiB, {resident(pid):.0f} of them the server's own",
        "< 20 MB",
    ]


def run() -> None:
    full = "--full" in sys.argv
    print(f"load of this machine at the start: {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors", flush=True)
    with server() as (url, pid):
        rows = in_the_browser(url, pid)
        times, errors, spent, drawn = asyncio.run(people(url, pid, 300.0 if full else 30.0))
        median, high = spread(times)
        each = [1e3 * seconds / len(times) for seconds in (spent, drawn)]
        title = (
            f"{PEOPLE} people, {'5 minutes' if full else '30 s'}, {len(times)} pictures of {each[0]:.0f} ms of the server "
            f"and {each[1]:.0f} ms of drawing"
        )
        rows.append([title, median, f"{high}, {errors} errors", "p95 ≤ 150 ms, 0 errors"])
        rows.append(memory(url, pid))
    table("Pages: 512 particles × 20 steps × 2 rules over 100×100", ("what", "median", "p95", "to reach"), rows)
