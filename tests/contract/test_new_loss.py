"""A learned part is one file and one line: a loss with a setting and a network of its own, registered, is everywhere.

`Middle` and its settings are what the file would hold; `register` is the line.
"""

from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from commands.running import run_main
from engine.small_runs import TASK, contents, saved_run, small_config, small_trainer
from pydantic import Field
from torch import Tensor, nn

from workbench.engine.data.transitions import Batch
from workbench.engine.models.parts import Parts
from workbench.engine.models.policies import DeterministicPolicy
from workbench.engine.steering.protocol import OneJump
from workbench.engine.steering.rules import RULES
from workbench.engine.tasks.registry import make_task
from workbench.engine.training.config import config_class, make_config
from workbench.engine.training.loop.checkpoint import load_run, resume
from workbench.engine.training.loop.fit import fit
from workbench.engine.training.loop.learned_part import LearnedPart, LearnedPartTrainer
from workbench.engine.training.loop.together import fit_together
from workbench.engine.training.loop.trainer import Trainer
from workbench.engine.training.losses import LEARNED_PARTS
from workbench.engine.training.losses.loss import Loss, Losses, Scene
from workbench.engine.training.losses.value_climb import ClimbSettings
from workbench.engine.training.networks import shape_of
from workbench.engine.training.plan import extra_parts
from workbench.engine.training.run_settings import RunSettings
from workbench.engine.training.written import ALWAYS_WRITTEN, written
from workbench.experiments.grid import Grid
from workbench.experiments.job import make_job
from workbench.ui.pages.training.form import Form


class MiddleSettings(RunSettings):
    """Which share of the data's action is imitated."""

    middle_share: float = Field(0.5, ge=0.0, le=1.0, description="middle: share of the data's action")


class Middle(Loss[MiddleSettings]):
    """Trains ``middle``: imitates the data's actions, drawn towards zero."""

    trains = ("middle",)
    targets = ("middle",)

    @classmethod
    def build(
        cls, config: MiddleSettings, observation_dim: int, action_dim: int, generator: torch.Generator
    ) -> dict[str, nn.Module]:
        shape = shape_of(config, observation_dim, action_dim)
        return {"middle": DeterministicPolicy(observation_dim, action_dim, shape, generator)}

    def draw(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, ...]:
        return ()

    def __call__(self, scene: Scene, batch: Batch, noise: tuple[Tensor, ...]) -> Losses:
        error = scene.networks.extra["middle"](batch.observations) - self.config.middle_share * batch.actions
        return {"middle": error.square().mean()}


class ToTheMiddle(OneJump):
    """A rule that plays what `Middle` trains."""

    name: ClassVar[str] = "to_the_middle"
    title: ClassVar[str] = "To the middle"
    paper: ClassVar[str] = "none"
    equation: ClassVar[str] = r"a = \pi(s)"
    needs: ClassVar[tuple[str, ...]] = ("middle",)
    trained_strength: ClassVar[str | None] = "middle_share"

    def jump(self, parts: Parts, rows: Tensor, start: Tensor) -> Tensor:
        result: Tensor = parts.part("middle")(rows)
        return result


