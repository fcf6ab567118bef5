"""The executor for several machines: the workers of a Dask scheduler, all of which see the store.

Dask decides which worker does what, and gives the items of a worker that dies to another one. Results do not travel: the
worker that did a job writes it to the store, where the first result of a key stays.
"""

from __future__ import annotations

import queue
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

from workbench.experiments.items import Event, Item
from workbench.experiments.processes import QUIET, usable_cores
from workbench.experiments.store import Store, StoreError
from workbench.experiments.waiting import ATTEMPTS, training_failed
from workbench.experiments.work import Bench, work

PATIENCE = 30.0  # seconds for the scheduler to answer, and for a first worker to appear
ASK = 1.0  # seconds between two questions of a worker whether to stop
TELL = 1.0  # seconds between two reports of progress over the network
_one_at_a_time = threading.Lock()  # simulators and torch's settings are global to a process
_bench = Bench()


class Cluster:
    """Work through items on a Dask cluster.

    Parameters
    ----------
    scheduler : str, optional
        Address of a running ``dask scheduler``, such as tcp://10.0.0.1:8786; without it a cluster of processes is started
        on this machine and ended afterwards.
    workers : int, optional
        Processes of the cluster that is started here; as many as there are cores without it.

    Raises
    ------
    ImportError
        The extra ``dask`` is not installed.
    """

    def __init__(self, scheduler: str | None = None, workers: int | None = None) -> None:
        try:
            import distributed  # noqa: F401
        except ImportError as error:
            raise ImportError('the dask executor needs the extra dask: pip install "workbench[dask]"') from error
        if scheduler is not None and workers is not None:
            raise ValueError("--workers is for a cluster that is started here; with --scheduler, start dask workers")
        self._address, self._workers = scheduler, workers or usable_cores()
        self._client: Any = None

    @property
    def workers(self) -> int:
        """Workers that are connected now."""
        return self._workers if self._client is None else max(len(self._client.scheduler_info()["workers"]), 1)

    def run(self, store: Store, items: list[Item], should_stop: Callable[[], bool]) -> Iterator[Event | None]:
        """As `Executor.run`.

        Raises
        ------
        OSError
            No scheduler at the address, no worker, or a worker cannot write the store.
        """
        import distributed

        where = store.where if "://" in store.where else str(Path(store.where).resolve())
        token = uuid.uuid4().hex[:12]
        news: queue.SimpleQueue[Any] = queue.SimpleQueue()
        with ExitStack() as stack:
            client = self._client = self._connect(stack)
            stack.callback(self._forget)
            stop = distributed.Event(f"stop-{token}", client=client)
            client.subscribe_topic(f"progress-{token}", lambda event: news.put(Event(**event[1]["told"])))
            futures: dict[str, Any] = {}
            for number, item in enumerate(items):
                futures[item.name] = future = client.submit(
                    run_item,
                    item.as_dict(),
                    where,
                    token,
                    after=futures.get(item.after or ""),
                    key=f"{item.kind}-{item.name}-{token}",
                    priority=-number,
                    pure=False,
                )
                future.add_done_callback(lambda future, item=item: news.put((item, future)))
            left, asked = set(futures), False
            while left:
                if should_stop() and not asked:
                    asked = True
                    stop.set()
                try:
                    told = news.get(timeout=QUIET)
                except queue.Empty:
                    yield None
                    continue
                if isinstance(told, Event):
                    if told.name in left:
                        yield told
                    continue
                item, future = told
                if item.name in left:
                    left.discard(item.name)
                    yield _outcome(store, item, future)

    def _connect(self, stack: ExitStack) -> Any:
        import distributed

        if self._address is None:
            cluster = stack.enter_context(
                distributed.LocalCluster(n_workers=self._workers, threads_per_worker=1, dashboard_address=None)
            )
            return stack.enter_context(distributed.Client(cluster))
        try:
            client = stack.enter_context(distributed.Client(self._address, timeout=PATIENCE))
        except (OSError, ValueError, TypeError) as error:
            raise OSError(
                f"no Dask scheduler answers at {self._address} ({error}); start one: dask scheduler, "
                "and give the address that it prints"
            ) from None
        try:
            client.wait_for_workers(1, timeout=PATIENCE)
        except TimeoutError:
            raise OSError(
                f"the scheduler at {self._address} has no workers; start some: "
                f"dask worker {self._address} --nworkers 2 --nthreads 1"
            ) from None
        return client

    def _forget(self) -> None:
        self._client = None


def _outcome(store: Store, item: Item, future: Any) -> Event:
    import distributed

    try:
        return Event(**future.result())
    except distributed.KilledWorker:
        error = f"its worker died more than {ATTEMPTS} times; is there enough memory? start workers with fewer threads"
    except distributed.client.FutureCancelledError as cancelled:
        error = f"the scheduler dropped it ({cancelled}); run the same command again"
    if item.kind == "job":
        store.fail(item.record, error)
    return Event(item.name, "failed", error=error)


def run_item(item: dict[str, Any], where: str, token: str, after: dict[str, Any] | None = None) -> dict[str, Any]:
    """What a Dask worker does with an item; ``after`` is how the item ended that had to be done first."""
    import distributed
    import torch

    worker, stop = distributed.get_worker(), distributed.Event(f"stop-{token}")
    told, asked, answer = 0.0, 0.0, False
    mine = Item(**item | {"parts": tuple(item["parts"])})

    def should_stop() -> bool:
        nonlocal asked, answer
        if not answer and time.monotonic() - asked > ASK:
            asked, answer = time.monotonic(), stop.is_set()
        return answer

    def tell(event: Event) -> None:
        nonlocal told
        if event.happened == "begun" or time.monotonic() - told > TELL:
            told = time.monotonic()
            worker.log_event(f"progress-{token}", {"told": asdict(event)})

    with _one_at_a_time:
        if should_stop() or (after is not None and after["happened"] == "stopped"):
            return asdict(Event(mine.name, "stopped"))
        try:
            store = Store(where)
        except StoreError as error:
            raise OSError(
                f"the worker on {worker.address} does not see the store: {error}. The store must be a folder that all "
                "machines share, or a URL"
            ) from None
        if after is not None and after["happened"] == "failed":
            return asdict(training_failed(store, mine, after["error"]))
        torch.set_num_threads(1)
        return asdict(work(store, mine, _bench, should_stop, tell))
