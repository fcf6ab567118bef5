"""How much memory, and how much disk, a training's data will take, said before they are read; and what there is."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from workbench.engine.data.mapped import goal_type, record_type
from workbench.engine.data.transitions import BLOCK

RowsIn = Literal["auto", "memory", "disk"]
SHARE = 0.5  # of the free memory that data may take before they are left on disk
GIB = 2**30
CGROUP = (("memory.max", "memory.current"), ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"))


@dataclass(frozen=True)
class Keep:
    """Where a dataset's rows lie while it is used.

    Attributes
    ----------
    where : {"auto", "memory", "disk"}
        ``auto``: on disk where they would take more than half of the free memory.
    tell : callable
        Hears, in a sentence, what takes its time.
    """

    where: RowsIn = "auto"
    tell: Callable[[str], None] = lambda _: None


AUTO = Keep()
KEEP: ContextVar[Keep] = ContextVar("keep", default=AUTO)
"""How this program keeps what it reads. Where the rows lie changes no number, so that nothing that is trained or measured notes
it, and it needs no way of its own through all that does.
"""


@dataclass(frozen=True)
class Footprint:
    """Sizes of a dataset before it is read: R rows of S observations and D actions, in shards of at most ``largest`` rows.

    With ``goals`` every row gets a goal beside its observation when all are read.
    """

    rows: int
    observation_dim: int
    action_dim: int
    largest: int
    goals: bool = False

    @property
    def row(self) -> int:
        """Bytes of one row on disk."""
        return int(record_type(self.observation_dim, self.action_dim).itemsize)

    @property
    def in_memory(self) -> int:
        """Bytes at the most when all rows are read into memory: the rows, which are put together of those of the shards, and the
        matrix that minibatches come from. Goals make observations twice as wide.
        """
        seen = (1 + self.goals) * self.observation_dim
        matrix = 4 * (2 * seen + self.action_dim + 4)
        wider = record_type(seen, self.action_dim).itemsize + 8 if self.goals else 0
        return self.rows * (2 * self.row + wider + matrix)

    @property
    def on_disk(self) -> int:
        """Bytes of the unpacked rows, and of their goals."""
        goals = goal_type(2 * self.observation_dim).itemsize if self.goals else 0
        return self.rows * (self.row + goals)

    @property
    def mapped(self) -> int:
        """Bytes of memory at the most with the rows on disk: while they are unpacked, one shard, as it is stored, checked and
        written, and a block of rows. A minibatch takes its own rows.
        """
        return 5 * self.largest * self.row + 4 * BLOCK * self.row

    def fits(self, free: int | None = None) -> bool:
        """Whether the rows may be held in memory, of which ``free`` bytes are there (measured now without it)."""
        return self.in_memory <= SHARE * (free_memory() if free is None else free)

    def in_words(self) -> str:
        """Such as "in memory 1.2 GB; on disk 0.1 GB, and 0.5 GB of disk"."""
        return (
            f"about {size(self.in_memory)} with all rows in memory; at most {size(self.mapped)} with the rows on disk "
            f"({size(self.on_disk)} there)"
        )


def free_memory() -> int:
    """Bytes that this process may still take: what the system has, or what its control group leaves it."""
    free = 4 * GIB  # where the system does not say: what a small machine has
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        free = next(1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
    except (OSError, ValueError, StopIteration):
        pass
    for most, used in CGROUP:
        try:
            limit, taken = (int((Path("/sys/fs/cgroup") / name).read_text(encoding="ascii")) for name in (most, used))
        except (OSError, ValueError):  # no control groups here, or no limit ("max")
            continue
        free = min(free, max(limit - taken, 0))
    return free


def size(count: int) -> str:
    """Such as "1.2 GiB" or "35 MiB"."""
    return f"{count / GIB:.1f} GiB" if count >= GIB else f"{max(count / 2**20, 0.1):.3g} MiB"
