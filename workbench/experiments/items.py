"""What executors pass around: items of work out, events back, both plain JSON values."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Protocol

from workbench.experiments.store import Store

Kind = Literal["train", "job"]
Happened = Literal["begun", "progress", "done", "failed", "stopped"]


@dataclass(frozen=True)
class Item:
    """A piece of work.

    Attributes
    ----------
    kind : {"train", "job"}
    name : str
        Key of the job, or of the training.
    record : dict
        Record of the job (job.json); of a training, that of any job that needs it.
    parts : tuple of str
        Parts to train beyond those that the record's job needs.
    after : str or None
        Name of the item that must be done first.
    device : str
    beside : tuple of dict
        Of a training: records of jobs that need the same training with other seeds, done in the same computation.
    """

    kind: Kind
    name: str
    record: dict[str, Any]
    parts: tuple[str, ...] = ()
    after: str | None = None
    device: str = "cpu"
    beside: tuple[dict[str, Any], ...] = ()

    @property
    def trainings(self) -> int:
        """How many trainings it does."""
        return 1 + len(self.beside) if self.kind == "train" else 0

    def as_dict(self) -> dict[str, Any]:
        """Plain types."""
        return asdict(self)


@dataclass(frozen=True)
class Event:
    """What happened to an item.

    Attributes
    ----------
    name : str
        Of the item.
    happened : {"begun", "progress", "done", "failed", "stopped"}
    share : float
        Done of it, 0 to 1.
    seconds : float
        Wall time, when done.
    error : str
        When failed.
    """

    name: str
    happened: Happened
    share: float = 0.0
    seconds: float = 0.0
    error: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


Tell = Callable[[Event], None]


class Executor(Protocol):
    """Something that works through items."""

    @property
    def workers(self) -> int:
        """How many items it works on at a time."""
        ...

    def run(self, store: Store, items: list[Item], should_stop: Callable[[], bool]) -> Iterator[Event | None]:
        """Work through ``items`` and say what happens; None when nothing did for a while.

        Every item ends in done, failed or stopped, whatever happens to workers.
        """
        ...
