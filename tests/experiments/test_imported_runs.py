"""A sweep on an imported run: nothing is trained, the store keeps a copy, the same command does nothing twice."""

import pickle
import shutil
from pathlib import Path

import pytest
from commands.running import run_main
from engine.published_trees import tree_of

from workbench.experiments.imported_runs import axis_of, digest_of, keep_run
from workbench.experiments.job import make_job
from workbench.experiments.store import Store
from workbench.experiments.trained_parts import ensure_trained, newest_trainings
from workbench.runs.importing import import_checkpoint
from workbench.views import policies

GRID = ("--grid", "weight=0,1", "--seeds", "0,1", "--episodes", "4", "--workers", "1")


@pytest.fixture
def run(tmp_path: Path) -> Path:
    path = tmp_path / "params_9.pkl"
    path.write_bytes(pickle.dumps(tree_of("fql", (4, 2, (8, 8), 2))))
    import_checkpoint(path, "three_exits", tmp_path / "run")
    return tmp_path / "run"


def test_a_sweep_steers_it(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store, words = tmp_path / "store", ("--task", "three_exits", "--rule", "qgf", "--rule", "fql", *GRID)
    done = run_main(capsys, "sweep", *words, "--run", run, "--store", store)
    assert done.code == 0, done
    rows = Store(store).rows()
    assert {row.status for row in rows} == {"done"}
    assert len(rows) == 6  # fql has no setting 'weight'
    assert {row.training["imported"] for row in rows} == {digest_of(run)}
    assert len(list((store / "trained").iterdir())) == 1
    shutil.rmtree(run)  # the store has its own
    again = run_main(
        capsys, "sweep", *words, "--grid", f"fit.imported={rows[0].training['imported']}", "--store", store
    )
    assert (again.code, again.out.split()[0]) == (0, "6")
    found = newest_trainings(store)
    assert [item.task for item in found] == ["three_exits"]


def test_refusals(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = tmp_path / "store"
    for flags, words in (
        (("--task", "bandit2d", "--rule", "qgf"), "is for task 'three_exits', the sweep is of bandit2d; give --task"),
        (("--task", "three_exits", "--rule", "qgf", "--data", "x"), "--data is for training"),
        (("--task", "three_exits", "--rule", "qgf", "--grid", "fit.tau=0.1"), "'fit.tau' means nothing; leave it out"),
    ):
        done = run_main(capsys, "sweep", *flags, "--run", run, "--store", store)
        assert done.code == 2
        assert words in done.err
    assert not store.exists()
    kept, training = Store(store, create=True), {"imported": digest_of(run)}
    job = make_job(task="three_exits", rule="iql", training=training)
    with pytest.raises(ValueError, match=r"has no imported run .*--run RUN"):
        ensure_trained(kept, job)
    keep_run(kept, run, job)
    with pytest.raises(ValueError, match="lacks awr_actor, which rule 'iql' needs"):
        ensure_trained(kept, job)
    assert ensure_trained(kept, make_job(task="three_exits", rule="fql", training=training, seed=3)).seconds is None


def test_keys_of_other_jobs_are_as_they_were() -> None:
    """Stores that were made before imported runs still mean the same."""
    job = make_job(task="three_exits", rule="qgf")
    assert "imported" not in job.model_dump_json()
    with pytest.raises(ValueError, match=r"was trained here|holds no run"):
        axis_of(Path("nowhere"), ("three_exits",))


def test_pages_take_it_as_an_upload(run: Path) -> None:
    files = {
        path.name: path.read_bytes()
        for path in run.iterdir()
        if path.name == "run.json" or path.suffix == ".safetensors"
    }
    source = policies.upload(files)
    assert source.task.info.name == "three_exits"
    assert set(source.parts().available()) == {"reference", "critic", "target_critic", "one_step"}
