"""The executor for several machines: the workers of a Dask scheduler, all of which see the store.

Dask decides which worker does what, and gives the items of a worker that dies to another one. Results do not travel: the
worker that did a job writes it to the store, where the first result of a key stays.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from workbench.engine.words import MissingExtraError, UserError
from workbench.experiments.items import Event, Item
from workbench.experiments.processes import QUIET, usable_cores
from workbench.experiments.roster import Roster, differences, fingerprint, told
from workbench.experiments.store import Store, StoreError
from workbench.experiments.waiting import ATTEMPTS, training_failed
from workbench.experiments.work import Bench, work

PATIENCE = 30.0  # seconds for the scheduler to answer, and for a first worker to appear
AWAY = 300.0  # seconds for a scheduler that went away to come back
CLOSINGS = 3  # times that a client is asked to close
FIRST_WAIT = 0.5  # seconds until it is tried again: doubled from try to try
LONGEST_WAIT = 30.0
LOOK = 1.0  # seconds between two looks at who works there
ASK = 1.0  # seconds between two questions of a worker whether to stop
TELL = 1.0  # seconds between two reports of progress over the network
CURE = "install the same everywhere, or run them all the same with --allow-version-mismatch"
_log = logging.getLogger(__name__)
_one_at_a_time = threading.Lock()  # simulators and torch's settings are global to a process
_bench = Bench()


class SchedulerLostError(UserError, OSError):
    """The connection to the scheduler broke; what was being done there is not lost, but unknown."""


class Cluster:
    """Work through items on a Dask cluster.

    Parameters
    ----------
    scheduler : str, optional
        Address of a running ``dask scheduler``, such as tcp://10.0.0.1:8786; without it a cluster of processes is started
        on this machine and ended afterwards.
    workers : int, optional
        Processes of the cluster that is started here; as many as there are cores without it.
    allow_version_mismatch : bool
        Give work also to workers whose workbench, torch, NumPy, Python or code is not that of this process.
    patience : float
        Seconds for a first worker of the same version to appear.
    away : float
        Seconds for a scheduler that went away to come back.

    Raises
    ------
    ImportError
        The extra ``dask`` is not installed.
    """

    def __init__(
        self,
        scheduler: str | None = None,
        workers: int | None = None,
        *,
        allow_version_mismatch: bool = False,
        patience: float = PATIENCE,
        away: float = AWAY,
    ) -> None:
        try:
            import distributed  # noqa: F401
        except ImportError as error:
            raise MissingExtraError('the dask executor needs the extra dask: pip install "workbench[dask]"') from error
        if scheduler is not None and workers is not None:
            raise UserError("--workers is for a cluster that is started here; with --scheduler, start dask workers")
        self._address, self._workers = scheduler, workers or usable_cores()
        self._any_version, self._patience, self._away = allow_version_mismatch, patience, away
        self._roster = Roster()
        self._reached: float | None = None  # when the scheduler was last known to be there

    @property
    def workers(self) -> int:
        """Workers that are connected now."""
        return self._workers if self._address is None else max(self._roster.count, 1)

    def run(self, store: Store, items: list[Item], should_stop: Callable[[], bool]) -> Iterator[Event | None]:
        """As `Executor.run`.

        A scheduler that goes away is waited for; items whose end is unknown are given out again, and those that were
        finished meanwhile are found in the store.

        Raises
        ------
        OSError
            No scheduler at the address, or it did not come back; no worker, or none of this version; a worker cannot write
            the store.
        """
        left, waited = {item.name: item for item in items}, FIRST_WAIT
        while left:
            reached = self._reached
            try:
                with ExitStack() as stack:
                    yield from self._session(stack, store, left, should_stop)
            except SchedulerLostError as lost:
                assert self._reached is not None
                if self._reached != reached:  # it was there meanwhile: patience begins anew
                    waited = FIRST_WAIT
                    _log.warning("%s; waiting for it; what is done is kept", lost)
                if time.monotonic() - self._reached > self._away:
                    raise OSError(
                        f"{lost} and did not come back in {self._away:.0f} s; what is done is kept. Start it and its "
                        "workers again, and go on with the same command"
                    ) from None
                again = time.monotonic() + waited
                while time.monotonic() < again and not should_stop():
                    time.sleep(QUIET)
                    yield None
                waited = min(2.0 * waited, LONGEST_WAIT)
                if should_stop():
                    yield from (Event(name, "stopped") for name in left)
                    return

    def _session(
        self, stack: ExitStack, store: Store, left: dict[str, Item], should_stop: Callable[[], bool]
    ) -> Iterator[Event | None]:
        """Give out all of ``left`` and take from it what has ended, until nothing is left or the scheduler is lost."""
        import distributed

        where = store.where if "://" in store.where else str(Path(store.where).resolve())
        token, roster = uuid.uuid4().hex[:12], Roster()
        self._roster = roster
        news: queue.SimpleQueue[Any] = queue.SimpleQueue()
        client = self._connect(stack)
        stop = distributed.Event(f"stop-{token}", client=client)
        client.subscribe_topic(f"progress-{token}", lambda event: news.put(Event(**event[1]["told"])))
        futures: dict[str, Any] = {}
        pins: dict[str, set[str]] = {}  # items that an odd worker refused: which workers may do them; none: nobody yet

        def hand_out(item: Item, number: int = 0) -> None:
            here = pins.get(item.name)
            futures[item.name] = future = client.submit(
                run_checked_item,
                item.as_dict(),
                where,
                token,
                None if self._any_version else fingerprint(),
                after=futures.get(item.after or ""),
                key=f"{item.kind}-{item.name}-{token}-{uuid.uuid4().hex[:4]}",
                priority=-number,
                pure=False,
                workers=sorted(here) if here else None,
            )
            future.add_done_callback(lambda future: news.put((item, future)))

        odd = self._look(client, roster)
        if odd and not self._any_version:
            raise OSError(f"{told(odd)}. Their results would not be this version's: {CURE}")
        for number, item in enumerate(list(left.values())):
            hand_out(item, number)
        asked, looked, seen, patience = False, time.monotonic(), time.monotonic(), self._patience
        while left:
            if should_stop() and not asked:
                asked = True
                stop.set()
            now = time.monotonic()
            if now - looked > LOOK or client.status != "running":
                looked = now
                if odd := self._look(client, roster):
                    self._warn(odd)
                if roster.same or (self._any_version and roster.count):
                    seen, patience = now, self._away
                    for name, here in pins.items():
                        if name in left and not here & roster.same:
                            pins[name] = set(roster.same)
                            hand_out(left[name])
                elif now - seen > patience:
                    raise OSError(self._nobody(roster))
            try:
                heard = news.get(timeout=QUIET)
            except queue.Empty:
                yield None
                continue
            if isinstance(heard, Event):
                if heard.name in left:
                    yield heard
                continue
            item, future = heard
            if item.name not in left or future is not futures[item.name]:
                continue
            answer = _answer(store, item, future)
            if isinstance(answer, Event):
                del left[item.name]
                yield answer
                continue
            if roster.note(*answer):
                self._warn(dict([answer]))
            pins[item.name] = set(roster.same)
            if roster.same:
                hand_out(item)

    def _look(self, client: Any, roster: Roster) -> dict[str, str]:
        """The workers that are new and odd; SchedulerLostError when nobody answers."""
        try:
            if client.status != "running":
                raise OSError(client.status)
            odd = roster.look(client)
        except (OSError, TimeoutError):
            raise SchedulerLostError(f"the Dask scheduler at {self._place} went away") from None
        self._reached = time.monotonic()
        return odd

    @property
    def _place(self) -> str:
        return self._address or "this machine"

    def _connect(self, stack: ExitStack) -> Any:
        import distributed

        if self._address is None:
            return _left_at_the_end(stack, distributed.Client(stack.enter_context(cluster_here(self._workers))))
        try:
            return _left_at_the_end(
                stack, distributed.Client(self._address, timeout=PATIENCE if self._reached is None else 5.0)
            )
        except (OSError, ValueError, TypeError) as error:
            if self._reached is not None:
                raise SchedulerLostError(f"the Dask scheduler at {self._place} went away") from None
            raise OSError(
                f"no Dask scheduler answers at {self._address} ({error}); start one: dask scheduler, "
                "and give the address that it prints"
            ) from None

    def _warn(self, odd: dict[str, str]) -> None:
        _log.warning("%s; %s", told(odd), "it works all the same" if self._any_version else "it gets no work")

    def _nobody(self, roster: Roster) -> str:
        if roster.odd:
            return f"no worker of this version is left: {told(roster.odd)}. {CURE[0].upper()}{CURE[1:]}"
        return (
            f"the scheduler at {self._place} has no workers; start some: "
            f"dask worker {self._place} --nworkers 2 --nthreads 1"
        )


def cluster_here(workers: int) -> Any:
    """A Dask cluster of this machine's processes, without a dashboard.

    Its scheduler serves metrics all the same: at any free port of this machine, since a second cluster's would find Dask's own
    port taken.
    """
    import distributed

    return distributed.LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        dashboard_address="127.0.0.1:0",
        scheduler_kwargs={"dashboard": False},
    )


def _left_at_the_end(stack: ExitStack, client: Any) -> Any:
    stack.callback(leave, client)
    return client


def leave(client: Any) -> None:
    """Close a Dask client, also one whose scheduler is lost.

    Such a client connects again by itself. Where that happens while it is closed it is running afterwards, and asserts in vain
    that it is not: it is closed once more then. What else it raises says nothing about the sweep.
    """
    for _ in range(CLOSINGS):
        try:
            client.close()
        except Exception as error:
            _log.debug("a Dask client did not close: %s: %s", type(error).__name__, error)
        else:
            return


def _answer(store: Store, item: Item, future: Any) -> Event | tuple[str, str]:
    """How an item ended; or, where a worker would not do it, that worker's address and how it differs."""
    import distributed

    try:
        answer = future.result()
        return (answer["refused"], answer["words"]) if "refused" in answer else Event(**answer)
    except distributed.KilledWorker:
        error = f"its worker died more than {ATTEMPTS} times; is there enough memory? start workers with fewer threads"
    except distributed.client.FutureCancelledError as cancelled:
        raise SchedulerLostError(f"the Dask scheduler dropped its work ({cancelled.reason})") from None
    except (AttributeError, ModuleNotFoundError) as other:  # `run_checked_item` is not there
        return "an unknown address", f"an older workbench, or none ({other})"
    if item.kind == "job":
        store.fail(item.record, error)
    return Event(item.name, "failed", error=error)


def run_checked_item(
    item: dict[str, Any], where: str, token: str, wanted: dict[str, str] | None, after: dict[str, Any] | None = None
) -> dict[str, Any]:
    """`run_item` on a worker that is as ``wanted``; on another the worker's address and how it differs."""
    import distributed

    if after is not None and "refused" in after:  # its training was: both are given out again
        return after
    words = "" if wanted is None else differences(wanted, fingerprint())
    if words:
        return {"refused": distributed.get_worker().address, "words": words}
    return run_item(item, where, token, after)


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
            asked = time.monotonic()
            with suppress(Exception):  # a scheduler that is gone raises many things, none of them the job's own failure
                answer = stop.is_set()
        return answer

    def tell(event: Event) -> None:
        nonlocal told
        if event.happened == "begun" or time.monotonic() - told > TELL:
            told = time.monotonic()
            with suppress(Exception):
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
