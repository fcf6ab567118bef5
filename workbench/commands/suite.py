"""``workbench suite``: a named protocol into a store, and the tables that come of it."""

from __future__ import annotations

import shlex
import sys
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import tyro

from workbench.commands.flags import Device, Json
from workbench.commands.work_through import ExecutorName, Scheduler, Work, Workers, executor_of, work_through
from workbench.console import Bar, print_json, print_table
from workbench.engine.words import UserError, counted

if TYPE_CHECKING:
    from workbench.experiments.suites.protocol import Protocol, TaskEntry

Page = Annotated[Path | None, tyro.conf.arg(metavar="FILE")]


class How(NamedTuple):
    """Where the work is done, and which methods now."""

    executor: ExecutorName
    scheduler: str | None
    workers: int | None
    device: Device
    only: tuple[str, ...]


def suite(
    name: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="NAME")] = "",
    store: Annotated[str | None, tyro.conf.arg(metavar="DIR|URL")] = None,
    out: Page = None,
    docs: Page = None,
    data: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None,
    list_: Annotated[bool, tyro.conf.arg(name="list")] = False,
    only: Annotated[tuple[str, ...], tyro.conf.arg(metavar="METHOD ...")] = (),
    dry_run: bool = False,
    executor: ExecutorName = "local",
    scheduler: Scheduler = None,
    workers: Workers = None,
    device: Device = "cpu",
    as_json: Json = False,
) -> None:
    """Run a protocol: methods × tasks × seeds, then the tables. Ctrl-C stops, the same command goes on.

    Args:
        name: One of workbench suite --list, or a file of your own, FILE.toml.
        store: Folder (or URL) that keeps every result; what it has is not done again.
        out: Report to write (.html): tables with intervals, profiles, and what computing buys.
        docs: The same tables as Markdown (.md).
        data: Folder for the datasets that are generated; without it STORE/data.
        list_: Say which protocols there are, and how much each is.
        only: Methods to run now, by their names in the table; the tables have whatever is measured.
        dry_run: Say how much it is, and do nothing.
        executor: Processes of this machine, or the workers of a Dask scheduler.
        scheduler: Address of a running dask scheduler; without it dask starts a cluster on this machine.
        workers: Processes; without it as many as there are cores.
        device: Where to train and evaluate.
    """
    from workbench.experiments.processes import usable_cores
    from workbench.experiments.suites.protocol import load_protocol, shipped_protocols

    hands = workers or usable_cores()
    if list_:
        _tell([load_protocol(one) for one in shipped_protocols()], hands, as_json)
        return
    if not name:
        raise UserError(f"name a protocol: {', '.join(shipped_protocols())}, or a file of your own; see --list")
    protocol = load_protocol(name)
    chosen = protocol.only(only)
    if dry_run:
        _tell([chosen], hands, as_json)
        return
    if store is None:
        raise UserError("--store DIR says where results are kept; --dry-run says how much it is, and does nothing")
    for flag, path, suffix in (("--out", out, ".html"), ("--docs", docs, ".md")):
        _check_file(flag, path, suffix)
    if data is None and "://" in store:
        raise UserError(
            f"with a store at a URL, say where the datasets go: --data DIR, a folder that every worker of {store} sees"
        )
    _run(
        protocol,
        name,
        store,
        (out, docs),
        data or Path(store) / "data",
        How(executor, scheduler, workers, device, only),
        as_json,
    )


