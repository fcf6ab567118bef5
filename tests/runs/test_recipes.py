"""Recipes: published methods by name; each trains, plays, and says what it is."""

from pathlib import Path
from typing import Any

import pytest
import torch
from commands.running import run_main
from engine.small_runs import small_data

from workbench.engine.models.parts import q_values
from workbench.engine.steering.noise import draw_noise
from workbench.engine.steering.rules import make_rule
from workbench.engine.steering.run import act
from workbench.engine.training.config import make_config
from workbench.engine.training.loop.checkpoint import load_run
from workbench.engine.training.loop.fit import fit
from workbench.engine.training.loop.trainer import Trainer
from workbench.engine.training.losses.td_actor import TDActor
from workbench.engine.training.plan import extra_parts
from workbench.runs.recipes import RECIPES, find_recipe
from workbench.runs.training import settings_for

TINY = {
    "hidden": (8, 8),
    "steps": 5,
    "batch_size": 8,
    "flow_steps": 2,
    "dqc_chunk": 7,
}


@pytest.mark.parametrize("name", RECIPES)
def test_each_trains_and_plays(name: str) -> None:
    recipe = RECIPES[name]
    rule = make_rule(recipe.rule, **recipe.settings)
    config = make_config(**settings_for((recipe.rule,), {**recipe.training, **TINY}))
    trainer = Trainer(small_data(), config)
    for _ in fit(trainer):
        pass
    parts = trainer.parts()
    assert set(extra_parts(rule.needs)) <= set(parts.extra)
    noise = draw_noise(3, rule.particles, parts.action_dim, torch.Generator().manual_seed(0), rule.extra_draws())
    assert act(rule, parts, torch.zeros(3, 3), noise).shape == (3, 2 * config.chunk)


def test_q_chunking_backs_up_the_best_of_32_chunks() -> None:
    """y = Σ γ^i r_i + γ^h m mean_k Q̄_k(s', best of 32 chunks by the online critics' mean), restated."""
    recipe = RECIPES["q_chunking"]
    config = make_config(**{**recipe.training, **TINY, "steps": 3, "discount": 0.9})
    trainer = Trainer(small_data(), config)
    for _ in fit(trainer):
        pass
    loss = trainer.losses["td_actor"]
    assert isinstance(loss, TDActor)
    batch = trainer.replay.batch(torch.arange(0, 40, 10))
    rewards = torch.from_numpy(small_data().rewards)
    chunk = torch.stack([sum(0.9**i * rewards[row + i] for i in range(5)) for row in range(0, 40, 10)])
    torch.testing.assert_close(batch.rewards, chunk, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(batch.discounts, torch.full((4,), 0.9**5))
    assert batch.actions.shape == (4, 10)
    noise = loss.draw(batch, torch.Generator().manual_seed(1))
    nets, s = trainer.networks, batch.next_observations
    a, rows = noise[0].flatten(0, 1), s.repeat_interleave(32, 0)
    for i in range(2):
        a = a + nets.reference(rows, a, torch.full((128,), i / 2)) / 2
    a = a.clamp(-1.0, 1.0)
    best = q_values(nets.critic, rows, a, "mean").view(4, 32).argmax(1)
    chosen = a.view(4, 32, 10)[torch.arange(4), best]
    y = batch.rewards + batch.discounts * q_values(nets.target_critic, s, chosen, "mean")
    torch.testing.assert_close(loss.target(trainer._scene, batch, noise), y.detach(), rtol=1e-4, atol=1e-5)


def test_the_command_trains_by_name_and_says_how_to_play(capsys: Any, tmp_path: Path) -> None:
    small = ("--hidden", "8", "8", "--steps", "4", "--batch-size", "8", "--chunk", "2")
    done = run_main(capsys, "fit", "three_exits", "--out", tmp_path / "run", "--recipe", "q_chunking", *small)
    assert done.code == 0, done.err
    assert "--rule best_of_n --set particles=32 critic=online pick_aggregate=mean" in done.out
    config = load_run(tmp_path / "run").config
    assert (config.critic, config.actor, config.chunk, config.target_aggregate) == ("td_actor", "best_of_n", 2, "mean")
    assert config.actor_settings["particles"] == 32
    listed = run_main(capsys, "recipes", "--json")
    assert {recipe["name"] for recipe in listed.json} == set(RECIPES)
    assert all(name in run_main(capsys, "recipes").out for name in RECIPES)


def test_an_unknown_recipe_is_refused_with_the_nearest(capsys: Any, tmp_path: Path) -> None:
    done = run_main(capsys, "fit", "three_exits", "--out", tmp_path / "run", "--recipe", "q_chunkin")
    assert done.code == 2
    assert "did you mean 'q_chunking'?" in done.err
    with pytest.raises(ValueError, match="Known recipes: q_chunking"):
        find_recipe("x")
