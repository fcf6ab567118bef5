"""Goal-conditioned data: the published ratios, returns and chunks towards a row's own goal, five goals to play."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("ogbench")

from workbench.engine.data.chunks import chunk_reach
from workbench.engine.data.footprint import Keep
from workbench.engine.data.goals import CURRENT, RANDOM, TRAJECTORY, GoalTransitions, draw_goals
from workbench.engine.data.hindsight import MappedGoals, with_goals
from workbench.engine.data.transitions import make_transitions
from workbench.engine.tasks.registry import make_listed, make_task
from workbench.engine.tasks.storage import load_saved, save_generated
from workbench.engine.training.config import make_config
from workbench.engine.training.loop.fit import fit
from workbench.engine.training.loop.trainer import Trainer
from workbench.engine.words import UserError

NAME = "ogbench/pointmaze-medium-navigate-v0"
DISCOUNT = 0.9


def walked(rows: int = 4000, episode: int = 50) -> GoalTransitions:
    seen = np.arange(rows, dtype=float)[:, None] * [1.0, -1.0]
    ends = np.arange(rows) % episode == episode - 1
    plain = make_transitions(
        seen, np.zeros((rows, 1)), -np.ones(rows), np.ones(rows), seen + np.array([1.0, -1.0]), ends
    )
    return with_goals(plain, DISCOUNT)


def test_the_published_ratios() -> None:
    rows, episode = 40_000, 50
    data = walked(rows, episode)
    ahead = data.goal_rows - np.arange(rows)
    final = episode - 1 - np.arange(rows) % episode
    later = (ahead > 0) & (ahead <= final)
    last = final == 0  # its only later state is itself
    assert (CURRENT, TRAJECTORY, RANDOM) == (0.2, 0.5, 0.3)
    assert (ahead == 0)[~last].mean() == pytest.approx(CURRENT, abs=0.01)
    assert later[~last].mean() == pytest.approx(TRAJECTORY, abs=0.02)
    assert (ahead == 0)[last].mean() == pytest.approx(CURRENT + TRAJECTORY, abs=0.05)
    # steps ahead are geometric: at the beginning of an episode almost none reach its end
    first = (np.arange(rows) % episode < 5) & later
    for step in (1, 2, 5):
        share = (ahead[first] == step).mean()
        assert share == pytest.approx((1 - DISCOUNT) * DISCOUNT ** (step - 1), abs=0.02)
    assert np.array_equal(data.rewards, np.where(ahead == 0, 0.0, -1.0))
    assert np.array_equal(data.masks, np.where(ahead == 0, 0.0, 1.0))
    assert np.array_equal(data.observations[:, 2:], data.observations[data.goal_rows, :2])
    assert np.array_equal(data.observations[:, 2:], data.next_observations[:, 2:])
    assert walked().fingerprint() == walked().fingerprint()


@pytest.mark.parametrize("steps", [1, 3, 10])
def test_returns_lead_to_the_goal_of_their_first_row(steps: int) -> None:
    data = walked()
    rewards, discounts, last = data.returns(steps, DISCOUNT)
    following = data.after(last)
    reach, valid = chunk_reach(data, steps)
    for row in range(0, 4000, 7):
        total, factor, row_at = 0.0, 1.0, row
        for step in range(steps):
            row_at = row + step
            if row_at == data.goal_rows[row]:
                factor = 0.0
                break
            total -= factor
            factor *= DISCOUNT
            if data.ends[row_at]:
                break
        assert rewards[row] == pytest.approx(total, abs=1e-5)
        assert discounts[row] == pytest.approx(factor, abs=1e-6)
        assert np.array_equal(following[row, 2:], data.observations[row, 2:])
        if factor:
            assert np.array_equal(following[row, :2], data.next_observations[row_at, :2])
        assert valid[row] == (factor == 0.0 or reach[row] == steps)


def test_goals_drawn_anew_have_the_published_ratios() -> None:
    """The same distribution as that of the rows' own goals, which the first test holds against the published ratios."""
    data = walked(40_000)
    rows = np.arange(40_000)
    final = data.final(rows)
    noise = np.random.default_rng(0).random((40_000, 3))
    goals = draw_goals(rows, final, 40_000, DISCOUNT, noise)
    for part in (rows[rows % 50 < 5], rows[rows % 50 == 49], rows):
        for count in (goals, data.goal_rows):
            assert ((count >= 0) & (count < 40_000)).all()
        ahead, kept = goals[part] - part, data.goal_rows[part] - part
        for step in (0, 1, 2, 5, 20):
            assert (ahead == step).mean() == pytest.approx((kept == step).mean(), abs=0.02), step
    assert (goals > 20_000).mean() == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("steps", [1, 4])
