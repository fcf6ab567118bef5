"""Networks that see pictures: one flat parameter, encoded once a decision, bytes in memory, and a task from end to end."""

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch
from torch import Tensor

from workbench.engine.data.picture_rows import PictureReplay, PictureTransitions, cropped, make_pictures
from workbench.engine.metrics.evaluate import evaluate
from workbench.engine.models import picture_mlp
from workbench.engine.models.critic import CriticEnsemble
from workbench.engine.models.encoded import encoded_once
from workbench.engine.models.impala import Picture, Sizes
from workbench.engine.models.mlp import Mlp, MlpShape, layout, named_views
from workbench.engine.models.picture_mlp import PictureMlp, make_net
from workbench.engine.steering.noise import draw_noise
from workbench.engine.steering.rules import RULES, make_rule
from workbench.engine.steering.run import act, steer
from workbench.engine.tasks.picture_bandit import Marks, paint, reward
from workbench.engine.tasks.registry import make_task
from workbench.engine.training.config import make_config
from workbench.engine.training.loop.checkpoint import CheckpointError, load_run, resume, save_checkpoint
from workbench.engine.training.loop.fit import fit
from workbench.engine.training.loop.together import CannotTrainTogether, TrainerGroup, pays_together
from workbench.engine.training.loop.trainer import Trainer
from workbench.engine.training.losses import BEHAVIOURS, CRITICS, LEARNED_PARTS, LOSSES
from workbench.engine.words import UserError

SEEN = Picture(8, 7, 3, Sizes((4, 4), 1, 12), "gelu")
BLIND = [name for name, loss in LOSSES.items() if not loss.sees_pictures]
PARTS = tuple(name for name in LEARNED_PARTS if name not in BLIND)


def shape(rest: int, outputs: int = 1, members: int = 1, **changes: Any) -> MlpShape:
    return MlpShape(SEEN.size + rest, outputs, (16, 16), "gelu", "all", members, picture=SEEN, **changes)


def pixels(rows: int) -> Tensor:
    return torch.randint(0, 256, (rows, SEEN.size), generator=torch.Generator().manual_seed(0)).float()


def restated(net: PictureMlp, x: Tensor) -> Tensor:
    """The encoder's features before a plain `Mlp` with the same weights."""
    behind = Mlp(net.behind)
    with torch.no_grad():
        for name, view in behind.arrays().items():
            view.copy_(net.arrays()[name])
    result: Tensor = behind(torch.cat((net.encode(x[:, : SEEN.size]), x[:, SEEN.size :]), 1))
    return result


@pytest.mark.parametrize("members", [1, 3])
def test_a_network_is_encoder_and_mlp(members: int) -> None:
    net = make_net(shape(2, 4, members), torch.Generator().manual_seed(0))
    assert isinstance(net, PictureMlp)
    x = torch.cat((pixels(9), torch.randn(9, 2)), 1)
    torch.testing.assert_close(net(x), restated(net, x))
    assert set(net.arrays()) == set(layout(net.shape))
    twin = copy.deepcopy(net)
    assert torch.equal(twin(x), net(x))
    assert not isinstance(make_net(MlpShape(3, 1, (4,))), PictureMlp)


def test_gradients_are_those_of_finite_differences() -> None:
    net = make_net(shape(2, 3), torch.Generator().manual_seed(0)).double()
    x = torch.cat((pixels(5), torch.randn(5, 2)), 1).double().requires_grad_()
    pull = torch.randn(5, 3, dtype=torch.float64)

    def value() -> Tensor:
        return (net(x) * pull).sum()

    d_x, d_theta = torch.autograd.grad(value(), (x, net.theta))
    generator = torch.Generator().manual_seed(1)
    pieces = named_views(d_theta, net.shape)
    views = net.arrays()
    for name, piece in pieces.items():
        place = int(torch.randint(0, piece.numel(), (), generator=generator))
        with torch.no_grad():
            ends = []
            for step in (1e-5, -2e-5):
                views[name].view(-1)[place] += step
                ends.append(float(value()))
            views[name].view(-1)[place] += 1e-5
        assert float(piece.reshape(-1)[place]) == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-3, abs=1e-6), name
    assert float(d_x[:, SEEN.size :].abs().sum()) > 0.0


