"""Snapshots along a run: which steps, what is in them, and damaged files."""

import dataclasses
import itertools

import pytest
import torch
from engine.small_runs import TASK, small_trainer
from hypothesis import given
from hypothesis import strategies as st

from workbench.engine.steering.noise import draw_noise
from workbench.engine.steering.rules import make_rule
from workbench.engine.steering.run import act
from workbench.engine.training.loop.checkpoint import CheckpointError, load_run, save_checkpoint
from workbench.engine.training.loop.fit import fit
from workbench.engine.training.loop.snapshots import list_snapshots, load_snapshot, save_snapshot, snapshot_steps


def run_with_snapshots(folder, count):
    folder.mkdir()
    trainer, weights = small_trainer(steps=20), {}

    def snapshot(trainer):
        weights[trainer.step_number] = trainer.networks.critic.net.theta.detach().clone()
        save_snapshot(trainer, folder)

    for _ in fit(trainer, snapshot=snapshot, snapshot_steps=snapshot_steps(20, count)):
        pass
    save_checkpoint(trainer, folder, TASK)
    return trainer, weights


@given(st.integers(1, 10_000), st.integers(1, 50))
def test_steps_run_from_the_first_to_the_last(total, count):
    steps = sorted(snapshot_steps(total, count))
    assert (steps[0], steps[-1]) == (0, total)
    assert len(steps) == min(count, total) + 1
    assert max(b - a for a, b in itertools.pairwise(steps)) <= -(-total // count)


def test_no_snapshots_unless_asked_for(tmp_path):
    run_with_snapshots(tmp_path / "run", 0)
    assert list_snapshots(tmp_path / "run") == []
    with pytest.raises(ValueError, match="0 or more, got -1"):
        snapshot_steps(10, -1)


def test_each_snapshot_holds_the_weights_of_its_moment(tmp_path):
    trainer, weights = run_with_snapshots(tmp_path / "run", 4)
    assert list_snapshots(tmp_path / "run") == [0, 5, 10, 15, 20] == sorted(weights)
    run = load_run(tmp_path / "run")
    for step, theta in weights.items():
        assert torch.equal(load_snapshot(run, step).critic.net.theta, theta)
    noise = draw_noise(3, 4, 2, torch.Generator().manual_seed(0))
    states = torch.randn(3, 3, generator=torch.Generator().manual_seed(1))
    last = act(make_rule("qgf"), load_snapshot(run, 20), states, noise)
    assert torch.equal(last, act(make_rule("qgf"), trainer.parts(), states, noise))


def test_taking_snapshots_changes_nothing(tmp_path):
    trainer, _ = run_with_snapshots(tmp_path / "run", 4)
    plain = small_trainer(steps=20)
    for _ in fit(plain):
        pass
    assert torch.equal(plain.networks.reference.net.theta, trainer.networks.reference.net.theta)


def test_a_snapshot_taken_again_replaces_the_old_one(tmp_path):
    trainer, _ = run_with_snapshots(tmp_path / "run", 2)
    with torch.no_grad():
        trainer.networks.critic.net.theta.add_(1.0)
    save_snapshot(trainer, tmp_path / "run")
    assert list_snapshots(tmp_path / "run") == [0, 10, 20]
    theta = load_snapshot(load_run(tmp_path / "run"), 20).critic.net.theta
    assert torch.equal(theta, trainer.networks.critic.net.theta)


def test_damage_is_said(tmp_path):
    run_with_snapshots(tmp_path / "run", 2)
    run = load_run(tmp_path / "run")
    with pytest.raises(CheckpointError, match="no snapshot of step 3; it has 0, 10, 20"):
        load_snapshot(run, 3)
    path = next((tmp_path / "run" / "snapshots").glob("step-000000010-*"))
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(CheckpointError, match="truncated or was edited"):
        load_snapshot(run, 10)
    with pytest.raises(CheckpointError, match="take some: workbench fit"):
        load_snapshot(dataclasses.replace(run, folder=tmp_path), 0)
