"""A Dask cluster that changes under a sweep: workers of other versions, a scheduler that dies, workers that come and go."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from experiments.small import results_in_index, small_grid

from workbench.experiments.cluster import CLOSINGS, Cluster, cluster_here, leave
from workbench.experiments.grid import Grid
from workbench.experiments.job import Data
from workbench.experiments.store import Store
from workbench.experiments.sweep import SweepProgress, sweep

pytestmark = [pytest.mark.slow, pytest.mark.chaos, pytest.mark.usefixtures("sockets_closed")]
pytest.importorskip("distributed")
LIMIT = 120.0
OLDER = """
import importlib.metadata
real = importlib.metadata.version
importlib.metadata.version = lambda name: "0.0.1" if name == "workbench" else real(name)
from distributed.cli.dask_worker import main
main()
"""
Start = Callable[..., "subprocess.Popen[str]"]


def wait_until(ready: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + LIMIT
    while not ready():
        assert time.monotonic() < end, what
        time.sleep(0.02)


@pytest.fixture
def start(root: Path, tmp_path: Path) -> Iterator[Start]:
    """Start Python with arguments; whatever still runs at the end is killed."""
    started: list[subprocess.Popen[str]] = []

    def begin(*words: str) -> "subprocess.Popen[str]":
        environment = os.environ | {"PYTHONPATH": str(root), "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
        with (tmp_path / f"log-{len(started)}.txt").open("w") as log:
            process = subprocess.Popen(
                [sys.executable, *words], cwd=tmp_path, env=environment, stdout=log, stderr=subprocess.STDOUT, text=True
            )
        started.append(process)
        return process

    yield begin
    for process in reversed(started):
        process.kill()
        process.wait()


def scheduler(start: Start, folder: Path, address: str = "") -> tuple["subprocess.Popen[str]", str]:
    note = folder / f"scheduler-{time.monotonic_ns()}.json"
    port = address.rpartition(":")[2] or "0"
    process = start(
        *("-m", "dask", "scheduler", "--host", "127.0.0.1", "--port", port),
        *("--no-dashboard", "--scheduler-file", str(note)),
    )
    wait_until(lambda: note.exists() and note.read_text().rstrip().endswith("}"), "the scheduler")
    return process, json.loads(note.read_text())["address"]


def worker(start: Start, address: str, script: tuple[str, ...] = ("-m", "dask", "worker")) -> "subprocess.Popen[str]":
    return start(*script, address, "--nthreads", "1", "--no-dashboard", "--no-nanny")


def older(start: Start, address: str, folder: Path) -> "subprocess.Popen[str]":
    (folder / "older.py").write_text(OLDER)
    return worker(start, address, ("older.py",))


def jobs_of(grid: Grid, store: Store) -> dict[str, int]:
    """Process that made each job's result; every job has one, none failed, and none is in the list twice."""
    rows = store.rows()
    assert sorted(row.key for row in rows) == sorted(job.key for job in grid.jobs())
    assert {row.status for row in rows} == {"done"}
    assert results_in_index(store) == dict.fromkeys((job.key for job in grid.jobs()), 1)
    return {row.key: store.result(row.key)["by"]["pid"] for row in rows}  # type: ignore[index]


def running(store: Store, pid: int) -> bool:
    """Whether this process has begun a job and not finished it."""
    begun = [store.events(row.key) for row in store.rows() if row.status == "running"]
    return any([event["by"]["pid"] for event in events if "by" in event][-1:] == [pid] for events in begun)


def follow(
    grid: Grid, store: Store, cluster: Cluster, at: Callable[[SweepProgress], Any] = lambda progress: None
) -> None:
    last = None
    for last in sweep(grid, store, cluster):
        at(last)
    assert last is not None
    assert last.errors == {}


def test_a_worker_of_another_version_is_refused_by_name(start: Start, tmp_path: Path, data: Data) -> None:
    _, address = scheduler(start, tmp_path)
    older(start, address, tmp_path)
    worker(start, address)
    import distributed

    with distributed.Client(address) as client:
        client.wait_for_workers(2, timeout=LIMIT)
    grid, store = small_grid(data), Store(tmp_path / "store", create=True)
    with pytest.raises(
        OSError, match=r"the worker at tcp://\S+ has workbench 0.0.1, here \d.*--allow-version-mismatch"
    ):
        follow(grid, store, Cluster(address))
    assert {row.status for row in store.rows()} == {"planned"}  # nothing was begun
    follow(grid, store, Cluster(address, allow_version_mismatch=True))
    jobs_of(grid, store)


def test_a_worker_of_another_version_that_joins_later_gets_nothing(
    start: Start, tmp_path: Path, data: Data, caplog: pytest.LogCaptureFixture
) -> None:
    _, address = scheduler(start, tmp_path)
    good, store = worker(start, address), Store(tmp_path / "store", create=True)
    grid, joined = small_grid(data, axes={"weight": tuple(0.1 * n for n in range(8))}, episodes=100), []

    def join(progress: SweepProgress) -> None:
        if progress.done and not joined:
            joined.append(older(start, address, tmp_path))
            wait_until(lambda: "Starting established connection" in log(tmp_path, 2), "the older worker")

    follow(grid, store, Cluster(address), join)
    assert set(jobs_of(grid, store).values()) == {good.pid}
    assert "has workbench 0.0.1" in caplog.text
    assert "it gets no work" in caplog.text


