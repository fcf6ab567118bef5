"""The token room: prompts and responses as matrices of word embeddings, the causal model that draws them, and rounding.

A state is a prompt's two embeddings, an action a response's four. Behaviour and proxy are parts like any others, so that the
engine's rules steer matrices as they steer actions.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor

from workbench.engine.data.arrays_file import read_arrays_file
from workbench.engine.words import UserError
from workbench.language.networks import counted_words, word_losses
from workbench.language.room import Room, load_room
from workbench.language.text import LONGEST, PROMPT
from workbench.language.tokens.model import EMBEDDING, CausalWords

FOLDER = Path(__file__).parent
WEIGHTS = "model.safetensors"
FACTS = "model.json"  # what was measured at the build


class Drawn:
    """The causal model as a behaviour policy (the `Reference` protocol): one flow step takes noise to a drawn response.

    The first number of the noise of each word chooses the word. The flow is known at t = 0 alone: between noise and words
    nothing lies that could be read.

    Parameters
    ----------
    room : TokenRoom
    """

    passes = LONGEST  # the model is asked once for each word

    def __init__(self, room: TokenRoom) -> None:
        self._room = room

    def __call__(self, observations: Tensor, noise: Tensor, t: Tensor) -> Tensor:
        """What takes ``noise`` (M, D) to the matrices of responses (M, D) at the prompts ``observations`` (M, S).

        Raises
        ------
        UserError
            ``t`` (M,) is not 0: there were several flow steps.
        """
        if bool((t != 0.0).any()):
            raise UserError(
                "the token room draws a response in one step: set flow_steps=1, with a rule that moves what was drawn "
                "(vgf, grad_step, best_of_n); rules that push during the flow steer the latents of task language"
            )
        room = self._room
        chance = torch.special.ndtr(noise.unflatten(1, (LONGEST, EMBEDDING))[:, :, 0])
        said = room.model.respond(room.prompts_of(observations), chance)
        return room.matrices(said[:, PROMPT:]) - noise


class TokenRoom:
    """Sentences and their matrices.

    Parameters
    ----------
    room : Room
        Words, prompts, and who judges.
    model : CausalWords
        The behaviour policy.
    """

    def __init__(self, room: Room, model: CausalWords) -> None:
        self.room, self.model = room, model.eval().requires_grad_(False)
        self.table = model.table  # (V, E)
        self.prompts = self.matrices(room.prompts)  # (P, S)
        self.behaviour = Drawn(self)

    def draw_prompts(self, count: int, generator: torch.Generator) -> Tensor:
        """Matrices (M, S) of ``count`` prompts, each as often as in the text."""
        return self.prompts[torch.multinomial(self.room.shares, count, replacement=True, generator=generator)]

    def matrices(self, words: Tensor) -> Tensor:
        """The embeddings (M, n · E) of words (M, n), one after the other."""
        return self.table[words].flatten(1)

    def nearest(self, matrices: Tensor) -> Tensor:
        """Words (M, n) whose embeddings are nearest to the parts of ``matrices`` (M, n · E)."""
        parts = matrices.unflatten(1, (-1, EMBEDDING))
        words: Tensor = (self.table.square().sum(1) - 2.0 * parts @ self.table.mT).argmin(-1)
        return words

    def round(self, matrices: Tensor) -> Tensor:
        """``matrices`` (M, n · E) with every part put to the nearest embedding."""
        return self.matrices(self.nearest(matrices))

    def prompts_of(self, observations: Tensor) -> Tensor:
        """The words (M, 2) of the prompts ``observations`` (M, S)."""
        return self.nearest(observations)

    def say(self, observations: Tensor, matrices: Tensor) -> Tensor:
        """The sentences (M, 2 + R) of matrices (M, D) at ``observations`` (M, S): the nearest words, up to the first end."""
        words = self.nearest(matrices)
        return torch.cat((self.prompts_of(observations), words * (words != 0).cumprod(1)), 1)

    @torch.no_grad()
    def own_surprise(self, observations: Tensor, matrices: Tensor) -> Tensor:
        """Nats a word (M,) at which the causal model finds the nearest words, where it reads the matrices as they are."""
        said = self.say(observations, matrices)
        read = torch.cat((observations, matrices), 1).unflatten(1, (-1, EMBEDDING))[:, :-1]
        losses = word_losses(self.model.logits(self.model.ask(read)[:, PROMPT - 1 :]), said)
        return losses.sum(1) / counted_words(said).sum(1)

    def log_likelihood(self, observations: Tensor, matrices: Tensor) -> Tensor:
        """log μ (M,) of matrices (M, D) after ``observations`` (M, S), nats: exact at embeddings of words, and with a gradient.

        Each part is compared with what the parts before it ask for; the nearest words say where the response ends, and give
        their biases.
        """
        said = self.say(observations, matrices)
        parts = torch.cat((observations, matrices), 1).unflatten(1, (-1, EMBEDDING))
        asked = self.model.ask(parts[:, :-1])[:, PROMPT - 1 :]
        fit = (asked * parts[:, PROMPT:]).sum(2) + self.model.bias[self.nearest(matrices)]
        likely: Tensor = ((fit - self.model.logits(asked).logsumexp(2)) * counted_words(said)).sum(1)
        return likely


@lru_cache(maxsize=1)
def load_token_room(folder: Path = FOLDER) -> TokenRoom:
    """The token room that is shipped, or one whose causal model was built in ``folder``.

    Raises
    ------
    UserError
        The file is missing or damaged.
    """
    room = load_room()
    with torch.random.fork_rng(devices=[]):
        model = CausalWords(len(room.words))
    model.load_state_dict({key: value.float() for key, value in read_arrays_file(folder / WEIGHTS).items()})
    return TokenRoom(room, model)
