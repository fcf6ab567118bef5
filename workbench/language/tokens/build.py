"""Building the token room: a causal model learns from the clauses that the room's own networks learned from."""

from __future__ import annotations

import json
import time
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor

from workbench.engine.data.atomic import write_atomic
from workbench.engine.words import UserError
from workbench.language.build import PROXIES, SEED, split
from workbench.language.networks import counted_words, word_losses
from workbench.language.room import Room, round_weights
from workbench.language.text import clauses, read_text
from workbench.language.tokens.model import CausalWords
from workbench.language.tokens.proxy import agreement, draw_labels, train_proxy
from workbench.language.tokens.room import FACTS, FOLDER, WEIGHTS, TokenRoom
from workbench.language.train import Report, descend

STEPS = 500
BATCH = 256
RATE = 3e-3
FRESH = 2048  # labelled responses on which proxies are tried


def build_tokens(
    text: Path, room: Room, out: Path = FOLDER, report: Report = lambda what, share: None
) -> dict[str, float]:
    """Train the causal model on ``text``, from which ``room`` was built, and write it to ``out``; returns what was measured.

    Raises
    ------
    UserError
        ``text`` cannot be read, or has words that the room does not know.
    """
    started = time.process_time()
    found, ids = clauses(read_text(text)), {word: i for i, word in enumerate(room.words)}
    unknown = {word for clause in found for word in clause} - ids.keys()
    if unknown:
        raise UserError(
            f"{text} is not what the room was built from: it has '{min(unknown)}'; build both from one text"
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        held_out, training = split(found, ids)
        model = CausalWords(len(room.words))
        train_causal(model, training, STEPS, report)
    round_weights(model)
    measured = measure(TokenRoom(room, model), held_out) | {"seconds": time.process_time() - started}
    arrays = {key: value.half().contiguous() for key, value in model.state_dict().items()}
    write_atomic(out / WEIGHTS, save(arrays))
    write_atomic(out / FACTS, (json.dumps(measured, indent=0) + "\n").encode())
    return measured


def train_causal(model: CausalWords, sentences: Tensor, steps: int, report: Report) -> None:
    """Train on ``sentences`` (M, 2 + R): each word of a response from all before it."""

    def loss(rows: Tensor) -> Tensor:
        return word_losses(model.all_places(rows), rows).sum() / counted_words(rows).sum()

    descend(model.train(), sentences, loss, steps, BATCH, RATE, lambda share: report("causal model", share))
    model.eval()


@torch.no_grad()
def measure(room: TokenRoom, held_out: Tensor) -> dict[str, float]:
    """How good the token room is, on clauses and labels that it has not seen; perplexity by the room's judging model."""
    fresh = draw_labels(room, FRESH, torch.Generator().manual_seed(SEED + 1))
    scored = room.room.score(fresh.sentences)
    counts = counted_words(fresh.sentences).sum(1)
    agreed = {
        f"proxy_r_{count}": sum(
            agreement(room, train_proxy(room, draw_labels(room, count, own), own), fresh)
            for own in (torch.Generator().manual_seed(seed) for seed in range(100, 100 + PROXIES))
        )
        / PROXIES
        for count in (200, 1000)
    }
    own_surprise = -room.model.log_likelihood(held_out).sum() / counted_words(held_out).sum()
    return {
        "own_perplexity_text": float(own_surprise.exp()),
        "perplexity_behaviour": float(((scored.surprise * counts).sum() / counts.sum()).exp()),
        "readable_behaviour": float(scored.readable.float().mean()),
        "pay_behaviour": float(scored.pay.mean()),
        **agreed,
    }
