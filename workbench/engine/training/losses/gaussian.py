"""The Gaussian behaviour policy's loss: what VGF's code calls ``gau``."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn

from workbench.engine.data.transitions import Batch
from workbench.engine.models.gaussian_flow import GaussianFlow
from workbench.engine.training.losses.behaviour import BehaviourLoss
from workbench.engine.training.losses.loss import Losses, Scene
from workbench.engine.training.networks import flow_shape
from workbench.engine.training.run_settings import RunSettings


class GaussianSettings(RunSettings):
    """What is around the Gaussian."""

    gaussian_tanh: bool = Field(False, description="behaviour gaussian: a tanh keeps the actions inside (-1, 1)")


class Gaussian(BehaviourLoss[GaussianSettings]):
    r"""Trains ``reference`` as a Gaussian (methods_more.md, section 16; VGF's code, ``bc_policy_type`` gau).

    .. math:: -\log \mathcal N\big(a;\, m(s), \mathrm{diag}\, \sigma^2\big)

    Mean over the batch, sum over the dimensions; σ does not depend on the state. Steering reads it as the field of straight lines
    from noise to action (`workbench.engine.models.gaussian_flow.GaussianFlow`). Cost of an update: one evaluation. Departures:
    with the tanh, actions of the data on the border count as just inside (published: infinite).
    """

    outputs_per_action = 2
    gives_mean = False

    @classmethod
    def build(
        cls, config: GaussianSettings, observation_dim: int, action_dim: int, generator: torch.Generator
    ) -> dict[str, nn.Module]:
        """The policy, as a velocity field."""
        shape = flow_shape(config, observation_dim, cls.outputs_per_action * action_dim)
        return {"reference": GaussianFlow(observation_dim, action_dim, shape, config.gaussian_tanh, generator)}

    def draw(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, ...]:
        """No noise."""
        return ()

    def __call__(self, scene: Scene, batch: Batch, noise: tuple[Tensor, ...]) -> Losses:
        """One scalar, ``gaussian``."""
        policy = scene.networks.reference
        assert isinstance(policy, GaussianFlow)
        return {"gaussian": -policy.log_density(batch.observations, batch.actions).mean()}
