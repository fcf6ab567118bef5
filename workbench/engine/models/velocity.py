"""The behaviour policy's velocity field v(s, a, t), and sampling it."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn

from workbench.engine.models.activation import is_traced
from workbench.engine.models.mlp import Mlp, MlpShape
from workbench.engine.models.parts import Pull, Reference, velocity_at
from workbench.engine.models.picture_mlp import make_net

TimeInput = Literal["raw", "sinusoidal"]
FREQUENCIES = 8


def time_frequencies() -> Tensor:
    """ω_i = 10000^(-i/8), i = 0..7: the frequencies of QGF's time embedding (methods.md, section 1).

    They multiply 10000·t, so their last bit shows. The exponent is rounded to float32 before the exponential, as in the
    published code; that agrees with it to one unit in the last place of ω_7 alone (2e-7 in the embedding).
    """
    exponents = torch.arange(FREQUENCIES, dtype=torch.float32) * (-math.log(10000.0) / FREQUENCIES)
    return torch.exp(exponents.double()).float()


def embed_time(t: Tensor, how: TimeInput, frequencies: Tensor) -> Tensor:
    """Embed times ``t`` (M,) as (M, 1) or (M, 16): [cos(ω 10000 t), sin(ω 10000 t)]."""
    t = t.reshape(-1, 1)
    if how == "raw":
        return t
    angle = (10000.0 * t) * frequencies
    return torch.cat((torch.cos(angle), torch.sin(angle)), 1)


class VelocityField(nn.Module):
    """The velocity network of the behaviour flow.

    Parameters
    ----------
    observation_dim, action_dim : int
        S and D.
    shape : MlpShape
        The MLP; its inputs are S + D + 1 (raw time) or S + D + 16 (sinusoidal time).
    time : {"raw", "sinusoidal"}
        VGF feeds t itself, QGF the 16-wide embedding of 10000·t.
    generator : torch.Generator, optional
        Draws the initial weights.
    """

    frequencies: Tensor
    takes_number = True  # see `velocity_at`

    def __init__(
        self,
        observation_dim: int,
        action_dim: int,
        shape: MlpShape,
        time: TimeInput,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.observation_dim, self.action_dim, self.time = observation_dim, action_dim, time
        self.net = make_net(shape, generator)
        self._numbers: dict[tuple[tuple[float, ...], torch.dtype, torch.device], Tensor] = {}
        self.register_buffer("frequencies", time_frequencies())

    @staticmethod
    def inputs(observation_dim: int, action_dim: int, time: TimeInput) -> int:
        """Width of the network's input."""
        return observation_dim + action_dim + (1 if time == "raw" else 2 * FREQUENCIES)

    def embed(self, t: Tensor) -> Tensor:
        """Embed times ``t`` (M,) as (M, 1) or (M, 16)."""
        return embed_time(t, self.time, self.frequencies)

    def embed_numbers(self, times: tuple[float, ...], like: Tensor) -> Tensor:
        """Embeddings (T, …) of T times, remembered: a flow asks for the same ones at every action."""
        if is_traced():  # what is traced must not be kept
            return self.embed(torch.cat([torch.full((1,), t, dtype=like.dtype, device=like.device) for t in times]))
        key = (times, like.dtype, like.device)
        embedding = self._numbers.get(key)  # not looked up twice: another thread may clear in between
        if embedding is None:
            if len(self._numbers) > 256:
                self._numbers.clear()
            embedding = self._numbers[key] = self.embed(torch.tensor(times, dtype=like.dtype, device=like.device))
        return embedding

    def forward(self, observations: Tensor, actions: Tensor, t: Tensor | float) -> Tensor:
        """Return velocities (M, D) at ``observations`` (M, S), ``actions`` (M, D), time ``t`` in [0, 1]: (M,) or one number."""
        v: Tensor = self.net(self._inputs(observations, actions, t))
        return v

    def _inputs(self, observations: Tensor, actions: Tensor, t: Tensor | float) -> Tensor:
        embedding = self.embed_numbers((float(t),), actions) if isinstance(t, float | int) else self.embed(t)
        return torch.cat((observations, actions, embedding.expand(actions.shape[0], -1)), 1)

    @torch.no_grad()
    def value_and_pull(self, observations: Tensor, actions: Tensor, t: Tensor | float) -> tuple[Tensor, Pull]:
        """Velocities (M, D) as `forward` gives them, and the map u -> (∂v/∂a)ᵀ u, both without an autograd graph."""
        return value_and_pull(self.net, self._inputs(observations, actions, t), self.observation_dim, self.action_dim)


def value_and_pull(net: Mlp, x: Tensor, first: int, count: int) -> tuple[Tensor, Pull]:
    """What ``net`` says at ``x``, and the map u -> (∂/∂a)ᵀ u; a are ``count`` inputs from ``first`` on. No autograd graph."""
    value, kept = net.run(x, keep=True)

    @torch.no_grad()
    def pull(u: Tensor) -> Tensor:
        d_x, _ = net.run_back(u, kept, weights=False, inputs=True)
        assert d_x is not None
        return d_x[:, first : first + count]

    return value, pull


def sample(reference: Reference, observations: Tensor, noise: Tensor, flow_steps: int) -> Tensor:
    """Draw clean actions from the behaviour flow by Euler steps (methods.md, section 2).

    Parameters
    ----------
    reference : callable
        v(observations (M, S), actions (M, D), t (M,)) -> (M, D).
    observations : Tensor
        (M, S).
    noise : Tensor
        (M, D), a_0 ~ N(0, I).
    flow_steps : int
        T.

    Returns
    -------
    Tensor
        (M, D), clipped to [-1, 1].
    """
    actions = noise
    for i in range(flow_steps):
        until = (i + 1) / flow_steps
        actions = actions + velocity_at(reference, observations, actions, i / flow_steps, until) / flow_steps
    return actions.clamp(-1.0, 1.0)
