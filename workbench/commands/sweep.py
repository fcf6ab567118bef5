"""``workbench sweep``: a grid of jobs into a store."""

from __future__ import annotations

import sys
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from workbench.commands.flags import ClipActions, Device, Json, check_range
from workbench.commands.model_flags import NOTHING, Given, read_given, settings_of
from workbench.commands.stop import StopOnSignal
from workbench.console import Bar, print_json
from workbench.engine.words import UserError, counted

if TYPE_CHECKING:
    from workbench.experiments.items import Executor
    from workbench.experiments.sweep import SweepProgress

Axes = Annotated[tuple[tuple[str, ...], ...], tyro.conf.UseAppendAction, tyro.conf.arg(metavar="NAME=VALUE,… ...")]
Names = Annotated[tuple[str, ...], tyro.conf.UseAppendAction]


@settings_of("workbench.experiments.grid:Grid", only=("episodes",))  # the others have a spelling of their own
def sweep(
    task: Annotated[Names, tyro.conf.arg(metavar="TASK")],
    rule: Annotated[Names, tyro.conf.arg(metavar="RULE")],
    store: Annotated[str, tyro.conf.arg(metavar="DIR|URL")],
    grid: Axes = (),
    fit_grid: Axes = (),
    seeds: Annotated[str, tyro.conf.arg(metavar="0..4")] = "0",
    executor: Literal["local", "dask"] = "local",
    scheduler: Annotated[str | None, tyro.conf.arg(metavar="tcp://…")] = None,
    workers: Annotated[int | None, tyro.conf.arg(metavar="INT")] = None,
    allow_version_mismatch: bool = False,
    run: Annotated[Path | None, tyro.conf.arg(metavar="RUN")] = None,
    data: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None,
    clip_actions: ClipActions = False,
    device: Device = "cpu",
    retry_failed: bool = True,
    together: bool = True,
    as_json: Json = False,
    *,
    given: Given = NOTHING,
) -> None:
    """Train and evaluate a grid of jobs; what is done is never done again. Ctrl-C stops, the same command goes on.

    Args:
        task: Name of a task (workbench tasks); may be given several times.
        rule: Name of a rule (workbench rules); may be given several times.
        store: Folder (or URL) that keeps every result.
        grid: Values of settings: weight=0,0.3,1 of every rule that has it, qgf.weight=… of one rule, fit.tau=… of training.
        fit_grid: Values of training settings, the same as --grid fit.NAME=….
        seeds: Seeds of data, training and evaluation: 0..4 or 0,1,5.
        executor: Processes of this machine, or the workers of a Dask scheduler.
        scheduler: Address of a running dask scheduler; without it dask starts a cluster on this machine.
        workers: Processes; without it as many as there are cores.
        allow_version_mismatch: Give work also to dask workers of another version of workbench, torch, NumPy, Python or code.
        run: A run that workbench import made: its networks are steered, nothing is trained. The store keeps a copy.
        data: Folder made by workbench generate; built-in tasks make their data without it.
        device: Where to train and evaluate.
        retry_failed: turn off: try jobs again that failed before.
        together: turn off: train the seeds of small networks at once; each ends as if alone, up to float rounding.
    """
    from workbench.experiments.grid import make_grid, parse_axes, parse_seeds
    from workbench.experiments.imported_runs import axis_of, keep_run
    from workbench.experiments.job import Data
    from workbench.experiments.store import Store
    from workbench.experiments.sweep import check_data
    from workbench.experiments.sweep import sweep as run_sweep

    if workers is not None:
        check_range("--workers", workers, 1, 4096)
    axes = parse_axes(grid)
    for name, values in parse_axes(fit_grid, "--fit-grid", "fit.").items():
        if name in axes:
            raise UserError(f"{name} is given in --grid and in --fit-grid; leave one out")
        axes[name] = values
    if run is not None:
        if data is not None or fit_grid:
            flag = "--fit-grid" if data is None else "--data"
            raise UserError(f"{flag} is for training, and --run is trained already; leave one of them out")
        axes |= axis_of(run, task)
    wanted = make_grid(tasks=task, rules=rule, axes=axes, seeds=parse_seeds(seeds), **read_given(sweep, given))
    wanted.jobs()  # everything that can be wrong is said before a file is read or written
    if data is not None and len(set(task)) > 1:
        raise UserError(f"--data is a dataset of one task, and there are {len(set(task))}; run a sweep for each")
    if run is None:
        for name in task:
            found = check_data(Data(folder=None if data is None else str(data), clip_actions=clip_actions), name)
        wanted = wanted.model_copy(update={"data": found})
    hands = _executor(executor, scheduler, workers, allow_version_mismatch)
    kept = Store(store, create=True)
    if run is not None:
        keep_run(kept, run, wanted.jobs()[0])
    again = f"go on with the same command; see what is there: workbench runs list {store}"
    stop, started, last, told = StopOnSignal("stopping; what is being trained is saved …"), time.perf_counter(), None, 0
    begun = False
    try:
        with stop, closing(Bar(len(wanted.jobs()), "sweep", "jobs")) as bar:
            progress = run_sweep(
                wanted,
                kept,
                hands,
                should_stop=stop.asked,
                retry_failed=retry_failed,
                device=device,
                together=together,
            )
            for last in progress:
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
        "store": store,
        "done": last.done,
        "total": last.total,
        "failed": len(last.errors),
        "stopped": last.stopped,
        "seconds": time.perf_counter() - started,
    }
    if as_json:
        print_json(result)
    else:
        print(f"{last.done:,} of {counted(last.total, 'job')} done, {result['seconds']:.1f} s")
        print(f"look at them: workbench runs list {store}; workbench report {store} --out report.html", file=sys.stderr)
    if last.stopped:
        print(f"stopped; every finished result is kept; {again}", file=sys.stderr)
        raise SystemExit(130)
    if last.errors:
        print(f"{len(last.errors)} failed; why: workbench runs list {store} --status failed", file=sys.stderr)
        raise SystemExit(1)


def _executor(name: str, scheduler: str | None, workers: int | None, allow_version_mismatch: bool) -> Executor:
    if name == "local":
        if allow_version_mismatch:
            raise UserError("--allow-version-mismatch is for --executor dask; leave it out, or add --executor dask")
        if scheduler is not None:
            raise UserError("--scheduler is for --executor dask; leave it out, or add --executor dask")
        from workbench.experiments.processes import Processes

        return Processes(workers)
    from workbench.experiments.cluster import Cluster

    return Cluster(scheduler, workers, allow_version_mismatch=allow_version_mismatch)


def _note(progress: SweepProgress) -> str:
    words = []
    if progress.training < progress.trainings:
        words.append(f"trained {progress.training} of {progress.trainings}")
    if progress.failed:
        words.append(f"{progress.failed} failed")
    if progress.eta_seconds is not None and progress.done < progress.total:
        words.append(f"{progress.eta_seconds:.0f} s left")
    return f"({'; '.join(words)})" if words else ""
