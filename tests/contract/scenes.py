"""Small parts, states and noise on which every steering rule can run."""

import torch
from torch import Tensor

from workbench.engine.models.critic import CriticEnsemble
from workbench.engine.models.landscapes import Bumps
from workbench.engine.models.mixture import MixtureFlow
from workbench.engine.models.mlp import MlpShape
from workbench.engine.models.parts import Normalizer, Parts
from workbench.engine.models.velocity import VelocityField
from workbench.engine.steering.noise import Noise, draw_noise
from workbench.engine.steering.rules import RULES
from workbench.engine.training.config import make_config
from workbench.engine.training.losses import LEARNED_PARTS

MOST_EXTRA = max(rule().extra_draws() for rule in RULES.values())  # noise that suits every rule's default settings
SIZES = [(1, 1, 1, 1), (5, 1, 3, 7), (4, 10, 2, 4), (3, 7, 6, 17)]  # B, N, D, S


def make_parts(s: int, d: int, seed: int = 0, members: int = 2) -> Parts:
    """Small random networks in every room that a rule may need."""
    generator = torch.Generator().manual_seed(seed)
    flow = MlpShape(VelocityField.inputs(s, d, "sinusoidal"), d, (16, 16), "gelu", "all")
    q = MlpShape(s + d, 1, (16, 16), "gelu", "all", members)
    config = make_config(hidden=(16, 16))
    return Parts(
        observation_dim=s,
        action_dim=d,
        reference=VelocityField(s, d, flow, "sinusoidal", generator),
        critic=CriticEnsemble(s, d, q, generator),
        target_critic=CriticEnsemble(s, d, q, generator),
        normalizer=Normalizer(torch.full((s,), 0.1), torch.full((s,), 2.0)),
        extra={
            name: net for loss in LEARNED_PARTS.values() for name, net in loss.build(config, s, d, generator).items()
        },
    )


def scene(size: tuple[int, int, int, int], seed: int = 0) -> tuple[Parts, Tensor, Noise]:
    b, n, d, s = size
    generator = torch.Generator().manual_seed(100 + seed)
    observations = torch.randn(b, s, generator=generator)
    return make_parts(s, d, seed), observations, draw_noise(b, n, d, generator, MOST_EXTRA)


def analytic(dim: int) -> Parts:
    flow = MixtureFlow(torch.full((1, dim), -0.3), torch.tensor([0.2]), torch.ones(1))
    hill = Bumps(torch.full((1, dim), 0.3), torch.tensor([0.5]), torch.tensor([1.0]))
    return Parts(1, dim, flow, hill)
