"""A real server in its own process, of any checkout; and what the kernel says of it and of the processes it draws in."""

from __future__ import annotations

import os
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

ROOT = Path(__file__).resolve().parents[1]
FLAGS = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
# 20 steps in each of two rules, 512 particles, over the page's landscape of 100×100.
SCENE = "/particles?rule=qgf&flow_steps=20&rule2=vgf&steps2=10&shown=512"


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
def training(root: Path = ROOT) -> Iterator[None]:
    """A training in a process of its own, for as long as the block lasts."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "workbench.cli", "fit", "three_exits", "--out", f"{folder}/run"]
        env = os.environ | {"PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
        process = subprocess.Popen(
            [*command, "--steps", "1000000"], env=env, cwd=root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(8.0)  # until it trains
        try:
            yield
        finally:
            process.kill()
            process.wait()


def p95(values: list[float]) -> float:
    return statistics.quantiles(values, n=20, method="inclusive")[18]


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


def resident(*pids: int) -> float:
    """MiB of memory of processes; what they share counts in each."""
    texts = [Path(f"/proc/{pid}/status").read_text(encoding="utf-8") for pid in pids]
    return sum(int(text.split("VmRSS:")[1].split()[0]) for text in texts) / 1024
