"""Sweeps from beginning to end: nothing is done twice, nothing is lost, errors are kept and the rest goes on."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from experiments.small import TASK, small_grid

from workbench.engine.metrics.evaluate import evaluate
from workbench.engine.metrics.support import DataSupport
from workbench.engine.tasks.registry import make_task
from workbench.engine.training.loop.checkpoint import load_run
from workbench.engine.training.loop.trainer import Trainer
from workbench.engine.words import DivergedError
from workbench.experiments.compare import compare
from workbench.experiments.items import Executor
from workbench.experiments.job import Data, job_of
from workbench.experiments.processes import Processes
from workbench.experiments.serial import Serial
from workbench.experiments.store import Store, StoreError
from workbench.experiments.sweep import SweepProgress, items_of, record_of, sweep
from workbench.experiments.trained_parts import Trained
from workbench.experiments.waiting import Queue
from workbench.experiments.work import Bench
from workbench.runs.training import training_data


def run(grid: Any, store: Store, executor: Executor | None = None, **more: Any) -> SweepProgress:
    return list(sweep(grid, store, executor or Serial(), **more))[-1]


def contents(store: Store) -> dict[str, bytes]:
    folder = Path(store.where)
    kept = ("result.json", "episodes-")
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.name.startswith(kept)}


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, data: Data) -> Store:
    """A finished sweep of four jobs by `Serial`; tests must not change it."""
    store = Store(tmp_path_factory.mktemp("sweep") / "store", create=True)
    last = run(small_grid(data), store)
    assert (last.done, last.total, last.errors, last.stopped) == (4, 4, {}, False)
    assert (last.training, last.trainings) == (2, 2)
    return store


def test_every_job_has_a_row_and_a_folder(done: Store) -> None:
    rows = done.rows()
    assert {(row.settings["weight"], row.seed, row.status) for row in rows} == {
        (w, seed, "done") for w in (0.0, 0.3) for seed in (0, 1)
    }
    for row in rows:
        events = [event["event"] for event in done.events(row.key)]
        assert events == ["begun", "trained", "evaluated", "evaluated"]
    assert len(done.place.listing("trained")) == 2


def same(one: Any, other: Any) -> bool:
    """Equal up to rounding, however nested."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    return bool(one == (other if isinstance(other, str) or other is None else pytest.approx(other)))


def test_a_result_is_what_evaluate_measures(done: Store) -> None:
    """The store's numbers, made again from the store's own checkpoint through the public functions."""
    row = next(row for row in done.rows() if row.settings["weight"] == 0.3)
    result = done.result(row.key)
    assert result is not None
    job = job_of(result)
    trained = load_run(Path(done.where) / result["training"]["folder"])
    episodes = done.episodes(row.key)
    for name, seed in job.evaluation_seeds().items():
        near = DataSupport(training_data(trained))
        again = evaluate(job.make_rule(), trained.parts(), make_task(TASK), 5, seed, trained.probes, data=near)
        plain = again.as_dict()
        assert plain["support"] is not None
        for key in (
            "return",
            "success",
            "shift",
            "gain",
            "support",
            "transport",
            "promised",
            "earned",
            "gap",
            "own_shift",
            "occupancy",
            "network_evaluations",
        ):
            assert same(result[name][key], plain[key]), key
        np.testing.assert_allclose(episodes[f"{name}.returns"], again.record.returns)
    assert not np.array_equal(episodes["choose.q_first"], episodes["report.q_first"])


def test_a_run_whose_data_are_lost_says_so(done: Store) -> None:
    row = done.result(done.rows()[0].key)
    assert row is not None
    run = load_run(Path(done.where) / row["training"]["folder"])
    lost = replace(run, fingerprint="of other data")
    found = Bench().data(Trained("trained/lost", lost, None))
    assert isinstance(found, str)
    assert "data have changed" in found


def test_doing_it_again_does_nothing(done: Store) -> None:
    before = contents(done)
    grid = small_grid(Data(**done.sweeps()[0]["grid"]["data"]))
    reports = list(sweep(grid, done, Serial()))
    assert [report.done for report in reports] == [4, 4]
    assert contents(done) == before


def test_an_extended_grid_does_only_what_is_new(done: Store, data: Data, tmp_path: Path) -> None:
    store = Store(tmp_path / "store", create=True)
    run(small_grid(data, seeds=(0,)), store)
    before = contents(store)
    reports = list(sweep(small_grid(data), store, Serial()))
    assert next(report.done for report in reports) == 2
    after = contents(store)
    assert before.items() <= after.items()
    assert len(store.rows()) == 4
    for row in store.rows():  # the same jobs in another store: the same numbers
        ours, theirs = store.result(row.key), done.result(row.key)
        assert ours is not None
        assert theirs is not None
        assert ours["report"]["return"] == theirs["report"]["return"]