def test_frozen_networks_and_critics_give_gradients_to_actions_alone() -> None:
    critic = CriticEnsemble(SEEN.size, 2, shape(2, 1, 2), torch.Generator().manual_seed(0))
    s, a = pixels(6), torch.randn(6, 2).requires_grad_()
    critic.frozen(s, a).sum().backward()
    assert critic.net.theta.grad is None
    for how in ("min", "mean"):
        q = critic(s, a)
        lowest = q.amin(0) if how == "min" else q.mean(0)
        (exact,) = torch.autograd.grad(lowest.sum(), a)
        value, found = critic.value_and_grad(s, a.detach(), how)  # type: ignore[arg-type]
        torch.testing.assert_close(value, lowest.detach())
        torch.testing.assert_close(found, exact, rtol=1e-4, atol=1e-6)


@pytest.fixture(scope="module")
def everything() -> Trainer:
    """A few updates of every part that sees pictures."""
    task = Marks()
    config = make_config(
        **(task.training_defaults() | {"parts": PARTS, "steps": 4, "batch_size": 8, "hidden": (16, 16)})
    )
    trainer = Trainer(task.generate(40, 0), config)
    for _ in range(2):
        losses = trainer.step()
    assert all(bool(loss.isfinite()) for loss in losses.values())
    return trainer


def test_every_encoder_learns(everything: Trainer) -> None:
    fresh = Trainer(everything.data, everything.config)
    for name in everything.weights:
        net = everything.networks.net(name)
        if isinstance(net, PictureMlp):
            for key, array in net.arrays().items():
                if "encoder" in key and name != "dac_actor":
                    before = fresh.networks.net(name).arrays()[key]
                    assert not torch.equal(array, before), f"{name}.{key}"


@pytest.mark.parametrize("name", [name for name, rule in RULES.items() if not set(rule.needs) & set(BLIND)])
def test_encoding_once_changes_nothing(everything: Trainer, name: str) -> None:
    """Actions are those of the networks asked with pixels at every step, and each network encodes a state once at most."""
    parts, rule = everything.parts(), make_rule(name, flow_steps=3)
    generator = torch.Generator().manual_seed(0)
    states = torch.from_numpy(everything.data.observations[:3]).float()
    noise = draw_noise(3, rule.particles, 2, generator, rule.extra_draws())
    counts = {key: parts.part(key).net for key in parts.available() if isinstance(parts.part(key).net, PictureMlp)}
    for net in counts.values():
        net.encoded = 0
    found = act(rule, parts, states, noise)
    assert all(net.encoded in (0, 3) for net in counts.values()), {key: net.encoded for key, net in counts.items()}
    assert any(net.encoded for net in counts.values())
    torch.testing.assert_close(steer(rule, parts, states, noise).actions, found)
    with mock.patch("workbench.engine.steering.run.encoded_once", side_effect=lambda parts, seen: (parts, seen)):
        torch.testing.assert_close(act(rule, parts, states, noise), found, rtol=1e-4, atol=1e-4)


def test_parts_of_others_see_the_pixels(everything: Trainer) -> None:
    states = torch.from_numpy(everything.data.observations[:3]).float()
    mixed = replace(everything.parts(), critic=lambda s, a: -(a.square().sum(1)) + 0.0 * s[:, -1], target_critic=None)
    assert encoded_once(mixed, states) == (mixed, states)


@pytest.mark.parametrize("critic", [name for name in CRITICS if name not in BLIND])
def test_every_critic_and_a_checkpoint(critic: str, tmp_path: Path) -> None:
    task = Marks()
    settings = {
        "critic": critic,
        "steps": 3,
        "batch_size": 8,
        "hidden": (16, 16),
        "particles": 2,
        "flow_steps": 2,
        "crop": 0.5,
    }
    data = task.generate(40, 0)
    trainer = Trainer(data, make_config(**(task.training_defaults() | settings)))
    for _ in fit(trainer):
        pass
    (tmp_path / "run").mkdir()
    save_checkpoint(trainer, tmp_path / "run", task.info.name)
    run = load_run(tmp_path / "run", task.info.name)
    again = resume(run, data)
    for name in trainer.networks.modules():
        assert torch.equal(again.networks.net(name).theta, trainer.networks.net(name).theta)
    states, noise = (
        torch.from_numpy(data.observations[:2]).float(),
        draw_noise(2, 1, 2, torch.Generator().manual_seed(0)),
    )
    assert torch.equal(
        act(make_rule("qgf"), run.parts(), states, noise), act(make_rule("qgf"), trainer.parts(), states, noise)
    )


