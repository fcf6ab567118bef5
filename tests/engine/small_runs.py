"""Small data and settings on which training takes a fraction of a second."""

from pathlib import Path
from typing import Any

import numpy as np

from workbench.engine.data.transitions import Transitions, make_transitions
from workbench.engine.training.config import FitConfig, make_config
from workbench.engine.training.loop.checkpoint import save_checkpoint
from workbench.engine.training.loop.fit import fit
from workbench.engine.training.loop.trainer import Trainer
from workbench.engine.training.losses import LEARNED_PARTS

TASK = "a_task"

# Every way of training: each critic, frozen flow (cached samples) and joint one, n-step returns, a schedule, all parts.
WAYS: dict[str, dict[str, Any]] = {
    "iql": {"schedule": "cosine"},
    "iql, n-step, sql": {"n_step": 3, "value_loss": "sql", "family": "vgf"},
    "td_vgf, frozen": {
        "critic": "td_vgf",
        "reference_steps": 10,
        "particles": 3,
        "flow_steps": 2,
        "schedule": "cosine",
    },
    "iql, every part": {"parts": tuple(LEARNED_PARTS), "flow_steps": 2},
    "td_actor, fql": {"critic": "td_actor", "flow_steps": 2, "td_loss": "expectile"},
    "td_actor, rebrac": {"critic": "td_actor", "actor": "rebrac", "target_noise": 0.2, "critic_penalty": 0.1},
    "floq": {"critic": "floq", "floq_low": -6.0, "floq_high": 6.0, "floq_steps": 2, "floq_starts": 2, "flow_steps": 2},
    "td_vgf, joint": {"critic": "td_vgf", "reference": "joint", "particles": 3, "flow_steps": 2},
}


def small_data(rows: int = 60, seed: int = 0, **changes: np.ndarray) -> Transitions:
    rng = np.random.default_rng(seed)
    arrays = {
        "observations": rng.normal(3.0, 2.0, (rows, 3)),
        "actions": rng.uniform(-1.0, 1.0, (rows, 2)),
        "rewards": rng.normal(size=rows),
        "masks": np.ones(rows),
        "next_observations": rng.normal(3.0, 2.0, (rows, 3)),
        "ends": np.arange(rows) % 10 == 9,
    }
    return make_transitions(**(arrays | changes))


def small_config(**changes: Any) -> FitConfig:
    return make_config(**({"hidden": (8, 8), "steps": 20, "batch_size": 16, "learning_rate": 1e-3} | changes))


def small_trainer(**changes: Any) -> Trainer:
    return Trainer(small_data(), small_config(**changes))


def saved_run(folder: Path, **changes: Any) -> Trainer:
    """Train to the end and save in ``folder``."""
    folder.mkdir()
    trainer = small_trainer(**changes)
    for _ in fit(trainer):
        pass
    save_checkpoint(trainer, folder, TASK)
    return trainer


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}
