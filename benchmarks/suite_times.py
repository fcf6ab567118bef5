"""How long each kind of job of a protocol takes here: the numbers that its file says (``--protocol NAME``, laptop without it).

One training a task with few updates, scaled up, and one job a method at its middle strength, on nets that have hardly learned:
their episodes are as long as they get, so the times are rather too long.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.timing import table
from workbench.experiments.place import never
from workbench.experiments.serial import Serial
from workbench.experiments.store import Store
from workbench.experiments.suites.protocol import Protocol, TaskEntry, load_protocol
from workbench.experiments.suites.run import generate_data, plan_of, run_suite

UPDATES = 100


def shortened(protocol: Protocol, task: TaskEntry) -> Protocol:
    """One seed, few updates, the middle strength of every method."""
    methods = []
    for method in protocol.methods:
        strengths = task.strengths.get(method.label, method.strengths)
        middle = None if strengths is None else (strengths[len(strengths) // 2],)
        methods.append(method.model_copy(update={"strengths": middle}))
    short = task.model_copy(update={"training": task.training | {"steps": UPDATES}, "strengths": {}})
    changes = {"methods": tuple(methods), "tasks": (short,), "seeds": protocol.seeds[:1]}
    return protocol.model_copy(update=changes)


def run() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--protocol", default="laptop")
    parser.add_argument("--tasks", nargs="*", metavar="LABEL", help="only these: one of each kind is enough")
    options = parser.parse_known_args()[0]
    protocol = load_protocol(options.protocol)
    protocol = protocol.model_copy(
        update={"tasks": tuple(task for task in protocol.tasks if options.tasks is None or task.label in options.tasks)}
    )
    rows, ratios = [], {method.label: [] for method in protocol.methods}
    with tempfile.TemporaryDirectory() as folder:
        for number, task in enumerate(protocol.tasks):
            short = shortened(protocol, task)
            started = time.perf_counter()
            data = generate_data(short, Path(folder) / "data")
            made = time.perf_counter() - started
            full = plan_of(protocol.model_copy(update={"tasks": (task,)}), data)
            plan, store = plan_of(short, data), Store(Path(folder) / str(number), create=True)
            *_, last = run_suite(short, plan, store, Serial(), "", never)
            assert last.errors == {}, last.errors
            results = {label: store.result(jobs[0].key) for (label, _), jobs in plan.items()}
            seconds = {label: result["seconds"] for label, result in results.items()}
            updates = next(iter(full.values()))[0].training["steps"]
            training = max(r["training"]["seconds"] for r in results.values()) * updates / UPDATES
            flow = seconds[protocol.reference]
            for label, spent in seconds.items():
                ratios[label].append(spent / flow)
            rows.append([task.label, f"{training:.0f}", f"{flow:.2f}", f"{made:.0f}"])
            print(f"{task.label}: {' '.join(f'{label} {spent:.1f}' for label, spent in seconds.items())}", flush=True)
    table(f"{protocol.name}, seconds on one core", ("task", "training", "job", "generate"), rows)
    table(
        "cost of a job, the reference's being 1",
        ("method", "median", "each task"),
        [
            [label, f"{np.median(found):.1f}", " ".join(f"{one:.1f}" for one in found)]
            for label, found in ratios.items()
        ],
    )
