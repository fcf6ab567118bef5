"""What the first version trained and wrote keeps its meaning: its numbers, its checkpoints, its snapshots.

The files in data/first_format were written by the version before the settings were composed from the losses, with the
settings of `WAYS` on `small_data`.
"""

import json
import shutil
from pathlib import Path

import pytest
import torch
from engine.small_runs import TASK, WAYS, small_config, small_data, small_trainer
from safetensors.torch import load_file
from torch import Tensor

from workbench.engine.tasks.registry import make_task
from workbench.engine.training.config import make_config
from workbench.engine.training.loop.checkpoint import load_run, resume, save_checkpoint
from workbench.engine.training.loop.learned_part import LearnedPart, LearnedPartTrainer
from workbench.engine.training.loop.snapshots import list_snapshots, load_snapshot
from workbench.engine.training.losses import LEARNED_PARTS
from workbench.engine.training.written import ALWAYS_WRITTEN, written

OLD = Path(__file__).parent / "data" / "first_format"
ENDS = load_file(OLD / "ends.safetensors")
LOSSES = json.loads((OLD / "losses.json").read_text())
SAVED = ("iql-every-part", "iql-n-step-sql", "td_actor-rebrac", "td_vgf-frozen")
# "Every part" was those of that time.
EVERY = {"parts": tuple(json.loads((OLD / "iql-every-part" / "run.json").read_text())["config"]["parts"])}
IN_FILES = {
    way.replace(", ", "-").replace(" ", "-"): settings | (EVERY if "parts" in settings else {})
    for way, settings in WAYS.items()
}


def assert_ends(run: str, weights: dict[str, Tensor], losses: dict[str, Tensor]) -> None:
    """The same numbers; on the machine that wrote the file, bit for bit."""
    names = {name.removeprefix(f"{run}/") for name in ENDS if name.startswith(f"{run}/")}
    assert set(weights) == names
    for name, found in weights.items():
        torch.testing.assert_close(found.detach(), ENDS[f"{run}/{name}"], rtol=1e-4, atol=1e-5)
    assert {name: float(loss) for name, loss in losses.items()} == pytest.approx(LOSSES[run], rel=1e-3, abs=1e-5)


@pytest.mark.parametrize("run", IN_FILES)
def test_a_run_ends_where_it_ended(run: str) -> None:
    trainer, losses = small_trainer(**IN_FILES[run]), {}
    while not trainer.finished:
        losses = trainer.step()
    assert_ends(run, {name: trainer.networks.net(name).theta for name in trainer.trained}, losses)


@pytest.mark.parametrize("schedule", ["constant", "cosine"])
@pytest.mark.parametrize("part", [part for part in LEARNED_PARTS if f"alone-{part}-constant" in LOSSES])
def test_a_part_trained_alone_ends_where_it_ended(part: str, schedule: str) -> None:
    task = make_task("bandit1d")
    config = small_config(hidden=(8,), steps=6, flow_steps=2, schedule=schedule, normalize_observations=False)
    trainer, losses = LearnedPartTrainer(task.generate(512, 0), LearnedPart(task.parts(), config, part)), {}
    while not trainer.finished:
        losses = trainer.step()
    assert_ends(f"alone-{part}-{schedule}", trainer.learned.arrays(), losses)


@pytest.mark.parametrize("run", SAVED)
def test_a_checkpoint_opens_and_goes_on(run: str, tmp_path: Path) -> None:
    loaded = load_run(OLD / run, TASK)
    assert loaded.config == small_config(**IN_FILES[run])
    assert set(loaded.parts().available()) == set(loaded.trained)
    trainer = resume(loaded, small_data())
    assert trainer.step_number in (10, 18)
    shutil.copytree(OLD / run, tmp_path / "run")
    save_checkpoint(trainer, tmp_path / "run", TASK)
    new, old = (json.loads((folder / "run.json").read_text()) for folder in (tmp_path / "run", OLD / run))
    assert new["config"] == old["config"]
    again = load_run(tmp_path / "run").arrays  # weights, Adam's moments, the random state
    assert again.keys() == loaded.arrays.keys()
    assert all(torch.equal(array, again[name]) for name, array in loaded.arrays.items())
    losses = {}
    while not trainer.finished:
        losses = trainer.step()
    assert_ends(run, {name: trainer.networks.net(name).theta for name in trainer.trained}, losses)


@pytest.mark.parametrize("run", SAVED)
def test_a_snapshot_opens(run: str) -> None:
    loaded = load_run(OLD / run)
    (step,) = list_snapshots(OLD / run)
    assert step == loaded.step
    parts = load_snapshot(loaded, step)
    torch.testing.assert_close(parts.reference.net.theta, loaded.parts().reference.net.theta, rtol=0, atol=0)


def test_settings_are_written_in_the_same_words_and_order() -> None:
    """Caches of quick policies are named by this text."""
    assert tuple(written(make_config())) == ALWAYS_WRITTEN
    config = json.loads((OLD / "td_vgf-frozen" / "run.json").read_text())["config"]
    assert set(config) == set(ALWAYS_WRITTEN)
    assert written(make_config(**config)) == config
