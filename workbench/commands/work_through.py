"""What ``workbench sweep`` and ``workbench suite`` share: the executor, the progress on the screen, and how they end."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, Protocol

import tyro

from workbench.commands.flags import check_range
from workbench.commands.stop import StopOnSignal
from workbench.console import Bar, print_json
from workbench.engine.words import UserError, counted

if TYPE_CHECKING:
    from workbench.experiments.items import Executor
    from workbench.experiments.sweep import SweepProgress

ExecutorName = Literal["local", "dask"]
Scheduler = Annotated[str | None, tyro.conf.arg(metavar="tcp://…")]
Workers = Annotated[int | None, tyro.conf.arg(metavar="INT")]


class Begin(Protocol):
    """A sweep that begins when it is called."""

    def __call__(self, *, should_stop: Callable[[], bool]) -> Iterator[SweepProgress]: ...


class Work(NamedTuple):
    """What is worked through: its name, the store, how many jobs, and where to look afterwards."""

    name: str
    store: str
    jobs: int
    look: str


def executor_of(
    name: ExecutorName, scheduler: str | None, workers: int | None, allow_version_mismatch: bool
) -> Executor:
    """The executor that the flags ask for; UserError where they do not fit together."""
    if workers is not None:
        check_range("--workers", workers, 1, 4096)
    if name == "local":
        if allow_version_mismatch:
            raise UserError("--allow-version-mismatch is for --executor dask; leave it out, or add --executor dask")
        if scheduler is not None:
            raise UserError("--scheduler is for --executor dask; leave it out, or add --executor dask")
        from workbench.experiments.processes import Processes

        return Processes(workers)
    from workbench.experiments.cluster import Cluster

    return Cluster(scheduler, workers, allow_version_mismatch=allow_version_mismatch)


def work_through(begin: Begin, work: Work, *, as_json: bool, then: Callable[[], dict[str, Any]] = dict) -> None:
    """Show the progress of a sweep until it ends, and say how it ended; ends the program where it is not whole.

    Parameters
    ----------
    begin : callable
    work : Work
    as_json : bool
    then : callable
        Done with what is measured, however the sweep ended; what it returns is added to the JSON value.
    """
    again = f"go on with the same command; see what is there: workbench runs list {work.store}"
    stop, started, last, told = StopOnSignal("stopping; what is being trained is saved …"), time.perf_counter(), None, 0
    begun = False
    try:
        with stop, closing(Bar(work.jobs, work.name, "jobs")) as bar:
            for last in begin(should_stop=stop.asked):
                if not begun:
                    begun = True
                    for error in last.again.values():
                        print(f"moved to the trash and done again: {error}", file=sys.stderr)
                bar.at(last.done, _note(last))
                for error in list(last.errors.values())[told:]:
                    told += 1
                    print(f"\nfailed: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        print(f"interrupted; every finished result is kept; {again}", file=sys.stderr)
        raise SystemExit(130) from None
    assert last is not None
    result = {
        "store": work.store,
        "done": last.done,
        "total": last.total,
        "failed": len(last.errors),
        "stopped": last.stopped,
        "seconds": time.perf_counter() - started,
    }
    if not as_json:
        print(f"{last.done:,} of {counted(last.total, 'job')} done, {result['seconds']:.1f} s")
    if last.done:
        result |= then()
    if as_json:
        print_json(result)
    else:
        print(work.look, file=sys.stderr)
    if last.stopped:
        print(f"stopped; every finished result is kept; {again}", file=sys.stderr)
        raise SystemExit(130)
    if last.errors:
        print(f"{len(last.errors)} failed; why: workbench runs list {work.store} --status failed", file=sys.stderr)
        raise SystemExit(1)


def _note(progress: SweepProgress) -> str:
    words = []
    if progress.training < progress.trainings:
        words.append(f"trained {progress.training} of {progress.trainings}")
    if progress.failed:
        words.append(f"{progress.failed} failed")
    if progress.eta_seconds is not None and progress.done < progress.total:
        words.append(f"{progress.eta_seconds:.0f} s left")
    return f"({'; '.join(words)})" if words else ""
