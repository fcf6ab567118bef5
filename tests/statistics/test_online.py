"""Online training repairs what offline training could not know: the pit of the bandit that no row of the data shows."""

import numpy as np

from workbench.engine.online.config import make_online_config
from workbench.engine.online.learner import Learner
from workbench.engine.tasks.bandits import Bandit1D
from workbench.engine.training.config import make_config
from workbench.engine.training.loop.trainer import Trainer

SEEDS, STEPS, EPISODES = range(3), 300, 200


def gain(seed: int) -> float:
    """Mean return after 300 pulls and 150 updates, minus that of the offline policy, on the same evaluation episodes."""
    task = Bandit1D()
    offline = task.training_defaults() | {"steps": 500, "hidden": (32, 32), "seed": seed}
    trainer = Trainer(task.generate(None, seed), make_config(**offline))
    while not trainer.finished:
        trainer.step()
    online = make_online_config(
        rule="vgf", settings={"steps": 5, "particles": 8}, steps=STEPS, episodes=100, updates_per_step=0.5,
        eval_every=STEPS, eval_episodes=EPISODES, seed=seed,
    )  # fmt: skip
    returns = [event.returns for event in Learner(trainer, task, online).run() if event.kind == "evaluated"]
    assert len(returns) == 2
    return returns[-1].mean - returns[0].mean


def test_a_policy_that_drove_into_the_pit_learns_to_stop_before_it() -> None:
    """Three seeds; the mean gain is above 0.2 by more than three standard errors of it (over the seeds)."""
    gains = np.array([gain(seed) for seed in SEEDS])
    error = gains.std(ddof=1) / np.sqrt(len(gains))
    assert gains.mean() - 3.0 * error > 0.2, gains
