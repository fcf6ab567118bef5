"""Carrying matrices through a rule, and rounding them to words: once at the end, or on the way too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from workbench.engine.models.parts import Parts
from workbench.engine.steering.noise import Noise
from workbench.engine.steering.protocol import Rule
from workbench.engine.steering.run import choose
from workbench.language.tokens.model import EMBEDDING
from workbench.language.tokens.room import TokenRoom

How = Literal["never", "every", "annealed", "length"]


class Carried(NamedTuple):
    """What a rule made of B responses: matrices (B, D) at the start, before they were rounded, and after."""

    start: Tensor
    before: Tensor
    after: Tensor


@dataclass(frozen=True)
class Narrowing:
    """What is done to matrices after each step, so that they stay near words.

    Attributes
    ----------
    how : {"never", "every", "annealed", "length"}
        Nothing; all are rounded after every ``k`` steps; step l of L takes them l/L of the way to the nearest words; or every
        embedding gets the length that its nearest word has.
    k : int
    """

    how: How = "never"
    k: int = 1

    def __call__(self, room: TokenRoom, matrices: Tensor, step: int, steps: int) -> Tensor:
        """``matrices`` (B, N, D) after step ``step`` of ``steps``, counted from 1."""
        if self.how == "never" or (self.how == "every" and step % self.k):
            return matrices
        near = room.round(matrices.flatten(0, 1)).view(matrices.shape)
        if self.how == "every":
            return near
        if self.how == "annealed":
            return torch.lerp(matrices, near, step / steps)
        lengths, wanted = (x.unflatten(2, (-1, EMBEDDING)).norm(dim=3, keepdim=True) for x in (matrices, near))
        scaled: Tensor = matrices.unflatten(2, (-1, EMBEDDING)) * (wanted / lengths.clamp_min(1e-9))
        return scaled.flatten(2).clamp(-1.0, 1.0)


FREE = Narrowing()


@torch.no_grad()
def carry(
    room: TokenRoom, rule: Rule, parts: Parts, observations: Tensor, noise: Noise, narrowing: Narrowing = FREE
) -> Carried:
    """Run ``rule`` at ``observations`` (B, S), round the particles, and pick among what can be read.

    Without a narrowing the particles are those of `workbench.engine.steering.run.steer`; the pick is made after rounding.
    """
    state = rule.init(parts, observations, noise.start, noise.extra)
    start = state.actions
    steps = rule.ticks() - rule.flow_steps
    for _ in range(rule.ticks()):
        state, _ = rule.step(parts, observations, state)
        moved = state.tick - rule.flow_steps
        if moved == 0:
            start = state.actions
        if moved > 0:
            state = state._replace(actions=narrowing(room, state.actions, moved, steps))
    after = room.round(state.actions.flatten(0, 1)).view(state.actions.shape)
    picked, _ = choose(rule, parts, state._replace(actions=after), noise)
    rows = torch.arange(len(picked))
    return Carried(start[rows, picked], state.actions[rows, picked], after[rows, picked])
