"""Diffusion policies that predict noise and lean towards the critic's gradient: DAC and QSM."""

from __future__ import annotations

from typing import ClassVar, Literal, TypeVar

import torch
from pydantic import Field
from torch import Tensor, nn

from workbench.engine.data.transitions import Batch
from workbench.engine.models.diffusion import Clock, Frequencies, NoiseEstimate, Schedule, kept, noised
from workbench.engine.models.parts import q_gradient
from workbench.engine.training.losses.loss import Loss, Losses, Scene, weighted_mean
from workbench.engine.training.losses.value_climb import FLOOR, ClimbSettings


class DiffusionSettings(ClimbSettings):
    """How actions are noised, and whose gradient is followed."""

    diffusion_schedule: Schedule = Field("vp", description="dac, qsm: how the share of noise grows from step to step")
    diffusion_critic: Literal["target", "online"] = Field(
        "target", description="dac, qsm: the critics whose gradient is followed"
    )


D = TypeVar("D", bound=DiffusionSettings)


class DACSettings(DiffusionSettings):
    """How near to the data DAC's policy is held."""

    dac_alpha: float = Field(1.0, ge=0.0, le=1e6, description="dac: weight α of imitating the data")


class QSMSettings(DiffusionSettings):
    """How near to the data QSM's policy is held, and how hard it climbs."""

    qsm_alpha: float = Field(10.0, ge=0.0, le=1e6, description="qsm: weight α of imitating the data")
    qsm_inverse_temperature: float = Field(
        3.0, ge=0.0, le=1e6, description="qsm: 1/β, by which the critic's gradient is multiplied"
    )


class DiffusionLoss(Loss[D]):
    """What DAC and QSM share: the networks ``NAME_actor``, ``NAME_clock`` and ``NAME_frequencies``, and the noising.

    Where ``normalize_q`` is set Q is divided by its mean magnitude in the batch (published: not).
    """

    sees_pictures = False

    name: ClassVar[str]

    def __init__(self, config: D) -> None:
        super().__init__(config)
        self._signal = torch.tensor(kept(config.diffusion_schedule, config.flow_steps)[1])

    @classmethod
    def build(
        cls, config: D, observation_dim: int, action_dim: int, generator: torch.Generator
    ) -> dict[str, nn.Module]:
        """The noise estimate, its clock, and the clock's frequencies."""
        return {
            f"{cls.name}_actor": NoiseEstimate(observation_dim, action_dim, config.hidden, generator),
            f"{cls.name}_clock": Clock(config.hidden, generator),
            f"{cls.name}_frequencies": Frequencies(generator),
        }

    def draw(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, ...]:
        """Steps t (M,) of 1 … T, and noise (M, D)."""
        (m, _), device = batch.actions.shape, batch.actions.device
        self._signal = self._signal.to(device)  # here, outside of what a GPU records
        steps = torch.randint(1, self.config.flow_steps + 1, (m,), generator=generator, device=device)
        return steps, torch.randn(batch.actions.shape, generator=generator, device=device)

    def seen(self, scene: Scene, batch: Batch, noise: tuple[Tensor, ...]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The estimated noise ε̂ (M, D), Q's gradient g at the noised actions (M, D), √(1 − ᾱ) (M, 1), the imitation's loss."""
        nets, settings, (steps, true) = scene.networks, self.config, noise
        signal = self._signal.to(true.device)[steps][:, None]
        x = noised(batch.actions, true, signal)
        estimate, clock, frequencies = (nets.extra[f"{self.name}_{part}"] for part in ("actor", "clock", "frequencies"))
        share = (steps / settings.flow_steps)[:, None]
        found = estimate(batch.observations, x, clock(frequencies(share)))
        critic = nets.target_critic if settings.diffusion_critic == "target" else nets.critic
        q, g = q_gradient(critic, batch.observations, x, settings.actor_aggregate)
        if settings.normalize_q:
            g = g / q.abs().mean().clamp_min(FLOOR)
        imitation = weighted_mean((true - found).square().mean(1), batch.valid)
        return found, g, (1.0 - signal).sqrt(), imitation


class DAC(DiffusionLoss[DACSettings]):
    r"""Trains ``dac_actor`` (methods_more.md, section 14; diffusion actor-critic, arXiv 2405.20555, as in QGF's code).

    .. math:: \alpha\, \lVert \epsilon - \hat\epsilon(s, x_t, t) \rVert^2
              + \sqrt{1 - \bar\alpha_t}\; \nabla_x Q(s, x_t) \cdot \hat\epsilon(s, x_t, t), \qquad
              x_t = \sqrt{\bar\alpha_t}\, a + \sqrt{1 - \bar\alpha_t}\, \epsilon

    The critic is asked at the noised action itself. Cost of an update: one noise-estimate evaluation and one critic gradient.
    Departures: Q is divided by its mean magnitude unless ``normalize_q=false`` (published: not, with α = 100); the published
    code clips the gradient of all networks together to norm 1 (``max_gradient_norm=1``).
    """

    name = "dac"
    trains = ("dac_actor", "dac_clock", "dac_frequencies")

    def __call__(self, scene: Scene, batch: Batch, noise: tuple[Tensor, ...]) -> Losses:
        """One scalar, ``dac_actor``."""
        estimate, g, share, imitation = self.seen(scene, batch, noise)
        lean = weighted_mean((share * g * estimate).mean(1), batch.valid)
        return {"dac_actor": self.config.dac_alpha * imitation + lean}


class QSM(DiffusionLoss[QSMSettings]):
    r"""Trains ``qsm_actor`` (methods_more.md, section 14; Q-score matching, arXiv 2312.11752, with imitation, as in QGF's code).

    .. math:: \alpha\, \lVert \epsilon - \hat\epsilon(s, x_t, t) \rVert^2
              + \big\lVert -\tfrac{1}{\beta} \nabla_x Q(s, x_t) - \hat\epsilon(s, x_t, t) \big\rVert^2

    The second term makes the noise estimate minus the score of exp(Q/β), as if that were the noised actions' distribution at
    every t. Cost and departures: as DAC's (published: 1/β = 0.1, α = 10).
    """

    name = "qsm"
    trains = ("qsm_actor", "qsm_clock", "qsm_frequencies")

    def __call__(self, scene: Scene, batch: Batch, noise: tuple[Tensor, ...]) -> Losses:
        """One scalar, ``qsm_actor``."""
        estimate, g, _, imitation = self.seen(scene, batch, noise)
        error = (-self.config.qsm_inverse_temperature * g - estimate).square().mean(1)
        return {"qsm_actor": self.config.qsm_alpha * imitation + weighted_mean(error, batch.valid)}
