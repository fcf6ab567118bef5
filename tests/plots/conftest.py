"""Small trained parts with every learned part, for actions of 1, 2, 3 numbers, and a chunk of two steps of 2."""

from pathlib import Path

import numpy as np
import pytest
import torch
from engine.small_runs import TASK, WAYS, small_config, small_data

import workbench as wb
from workbench.engine.steering.noise import draw_noise
from workbench.engine.training.loop.checkpoint import Run, load_run, save_checkpoint
from workbench.engine.training.loop.fit import fit
from workbench.engine.training.loop.trainer import Trainer

SHAPES = {"one": (1, 1), "two": (2, 1), "three": (3, 1), "chunk": (2, 2)}  # dimensions of a step, steps of a chunk


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """A run of each shape."""
    runs = {}
    for name, (dims, chunk) in SHAPES.items():
        folder: Path = tmp_path_factory.mktemp(name)
        data = small_data(actions=np.random.default_rng(0).uniform(-1.0, 1.0, (60, dims)))
        trainer = Trainer(data, small_config(chunk=chunk, **WAYS["iql, every part"]))
        for _ in fit(trainer):
            pass
        save_checkpoint(trainer, folder, TASK)
        runs[name] = load_run(folder)
    return runs


def steered(rule: wb.Rule, parts: wb.Parts, states: int = 3, particles: int = 4, seed: int = 0) -> wb.Trace:
    """A trace at ``states`` different observations."""
    noise = draw_noise(states, particles, parts.action_dim, torch.Generator().manual_seed(seed), rule.extra_draws())
    rows = torch.randn(states, parts.observation_dim, generator=torch.Generator().manual_seed(1))
    return wb.steer(rule, parts, rows, noise)