@pytest.mark.parametrize("name", BLIND)
def test_losses_that_cannot_see_say_so(name: str) -> None:
    kind = "critic" if name in CRITICS else "behaviour" if name in BEHAVIOURS else ""
    wanted: dict[str, Any] = {kind: name} if kind else {"parts": (name,)}
    with pytest.raises(UserError, match=f"'{name}' does not see pictures"):
        Trainer(Marks().generate(20, 0), make_config(**(Marks().training_defaults() | wanted)))


def test_sizes_that_disagree_are_refused(tmp_path: Path) -> None:
    task, usual = Marks(), Marks().training_defaults()
    with pytest.raises(UserError, match="set picture to their height, width and channels"):
        Trainer(task.generate(20, 0), make_config(**(usual | {"picture": (16, 16, 1)})))
    for wrong, words in (({"picture": ()}, "needs picture"), ({"encoder": "none"}, "are for networks with an encoder")):
        with pytest.raises(UserError, match=words):
            make_config(**(usual | wrong))
    trainer = Trainer(task.generate(20, 0), make_config(**(usual | {"steps": 1, "batch_size": 4})))
    (tmp_path / "run").mkdir()
    with mock.patch.object(trainer, "config", make_config(**(usual | {"picture": (1024, 1024, 3)}))):
        save_checkpoint(trainer, tmp_path / "run", task.info.name)
    memory = mock.patch.object(torch, "zeros", side_effect=AssertionError("memory was taken"))
    with memory, pytest.raises(CheckpointError, match="picture"):
        load_run(tmp_path / "run")


def test_seeds_are_not_trained_together() -> None:
    config = make_config(**Marks().training_defaults())
    assert not pays_together(config)
    with pytest.raises(CannotTrainTogether, match="one seed at a time"):
        TrainerGroup([Trainer(Marks().generate(20, 0), config)])


def test_pictures_stay_bytes_until_a_minibatch() -> None:
    data = Marks().generate(64, 0)
    assert data.observations.dtype == np.uint8
    replay = Trainer(data, make_config(**Marks().training_defaults())).replay
    assert isinstance(replay, PictureReplay)
    assert replay._now.dtype is torch.uint8
    assert replay._now.data_ptr() == data.observations.ctypes.data  # not copied
    index = torch.tensor([5, 0, 63])
    batch = replay.batch(index)
    assert torch.equal(batch.observations, torch.from_numpy(data.observations[index.numpy()]).float())
    torch.testing.assert_close(batch.actions, torch.from_numpy(data.actions[index.numpy()]))
    (block, *_) = replay.following(10)
    assert torch.equal(block, torch.from_numpy(data.next_observations[:10]).float())


def frames(rows: int = 12) -> PictureTransitions:
    """Two episodes of six rows, every picture another."""
    rng = np.random.default_rng(0)
    seen = rng.integers(0, 256, (rows + 1, 5, 4, 2), dtype=np.uint8)
    ends = np.arange(rows) % 6 == 5
    return make_pictures(
        {
            "observations": seen[:-1],
            "actions": np.zeros((rows, 1)),
            "rewards": np.arange(rows),
            "masks": 1.0 - ends,
            "next_observations": seen[1:],
            "ends": ends,
        }
    )


def test_n_step_returns_look_at_the_picture_that_far_ahead() -> None:
    data = frames()
    mean = torch.zeros(40)
    replay = PictureReplay(data, mean, mean + 1.0, steps=3, discount=0.5, reward_scale=1.0, device=torch.device("cpu"))
    batch = replay.batch(torch.tensor([0, 4]))
    torch.testing.assert_close(batch.rewards, torch.tensor([0.0 + 0.5 + 0.5, 4.0 + 2.5]))
    assert torch.equal(batch.next_observations[0], torch.from_numpy(data.next_observations[2]).float())
    assert torch.equal(batch.next_observations[1], torch.from_numpy(data.next_observations[5]).float())
    with pytest.raises(UserError, match="environment steps"):
        replay.make_room(10)


