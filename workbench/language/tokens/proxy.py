"""The proxy on embeddings: a reward model that has seen the pay of N responses of the behaviour policy, and no more."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from workbench.engine.models.critic import CriticEnsemble
from workbench.engine.models.mlp import MlpShape
from workbench.language.text import LONGEST, PROMPT
from workbench.language.tokens.model import EMBEDDING
from workbench.language.tokens.room import TokenRoom

STEPS = 400
RATE = 3e-3
BATCH = 128
DECAY = 0.1
WIDTH = 64
MEMBERS = 2
GAIN = 4.0  # of the pay, whose spread is a quarter: unscaled, the same steps learn half as much (r .35 for .6)
NOISE = 1.0  # on embeddings in training, in their own standard deviations: against learning few labels by heart


class Labels(NamedTuple):
    """Labelled responses of the behaviour policy: sentences (N, 2 + R) and what was paid for them (N,)."""

    sentences: Tensor
    paid: Tensor


class PairProxy(nn.Module):
    """A critic Q_k(prompt, response) on matrices: an ensemble that values each word after the word before it, and adds up.

    A convolution over pairs of neighbouring words, so that "not happy" can be told from "happy".

    Parameters
    ----------
    net : CriticEnsemble
        On two embeddings.
    unit : float
        Standard deviation of the embeddings' numbers.
    """

    def __init__(self, net: CriticEnsemble, unit: float) -> None:
        super().__init__()
        self.net, self.unit = net, unit

    def forward(self, observations: Tensor, matrices: Tensor) -> Tensor:
        """Values (K, M), `GAIN` times the pay, of matrices (M, D) after prompts (M, S)."""
        parts = torch.cat((observations, matrices), 1).unflatten(1, (-1, EMBEDDING)) / self.unit
        before, words = parts[:, PROMPT - 1 : -1], parts[:, PROMPT:]
        every: Tensor = self.net(before.flatten(0, 1), words.flatten(0, 1))
        return every.view(len(every), len(matrices), LONGEST).sum(2)


def draw_labels(room: TokenRoom, count: int, generator: torch.Generator) -> Labels:
    """Let the judge read ``count`` responses of the behaviour policy."""
    prompts = room.prompts_of(room.draw_prompts(count, generator))
    sentences = room.model.respond(prompts, torch.rand(count, LONGEST, generator=generator))
    return Labels(sentences, room.room.score(sentences).pay)


def train_proxy(room: TokenRoom, labels: Labels, generator: torch.Generator) -> PairProxy:
    """Regress on ``labels`` by AdamW, the rate falling as a half cosine; all chance from ``generator``."""
    unit = float(room.table.std())
    shape = MlpShape(2 * EMBEDDING, 1, (WIDTH,), "gelu", "none", members=MEMBERS)
    proxy = PairProxy(CriticEnsemble(EMBEDDING, EMBEDDING, shape, generator), unit)
    read = room.matrices(labels.sentences)
    optimizer = torch.optim.AdamW(proxy.parameters(), lr=RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 0.5 * (1 + math.cos(math.pi * step / STEPS)))
    with torch.enable_grad():
        for _ in range(STEPS):
            rows = torch.randint(len(read), (BATCH,), generator=generator)
            noised = read[rows] + NOISE * unit * torch.randn(BATCH, read.shape[1], generator=generator)
            observations, matrices = noised.split((PROMPT * EMBEDDING, LONGEST * EMBEDDING), 1)
            loss = (proxy(observations, matrices) - GAIN * labels.paid[rows]).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return proxy.requires_grad_(False)


def agreement(room: TokenRoom, proxy: PairProxy, held_out: Labels) -> float:
    """Correlation r of the proxy with the judge on responses that it has not seen."""
    observations, matrices = room.matrices(held_out.sentences).split((PROMPT * EMBEDDING, LONGEST * EMBEDDING), 1)
    return float(torch.corrcoef(torch.stack((proxy(observations, matrices).mean(0), held_out.paid)))[0, 1])
