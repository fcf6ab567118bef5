"""TD with the steered actor's own actions: the critic of FQL, ReBRAC, EDP and QAM, and of any other rule."""

from __future__ import annotations

from typing import TypeVar

import torch
from pydantic import Field
from torch import Tensor

from workbench.engine.data.transitions import Batch
from workbench.engine.models.parts import Parts
from workbench.engine.steering.noise import Noise, draw_noise
from workbench.engine.steering.protocol import Rule
from workbench.engine.steering.rules import find_rule, make_rule
from workbench.engine.steering.run import decide
from workbench.engine.training.losses.critic import CriticLoss
from workbench.engine.training.losses.loss import Losses, Scene
from workbench.engine.training.losses.residual import ResidualSettings, residual_loss, target_value
from workbench.engine.training.networks import Networks

NOISE_LIMIT = 2.5  # TD3 clips the smoothing noise here, in its standard deviations (0.5 at 0.2)


class TDActorSettings(ResidualSettings):
    """Whose action at the next state is valued, and how."""

    actor: str = Field("fql", description="td_actor: the steering rule whose action at the next state is valued")
    actor_settings: dict[str, bool | int | float | str] = Field(
        {}, description='td_actor: settings of that rule, such as {"weight": 0.3}'
    )
    target_noise: float = Field(
        0.0, ge=0.0, le=1.0, description="td_actor: smoothing noise on the next action (ReBRAC: 0.2)"
    )
    critic_penalty: float = Field(
        0.0, ge=0.0, le=1e6, description="td_actor: weight β2 of the next action's distance to the data's (ReBRAC)"
    )


def actor_rule(config: TDActorSettings) -> Rule:
    """The steering rule whose action is valued; its errors name the setting."""
    return make_rule(config.actor, **({"flow_steps": config.flow_steps} | config.actor_settings))


def live_parts(networks: Networks) -> Parts:
    """The networks as they are in this update, as `Parts` for normalised observations; targets stand in where there are some."""
    extra = {
        name: networks.extra.get(f"target_{name}", net)
        for name, net in networks.extra.items()
        if name.removeprefix("target_") not in networks.extra or not name.startswith("target_")
    }
    return Parts(
        networks.reference.observation_dim,
        networks.reference.action_dim,
        networks.reference,
        networks.critic,
        networks.target_critic,
        networks.value,
        extra=extra,
    )


A = TypeVar("A", bound=TDActorSettings)


class TDActor(CriticLoss[A]):
    r"""Trains ``critic`` (methods.md, section 3; FQL, arXiv 2502.02538; ReBRAC, arXiv 2305.09836; QAM, arXiv 2601.14234).

    .. math:: y = r + \gamma^H m\, \big(\mathrm{agg}_k\, \bar Q_k(s', a') - \beta_2 \lVert a' - a'_{data} \rVert^2\big), \qquad
              \big(y - Q_k(s, a)\big)^2

    a' is the action of the steering rule ``actor`` on the networks of this very update (on the EMA of its policy, where the
    part has one), so training plays what will be played. The parts that the rule needs are trained beside the critic. Cost
    of an update: the rule's own cost, and one evaluation each of critic and target critic. Departures: ``target_aggregate`` is
    min by default (FQL's OGBench runs: mean; QAM, DSRL, FAWAC and FBRAC: mean less ``target_pessimism`` = 0.5
    standard deviations, the last three of 10 critics); β2 counts only where the data hold
    the next action; after n-step returns that is the action at the bootstrap state.
    """

    settings = TDActorSettings

    def __init__(self, config: A) -> None:
        super().__init__(config)
        self._rule = actor_rule(config)

    @classmethod
    def needs(cls, config: A) -> tuple[str, ...]:
        """What the rule needs."""
        return find_rule(config.actor).needs

    @property
    def next_actions(self) -> bool:
        """Where the distance to them is penalised."""
        return self.config.critic_penalty > 0.0

    def draw(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, ...]:
        """The rule's noise as its `Noise` holds it, and where it is asked for the smoothing noise (M, D)."""
        m, d = batch.actions.shape
        noise = draw_noise(m, self._rule.particles, d, generator, self._rule.extra_draws())
        drawn = tuple(part for part in noise if part is not None)
        if self.config.target_noise == 0.0:
            return drawn
        return *drawn, torch.randn((m, d), generator=generator, device=batch.actions.device)

    def target(self, scene: Scene, batch: Batch, noise: tuple[Tensor, ...]) -> Tensor:
        """y (M,), without a gradient."""
        nets, config, following = scene.networks, self.config, batch.next_observations
        with torch.no_grad():
            smooth = config.target_noise > 0.0
            actions, _ = decide(self._rule, live_parts(nets), following, Noise(*noise[:-1] if smooth else noise))
            if smooth:
                jitter = config.target_noise * noise[-1].clamp(-NOISE_LIMIT, NOISE_LIMIT)
                actions = (actions + jitter).clamp(-1.0, 1.0)
            value = target_value(nets.target_critic(following, actions), config)
            if batch.next_actions is not None:
                value = value - config.critic_penalty * (actions - batch.next_actions).square().nan_to_num(0.0).sum(1)
            return torch.addcmul(batch.rewards, batch.discounts, value)

    def __call__(self, scene: Scene, batch: Batch, noise: tuple[Tensor, ...]) -> Losses:
        """One scalar, ``critic``."""
        target, q = self.target(scene, batch, noise), scene.networks.critic(batch.observations, batch.actions)
        return {"critic": residual_loss(q, target, self.config, batch.valid)}
