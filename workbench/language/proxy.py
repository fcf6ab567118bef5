"""The proxy: a reward model that has seen the judge's score of N sentences of the behaviour policy, and no more."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from workbench.engine.models.critic import CriticEnsemble
from workbench.engine.models.mlp import MlpShape
from workbench.language.networks import CODE, SLOT
from workbench.language.room import Room

STEPS = 800
RATE = 4e-3
BATCH = 128
DECAY = 0.1
WIDTH = (64, 64)
SCALE = 3.0  # of a slot, so that near words can have unlike values
MEMBERS = 2


class Labels(NamedTuple):
    """Labelled samples of the behaviour policy: codes (N, S), latents (N, D), what the task paid for them (N,)."""

    codes: Tensor
    latents: Tensor
    paid: Tensor


class Proxy(nn.Module):
    """A critic Q_k(code, latent): an ensemble that values each slot of a latent, and adds the values up.

    One network reads all slots, so that what a label says of a word holds wherever the word stands.

    Parameters
    ----------
    net : CriticEnsemble
        On a prompt's code and a slot.
    """

    def __init__(self, net: CriticEnsemble) -> None:
        super().__init__()
        self.net = net

    def forward(self, codes: Tensor, latents: Tensor) -> Tensor:
        """Values (K, M) of latents (M, D) at codes (M, S)."""
        slots = latents.unflatten(1, (-1, SLOT))
        every: Tensor = self.net(codes.repeat_interleave(slots.shape[1], 0), SCALE * slots.flatten(0, 1))
        return every.view(len(every), *slots.shape[:2]).sum(2)


def draw_labels(room: Room, count: int, generator: torch.Generator) -> Labels:
    """Let the judge read ``count`` sentences of the behaviour policy."""
    codes = room.draw_prompts(count, generator)
    latents = room.behave(codes, generator)
    return Labels(codes, latents, room.score(room.say(codes, latents)).pay)


def train_proxy(labels: Labels, generator: torch.Generator) -> Proxy:
    """Regress on ``labels``: 800 steps of AdamW, the rate falling as a half cosine; all chance from ``generator``."""
    shape = MlpShape(CODE + SLOT, 1, WIDTH, "gelu", "none", members=MEMBERS)
    proxy = Proxy(CriticEnsemble(CODE, SLOT, shape, generator))
    optimizer = torch.optim.AdamW(proxy.parameters(), lr=RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 0.5 * (1 + math.cos(math.pi * step / STEPS)))
    with torch.enable_grad():
        for _ in range(STEPS):
            rows = torch.randint(len(labels.paid), (BATCH,), generator=generator)
            loss = (proxy(labels.codes[rows], labels.latents[rows]) - labels.paid[rows]).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return proxy.requires_grad_(False)


def agreement(proxy: Proxy, held_out: Labels) -> float:
    """Correlation r of the proxy with the judge on samples that it has not seen."""
    said = proxy(held_out.codes, held_out.latents).mean(0)
    return float(torch.corrcoef(torch.stack((said, held_out.paid)))[0, 1])
