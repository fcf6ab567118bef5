"""Building the room: the text is read, the networks are trained, and the two files of the room are written."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from workbench.engine.words import UserError, counted
from workbench.language.judge import read_lexicon
from workbench.language.networks import Autoencoder, counted_words
from workbench.language.proxy import agreement, draw_labels, fit_proxy
from workbench.language.room import FOLDER, Room, new_networks, round_weights, save_room
from workbench.language.text import END, LONGEST, PROMPT, clauses, read_text, stream
from workbench.language.train import Report, first_codes, train_autoencoder, train_flow, train_language_model

SEED = 0
HELD_OUT = 1000  # clauses that no network sees
FEWEST = 5000  # clauses from which a room can be built
PROMPTS = 96  # the most common beginnings
SAMPLES = 64  # held-out clauses that are shipped, as examples
READABLE = 0.95  # of held-out clauses count as readable
STEPS = {"autoencoder": 650, "model": 300, "flow": 2200}
PROXIES = 3  # seeds over which the proxy's agreement is averaged


def build_room(
    text: Path, lexicon: Path, out: Path = FOLDER, report: Report = lambda what, share: None
) -> dict[str, Any]:
    """Read the text and the lexicon, train everything, and write the room to ``out``; returns what was measured.

    Parameters
    ----------
    text, lexicon : Path
        As `read_text` and `read_lexicon` take them.
    out : Path
        A folder.
    report : callable
        Called with what is trained and the share done.

    Raises
    ------
    UserError
        A file is missing or not what it should be, or the text is too short.
    """
    started = time.perf_counter()
    scores, book = read_lexicon(lexicon), read_text(text)
    found = clauses(book)
    if len(found) < HELD_OUT + FEWEST:
        raise UserError(
            f"{text} has {counted(len(found), 'clause')} of common words; a room needs {HELD_OUT + FEWEST:,}: take a longer text"
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        facts, room = _train(found, stream(book), scores, report)
    facts["measured"] = measure(room, room.index(facts.pop("held_out"))) | {"seconds": time.perf_counter() - started}
    save_room(out, facts, room.networks)
    return dict(facts["measured"])


def _train(
    found: list[tuple[str, ...]], every: list[str], scores: dict[str, float], report: Report
) -> tuple[dict[str, Any], Room]:
    words = [END, *sorted({word for clause in found for word in clause})]
    ids = {word: i for i, word in enumerate(words)}
    held_out, training = split(found, ids)
    networks = new_networks(len(words))
    autoencoder, model, flow = networks.autoencoder, networks.model, networks.flow
    start = first_codes(np.array([ids.get(word, -1) for word in every]), len(words))
    autoencoder.codes.weight.data.copy_(torch.atanh(start))
    train_autoencoder(autoencoder, training, STEPS["autoencoder"], report)
    train_language_model(model, training, STEPS["model"], report)
    for net in (autoencoder, model):
        round_weights(net)
    with torch.no_grad():
        codes = autoencoder.code(training[:, :PROMPT])
        flow.codes.copy_(torch.tanh(autoencoder.codes.weight))
    train_flow(flow, codes, training, STEPS["flow"], report)
    round_weights(flow)
    begun = Counter(tuple(words[i] for i in row) for row in training[:, :PROMPT].tolist()).most_common(PROMPTS)
    facts = {
        "text": "Jane Austen's six novels (1811 to 1818), in the public domain; from Debian's r-cran-janeaustenr",
        "lexicon": "VADER's word scores (Hutto and Gilbert, 2014), MIT licence: see LICENCES.txt",
        "words": words,
        "scores": {word: scores[word] for word in words if word in scores},
        "prompts": [list(prompt) for prompt, _ in begun],
        "prompt_counts": [count for _, count in begun],
        "readable_below": float("inf"),
    }
    room = Room(facts, networks)
    surprise = room.score(held_out).surprise
    facts["readable_below"] = room.limit = float(surprise.quantile(READABLE))
    facts["examples"] = [" ".join(clause) for clause in room.spell(held_out[:SAMPLES])]
    facts["held_out"] = room.spell(held_out)
    return facts, room


def split(found: list[tuple[str, ...]], ids: dict[str, int]) -> tuple[Tensor, Tensor]:
    """Clauses in chance order, as words' numbers (M, 2 + R): those held out, and those to learn from."""
    order = torch.randperm(len(found)).tolist()
    sentences = torch.zeros(len(found), PROMPT + LONGEST, dtype=torch.long)
    for row, which in enumerate(order):
        clause = found[which]
        sentences[row, : len(clause)] = torch.tensor([ids[word] for word in clause])
    return sentences[:HELD_OUT], sentences[HELD_OUT:]


@torch.no_grad()
def measure(room: Room, held_out: Tensor) -> dict[str, float]:
    """How good the room is, on clauses and labels that it has not seen."""
    generator = torch.Generator().manual_seed(SEED + 1)
    codes = room.draw_prompts(2048, generator)
    said = room.say(codes, room.behave(codes, generator))
    scored = room.score(said)
    fresh = draw_labels(room, 2048, generator)
    agreed = {
        f"proxy_r_{count}": sum(
            agreement(fit_proxy(room, draw_labels(room, count, own)), fresh)
            for own in (torch.Generator().manual_seed(seed) for seed in range(100, 100 + PROXIES))
        )
        / PROXIES
        for count in (200, 1000)
    }
    return {
        "clauses": float(HELD_OUT),
        "reconstructed_words": reconstructed(room.autoencoder, held_out),
        "perplexity_text": float(_mean_surprise(room, held_out).exp()),
        "perplexity_behaviour": float(_mean_surprise(room, said).exp()),
        "readable_behaviour": float(scored.readable.float().mean()),
        "gold_behaviour": float(scored.gold.mean()),
        **agreed,
    }


def reconstructed(autoencoder: Autoencoder, sentences: Tensor) -> float:
    """Share of the responses' words (and ends) that come back through the latent."""
    back = autoencoder.decode(sentences[:, :PROMPT], autoencoder.encode(sentences))
    counts = counted_words(sentences)
    return float(((back == sentences)[:, PROMPT:] & counts).sum() / counts.sum())


def _mean_surprise(room: Room, sentences: Tensor) -> Tensor:
    """Nats a word, every word counting alike."""
    counts = counted_words(sentences).sum(1)
    return (room.score(sentences).surprise * counts).sum() / counts.sum()
