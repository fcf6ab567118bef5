"""The only randomness of steering, passed in as an argument: the same noise under two rules gives paired particles."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Noise(NamedTuple):
    """Random numbers for one call of `steer` or `act`.

    Attributes
    ----------
    start : Tensor
        (B, N, D), standard normal: where each particle begins.
    choice : Tensor
        (B, N), uniform on (0, 1): decides a random choice of the particle.
    extra : Tensor or None
        (B, N, M, D), standard normal: for rules that draw samples on the way (`Rule.extra_draws`).
    """

    start: Tensor
    choice: Tensor
    extra: Tensor | None = None

    def states(self, which: Tensor | slice) -> Noise:
        """The noise of some of the states: a slice, a mask (B,) or indices."""
        return Noise(self.start[which], self.choice[which], None if self.extra is None else self.extra[which])


def draw_noise(states: int, particles: int, action_dim: int, generator: torch.Generator, extra: int = 0) -> Noise:
    """Draw the noise that `steer` and `act` take as an argument.

    Parameters
    ----------
    states : int
        B, how many states are steered at.
    particles : int
        N, candidate actions at each state.
    action_dim : int
        D.
    generator : torch.Generator
        Fixes the noise, which lies on its device.
    extra : int
        M, further vectors for each particle, for rules that ask for some (`Rule.extra_draws`). They come from a generator of
        their own, seeded by what was drawn before: so rules with and without them meet the same ``start`` and ``choice``, now
        and at every later call.

    Returns
    -------
    Noise
        ``start`` (B, N, D), ``choice`` (B, N) and, where M > 0, ``extra`` (B, N, M, D).

    Raises
    ------
    ValueError
        B, N or D below 1, or M below 0.
    """
    if min(states, particles, action_dim) < 1 or extra < 0:
        raise ValueError(
            f"noise needs one state, one particle and one action dimension at least, got states = {states}, "
            f"particles = {particles}, action_dim = {action_dim}, extra = {extra}"
        )
    device = generator.device
    start = torch.randn(states, particles, action_dim, generator=generator, device=device)
    choice = torch.rand(states, particles, generator=generator, device=device)
    if extra == 0:
        return Noise(start, choice)
    own = torch.Generator(device).manual_seed(int(start.view(torch.int32).sum()))
    return Noise(start, choice, torch.randn(states, particles, extra, action_dim, generator=own, device=device))