def log(folder: Path, number: int) -> str:
    return (folder / f"log-{number}.txt").read_text()


def test_only_workers_of_another_version_come(start: Start, tmp_path: Path, data: Data) -> None:
    """There is nobody at the start, as in an adaptive cluster, and then only a worker that cannot be used."""
    _, address = scheduler(start, tmp_path)
    store, told = Store(tmp_path / "store", create=True), []

    def join(progress: SweepProgress) -> None:
        told.append(progress)
        if len(told) == 2:  # the first is told before the cluster is asked
            older(start, address, tmp_path)
            wait_until(lambda: "Starting established connection" in log(tmp_path, 1), "the older worker")

    with pytest.raises(OSError, match=r"no worker of this version is left: .*has workbench 0.0.1.*Install the same"):
        follow(small_grid(data), store, Cluster(address, patience=4.0), join)
    assert {row.status for row in store.rows()} == {"planned"}


def test_a_scheduler_that_dies_is_waited_for(
    start: Start, tmp_path: Path, data: Data, figures: Counter[str], caplog: pytest.LogCaptureFixture
) -> None:
    process, address = scheduler(start, tmp_path)
    worker(start, address)
    grid = small_grid(data, axes={"weight": tuple(0.1 * n for n in range(6))}, episodes=100)
    store, killed = Store(tmp_path / "store", create=True), []

    def kill(progress: SweepProgress) -> None:
        if progress.done and not killed:
            process.send_signal(signal.SIGKILL)
            process.wait()
            killed.append(progress.done)
            figures["kills"] += 1
            worker(start, scheduler(start, tmp_path, address)[1])

    follow(grid, store, Cluster(address), kill)
    assert killed
    assert killed[0] < len(grid.jobs())
    assert "waiting for it" in caplog.text
    jobs_of(grid, store)


def test_a_scheduler_that_stays_away_ends_the_sweep_in_words(
    start: Start, tmp_path: Path, data: Data, figures: Counter[str]
) -> None:
    process, address = scheduler(start, tmp_path)
    worker(start, address)
    store = Store(tmp_path / "store", create=True)

    def kill(progress: SweepProgress) -> None:
        if progress.done and process.poll() is None:
            process.kill()
            process.wait()
            figures["kills"] += 1

    grid = small_grid(data, axes={"weight": tuple(0.1 * n for n in range(6))}, episodes=100)
    with pytest.raises(OSError, match=r"went away and did not come back in 3 s; what is done is kept. Start it"):
        follow(grid, store, Cluster(address, away=3.0), kill)
    assert [row.error for row in store.rows() if row.status == "failed"] == []
    assert "done" in {row.status for row in store.rows()}


def test_clusters_do_not_take_one_another_s_port() -> None:
    with cluster_here(0) as one, cluster_here(0) as other:
        ports = [cluster.scheduler.http_server.port for cluster in (one, other)]
        assert 8787 not in ports  # Dask's own, which somebody else's scheduler has
        assert len(set(ports)) == 2
        for cluster in (one, other):
            assert cluster.scheduler.http_server.address == "127.0.0.1"
            assert cluster.scheduler.http_application.applications == []  # no dashboard


def test_a_client_that_connects_again_while_it_is_closed_is_closed_once_more() -> None:
    import distributed

    with cluster_here(0) as cluster:
        client, closed = distributed.Client(cluster.scheduler_address), []
        whole = client._close

        async def half(fast: bool = False) -> None:
            await whole(fast=fast)
            closed.append(client.status)
            if len(closed) == 1:
                client.status = "running"  # as `_ensure_connected` says when its scheduler is there again

        client._close = half
        leave(client)
        assert closed == ["closed", "closed"]
        assert client.status == "closed"


def test_a_client_that_never_closes_does_not_end_the_sweep(caplog: pytest.LogCaptureFixture) -> None:
    class Stubborn:
        asked = 0

        def close(self) -> None:
            self.asked += 1
            raise TimeoutError("still there")

    client = Stubborn()
    with caplog.at_level("DEBUG"):
        leave(client)
    assert client.asked == CLOSINGS
    assert "TimeoutError: still there" in caplog.text


def test_workers_come_and_go(tmp_path: Path, root: Path, data: Data, figures: Counter[str], monkeypatch: Any) -> None:
    """An adaptive cluster from nobody to two; one is killed in the middle of a job, and the cluster replaces it."""
    monkeypatch.setenv("PYTHONPATH", str(root))
    monkeypatch.setenv("PYTHONWARNINGS", "ignore")
    store, killed = Store(tmp_path / "store", create=True), []
    grid = small_grid(data, axes={"weight": tuple(0.1 * n for n in range(8))}, episodes=200)
    with cluster_here(0) as cluster:
        cluster.adapt(minimum=0, maximum=2, interval="200ms")

        def kill(progress: SweepProgress) -> None:
            pids = [nanny.pid for nanny in cluster.workers.values()]
            if not killed and progress.done and (busy := [pid for pid in pids if pid and running(store, pid)]):
                os.kill(busy[0], signal.SIGKILL)
                killed.append(busy[0])
                figures["kills"] += 1

        follow(grid, store, Cluster(cluster.scheduler_address), kill)
    assert killed
    assert len(set(jobs_of(grid, store).values()) | set(killed)) >= 2