def test_rows_towards_other_goals_are_those_of_data_with_these_goals(steps: int) -> None:
    data, generator = walked(600), np.random.default_rng(1)
    rows = generator.integers(0, 600, 300)
    goals = np.minimum(rows + generator.integers(-3, 8, 300), 599).clip(0)
    found, places = data.aimed(rows, goals, steps)
    rewards, discounts, last = found.returns(steps, DISCOUNT, places)
    after, (reach, valid) = found.after(last, places), chunk_reach(found, steps, places)
    for number, (row, goal) in enumerate(zip(rows, goals, strict=True)):
        swapped = data.goal_rows.copy()
        swapped[row] = goal
        seen = data.observations.copy()
        seen[row, 2:] = data.observations[goal, :2]
        wanted = replace(data, goal_rows=swapped, observations=seen)
        one = np.array([row])
        total, factor, end = wanted.returns(steps, DISCOUNT, one)
        assert (rewards[number], discounts[number]) == (total[0], factor[0])
        assert np.array_equal(found.observations[places[number]], seen[row])
        if factor[0]:
            assert np.array_equal(after[number], wanted.after(end, one)[0])
        covered, known = chunk_reach(wanted, steps, one)
        assert (reach[number], valid[number]) == (covered[0], known[0])


def test_a_training_meets_other_goals_each_time_and_goes_on_bit_for_bit() -> None:
    data = walked(400)
    config = make_config(steps=30, hidden=(8, 8), batch_size=16, n_step=3)

    def trained(steps: int, trainer: Trainer | None = None) -> Trainer:
        made = Trainer(data, config) if trainer is None else trainer
        for _ in range(steps):
            made.step()
        return made

    index = torch.zeros(64, dtype=torch.int64) + 7
    first, _ = trained(0).draw(index)
    assert len(torch.unique(first.observations[:, 2:], dim=0)) > 10  # one row, many goals
    assert len(torch.unique(first.observations[:, :2], dim=0)) == 1
    kept = trained(0).replay.batch(index)
    assert len(torch.unique(kept.observations, dim=0)) == 1
    whole, half = trained(20), trained(10)
    other = Trainer(data, config)  # as a checkpoint is loaded: with the generator that goals come from
    other.generator.set_state(half.generator.get_state())
    (again, _), (went_on, _) = other.draw(), half.draw()
    assert torch.equal(again.observations, went_on.observations)
    assert all(
        torch.equal(one, two) for one, two in zip(whole.weights.values(), trained(20).weights.values(), strict=True)
    )


def test_one_step_is_what_is_stored() -> None:
    data = walked()
    rewards, discounts, last = data.returns(1, DISCOUNT)
    assert np.array_equal(rewards, data.rewards)
    assert np.allclose(discounts, DISCOUNT * data.masks)
    assert np.array_equal(data.after(last), data.next_observations)


def test_the_task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task = make_task(NAME)
    assert make_listed(NAME).info == task.info
    assert (task.info.observation_dim, task.info.action_dim) == (4, 2)
    train, _ = save_generated(task, tmp_path, 3000, 0)
    data = load_saved(task, tmp_path)
    assert isinstance(data, GoalTransitions)
    assert data.observations.shape == (3000, 4)
    with np.load(train, allow_pickle=False) as stored:  # OGBench's goal-conditioned files hold these three
        compact = {name: stored[name] for name in ("observations", "actions", "terminals")}
    for number in range(2):
        np.savez_compressed(tmp_path / f"{train.stem}-{number:03d}.npz", **compact)
    train.unlink()
    shards = load_saved(task, tmp_path)
    assert np.array_equal(shards.observations[:3000, :2], data.observations[:, :2])
    assert len(shards) == 6000
    monkeypatch.setenv("WORKBENCH_ROWS", str(tmp_path / "rows"))
    disk = load_saved(task, tmp_path, keep=Keep("disk"))
    assert isinstance(disk, MappedGoals)
    assert disk.fingerprint() == shards.fingerprint()
    trainer = Trainer(data, make_config(steps=20, hidden=(16, 16), batch_size=32, n_step=5, chunk=2))
    for report in fit(trainer):
        assert all(np.isfinite(value) for value in report.losses.values())
    with pytest.raises(UserError, match=r"cube-tripel-play-v0: not an OGBench .*nearest are"):
        make_task("ogbench/cube-tripel-play-v0")


def test_five_goals_in_turn() -> None:
    task = make_task(NAME)
    env = task.environments(7, 3)
    seen = env.reset()
    assert seen.shape == (7, 4)
    goals = seen[:, 2:]
    near = np.linalg.norm(goals[:, None] - goals[None], axis=2) < 2.5  # noise moves a goal about its cell
    assert near[0, 5]
    assert near[1, 6]
    assert near[:5, :5].sum() == 5
    result = env.step(np.zeros((7, 2), dtype=np.float32), np.ones(7, dtype=bool))
    assert result.rewards.tolist() == [-1.0] * 7
    assert np.array_equal(result.observations[:, 2:], goals)
    env.close()
    first = task.environments(2, 3)  # an episode depends on the seed and its number alone
    assert np.array_equal(first.reset(), seen[:2])
    first.close()
