"""Wrong input to sweep, report and runs: one message that says what, where and the cure, and nothing written."""

import re
import shlex
import sys
from pathlib import Path

import numpy as np
import pytest
from commands.running import check, everything, run_main
from experiments.made_up import made_up_store
from experiments.small import TASK

from workbench.experiments.grid import Grid
from workbench.experiments.store import Store

SWEEP = f"sweep --task {TASK} --rule qgf --store new"
REFUSED: dict[str, tuple[str, ...]] = {
    "sweep --task three_exitz --rule qgf --store new": ("did you mean 'three_exits'?",),
    f"sweep --task {TASK} --rule qfg --store new": ("did you mean 'qgf'?",),
    f"{SWEEP} --grid wieght=0,1": ("no setting 'wieght'; did you mean 'weight'?",),
    f"{SWEEP} --grid expectile=0.7": ("write fit.expectile",),
    f"{SWEEP} --grid weight": ("--grid takes name=value", "got 'weight'"),
    f"{SWEEP} --grid weight=1 weight=2": ("gives weight twice",),
    f"{SWEEP} --grid weight=-1": ("allowed: 0 to 10000",),
    f"{SWEEP} --grid fit.tau=0.1 --fit-grid tau=0.2": ("fit.tau is given in --grid and in --fit-grid",),
    f"{SWEEP} --fit-grid expektile=0.7": ("did you mean 'expectile'?",),
    f"{SWEEP} --seeds a": ("--seeds takes whole numbers", "got 'a'"),
    f"{SWEEP} --seeds 600000000": ("'seed' of a job",),
    f"{SWEEP} --episodes 0": ("'episodes' of a sweep", "at least 1"),
    f"{SWEEP} --workers 0": ("--workers must be 1 to 4096",),
    f"{SWEEP} --scheduler tcp://here:1": ("add --executor dask",),
    f"{SWEEP} --executor dask --scheduler tcp://here:1 --workers 2": ("start dask workers",),
    f"{SWEEP} --data nowhere": ("no such file",),
    f"sweep --task {TASK} --rule qgf --store nonsense://x": ("cannot open the store nonsense://x",),
    f"sweep --task {TASK} --task bandit1d --rule qgf --store new --data d": ("a dataset of one task",),
    "report nowhere --out r.html": ("nowhere holds no store",),
    "report store --out r.txt": ("--out must end in .html",),
    "report store --out no/r.html": ("the folder no does not exist",),
    "report empty --out r.html": ("has no finished run yet",),
    "runs list nowhere": ("nowhere holds no store", "workbench sweep"),
    "runs show store zzz": ("has no run 'zzz'",),
    "runs compare store a": ("takes two runs or more",),
    "runs rm store": ("nothing to remove",),
    "runs rm store zzz --yes": ("has no run 'zzz'",),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an empty store, and one with a result."""
    place = tmp_path_factory.mktemp("refused")
    Store(place / "empty", create=True)
    grid = Grid(tasks=(TASK,), rules=("qgf",), episodes=2)
    made_up_store(place / "store", grid, lambda settings, seed: (np.zeros(2), np.ones(2), 0.1, 1.0))
    return place


@pytest.mark.parametrize("line", REFUSED)
def test_refused(line: str, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    before = everything(folder)
    check(run_main(capsys, *shlex.split(line)), *REFUSED[line])
    assert everything(folder) == before


def test_a_missing_extra_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "distributed", None)
    check(run_main(capsys, *shlex.split(f"{SWEEP} --executor dask")), 'pip install "workbench[dask]"')
    assert everything(tmp_path) == {}


def test_help_says_what_the_flags_mean(capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("sweep", "tune", "report", "runs"):
        done = run_main(capsys, command, "--help")
        assert done.code == 0
        assert re.search(r"--help", done.out)
