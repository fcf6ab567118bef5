"""The networks of the room: words to a latent and back, and a language model of its own to judge what can be read.

A latent has a slot for each word of a response: the word's code, 8 numbers. The decoder spells a sentence word by word from
all slots at once and from the words before, and has learned to do so from noised codes: what lies between codes becomes the
word that fits. Shapes: M sentences, R = 4 words of a response, D = 32 latent numbers, S numbers of a prompt's code, V words.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from workbench.engine.models.velocity import FREQUENCIES, embed_time, time_frequencies
from workbench.language.text import LONGEST, PROMPT

SEEN = PROMPT + LONGEST - 1  # words that the last word of a response can look back on
WORD = 64  # numbers of a word's embedding
HIDDEN = 320
SLOT = 8  # numbers of a word's code
LATENT = LONGEST * SLOT  # D
CODE = 16  # S
TEMPERATURE = 0.8  # of the flow's guesses where it is sampled: below 1 likelier words are said more often, as is usual


class Block(nn.Module):
    """A residual layer."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm, self.up, self.down = nn.LayerNorm(width), nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """(…, width) to (…, width)."""
        added: Tensor = self.down(functional.gelu(self.up(self.norm(x))))
        return x + added


class NextWord(nn.Module):
    """The next word of a response, from all words before it and, in a decoder, from a latent and a prompt's code.

    Parameters
    ----------
    words : int
        V.
    context : int
        Numbers of what is known beside the words: D + S for a decoder, 0 for a language model.
    """

    def __init__(self, words: int, context: int) -> None:
        super().__init__()
        self.table = nn.Embedding(words, WORD)
        nn.init.normal_(self.table.weight, std=0.3)
        self.before = nn.Linear(SEEN * WORD, HIDDEN)
        self.place = nn.Parameter(torch.zeros(LONGEST, HIDDEN))
        self.known = nn.Linear(context, LONGEST * HIDDEN, bias=False) if context else None
        self.block = Block(HIDDEN)
        self.out = nn.Sequential(nn.LayerNorm(HIDDEN), nn.Linear(HIDDEN, WORD))
        self.bias = nn.Parameter(torch.zeros(words))

    def all_places(self, sentences: Tensor, known: Tensor | None = None, heard: Tensor | None = None) -> Tensor:
        """Logits (M, R, V) of every word of the responses in ``sentences`` (M, 2 + R), each from those before it.

        ``known`` (M, C) is the context; ``heard`` (M, 2 + R - 1) is 0 where a word before is to be overlooked.
        """
        embedded = self.table(sentences[:, :-1])  # (M, SEEN, WORD)
        if heard is not None:
            embedded = embedded * heard[..., None]
        hidden = self.before(torch.stack([self._window(embedded, place) for place in range(LONGEST)], 1)) + self.place
        if self.known is not None and known is not None:
            hidden = hidden + self.known(known).unflatten(1, (LONGEST, HIDDEN))
        return self._logits(hidden)

    def at(self, words: Tensor, place: int, known: Tensor | None = None) -> Tensor:
        """Logits (M, V) of the word at ``place`` of the response, from ``words`` (M, 2 + place)."""
        hidden = self.before(self._window(self.table(words), place)) + self.place[place]
        if self.known is not None and known is not None:
            hidden = hidden + known @ self.known.weight.unflatten(0, (LONGEST, HIDDEN))[place].mT
        return self._logits(hidden)

    def _window(self, embedded: Tensor, place: int) -> Tensor:
        """The words before ``place``, the nearest one last, zeros where there is none: (M, SEEN · WORD)."""
        count = PROMPT + place
        return functional.pad(embedded[:, :count], (0, 0, SEEN - count, 0)).flatten(1)

    def _logits(self, hidden: Tensor) -> Tensor:
        logits: Tensor = self.out(self.block(functional.gelu(hidden))) @ self.table.weight.mT + self.bias
        return logits


class Autoencoder(nn.Module):
    """A response to D numbers in (-1, 1), and back, given the prompt.

    Parameters
    ----------
    words : int
        V.
    """

    def __init__(self, words: int) -> None:
        super().__init__()
        self.decoder = NextWord(words, LATENT + CODE)
        self.codes = nn.Embedding(words, SLOT)
        self.prompt = nn.Linear(PROMPT * WORD, CODE)

    def code(self, prompts: Tensor) -> Tensor:
        """The codes (M, S) of prompts (M, 2), in (-1, 1)."""
        return torch.tanh(self.prompt(self.decoder.table(prompts).flatten(1)))

    def encode(self, sentences: Tensor) -> Tensor:
        """The latents (M, D) of ``sentences`` (M, 2 + R)."""
        return torch.tanh(self.codes(sentences[:, PROMPT:])).flatten(1)

    @torch.no_grad()
    def decode(self, prompts: Tensor, latents: Tensor) -> Tensor:
        """The most likely sentences (M, 2 + R) of prompts (M, 2) and latents (M, D), word by word; nothing is drawn."""
        known = torch.cat((latents, self.code(prompts)), 1)
        words, ended = prompts, torch.zeros(len(prompts), dtype=torch.bool, device=prompts.device)
        for place in range(LONGEST):
            word = self.decoder.at(words, place, known).argmax(1).masked_fill(ended, 0)
            ended = ended | (word == 0)
            words = torch.cat((words, word[:, None]), 1)
        return words


class WordFlow(nn.Module):
    r"""The behaviour policy's velocity field over latents; a `Reference`.

    It guesses the word of each slot, and heads for the mean of the guessed words' codes, so that it comes to rest on codes:

    .. math:: v(s, x, t) = \frac{\sum_w p(w \mid s, x, t)\, c_w - x}{1 - t}

    which is the velocity of flow matching for the right p. Trained as a classifier it needs far fewer updates than by the
    distance of velocities.

    Parameters
    ----------
    words : int
        V.
    """

    codes: Tensor
    frequencies: Tensor

    def __init__(self, words: int) -> None:
        super().__init__()
        width = 256
        self.inner = nn.Sequential(
            nn.Linear(CODE + LATENT + 2 * FREQUENCIES, width),
            Block(width),
            Block(width),
            nn.LayerNorm(width),
            nn.GELU(),
        )
        self.guess = nn.Linear(width, LONGEST * WORD)
        self.table = nn.Embedding(words, WORD)
        nn.init.normal_(self.table.weight, std=0.3)
        self.bias = nn.Parameter(torch.zeros(LONGEST, words))
        self.register_buffer("codes", torch.zeros(words, SLOT))
        self.register_buffer("frequencies", time_frequencies())

    def logits(self, observations: Tensor, latents: Tensor, t: Tensor) -> Tensor:
        """Logits (M, R, V) of each slot's word, from prompts' codes (M, S), latents (M, D) on their way and times (M,)."""
        known = torch.cat((observations, latents, embed_time(t, "sinusoidal", self.frequencies)), 1)
        guessed = self.guess(self.inner(known)).unflatten(1, (LONGEST, WORD))
        logits: Tensor = guessed @ self.table.weight.mT + self.bias
        return logits

    def forward(self, observations: Tensor, latents: Tensor, t: Tensor) -> Tensor:
        """Velocities (M, D) at latents (M, D), codes (M, S) and times (M,) in [0, 1)."""
        clean = ((self.logits(observations, latents, t) / TEMPERATURE).softmax(-1) @ self.codes).flatten(1)
        return (clean - latents) / (1.0 - t)[:, None].clamp_min(1e-3)


def counted_words(sentences: Tensor) -> Tensor:
    """Which places of the responses in ``sentences`` (M, 2 + R) count: the words and the first end, (M, R) bool."""
    response = sentences[:, PROMPT:]
    before = functional.pad(response[:, :-1], (1, 0), value=1)
    return (before != 0).cumprod(1).bool()


def word_losses(logits: Tensor, sentences: Tensor) -> Tensor:
    """Negative log-likelihood (M, R) of the responses' words, 0 where nothing counts."""
    losses = functional.cross_entropy(logits.flatten(0, 1), sentences[:, PROMPT:].flatten(), reduction="none")
    return losses.view(len(sentences), LONGEST) * counted_words(sentences)
