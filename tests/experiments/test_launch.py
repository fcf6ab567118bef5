"""Sweeps in a child process: started, cancelled by their owner alone, gone on with, ended with the server."""

import time

import pytest

from workbench.experiments.grid import Grid
from workbench.experiments.launch import SweepRefusedError, Sweeps

SMALL = Grid(
    tasks=("bandit2d",),
    rules=("bc", "qgf"),
    axes={"weight": (0.1, 1.0), "fit.steps": (60,), "fit.hidden": ([8, 8],)},
    episodes=20,
)


def until(question, seconds=90.0):
    deadline = time.monotonic() + seconds
    while not question():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.1)


@pytest.fixture
def sweeps(tmp_path):
    made = Sweeps(tmp_path / "store")
    yield made
    made.close()


@pytest.mark.slow
def test_a_sweep_is_started_cancelled_and_gone_on_with(sweeps):
    assert sweeps.state() is None
    long = Grid(tasks=("bandit2d",), rules=("qgf",), axes={"weight": (0.1,), "fit.steps": (500_000,)}, episodes=20)
    sweeps.start("ann", long)
    assert sweeps.state().running
    with pytest.raises(SweepRefusedError, match="running on this server already"):
        sweeps.start("ben", SMALL)
    with pytest.raises(SweepRefusedError, match="only its owner"):
        sweeps.cancel("ben")
    time.sleep(4)
    sweeps.cancel("ann")
    until(lambda: not sweeps.state().running)
    assert (sweeps.state().done, sweeps.state().total, sweeps.state().error) == (0, 1, "")
    sweeps.start("ben", SMALL)
    until(lambda: not sweeps.state().running)
    state = sweeps.state()
    assert (state.done, state.total, state.error) == (3, 3, "")
    assert "workbench sweep --task bandit2d" in state.command
    assert sum(row.status == "done" for row in sweeps.store().rows()) == 3


def test_a_wrong_grid_starts_nothing(sweeps):
    with pytest.raises(ValueError, match="no setting 'wait'; did you mean 'weight'"):
        sweeps.start("ann", Grid(tasks=("bandit2d",), rules=("qgf",), axes={"wait": (1.0,)}))
    assert sweeps.state() is None


def test_the_child_ends_with_the_server(sweeps):
    long = Grid(tasks=("bandit2d",), rules=("qgf",), axes={"weight": (0.1,), "fit.steps": (500_000,)}, episodes=20)
    sweeps.start("ann", long)
    child = sweeps._child
    sweeps.close()
    assert child.exit_code is not None
