"""Training on the labels instead of steering by them: on the best responses alone (SFT), or on pairs of them (DPO).

Both change the weights of the causal model, and nothing is done at test time but to draw a response.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from workbench.engine.words import UserError, counted
from workbench.language.networks import counted_words
from workbench.language.text import PROMPT
from workbench.language.tokens.model import CausalWords
from workbench.language.tokens.proxy import Labels

RATE = 1e-3
BATCH = 64


class Pairs(NamedTuple):
    """Responses to the same prompt of which the judge paid more for one: sentences (P, 2 + R) each."""

    better: Tensor
    worse: Tensor


def make_pairs(labels: Labels) -> Pairs:
    """All pairs of ``labels`` that answer the same prompt and were paid differently.

    Raises
    ------
    UserError
        There is none.
    """
    same = (labels.sentences[:, None, :PROMPT] == labels.sentences[None, :, :PROMPT]).all(2)
    better, worse = (same & (labels.paid[:, None] > labels.paid[None])).nonzero().unbind(1)
    if not len(better):
        raise UserError(
            f"of {counted(len(labels.paid), 'label')} no two are of one prompt and paid differently: take more labels"
        )
    return Pairs(labels.sentences[better], labels.sentences[worse])


def dpo_loss(better: Tensor, worse: Tensor, beta: float) -> Tensor:
    r"""The loss of pairs, (P,), from how much likelier the policy makes each response than the behaviour policy does.

    .. math:: -\log \sigma\big(\beta\, [\log \tfrac{\pi}{\mu}(y^+) - \log \tfrac{\pi}{\mu}(y^-)]\big)

    Where judgements follow exp(r), its least is at π ∝ μ exp(r / β). Source: DPO, arXiv 2305.18290.

    Parameters
    ----------
    better, worse : Tensor
        (P,) log π/μ of the two responses, nats.
    beta : float
    """
    return -functional.logsigmoid(beta * (better - worse))


def train_dpo(model: CausalWords, labels: Labels, beta: float, steps: int, generator: torch.Generator) -> CausalWords:
    """A copy of ``model`` after ``steps`` of DPO on the pairs of ``labels``; all chance from ``generator``."""
    pairs, policy = make_pairs(labels), copy.deepcopy(model)

    def loss() -> Tensor:
        rows = torch.randint(len(pairs.better), (BATCH,), generator=generator)
        both = torch.cat((pairs.better[rows], pairs.worse[rows]))
        with torch.no_grad():
            usual = model.log_likelihood(both)
        better, worse = (policy.log_likelihood(both) - usual).chunk(2)
        return dpo_loss(better, worse, beta).mean()

    return _descend(policy, loss, steps)


def train_on_best(
    model: CausalWords, labels: Labels, share: float, steps: int, generator: torch.Generator
) -> CausalWords:
    """A copy of ``model`` after ``steps`` of maximum likelihood on the best-paid ``share`` of ``labels``."""
    policy = copy.deepcopy(model)
    best = labels.sentences[
        labels.paid.argsort(descending=True, stable=True)[: max(1, round(share * len(labels.paid)))]
    ]

    def loss() -> Tensor:
        rows = best[torch.randint(len(best), (BATCH,), generator=generator)]
        return -policy.log_likelihood(rows).sum() / counted_words(rows).sum()

    return _descend(policy, loss, steps)


def _descend(policy: CausalWords, loss: Callable[[], Tensor], steps: int) -> CausalWords:
    """AdamW at a constant rate; without dropout, so that log π/μ begins at 0."""
    policy.eval().requires_grad_(True)
    optimizer = torch.optim.AdamW(policy.parameters(), lr=RATE, weight_decay=0.0)
    with torch.enable_grad():
        for _ in range(steps):
            optimizer.zero_grad()
            loss().backward()
            nn.utils.clip_grad_norm_(policy.parameters(), 1.0)
            optimizer.step()
    return policy.requires_grad_(False)