def test_processes_find_the_same(done: Store, data: Data, tmp_path: Path) -> None:
    store = Store(tmp_path / "store", create=True)
    reports = list(sweep(small_grid(data), store, Processes(2)))
    assert reports[-1].done == 4
    assert [report.row.key for report in reports if report.row]
    assert not reports[-1].errors
    returns = {row.key: row.returns for row in store.rows()}
    assert returns == {row.key: row.returns for row in done.rows()}


def test_rules_share_the_training(data: Data, tmp_path: Path) -> None:
    store = Store(tmp_path / "store", create=True)
    last = run(small_grid(data, rules=("bc", "qgf", "vgf"), axes={"weight": (0.1,)}, seeds=(0,)), store)
    assert (last.done, last.trainings) == (3, 1)
    assert len(store.place.listing("trained")) == 1


def test_a_store_in_memory(data: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, done: Store) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    store = Store(f"memory://sweep-{tmp_path.name}", create=True)
    assert run(small_grid(data), store).done == 4
    returns = {row.key: row.returns for row in store.rows()}
    assert returns == {row.key: row.returns for row in done.rows()}
    assert run(small_grid(data), store).trainings == 0


# --- stopping -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("executor", [Serial(), Processes(1)])
def test_stopping_keeps_what_is_done_and_the_next_sweep_does_the_rest(
    executor: Executor, done: Store, data: Data, tmp_path: Path
) -> None:
    store, rows = Store(tmp_path / "store", create=True), []
    for report in sweep(small_grid(data), store, executor, should_stop=lambda: bool(rows)):
        rows.extend([report.row] if report.row else [])
    last = report
    assert last.stopped
    assert 1 <= last.done < 4
    kept = contents(store)
    again = run(small_grid(data), store)
    assert (again.done, again.stopped) == (4, False)
    assert kept.items() <= contents(store).items()
    assert {row.key: row.returns for row in store.rows()} == {row.key: row.returns for row in done.rows()}


def test_a_training_that_is_stopped_goes_on_where_it_was(data: Data, tmp_path: Path) -> None:
    store = Store(tmp_path / "store", create=True)
    grid = small_grid(data, axes={"fit.steps": (3000,)}, seeds=(0,))
    seen: list[float] = []
    for report in sweep(grid, store, Processes(1), should_stop=lambda: bool(seen)):
        seen.extend(share for share in report.running.values() if share > 0.1)
    (name,) = store.place.listing("trained")
    record = json.loads((Path(store.where) / "trained" / name / "run.json").read_text())
    assert 300 <= record["step"] < 3000
    assert run(grid, store).done == 1


# --- failing ------------------------------------------------------------------------------------------------------


