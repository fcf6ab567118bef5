"""The proxy: a reward model that has seen the judge's score of N sentences of the behaviour policy, and no more."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from workbench.language.networks import SLOT
from workbench.language.room import Room

BLUR = (
    0.5  # standard deviation in a slot's numbers at which the proxy tells words apart, about the distance of neighbours
)
RIDGE = 0.25  # penalty on squared values
PROMPT = 0.3  # of a prompt's code beside the words
BEYOND = 0.5  # of a slot's own numbers beside its words
ROWS = 1000  # labels that are looked at together


class Labels(NamedTuple):
    """Labelled samples of the behaviour policy: codes (N, S), latents (N, D), what the task paid for them (N,)."""

    codes: Tensor
    latents: Tensor
    paid: Tensor


class Proxy(nn.Module):
    r"""A critic Q(code, latent): it guesses each slot's word from the nearest codes, and adds up the values of the words.

    .. math:: Q = m + \sum_{\text{slots } x} \Big[\sum_w p(w \mid x)\, \theta_w + \eta \cdot x\Big] + \zeta \cdot s, \qquad
              p(w \mid x) \propto e^{-\lVert x - c_w \rVert^2 / 2 \sigma^2}

    What a label says of a word holds wherever the word stands. With σ = 0.5 a slot between two codes is worth something
    between them, so that there is a slope to follow; a narrower σ agrees with the judge better and can be climbed less. The
    plain numbers of a slot (η) let the promise rise beyond all words, as that of a network does.

    Parameters
    ----------
    codes : Tensor
        (V, 8), the words' codes c_w.
    values : Tensor
        (V + S + 8,): θ, ζ and η, of the scaled features.
    mean : float
        m, the mean of the labels.
    """

    def __init__(self, codes: Tensor, values: Tensor, mean: float) -> None:
        super().__init__()
        self.codes, self.values, self.mean = nn.Buffer(codes), nn.Buffer(values), mean

    def forward(self, codes: Tensor, latents: Tensor) -> Tensor:
        """Values (M,) of latents (M, D) at codes (M, S)."""
        words, others = self.values[: len(self.codes)], self.values[len(self.codes) :]
        slots = latents.unflatten(1, (-1, SLOT))
        return self.mean + (guessed(slots, self.codes) @ words).sum(1) + _others(codes, slots) @ others


def guessed(slots: Tensor, codes: Tensor) -> Tensor:
    """Shares p (M, R, V) of the words in ``slots`` (M, R, 8), from the distances to ``codes`` (V, 8)."""
    return ((slots @ codes.mT - codes.square().sum(1) / 2) / BLUR**2).softmax(-1)


def _others(codes: Tensor, slots: Tensor) -> Tensor:
    """What is regressed on beside words, (M, S + 8)."""
    return torch.cat((PROMPT * codes, BEYOND * slots.sum(1)), 1)


def draw_labels(room: Room, count: int, generator: torch.Generator) -> Labels:
    """Let the judge read ``count`` sentences of the behaviour policy."""
    codes = room.draw_prompts(count, generator)
    latents = room.behave(codes, generator)
    return Labels(codes, latents, room.score(room.say(codes, latents)).pay)


@torch.no_grad()
def fit_proxy(room: Room, labels: Labels) -> Proxy:
    """Ridge regression of the pay on the words that each slot is guessed to hold: solved at once, nothing is drawn."""
    table, mean = room.flow.codes, labels.paid.mean()
    squares: Tensor | float = 0.0
    products: Tensor | float = 0.0
    for codes, latents, paid in zip(*(column.split(ROWS) for column in labels), strict=True):
        slots = latents.unflatten(1, (-1, SLOT))
        seen = torch.cat((guessed(slots, table).sum(1), _others(codes, slots)), 1).double()
        squares, products = squares + seen.mT @ seen, products + seen.mT @ (paid - mean).double()
    assert isinstance(squares, Tensor)
    values = torch.linalg.solve(squares + RIDGE * torch.eye(len(squares), dtype=torch.float64), products)
    return Proxy(table, values.float(), float(mean))


def agreement(proxy: Proxy, held_out: Labels) -> float:
    """Correlation r of the proxy with the judge on samples that it has not seen."""
    said = proxy(held_out.codes, held_out.latents)
    return float(torch.corrcoef(torch.stack((said, held_out.paid)))[0, 1])
