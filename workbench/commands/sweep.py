"""``workbench sweep``: a grid of jobs into a store."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import tyro

from workbench.commands.flags import ClipActions, Device, Json
from workbench.commands.model_flags import NOTHING, Given, read_given, settings_of
from workbench.commands.work_through import ExecutorName, Scheduler, Work, Workers, executor_of, work_through
from workbench.engine.words import UserError

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
    executor: ExecutorName = "local",
    scheduler: Scheduler = None,
    workers: Workers = None,
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
    hands = executor_of(executor, scheduler, workers, allow_version_mismatch)
    kept = Store(store, create=True)
    if run is not None:
        keep_run(kept, run, wanted.jobs()[0])
    look = f"look at them: workbench runs list {store}; workbench report {store} --out report.html"
    progress = partial(run_sweep, wanted, kept, hands, retry_failed=retry_failed, device=device, together=together)
    work_through(progress, Work("sweep", store, len(wanted.jobs()), look), as_json=as_json)
