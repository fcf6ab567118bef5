"""The shipped room: what comes back through a latent, who judges, under which licences, and that nothing asks the network."""

import json
import socket
import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch

from workbench.engine.metrics.evaluate import evaluate
from workbench.engine.steering.noise import draw_noise
from workbench.engine.steering.rules import make_rule
from workbench.engine.steering.run import act
from workbench.engine.tasks.registry import make_listed, make_task
from workbench.engine.words import UserError
from workbench.language.build import reconstructed
from workbench.language.networks import CODE, LATENT
from workbench.language.proxy import agreement, draw_labels
from workbench.language.room import ARRAYS, FACTS, FOLDER, load_room
from workbench.language.task import learned
from workbench.language.text import UNWANTED

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def room():
    return load_room()


def examples(room):
    return room.index([line.split() for line in room.facts["examples"]])


def test_held_out_words_come_back_through_a_latent(room):
    share = reconstructed(room.autoencoder, examples(room))
    print(
        f"{share:.3f} of {len(room.facts['examples'])} clauses' words; measured at the build: {room.facts['measured']}"
    )
    assert share >= 0.9
    assert room.facts["measured"]["reconstructed_words"] >= 0.9


def test_sentences_are_spelled_and_read_alike(room):
    rows = examples(room)
    assert torch.equal(room.index(room.spell(rows)), rows)
    latents = room.autoencoder.encode(rows)
    assert latents.shape == (len(rows), LATENT)
    assert latents.abs().max() < 1.0


def test_a_prompt_is_known_by_its_code(room):
    assert torch.equal(room.prompts_of(room.codes), room.prompts)
    assert room.codes.shape == (len(room.prompts), CODE)
    said = room.say(room.codes, torch.full((len(room.codes), LATENT), 5.0))  # clipped, and still a sentence
    assert torch.equal(said[:, :2], room.prompts)


def test_the_language_model_is_not_the_decoder(room):
    own = {id(parameter) for parameter in room.model.parameters()}
    assert own.isdisjoint(id(parameter) for parameter in room.autoencoder.parameters())
    text, salad = examples(room), examples(room)[:, [0, 1, 5, 4, 3, 2]]
    assert room.score(text).surprise.mean() < room.score(salad).surprise.mean()


def test_behaviour_can_be_read(room):
    """Perplexity within 1.5 times that of held-out text, under a model that shares nothing with the decoder."""
    measured = room.facts["measured"]
    assert measured["perplexity_behaviour"] <= 1.5 * measured["perplexity_text"]
    generator = torch.Generator().manual_seed(7)
    codes = room.draw_prompts(256, generator)
    scored = room.score(room.say(codes, room.behave(codes, generator)))
    assert scored.readable.float().mean() > 0.85
    assert torch.equal(scored.pay, scored.gold * scored.readable)
    assert not torch.signbit(scored.pay[~scored.readable]).any(), "nothing is paid, not minus nothing"


def test_the_proxy_learns_from_labels_and_more_help(room):
    fresh = draw_labels(room, 1500, torch.Generator().manual_seed(99))
    few, many = (agreement(learned(count, 0), fresh) for count in (200, 1000))
    print(f"r of the proxy with the judge on samples it has not seen: {few:.2f} (200 labels), {many:.2f} (1000)")
    assert many > few
    assert many >= 0.4
    assert room.facts["measured"]["proxy_r_1000"] >= 0.4


# What vaderSentiment 3.3.2 says of these.
VADER = {
    "i am happy": 0.5719,
    "i am very happy": 0.6115,
    "i am not happy": -0.4585,
    "she was so very good": 0.5379,
    "he could hardly love her": 0.6003,
    "it was the best of all": 0.6369,
    "there was nothing to do": 0.0,
    "i never was so angry": -0.6418,
    "nothing could please her": -0.2411,
}


def test_the_judge_is_vader(room):
    said = {line: round(room.judge(line.split()), 4) for line in VADER}
    assert said == VADER


def test_words_of_the_judge_add_up(room):
    words = ["she", "was", "so", "very", "good"]
    assert sum(room.judge.of_words(words)) > room.judge.scores["good"]
    assert room.judge.of_words(words)[:4] == [0.0] * 4


def test_the_judge_has_no_gradient(room):
    codes = room.codes[:4]
    latents = torch.zeros(4, LATENT, requires_grad=True)
    assert not room.score(room.say(codes, latents)).pay.requires_grad


def test_nobody_meets_an_unwanted_word(room):
    assert UNWANTED.isdisjoint(room.words)
    assert all(UNWANTED.isdisjoint(line.split()) for line in room.facts["examples"])


def test_licences_are_stated_and_shipped(room):
    text = (FOLDER / "LICENCES.txt").read_text(encoding="utf-8")
    assert "public domain" in text
    assert "Copyright (c) 2016 C.J. Hutto" in text
    assert "Permission is hereby granted" in text
    assert "public domain" in room.facts["text"]
    assert "MIT" in room.facts["lexicon"]
    assert set(room.facts["scores"]) <= set(room.words)
    shipped = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = shipped["tool"]["setuptools"]["package-data"]["workbench"]
    assert {"**/*.safetensors", "**/*.json", "**/LICENCES.txt"} <= set(patterns)
    assert sum((FOLDER / name).stat().st_size for name in (ARRAYS, FACTS)) < 8_000_000
    json.loads((FOLDER / FACTS).read_text(encoding="utf-8"))


def test_nothing_asks_the_network(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("the room opened a socket")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    load_room.cache_clear()
    learned.cache_clear()
    task = make_task("language/60")
    assert len(task.generate(32, 0)) == 32
    assert evaluate(make_rule("qgf", weight=3.0), task.parts(), task, 8, 0).returns.mean < 1.0


def test_the_same_seed_gives_the_same_bits():
    task = make_task("language/60")
    found = []
    for _ in range(2):
        learned.cache_clear()
        load_room.cache_clear()
        parts = task.parts(3)
        codes = load_room().draw_prompts(8, torch.Generator().manual_seed(0))
        noise = draw_noise(8, 4, LATENT, torch.Generator().manual_seed(1))
        rule = make_rule("vgf", particles=4, steps=3, pick="uniform")
        found.append((act(rule, parts, codes, noise), task.generate(64, 5).rewards))
    assert torch.equal(found[0][0], found[1][0])
    assert np.array_equal(found[0][1], found[1][1])


def test_names_of_the_task():
    assert make_task("language").info.name == "language/1000"
    assert make_listed("language/200").labels == 200
    for name in ("language/none", "language/10", "language/99999999", "language/²"):
        with pytest.raises(UserError, match=r"try language/1000|as in language/1000"):
            make_listed(name)
