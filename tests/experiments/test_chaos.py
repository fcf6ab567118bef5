"""Workers and the sweep itself are killed at random moments: no result is lost, none is there twice, none is torn."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from experiments.chaos import Chaos
from experiments.small import small_grid
from figures import times

from workbench.experiments.job import Data
from workbench.experiments.serial import Serial
from workbench.experiments.store import Store
from workbench.experiments.sweep import sweep

pytestmark = [pytest.mark.slow, pytest.mark.chaos]


def test_kills_at_random(tmp_path: Path, root: Path, data: Data, figures: Counter[str]) -> None:
    """Three in the suite, to keep it short; more by ``make chaos``, and twenty in the benchmark ``store``."""
    grid = small_grid(data, axes={"weight": tuple(0.1 * number for number in range(times(16)))})
    chaos = Chaos(root, tmp_path / "store", grid, kills=times(3), seed=0)
    chaos.run()
    figures["kills"] += chaos.killed_sweeps + chaos.killed_workers
    figures["lost"] += len(chaos.lost())
    figures["doubled"] += len(chaos.doubled())
    assert chaos.killed_sweeps >= 1
    assert chaos.killed_workers >= 1
    rows = Store(tmp_path / "store").rows()
    assert sorted(row.key for row in rows) == sorted(job.key for job in grid.jobs())
    assert {row.status for row in rows} == {"done"}
    assert chaos.lost() == []
    assert chaos.doubled() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_stops_and_says_how_to_go_on(tmp_path: Path, root: Path, data: Data, number: int) -> None:
    chaos = Chaos(
        root, tmp_path / "store", small_grid(data, axes={"weight": tuple(map(float, range(20)))}), kills=0, seed=0
    )
    process = chaos.start()
    chaos.wait_for_results(process, 2)
    os.killpg(process.pid, number)  # as a terminal does: the whole group
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "stopped; every finished result is kept; go on with the same command" in err
    assert "Traceback" not in err
    assert "of 40 jobs done" in out
    rows = Store(tmp_path / "store").rows()
    assert 2 <= sum(row.status == "done" for row in rows) < 40
    assert not [row for row in rows if row.status in ("failed", "running")]


def test_the_command_line(tmp_path: Path, root: Path, data: Data) -> None:
    """sweep, list, show, compare, rm, one after the other in processes of their own."""

    def command(*words: str, code: int = 0) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "workbench.cli", *words],
            cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(root)}, capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        assert done.returncode == code, done.stderr
        return done.stdout if code == 0 else done.stderr

    store = Store(tmp_path / "store", create=True)
    list(sweep(small_grid(data), store, Serial()))
    listed = json.loads(command("runs", "list", "store", "--json"))
    assert len(listed) == 4
    keys = [row["key"] for row in listed]
    assert keys[0][:8] in command("runs", "list", "store", "--status", "done", "--rule", "qgf", "--sort", "return")
    shown = command("runs", "show", "store", keys[0][:6])
    for word in ("to choose", "to report", "weight", "batch_size", "evaluated", "torch"):
        assert word in shown
    assert "return − first, paired" in command("runs", "compare", "store", *keys)
    assert "takes two runs or more" in command("runs", "compare", "store", keys[0], code=2)
    assert "add --yes" in command("runs", "rm", "store", keys[0], code=2)
    assert "removed 1 run" in command("runs", "rm", "store", keys[0], "--yes")
    assert len(json.loads(command("runs", "list", "store", "--status", "done", "--json"))) == 3
    store.put_away([keys[1]])
    assert "add --yes" in command("runs", "empty-trash", "store", code=2)
    assert "removed 1 run" in command("runs", "empty-trash", "store", "--yes")
    assert store.trash() == []
    assert "has no run 'zzz'" in command("runs", "show", "store", "zzz", code=2)
    assert "holds no store" in command("runs", "list", "nowhere", code=2)
