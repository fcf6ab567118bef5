"""Seeds trained together end where each would have ended alone."""

from pathlib import Path
from typing import Any

import pytest
import torch
from engine.small_runs import FLOQ, TASK, WAYS, contents, small_config, small_data
from torch import Tensor

from workbench.engine.data.transitions import Batch
from workbench.engine.training.loop.checkpoint import load_run, resume, save_checkpoint
from workbench.engine.training.loop.fit import fit
from workbench.engine.training.loop.together import CannotTrainTogether, TrainerGroup, fit_together
from workbench.engine.training.loop.trainer import Trainer
from workbench.engine.training.losses import BEHAVIOURS, CRITICS, LEARNED_PARTS, LOSSES
from workbench.engine.training.losses.flow_matching import FlowMatching
from workbench.engine.training.losses.loss import Losses, Scene

SEEDS = (3, 7)
UPDATES = 100
EVERY = {
    **WAYS,
    "floq": FLOQ,
    **{
        f"critic {name}": {"critic": name}
        for name in CRITICS
        if all(w.get("critic", "iql") != name for w in (FLOQ, *WAYS.values()))
    },
    **{f"behaviour {name}": {"behaviour": name} for name in BEHAVIOURS},
    **{f"part {name}": {"parts": (name,)} for name in LEARNED_PARTS},
    "chunks": {"chunk": 3, "n_step": 2},
    "short gradients": {"max_gradient_norm": 0.05},
    "one critic, vgf networks": {"members": 1, "family": "vgf", "value_loss": "sql"},
    "the best particle": {"critic": "td_vgf", "reference": "joint", "target_select": "max", "repulsion": "none"},
    # Adam moves particles by the sign of a gradient at first, so that a rounding error where it is almost zero is soon seen:
    # a run alone whose weights are changed by 1e-7 ends as far off as one in a group, 4e-5 after a hundred updates
    "Adam's ascent": {"critic": "td_vgf", "reference": "joint", "ascent": "adam", "step_size": 0.1, "steps": 20},
}


def make(way: dict[str, Any], seeds: tuple[int, ...] = SEEDS) -> list[Trainer]:
    """One trainer per seed, each with data of its own, of different sizes."""
    config = {"steps": UPDATES, "particles": 3, "flow_steps": 2, "ascent": "plain", "step_size": 0.02} | way
    return [Trainer(small_data(60 + 10 * seed, seed), small_config(**config, seed=seed)) for seed in seeds]


def train(trainer: Trainer, until: int | None = None) -> None:
    while trainer.step_number < (trainer.total_steps if until is None else until):
        trainer.step()


def assert_same(found: Trainer, alone: Trainer, within: float = 1e-5) -> None:
    assert found.step_number == alone.step_number
    assert torch.equal(found.generator.get_state(), alone.generator.get_state())
    for name in alone.networks.modules():
        theta = alone.networks.net(name).theta
        torch.testing.assert_close(found.networks.net(name).theta, theta, rtol=within, atol=within)
    expected = alone.adam.arrays()
    for name, array in found.adam.arrays().items():
        torch.testing.assert_close(array, expected[name], rtol=1e-3, atol=10.0 * within)  # in units of the gradient


@pytest.mark.parametrize("way", EVERY.values(), ids=EVERY)
def test_each_seed_ends_where_it_would_have_ended_alone(way: dict[str, Any]) -> None:
    together, alone = make(way), make(way)
    for trainer in alone:
        train(trainer)
    reports = list(fit_together(together))
    assert reports[-1].step == reports[-1].total == together[0].total_steps
    for found, expected in zip(together, alone, strict=True):
        assert_same(found, expected)


def test_the_seeds_differ() -> None:
    """The comparison above would mean little between runs that are alike."""
    first, second = make({})
    list(fit_together([first, second]))
    assert (first.networks.critic.net.theta - second.networks.critic.net.theta).abs().max() > 0.1


def test_a_group_of_one() -> None:
    for members in (1, 2):
        way = {"members": members, "steps": 20}
        (together,), (alone,) = make(way, (5,)), make(way, (5,))
        train(alone)
        list(fit_together([together]))
        assert_same(together, alone)


def test_losses_are_those_of_the_seeds() -> None:
    together, alone = make({}), make({})
    group = TrainerGroup(together)
    for _ in range(3):
        found, expected = group.step(), [trainer.step() for trainer in alone]
        for name, values in found.items():
            torch.testing.assert_close(values, torch.stack([losses[name] for losses in expected]))