def test_a_failed_job_is_recorded_and_the_others_go_on(
    data: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(rule: Any, *args: Any, **named: Any) -> Any:
        if rule.weight == 0.3:
            raise DivergedError("the action is not finite")
        return evaluate(rule, *args, **named)

    monkeypatch.setattr("workbench.experiments.work.evaluate", broken)
    store = Store(tmp_path / "store", create=True)
    last = run(small_grid(data, seeds=(0,)), store)
    assert (last.done, len(last.errors), last.failed) == (1, 1, 1)
    (failed,) = [row for row in store.rows() if row.status == "failed"]
    assert failed.error == "the action is not finite"
    failure = store.failure(failed.key)
    assert failure is not None
    assert "Traceback" in failure["traceback"]
    assert run(small_grid(data, seeds=(0,)), store, retry_failed=False).errors == {}
    monkeypatch.undo()
    assert run(small_grid(data, seeds=(0,)), store).done == 2  # tried again
    assert [row.status for row in store.rows()] == ["done", "done"]


def test_jobs_of_a_failed_training_fail_with_it(data: Data, tmp_path: Path) -> None:
    store = Store(tmp_path / "store", create=True)
    last = run(small_grid(data.model_copy(update={"folder": str(tmp_path / "gone")})), store)
    assert last.done == 0
    assert len(last.errors) == 5  # two trainings in one item, four jobs
    assert all("its training failed: " in str(row.error) and "gone" in str(row.error) for row in store.rows())


def test_changed_data_are_refused(tmp_path: Path, data: Data) -> None:
    store = Store(tmp_path / "store", create=True)
    other = data.model_copy(update={"fingerprint": "0" * 64})
    last = run(small_grid(other, seeds=(0,)), store)
    assert "holds other data now" in next(iter(last.errors.values()))


def test_a_damaged_training_is_named(data: Data, tmp_path: Path) -> None:
    store = Store(tmp_path / "store", create=True)
    grid = small_grid(data, seeds=(0,))
    run(grid, store)
    (name,) = store.place.listing("trained")
    (state,) = (Path(store.where) / "trained" / name).glob("state-*")
    state.write_bytes(b"")
    store.remove([row.key for row in store.rows()])
    last = run(grid, store)
    assert last.done == 0
    assert f"remove {store.where}/trained/{name} and start the sweep again" in next(iter(last.errors.values()))


# --- the queue ----------------------------------------------------------------------------------------------------


@pytest.fixture
def queue(done: Store, data: Data) -> Queue:
    jobs = small_grid(data).jobs()
    return Queue(done, items_of(jobs, {job.key: record_of(job) for job in jobs}))


def test_jobs_wait_for_their_training(queue: Queue) -> None:
    first, second = queue.next(), queue.next()
    assert first is not None
    assert second is not None
    assert (first.kind, second.kind) == ("train", "train")
    assert queue.next() is None
    list(queue.ended(_event(second.name, "done")))
    job = queue.next(first.name)
    assert job is not None
    assert job.after == second.name


def test_an_item_whose_worker_dies_is_done_again_but_not_for_ever(queue: Queue) -> None:
    for _ in range(2):
        item = queue.next()
        assert item is not None
        assert list(queue.died(item, "signal SIGKILL")) == []
    assert queue.next() == item
    keep: Callable[..., Any] = queue._store.fail
    queue._store.fail = lambda *_: None  # type: ignore[method-assign] -- the store of other tests stays as it is
    events = list(queue.died(item, "signal SIGKILL"))
    queue._store.fail = keep  # type: ignore[method-assign]
    assert [event.happened for event in events] == ["failed"] * 3  # the training and its two jobs
    assert "died 3 times, the last time by signal SIGKILL" in events[0].error


def _event(name: str, happened: Any) -> Any:
    from workbench.experiments.items import Event

    return Event(name, happened)


# --- comparing ----------------------------------------------------------------------------------------------------


def test_compare(done: Store) -> None:
    by = {(row.settings["weight"], row.seed): row.key for row in done.rows()}
    first, second, other = compare(done, [by[0.0, 0], by[0.3, 0], by[0.3, 1]])
    assert first["told"] == {"seed": 0, "weight": 0.0}
    assert second["told"] == {"seed": 0, "weight": 0.3}
    assert first["difference"] is None
    assert other["difference"] is None  # another seed: other starts
    pairs = [done.episodes(by[w, 0])["report.returns"] for w in (0.3, 0.0)]
    assert second["difference"]["mean"] == pytest.approx(float((pairs[0] - pairs[1]).mean()))
    with pytest.raises(StoreError, match="has no result yet"):
        compare(done, ["nothing"])


# --- seeds together -----------------------------------------------------------------------------------------------


def test_seeds_of_small_networks_are_dealt_out_to_the_workers(data: Data) -> None:
    jobs = small_grid(data, seeds=(0, 1, 2, 3, 4)).jobs()
    records = {job.key: record_of(job) for job in jobs}
    trainings = [item for item in items_of(jobs, records, groups=2) if item.kind == "train"]
    assert [item.trainings for item in trainings] == [3, 2]
    keys = {job_of(record).training_key for item in trainings for record in (item.record, *item.beside)}
    assert keys == {job.training_key for job in jobs}
    assert {item.after for item in items_of(jobs, records, groups=2)} == {None, *(item.name for item in trainings)}
    large = small_grid(data, axes={"fit.hidden": ((1024, 1024),)}).jobs()
    records = {job.key: record_of(job) for job in large}
    assert {item.trainings for item in items_of(large, records, groups=1)} == {0, 1}


def test_together_and_apart_train_the_same(data: Data, done: Store, tmp_path: Path) -> None:
    store = Store(tmp_path / "store", create=True)
    assert run(small_grid(data), store, together=False).done == 4
    names = store.place.listing("trained")
    assert names.keys() == done.place.listing("trained").keys()
    for name in names:
        apart, together = (load_run(Path(s.where) / "trained" / name) for s in (store, done))
        assert together.config == apart.config
        for key, array in apart.arrays.items():
            torch.testing.assert_close(together.arrays[key], array, rtol=1e-4, atol=1e-5)
        logs = [(Path(s.where) / "trained" / name / "progress.jsonl").read_text().splitlines() for s in (store, done)]
        assert [json.loads(line)["step"] for line in logs[0]] == [json.loads(line)["step"] for line in logs[1]]
        for one, other in zip(*logs, strict=True):
            assert json.loads(other)["losses"] == pytest.approx(json.loads(one)["losses"], rel=1e-3)


def test_one_seed_that_cannot_be_trained_leaves_the_others_alone(
    data: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = Trainer.step

    def broken(trainer: Trainer, *more: Any) -> Any:
        with torch.no_grad():
            trainer.weights["critic"][0] = torch.inf if trainer.config.seed == 1 else 0.0
        return step(trainer, *more)

    def none_together(*_: Any, **__: Any) -> Any:
        raise DivergedError("the loss 'critic' is nan at step 100")

    monkeypatch.setattr(Trainer, "step", broken)
    monkeypatch.setattr("workbench.experiments.trained_parts.fit_together", none_together)
    store = Store(tmp_path / "store", create=True)
    last = run(small_grid(data), store)
    assert last.done == 2
    assert {row.seed for row in store.rows() if row.status == "failed"} == {1}
    assert all("critic" in error for error in last.errors.values())
