"""Training on labels: DPO's loss against its closed form, the pairs, and that training does what it is for."""

import math

import pytest
import torch

from workbench.engine.words import UserError
from workbench.language.text import PROMPT
from workbench.language.tokens.preferences import dpo_loss, make_pairs, train_dpo, train_on_best
from workbench.language.tokens.proxy import Labels, draw_labels
from workbench.language.tokens.room import load_token_room

REWARDS = torch.tensor([0.9, -0.4, 0.2, 1.3, 0.0], dtype=torch.float64)
USUAL = torch.tensor([0.1, 0.3, 0.25, 0.05, 0.3], dtype=torch.float64)  # μ


@pytest.fixture(scope="module")
def room():
    return load_token_room()


@pytest.fixture(scope="module")
def labels(room):
    return draw_labels(room, 300, torch.Generator().manual_seed(0))


def tilted(beta):
    share = USUAL * (REWARDS / beta).exp()
    return share / share.sum()


def population_loss(logits, beta):
    """Every pair as often as μ draws it, the better one judged by exp(r) (Bradley and Terry)."""
    ratio = logits.log_softmax(0) - USUAL.log()
    i, j = torch.cartesian_prod(torch.arange(5), torch.arange(5)).unbind(1)
    weight = USUAL[i] * USUAL[j] * torch.sigmoid(REWARDS[i] - REWARDS[j])
    return (weight * dpo_loss(ratio[i], ratio[j], beta)).sum()


@pytest.mark.parametrize("beta", [0.3, 1.0, 4.0])
def test_dpo_reaches_the_tilted_policy(beta):
    logits = torch.zeros(5, dtype=torch.float64, requires_grad=True)
    search = torch.optim.LBFGS([logits], max_iter=300, tolerance_grad=1e-12, line_search_fn="strong_wolfe")

    def closure():
        search.zero_grad()
        loss = population_loss(logits, beta)
        loss.backward()
        return loss

    search.step(closure)
    assert torch.allclose(logits.detach().softmax(0), tilted(beta), atol=1e-5)


def test_dpo_by_hand():
    better, worse = torch.tensor([0.0, 2.0, -1.0]), torch.tensor([0.0, 0.5, 1.0])
    expected = [math.log(2), math.log(1 + math.exp(-0.5 * 1.5)), math.log(1 + math.exp(0.5 * 2.0))]
    assert dpo_loss(better, worse, 0.5).tolist() == pytest.approx(expected)


def test_pairs_answer_the_same_prompt(labels):
    pairs = make_pairs(labels)
    paid = {tuple(row): pay for row, pay in zip(labels.sentences.tolist(), labels.paid.tolist(), strict=True)}
    expected = sum(
        bool((a[:PROMPT] == b[:PROMPT]).all() and x > y)
        for a, x in zip(labels.sentences, labels.paid.tolist(), strict=True)
        for b, y in zip(labels.sentences, labels.paid.tolist(), strict=True)
    )
    assert len(pairs.better) == len(pairs.worse) == expected
    for better, worse in zip(pairs.better.tolist(), pairs.worse.tolist(), strict=True):
        assert better[:PROMPT] == worse[:PROMPT]
        assert paid[tuple(better)] > paid[tuple(worse)]


def test_labels_without_a_pair_are_refused(labels):
    with pytest.raises(UserError, match="of 1 label no two are of one prompt"):
        make_pairs(Labels(labels.sentences[:1], labels.paid[:1]))


def margin(room, policy, pairs):
    ratios = [policy.log_likelihood(rows) - room.model.log_likelihood(rows) for rows in pairs]
    return float((ratios[0] - ratios[1]).mean())


def test_dpo_prefers_what_was_paid_more_and_repeats_bit_by_bit(room, labels):
    pairs = make_pairs(labels)
    first, second = (train_dpo(room.model, labels, 0.3, 6, torch.Generator().manual_seed(1)) for _ in range(2))
    assert margin(room, room.model, pairs) == 0.0
    assert margin(room, first, pairs) > 1.0
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))


def test_sft_learns_the_best_and_leaves_the_model_alone(room, labels):
    before = room.model.log_likelihood(labels.sentences)
    policy = train_on_best(room.model, labels, 0.1, 10, torch.Generator().manual_seed(1))
    gained = policy.log_likelihood(labels.sentences) - before
    best = labels.paid.argsort(descending=True, stable=True)[:30]
    rest = torch.ones(len(gained), dtype=torch.bool).index_fill(0, best, False)
    assert gained[best].mean() > 1.0
    assert gained[best].mean() > gained[rest].mean() + 1.0
    assert torch.equal(room.model.log_likelihood(labels.sentences), before)
