"""The simplest executor: this process, one item after the other. For notebooks, tests and stores in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from workbench.experiments.items import Event, Item
from workbench.experiments.store import Store
from workbench.experiments.waiting import Queue
from workbench.experiments.work import Bench, work


class Serial:
    """Work through items here and now."""

    workers = 1

    def run(self, store: Store, items: list[Item], should_stop: Callable[[], bool]) -> Iterator[Event | None]:
        """As `Executor.run`; progress within an item is not reported, because nobody can receive it meanwhile."""
        bench, queue = Bench(), Queue(store, items)
        last = None
        while (item := queue.next(last)) is not None:
            if should_stop():
                yield from queue.ended(Event(item.name, "stopped"))
                continue
            last = item.after or item.name
            yield from queue.ended(work(store, item, bench, should_stop, lambda event: None))
