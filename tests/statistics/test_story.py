"""The central picture on three_exits: return rises with the guidance weight and then falls, shift only grows."""

import numpy as np
import pytest

from workbench.engine.metrics.evaluate import evaluate
from workbench.engine.steering.rules import make_rule
from workbench.engine.tasks.three_exits import ThreeExits
from workbench.engine.training.config import make_config
from workbench.engine.training.fit import fit
from workbench.engine.training.trainer import Trainer

WEIGHTS = (0.0, 0.3, 30.0)
EPISODES = 400  # standard error of a mean return at most 0.5 / √400 = 0.025


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_return_rises_and_falls_and_shift_grows(seed: int) -> None:
    task = ThreeExits()
    trainer = Trainer(task.generate(None, seed), make_config(**task.training_defaults(), seed=seed))
    for _ in fit(trainer):
        pass
    parts = trainer.parts()
    results = [evaluate(make_rule("qgf", weight=w), parts, task, EPISODES, 10 + seed) for w in WEIGHTS]
    behaviour, steered, too_far = (result.returns.mean for result in results)
    assert behaviour < 0.35
    assert steered - behaviour > 0.25  # ten standard errors of the difference, 0.035
    assert steered - too_far > 0.15
    assert np.all(np.diff([result.shift.w2 for result in results]) > 0)
    assert np.all(np.diff([result.budget for result in map(lambda r: r.shift, results)]) > 0)