@pytest.mark.parametrize("way", ["iql", "td_vgf, frozen"])
def test_stopped_saved_and_taken_up_again_alone_and_together(way: str, tmp_path: Path) -> None:
    """A checkpoint of a group is one of its seed's; from it the seed goes on alone, or in another group."""
    settings = WAYS[way] | {"steps": 40}
    together, alone = make(settings), make(settings)
    folders = {trainer.config.seed: tmp_path / str(trainer.config.seed) for trainer in together}
    for folder in folders.values():
        folder.mkdir()

    def save(trainer: Trainer) -> None:
        save_checkpoint(trainer, folders[trainer.config.seed], TASK)

    reports = list(fit_together(together, save=save, should_stop=lambda: together[0].step_number == 25))
    assert reports[-1].stopped
    for trainer in alone:
        train(trainer, 25)
    for found, expected in zip(together, alone, strict=True):
        assert_same(found, expected)
    again = [resume(load_run(folders[t.config.seed]), t.data) for t in together]
    train(again[0])
    list(fit_together(again[1:]))
    for trainer in alone:
        train(trainer)
    for found, expected in zip(again, alone, strict=True):
        assert_same(found, expected)


def test_a_closed_loop_leaves_usable_trainers() -> None:
    together, alone = make({}), make({})
    loop = fit_together(together, report_every=10)
    assert next(loop).step == 10
    loop.close()  # type: ignore[attr-defined]
    for found, expected in zip(together, alone, strict=True):
        train(expected, 10)
        assert_same(found, expected)
        train(found, 20)
        train(expected, 20)
        assert_same(found, expected)


def test_training_together_changes_nothing_of_a_run_alone(tmp_path: Path) -> None:
    """Bit for bit: what a group leaves behind in the process is seen by nobody."""
    for name in ("before", "after"):
        folder = tmp_path / name
        folder.mkdir()
        (trainer,) = make({"steps": 20}, (5,))
        for _ in fit(trainer):
            pass
        save_checkpoint(trainer, folder, TASK)
        list(fit_together(make({"steps": 5})))
    assert contents(tmp_path / "before") == contents(tmp_path / "after")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tau": 0.5}, r"differ in seed and data alone, these have tau = 0.005 and 0.5; train them apart"),
        ({"hidden": (4,)}, r"these have hidden"),
    ],
)
def test_runs_that_differ_in_more_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(CannotTrainTogether, match=message):
        TrainerGroup([*make({}), *make(change, (9,))])


def test_other_groups_that_are_refused() -> None:
    with pytest.raises(CannotTrainTogether, match="no run to train"):
        TrainerGroup([])
    first, second = make({})
    with pytest.raises(CannotTrainTogether, match="twice"):
        TrainerGroup([first, first])
    train(second, 1)
    with pytest.raises(CannotTrainTogether, match="agree in updates done, these have 0 and 1"):
        TrainerGroup([first, second])


class Peeking(FlowMatching):
    """Looks at a number, as no vectorised loss can."""

    def __call__(self, scene: Scene, batch: Batch, noise: tuple[Tensor, ...]) -> Losses:
        losses = super().__call__(scene, batch, noise)
        return {name: loss if float(loss.detach()) > 0.0 else -loss for name, loss in losses.items()}


def test_a_loss_that_cannot_be_vectorised_is_trained_seed_by_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(LOSSES, "flow_matching", Peeking)
    together, alone = make({}), make({})
    for trainer in alone:
        train(trainer)
    with pytest.raises(CannotTrainTogether, match="flow_matching, iql cannot be trained for several seeds at once"):
        TrainerGroup(make({})).step()
    with pytest.warns(UserWarning, match="train the seeds one by one"):
        reports = list(fit_together(together))
    assert [report.step for report in reports] == [100, 200]
    assert {report.total for report in reports} == {200}
    assert reports[0].phase == "behaviour flow and critic, seed 3"
    for found, expected in zip(together, alone, strict=True):
        assert_same(found, expected, within=0.0)


def test_a_seed_that_blows_up_is_an_error() -> None:
    together = make({})
    with torch.no_grad():
        together[1].networks.critic.net.theta[0] = torch.inf
    with pytest.raises(FloatingPointError, match="the loss 'critic' is"):
        list(fit_together(together, report_every=1))
