"""A small causal transformer: the next word from all words before it. Its embeddings are the space in which words are moved.

Shapes: M sentences, R = 4 words of a response, E numbers of a word's embedding, D = R · E of a response's matrix, V words.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from workbench.language.networks import word_losses
from workbench.language.text import LONGEST, PROMPT

EMBEDDING = 256  # E
MATRIX = LONGEST * EMBEDDING  # D
READ = PROMPT * EMBEDDING  # S: numbers of a prompt's matrix
WIDTH = 128
HEADS = 4
LAYERS = 2
DROPOUT = 0.1
SPREAD = 0.1  # of the embeddings' weights before training
SEEN = PROMPT + LONGEST - 1


class CausalWords(nn.Module):
    """A transformer over word embeddings, its output tied to them.

    Embeddings are the tanh of weights, and so lie in (-1, 1), where the workbench keeps actions.

    Parameters
    ----------
    words : int
        V.
    """

    mask: Tensor

    def __init__(self, words: int) -> None:
        super().__init__()
        self.weights = nn.Parameter(SPREAD * torch.randn(words, EMBEDDING))
        self.place = nn.Parameter(0.1 * torch.randn(SEEN, WIDTH))
        self.enter = nn.Linear(EMBEDDING, WIDTH)
        layer = nn.TransformerEncoderLayer(WIDTH, HEADS, 4 * WIDTH, DROPOUT, "gelu", batch_first=True, norm_first=True)
        self.inner = nn.TransformerEncoder(layer, LAYERS, nn.LayerNorm(WIDTH), enable_nested_tensor=False)
        self.leave = nn.Linear(WIDTH, EMBEDDING)
        self.bias = nn.Parameter(torch.zeros(words))
        self.register_buffer("mask", nn.Transformer.generate_square_subsequent_mask(SEEN), persistent=False)

    @property
    def table(self) -> Tensor:
        """The embeddings (V, E) of all words."""
        return torch.tanh(self.weights)

    def embed(self, words: Tensor) -> Tensor:
        """Embeddings (…, E) of words (…)."""
        return torch.tanh(self.weights[words])

    def ask(self, embedded: Tensor) -> Tensor:
        """What is looked for after each of n embeddings (M, n, E), (M, n, E): its product with a word's embedding, and that
        word's bias, is the word's logit.
        """
        count = embedded.shape[1]
        hidden = self.enter(embedded) + self.place[:count]
        asked: Tensor = self.leave(self.inner(hidden, self.mask[:count, :count], is_causal=True))
        return asked

    def logits(self, asked: Tensor) -> Tensor:
        """Logits (…, V) of what `ask` looks for (…, E)."""
        return asked @ self.table.mT + self.bias

    def all_places(self, sentences: Tensor) -> Tensor:
        """Logits (M, R, V) of every word of the responses in ``sentences`` (M, 2 + R), each from those before it."""
        return self.logits(self.ask(self.embed(sentences[:, :-1]))[:, PROMPT - 1 :])

    def log_likelihood(self, sentences: Tensor) -> Tensor:
        """Log-probabilities (M,) of the responses in ``sentences`` (M, 2 + R) after their prompts, nats."""
        return -word_losses(self.all_places(sentences), sentences).sum(1)

    @torch.no_grad()
    def respond(self, prompts: Tensor, chance: Tensor) -> Tensor:
        """Sentences (M, 2 + R) after ``prompts`` (M, 2), each word drawn by ``chance`` (M, R), uniform on (0, 1)."""
        words, ended = prompts, torch.zeros(len(prompts), dtype=torch.bool)
        for place in range(LONGEST):
            shares = self.logits(self.ask(self.embed(words))[:, -1]).softmax(1).cumsum(1)
            word = torch.searchsorted(shares, chance[:, place, None].contiguous()).clamp_max(shares.shape[1] - 1)[:, 0]
            word = word.masked_fill(ended, 0)
            ended = ended | (word == 0)
            words = torch.cat((words, word[:, None]), 1)
        return words
