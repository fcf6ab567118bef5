"""What is left to do: which item is next, what waits for what, and what happens to the items of a worker that died."""

from __future__ import annotations

from collections.abc import Iterator

from workbench.experiments.items import Event, Item
from workbench.experiments.store import Store

ATTEMPTS = 3  # of an item whose worker dies


def training_failed(store: Store, job: Item, error: str) -> Event:
    """Note that ``job`` cannot be done, because what it needs failed."""
    words = f"its training failed: {error}"
    store.fail(job.record, words)
    return Event(job.name, "failed", error=words)


class Queue:
    """Items in the order in which workers get them: trainings, then the jobs whose training is done.

    Parameters
    ----------
    store : Store
    items : list of Item
    """

    def __init__(self, store: Store, items: list[Item]) -> None:
        self._store = store
        self._waiting = {item.name: item for item in items}
        self._out: dict[str, Item] = {}
        self._held = {item.name for item in items if item.kind == "train"}  # not done yet
        self._attempts: dict[str, int] = {}

    @property
    def finished(self) -> bool:
        """Nothing waits and nothing is being done."""
        return not self._waiting and not self._out

    def next(self, last: str | None = None) -> Item | None:
        """An item that can be begun: a training, else a job of the training ``last``, else any; None when there is none."""
        ready = [item for item in self._waiting.values() if item.after not in self._held]
        chosen = min(ready, key=lambda item: (item.kind != "train", item.after != last), default=None)
        if chosen is not None:
            self._out[chosen.name] = self._waiting.pop(chosen.name)
        return chosen

    def ended(self, event: Event) -> Iterator[Event]:
        """Note that an item has ended; the jobs of a training that failed fail with it."""
        item = self._out.pop(event.name)
        self._held.discard(event.name)
        yield event
        if item.kind == "train" and event.happened != "done":
            for job in [other for other in self._waiting.values() if other.after == item.name]:
                del self._waiting[job.name]
                yield (
                    training_failed(self._store, job, event.error)
                    if event.happened == "failed"
                    else Event(job.name, "stopped")
                )

    def died(self, item: Item, how: str) -> Iterator[Event]:
        """The worker of ``item`` died: the item waits again, or fails when that has happened too often."""
        tries = self._attempts[item.name] = self._attempts.get(item.name, 0) + 1
        if tries < ATTEMPTS:
            self._waiting = {item.name: self._out.pop(item.name)} | self._waiting
            return
        error = f"its worker died {tries} times, the last time by {how}; is there enough memory? use fewer --workers"
        if item.kind == "job":
            self._store.fail(item.record, error)
        yield from self.ended(Event(item.name, "failed", error=error))

    def stop_waiting(self) -> Iterator[Event]:
        """Give up what has not been begun."""
        waiting, self._waiting = self._waiting, {}
        for name in waiting:
            yield Event(name, "stopped")