@pytest.fixture(autouse=True)
def register(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(LEARNED_PARTS, "middle", Middle)
    monkeypatch.setitem(RULES, "to_the_middle", ToTheMiddle)


def test_its_setting_is_one_of_the_run_s() -> None:
    assert make_config(middle_share=0.25).middle_share == 0.25
    assert make_config().middle_share == 0.5
    with pytest.raises(ValueError, match=r"'middle_share': must be .*got 3.*allowed: at least 0, at most 1"):
        make_config(middle_share=3)
    with pytest.raises(ValueError, match="no setting 'middel_share'; did you mean 'middle_share'"):
        make_config(middel_share=0.1)
    assert isinstance(make_config(), MiddleSettings)


def test_it_trains_and_its_setting_counts(tmp_path: Path) -> None:
    ends = []
    for share in (0.0, 1.0):
        trainer = small_trainer(parts=("middle",), middle_share=share, steps=200, learning_rate=1e-2)
        *_, last = fit(trainer)
        assert set(last.losses) == {"flow", "critic", "value", "middle"}
        batch = trainer.replay.batch(torch.arange(16))
        ends.append(trainer.networks.extra["middle"](batch.observations).abs().mean())
    assert ends[0] < ends[1]
    assert set(trainer.parts().extra) == {"middle", "target_middle"}


def test_its_checkpoint_goes_on_bit_for_bit(tmp_path: Path) -> None:
    saved_run(tmp_path / "run", parts=("middle",), middle_share=0.25)
    loaded = load_run(tmp_path / "run", TASK)
    assert loaded.config == small_config(parts=("middle",), middle_share=0.25)
    assert {"middle", "target_middle"} <= set(loaded.parts().extra)
    trainer = small_trainer(parts=("middle",), middle_share=0.25)
    again = resume(loaded, trainer.data)
    for _ in fit(trainer):
        pass
    for name in ("middle", "target_middle", "critic"):
        assert torch.equal(again.networks.net(name).theta, trainer.networks.net(name).theta)
    assert contents(tmp_path / "run").keys() >= {"run.json"}


def test_it_can_be_added_to_a_policy_and_trained_for_several_seeds() -> None:
    task = make_task("bandit1d")
    trainer = LearnedPartTrainer(task.generate(512, 0), LearnedPart(task.parts(), small_config(), "middle"))
    assert set(trainer.step()) == {"middle"}
    assert "middle" in trainer.learned.parts().available()
    group = [Trainer(small_trainer().data, small_config(parts=("middle",), seed=seed)) for seed in (0, 1)]
    *_, last = fit_together(group)
    assert last.step == last.total
    assert "middle" in last.losses


def test_other_runs_and_their_keys_are_as_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert tuple(written(make_config())) == ALWAYS_WRITTEN
    assert written(make_config(parts=("middle",)))["middle_share"] == 0.5
    assert written(make_config(middle_share=0.25))["middle_share"] == 0.25
    job = make_job(task="three_exits", rule="qgf")
    own = make_job(task="three_exits", rule="to_the_middle", training={"middle_share": 0.25})
    assert own.training["middle_share"] == 0.25
    assert own.changed()["training"]["middle_share"] == 0.25
    monkeypatch.delitem(LEARNED_PARTS, "middle")
    assert make_job(task="three_exits", rule="qgf").key == job.key
    assert "middle_share" not in config_class().model_fields


def test_rules_ask_for_it_by_name() -> None:
    assert extra_parts(ToTheMiddle.needs) == ("middle",)
    form = Form(lambda order: None)
    assert form.rules.options["To the middle"] == "to_the_middle"
    grid = Grid(tasks=("three_exits",), rules=("to_the_middle",), axes={"fit.middle_share": (0.1, 0.9)})
    assert [job.training["middle_share"] for job in grid.jobs()] == [0.1, 0.9]


def test_the_command_line_lists_and_takes_it(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    listed = run_main(capsys, "losses").out
    assert "middle (learned part): Trains middle: imitates the data's actions, drawn towards zero." in listed
    assert "middle_share = 0.5: middle: share of the data's action" in listed
    assert "workbench losses" in run_main(capsys, "fit", "--help").out
    settings: dict[str, Any] = {"hidden": "[8]", "steps": 5, "middle_share": 0.25}
    flags = [f"{name}={value}" for name, value in settings.items()]
    out = tmp_path / "run"
    done = run_main(capsys, "fit", "bandit2d", "--out", out, "--rule", "to_the_middle", "--json", "--set", *flags)
    assert done.code == 0, done.err
    assert "middle" in done.json["losses"]
    run = load_run(out)
    assert (run.config.parts, run.config.middle_share) == (("middle",), 0.25)
    done = run_main(capsys, "fit", "bandit2d", "--out", out, "--resume", "--set", "middle_share=0.5")
    assert done.code == 2
    assert "has middle_share = 0.25, not 0.5" in done.err


def test_two_losses_cannot_declare_the_same_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    """They would be told apart by nobody; a class that both inherit from says that they share it."""

    class TwiceSettings(RunSettings):
        middle_share: float = 0.1

    class Twice(Middle, Loss[TwiceSettings]):  # type: ignore[type-arg, misc]
        pass

    class SharedSettings(MiddleSettings, ClimbSettings):
        pass

    class Shared(Middle, Loss[SharedSettings]):  # type: ignore[type-arg, misc]
        pass

    monkeypatch.setitem(LEARNED_PARTS, "shared", Shared)
    assert make_config().middle_share == 0.5
    monkeypatch.setitem(LEARNED_PARTS, "twice", Twice)
    with pytest.raises(TypeError, match="both declare the training setting 'middle_share'"):
        make_config()
