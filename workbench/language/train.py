"""Training the room's networks: word codes, autoencoder, behaviour flow and language model. A minute or two on two cores."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from workbench.language.networks import LATENT, SLOT, Autoencoder, NextWord, WordFlow, counted_words, word_losses
from workbench.language.text import PROMPT

NOISE = 0.27  # standard deviation of what is added to codes in training: how far a code may move and mean the same word
HEARD = 0.75  # share of the words before that the language model hears in training, against learning clauses by heart
NEAR = 2  # words apart that count as neighbours
SPREAD = 0.9  # codes begin inside ± this
Report = Callable[[str, float], None]  # what is trained; share done


def first_codes(stream: np.ndarray, words: int) -> Tensor:
    """Codes (V, 8) at which training begins: words with like neighbours in ``stream`` (ids of all words, -1 unknown) are near.

    Singular vectors of the positive pointwise mutual information of neighbours, each spread evenly over [-0.9, 0.9].
    """
    counts = np.zeros((words, words))
    for apart in range(1, NEAR + 1):
        pairs = np.stack((stream[:-apart], stream[apart:]), 1)
        known = pairs[(pairs >= 0).all(1)]
        np.add.at(counts, (known[:, 0], known[:, 1]), 1.0)
    both = np.concatenate((counts, counts.T), 1) + 1e-12  # words after it, words before it
    share = both / both.sum()
    information = np.maximum(np.log(share / (share.sum(1, keepdims=True) * share.sum(0, keepdims=True))), 0.0)
    left, size, _ = np.linalg.svd(information, full_matrices=False)
    vectors = left[:, 1 : SLOT + 1] * np.sqrt(size[1 : SLOT + 1])
    ranks = vectors.argsort(0).argsort(0) / (words - 1)
    return torch.from_numpy(SPREAD * (2.0 * ranks - 1.0)).float()


def train_autoencoder(net: Autoencoder, sentences: Tensor, steps: int, report: Report, batch: int = 256) -> None:
    """Train on ``sentences`` (M, 2 + R): the response from its noised codes."""

    def loss(rows: Tensor) -> Tensor:
        latents = net.encode(rows)
        known = torch.cat((latents + NOISE * torch.randn_like(latents), net.code(rows[:, :PROMPT])), 1)
        return word_losses(net.decoder.all_places(rows, known), rows).sum() / counted_words(rows).sum()

    descend(net, sentences, loss, steps, batch, 3e-3, lambda share: report("autoencoder", share))


def train_language_model(net: NextWord, sentences: Tensor, steps: int, report: Report, batch: int = 256) -> None:
    """Train the language model that says how readable a sentence is; it shares nothing with the decoder."""

    def loss(rows: Tensor) -> Tensor:
        heard = (torch.rand(len(rows), rows.shape[1] - 1) < HEARD).float()
        return word_losses(net.all_places(rows, None, heard), rows).sum() / counted_words(rows).sum()

    descend(net, sentences, loss, steps, batch, 3e-3, lambda share: report("language model", share))


def train_flow(net: WordFlow, codes: Tensor, sentences: Tensor, steps: int, report: Report, batch: int = 256) -> None:
    """Let the behaviour flow guess the words of ``sentences`` (M, 2 + R) from noised latents, given ``codes`` (M, S)."""
    words = sentences[:, PROMPT:]

    def loss(rows: Tensor) -> Tensor:
        start, t = torch.randn(len(rows), LATENT), torch.rand(len(rows))
        moved = torch.lerp(start, net.codes[words[rows]].flatten(1), t[:, None])
        return functional.cross_entropy(net.logits(codes[rows], moved, t).flatten(0, 1), words[rows].flatten())

    descend(net, torch.arange(len(codes)), loss, steps, batch, 2e-3, lambda share: report("flow", share))


def descend(
    net: nn.Module,
    rows: Tensor,
    loss: Callable[[Tensor], Tensor],
    steps: int,
    batch: int,
    rate: float,
    report: Callable[[float], None],
) -> None:
    """AdamW with one cycle of the learning rate, on minibatches of ``rows``."""
    optimizer = torch.optim.AdamW(net.parameters(), lr=rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, steps, pct_start=0.1)
    for step in range(steps):
        value = loss(rows[torch.randint(len(rows), (batch,))])
        optimizer.zero_grad()
        value.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % 100 == 99:
            report((step + 1) / steps)