def test_crops_are_windows_of_the_picture_with_its_border_repeated() -> None:
    seen = np.random.default_rng(0).integers(0, 256, (7, 5, 4, 2), dtype=np.uint8)
    moved = torch.tensor([[i, 6 - i] for i in range(7)])
    found = cropped(torch.from_numpy(seen.reshape(7, -1)), (5, 4, 2), moved)
    for row, (down, right) in enumerate(moved.tolist()):
        padded = np.pad(seen[row], ((3, 3), (3, 3), (0, 0)), mode="edge")
        assert np.array_equal(found[row].reshape(5, 4, 2).numpy(), padded[down : down + 5, right : right + 4])


def test_half_of_the_minibatches_are_cropped() -> None:
    data = frames()
    replay = PictureReplay(
        data, torch.zeros(40), torch.ones(40), steps=1, discount=0.5, reward_scale=1.0, device=torch.device("cpu")
    )
    generator = torch.Generator().manual_seed(0)
    assert replay.noise(4, generator) is None
    replay.crop = 0.5
    moved = [replay.noise(4, generator) for _ in range(200)]
    still = sum(bool((move == 3).all()) for move in moved if move is not None)
    assert 70 < still < 130


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"observations": np.zeros((12, 5, 4, 2), dtype=np.float32)}, "bytes"),
        ({"observations": np.zeros((12, 40), dtype=np.uint8)}, "height, width, channels"),
        ({"next_observations": np.zeros((12, 4, 4, 2), dtype=np.uint8)}, "differ"),
        ({"actions": np.zeros((11, 1))}, "differ"),
        ({"rewards": np.full(12, np.nan)}, "NaN"),
    ],
)
def test_wrong_pictures_are_refused(change: dict[str, np.ndarray], words: str) -> None:
    seen = np.zeros((12, 5, 4, 2), dtype=np.uint8)
    whole: dict[str, Any] = {
        "observations": seen,
        "actions": np.zeros((12, 1)),
        "rewards": np.zeros(12),
        "masks": np.ones(12),
        "next_observations": seen,
        "ends": np.zeros(12),
    }
    with pytest.raises(UserError, match=words):
        make_pictures(whole | change)


def test_marks_pay_where_they_are_green() -> None:
    task = make_task("pictures/marks")
    assert task.info.name == "pictures/marks"
    marks = np.array([[[0.5, -0.5], [-0.5, 0.5]]])
    (picture,) = paint(marks)
    row, column = np.unravel_index(picture[..., 1].argmax(), (16, 16))
    assert (column + 0.5) / 8 - 1 == pytest.approx(0.5, abs=0.2)
    assert (row + 0.5) / 8 - 1 == pytest.approx(-0.5, abs=0.2)
    assert reward(marks, marks[:, 0]) == pytest.approx(1.0)
    assert reward(marks, marks[:, 1]) < 0.01
    with pytest.raises(UserError, match="Known: marks"):
        make_task("pictures/mark")
    first, again = (task.generate(30, 3).fingerprint() for _ in range(2))
    assert first == again


def test_fit_evaluate_and_steer_on_pictures() -> None:
    """The flow finds both marks, the critic the green one: steering earns more than imitation."""
    task = Marks()
    trainer = Trainer(
        task.generate(2048, 0), make_config(**(task.training_defaults() | {"steps": 300, "batch_size": 64}))
    )
    for _ in fit(trainer, report_every=300):
        pass
    parts = trainer.parts()
    imitated = evaluate(make_rule("bc"), parts, task, episodes=100, seed=0)
    steered = evaluate(make_rule("best_of_n", particles=8), parts, task, episodes=100, seed=0)
    assert steered.returns.low > imitated.returns.high
    assert steered.promised is not None
    assert picture_mlp.PictureMlp is type(parts.reference.net)
