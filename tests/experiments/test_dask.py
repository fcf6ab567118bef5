"""A real Dask scheduler and two real workers, started by command; one is killed in the middle."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from experiments.small import QUICK, TASK, results_in_index

from workbench.experiments.job import Data
from workbench.experiments.store import Store

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("sockets_closed")]
LIMIT = 120.0


def wait_until(ready: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + LIMIT
    while not ready():
        assert time.monotonic() < end, what
        time.sleep(0.02)


@pytest.fixture
def processes(root: Path, tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start a Python module with arguments; whatever still runs at the end is killed."""
    started: list[subprocess.Popen[str]] = []

    def start(*words: str) -> subprocess.Popen[str]:
        environment = os.environ | {"PYTHONPATH": str(root), "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
        log = (tmp_path / f"log-{len(started)}.txt").open("w")
        process = subprocess.Popen(
            [sys.executable, "-m", *words],
            cwd=tmp_path,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            text=True,
        )
        log.close()
        started.append(process)
        return process

    yield start
    for process in reversed(started):
        process.kill()
        process.wait()


def test_a_killed_worker_loses_nothing_and_doubles_nothing(
    processes: Callable[..., subprocess.Popen[str]], tmp_path: Path, data: Data
) -> None:
    note = tmp_path / "scheduler.json"
    processes("dask", "scheduler", "--port", "0", "--no-dashboard", "--scheduler-file", str(note))
    wait_until(lambda: note.exists() and note.read_text().rstrip().endswith("}"), "the scheduler")
    address = json.loads(note.read_text())["address"]
    worker = ("dask", "worker", address, "--nthreads", "1", "--no-dashboard", "--no-nanny")
    workers = [processes(*worker, "--name", name) for name in ("one", "two")]
    axes = QUICK | {"weight": (0.0, 0.1, 0.3, 1.0, 3.0, 10.0)}
    grid = [f"{name}={','.join(json.dumps(value) for value in values)}" for name, values in axes.items()]
    sweep = processes(
        *("workbench.cli", "sweep", "--task", TASK, "--rule", "qgf", "--grid", *grid, "--seeds", "0..1"),
        *("--episodes", "200", "--data", str(data.folder), "--store", "store", "--executor", "dask"),
        *("--scheduler", address),
    )
    wait_until((tmp_path / "store" / "store.json").exists, "the store")
    store = Store(tmp_path / "store")

    def in_the_middle(pid: int) -> list[str]:
        """Jobs that this worker has begun and not finished."""
        begun = {row.key: store.events(row.key) for row in store.rows() if row.status == "running"}
        last = {key: [event["by"]["pid"] for event in events if "by" in event][-1] for key, events in begun.items()}
        return [key for key, owner in last.items() if owner == pid]

    def caught() -> list[str]:
        """The same of the first worker, which is stopped then: the job does not end while one looks."""
        workers[0].send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, workers[0].pid, os.WSTOPPED)
        found = in_the_middle(workers[0].pid)
        if not found:
            workers[0].send_signal(signal.SIGCONT)
        return found

    killed: list[str] = []
    wait_until(lambda: bool(killed.extend(caught()) or killed) or sweep.poll() is not None, "a job of the first worker")
    assert killed
    workers[0].send_signal(signal.SIGKILL)
    assert sweep.wait(LIMIT) == 0, (tmp_path / "log-3.txt").read_text()
    rows = store.rows()
    assert len(rows) == 12
    assert {row.status for row in rows} == {"done"}
    assert results_in_index(store) == dict.fromkeys((row.key for row in rows), 1)
    owners = set()
    for row in rows:
        result = store.result(row.key)
        assert result is not None
        owners.add(result["by"]["pid"])
        assert store.episodes(row.key)["report.returns"].shape == (200,)
    assert workers[1].pid in owners
    assert owners <= {worker.pid for worker in workers}
    (key,) = killed
    pids = [event["by"]["pid"] for event in store.events(key) if event["event"] == "begun"]
    assert pids == [workers[0].pid, workers[1].pid]  # begun, killed, begun again by the other one