def _run(
    protocol: Protocol,
    name: str,
    store: str,
    files: tuple[Path | None, Path | None],
    data: Path,
    how: How,
    as_json: bool,
) -> None:
    from workbench.experiments.store import Store
    from workbench.experiments.suites.run import board_of_suite, generate_data, plan_of, run_suite

    plan_of(protocol)  # everything that can be wrong is said before a file is written
    hands = executor_of(how.executor, how.scheduler, how.workers, False)
    kept = Store(store, create=True)
    with closing(_Making()) as bars:
        plan = plan_of(protocol, generate_data(protocol, data, bars.tell))
    out, docs = files
    flags = [part for flag, path in (("--out", out), ("--docs", docs)) if path for part in (flag, str(path))]
    again = shlex.join(["workbench", "suite", name, "--store", store, *flags])

    def then() -> dict[str, Any]:
        board = board_of_suite(protocol, plan, kept)
        return _write(protocol, board, [again], out, docs, as_json)

    now = protocol.only(how.only)
    part = {labels: jobs for labels, jobs in plan.items() if labels[0] in now.labels}
    jobs = len({job.key for found in part.values() for job in found})
    asked = f"{again} {shlex.join(['--only', *how.only])}" if how.only else again
    look = f"look at them: workbench serve --store {shlex.quote(store)}, page Compare; workbench runs list {shlex.quote(store)}"
    begin = partial(run_suite, now, part, kept, hands, asked, device=how.device)
    work_through(begin, Work("suite", store, jobs, look), as_json=as_json, then=then)


def _write(
    protocol: Protocol, board: Any, commands: list[str], out: Path | None, docs: Path | None, as_json: bool
) -> dict[str, Any]:
    from workbench.report.suite import write_suite_markdown, write_suite_page
    from workbench.report.suite_tables import standings_table

    table = standings_table(board)
    if not as_json:
        print_table(list(table.heads), [list(row) for row in table.rows])
    for path, write in ((out, write_suite_page), (docs, write_suite_markdown)):
        if path is not None:
            write(protocol, board, commands, path)
            print(f"{path}  {path.stat().st_size / 2**10:.0f} KiB", file=sys.stderr)
    return {
        "standings": [
            {
                "method": one.method,
                "interquartile_mean": one.middle.as_dict(),
                "optimality_gap": one.gap.as_dict(),
                "beats_reference": None if one.improvement is None else one.improvement.as_dict(),
            }
            for one in board.standings
        ]
    }


def _tell(protocols: list[Protocol], workers: int, as_json: bool) -> None:
    from workbench.experiments.suites.run import summary_of

    found = [summary_of(protocol) for protocol in protocols]
    for line in found:
        seconds = line.pop("core_seconds")
        line["minutes"] = None if seconds is None else round(seconds / workers / 60, 1)
    if as_json:
        print_json({"workers": workers, "protocols": found})
        return
    heads = ("protocol", "methods", "tasks", "seeds", "jobs", "trainings", f"time with {counted(workers, 'worker')}")
    rows = [
        [str(line[key]) for key in ("name", "methods", "tasks", "seeds", "jobs", "trainings")]
        + [_about(line["minutes"])]
        for line in found
    ]
    print_table(list(heads), rows)
    for protocol in protocols:
        print(f"\n{protocol.name}: {protocol.title}. {protocol.summary}")


def _about(minutes: float | None) -> str:
    if minutes is None:
        return "not measured"
    return f"about {minutes:.1f} min" if minutes < 10 else f"about {minutes:.0f} min"


def _check_file(flag: str, path: Path | None, suffix: str) -> None:
    if path is None:
        return
    if path.suffix.lower() != suffix:
        raise UserError(f"{flag} must end in {suffix}, got {path.name}")
    if not path.parent.is_dir():
        raise UserError(f"the folder {path.parent} does not exist; make it first, or choose another {flag}")
    if path.is_dir():
        raise UserError(f"{path} is a folder; name a file")


class _Making:
    """A bar for each dataset that is made."""

    def __init__(self) -> None:
        self._bar: Bar | None = None
        self._label = ""

    def tell(self, task: TaskEntry, done: int, rows: int) -> None:
        """Show how far the dataset of ``task`` is."""
        if self._bar is None or self._label != task.label:
            self.close()
            self._bar, self._label = Bar(rows, f"data of {task.label}", "rows"), task.label
        self._bar.at(done)

    def close(self) -> None:
        """End the last one."""
        if self._bar is not None:
            self._bar.close()
