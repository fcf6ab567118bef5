"""The room: words, judge, prompts and the trained networks, as one file of arrays and one of JSON hold them.

They lie beside this module and are made by ``workbench language build``. Nothing here reaches for the network.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors.torch import save
from torch import Tensor, nn

from workbench.engine.data.arrays_file import read_arrays_file
from workbench.engine.data.atomic import write_atomic
from workbench.engine.models.velocity import sample
from workbench.language.judge import Judge
from workbench.language.networks import LATENT, Autoencoder, NextWord, WordFlow, counted_words, word_losses
from workbench.language.text import END, LONGEST, PROMPT

FOLDER = Path(__file__).parent
ARRAYS = "room.safetensors"
FACTS = "room.json"
FLOW_STEPS = 10  # T with which behaviour samples are drawn


@dataclass(frozen=True)
class Scored:
    """What is said of M sentences.

    Attributes
    ----------
    gold : Tensor
        (M,) the judge's score of the words, in (-1, 1).
    surprise : Tensor
        (M,) negative log-likelihood a word under the language model, nats.
    readable : Tensor
        (M,) bool: ``surprise`` is no higher than in 95% of held-out clauses of the text.
    """

    gold: Tensor
    surprise: Tensor
    readable: Tensor

    @property
    def pay(self) -> Tensor:
        """(M,) what the task pays: the judge's score where the sentence can be read, else 0."""
        return torch.where(self.readable, self.gold, 0.0)


class Networks(NamedTuple):
    """The trained networks: ``model`` is the language model, which judges only; ``flow`` the behaviour policy over latents."""

    autoencoder: Autoencoder
    model: NextWord
    flow: WordFlow


class Room:
    """Sentences and their latents.

    Parameters
    ----------
    facts : mapping
        What ``room.json`` holds: words, scores, prompts with their counts, the limit of what can be read, measurements.
    networks : Networks
        The autoencoder, the language model, which judges only, and the behaviour policy's flow over latents.
    """

    def __init__(self, facts: Mapping[str, Any], networks: Networks) -> None:
        self.facts, self.networks = facts, networks
        self.autoencoder, self.model, self.flow = networks
        for net in networks:
            net.eval().requires_grad_(False)
        self.words: tuple[str, ...] = tuple(facts["words"])
        self.judge = Judge(facts["scores"])
        self.limit: float = facts["readable_below"]
        self._ids = {word: i for i, word in enumerate(self.words)}
        self.prompts = torch.tensor([[self._ids[word] for word in prompt] for prompt in facts["prompts"]])  # (P, 2)
        self.codes = self.autoencoder.code(self.prompts)  # (P, S)
        counts = torch.tensor(facts["prompt_counts"], dtype=torch.float32)
        self.shares = counts / counts.sum()  # (P,)

    def draw_prompts(self, count: int, generator: torch.Generator) -> Tensor:
        """Codes (M, S) of ``count`` prompts, each as often as in the text."""
        return self.codes[torch.multinomial(self.shares, count, replacement=True, generator=generator)]

    def prompts_of(self, codes: Tensor) -> Tensor:
        """The words (M, 2) of the prompts whose codes are nearest to ``codes`` (M, S)."""
        return self.prompts[torch.cdist(codes.float(), self.codes).argmin(1)]

    def say(self, codes: Tensor, latents: Tensor) -> Tensor:
        """The sentences (M, 2 + R) of latents (M, D), clipped to [-1, 1], after the prompts of ``codes`` (M, S)."""
        return self.autoencoder.decode(self.prompts_of(codes), latents.float().clamp(-1.0, 1.0))

    def behave(self, codes: Tensor, generator: torch.Generator) -> Tensor:
        """Latents (M, D) of the behaviour policy at ``codes`` (M, S)."""
        return sample(self.flow, codes, torch.randn(len(codes), LATENT, generator=generator), FLOW_STEPS)

    def spell(self, sentences: Tensor) -> list[list[str]]:
        """The words of ``sentences`` (M, 2 + R), without what comes after the end."""
        return [[self.words[i] for i in row if i] for row in sentences.tolist()]

    def index(self, sentences: Sequence[Sequence[str]]) -> Tensor:
        """The reverse of `spell`, (M, 2 + R).

        Raises
        ------
        KeyError
            A word is not among the room's.
        """
        rows = torch.zeros(len(sentences), PROMPT + LONGEST, dtype=torch.long)
        for i, sentence in enumerate(sentences):
            rows[i, : len(sentence)] = torch.tensor([self._ids[word] for word in sentence])
        return rows

    @torch.no_grad()
    def score(self, sentences: Tensor) -> Scored:
        """Judge ``sentences`` (M, 2 + R)."""
        gold = torch.tensor([self.judge(words) for words in self.spell(sentences)])
        losses = word_losses(self.model.all_places(sentences), sentences)
        surprise = losses.sum(1) / counted_words(sentences).sum(1)
        return Scored(gold, surprise, surprise <= self.limit)


def new_networks(words: int) -> Networks:
    """Untrained networks of a room of V = ``words`` words."""
    return Networks(Autoencoder(words), NextWord(words, 0), WordFlow(words))


def save_room(folder: Path, facts: Mapping[str, Any], networks: Networks) -> None:
    """Write the two files. Numbers keep 16 bits, which halves the file: networks after `round_weights` lose nothing by it."""
    arrays = {
        f"{name}.{key}": value.half().contiguous()
        for name, net in networks._asdict().items()
        for key, value in net.state_dict().items()
    }
    write_atomic(folder / ARRAYS, save(arrays))
    write_atomic(folder / FACTS, (json.dumps(facts, indent=0, ensure_ascii=False) + "\n").encode())


def round_weights(net: nn.Module) -> None:
    """Let the weights of ``net`` be numbers that 16 bits hold."""
    net.load_state_dict({key: value.half().float() for key, value in net.state_dict().items()})


@lru_cache(maxsize=1)
def load_room(folder: Path = FOLDER) -> Room:
    """The room that is shipped, or one that was built in ``folder``.

    Raises
    ------
    UserError
        A file is missing or damaged.
    """
    arrays = read_arrays_file(folder / ARRAYS)
    facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
    assert facts["words"][0] == END
    with torch.random.fork_rng(devices=[]):
        networks = new_networks(len(facts["words"]))
    for name, net in networks._asdict().items():
        start = f"{name}."
        net.load_state_dict({k.removeprefix(start): v.float() for k, v in arrays.items() if k.startswith(start)})
    return Room(facts, networks)
