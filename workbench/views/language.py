"""The page of language: the same prompts and noise at three strengths, as sentences, with what was measured of each strength."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch

from workbench.engine.digits import exact
from workbench.engine.models.parts import Parts, q_values
from workbench.engine.steering.noise import draw_noise
from workbench.engine.steering.protocol import Rule
from workbench.engine.steering.rules import RULES, make_rule
from workbench.engine.steering.run import act
from workbench.language.room import Room, load_room
from workbench.language.table import Row, shipped_table
from workbench.language.task import LanguageTask
from workbench.views.csv_file import csv_of
from workbench.views.fields import fields_of

SHOWN = 5  # sentences
CLOUD = 128  # latents in the picture beside them
LABELS = (200, 1000)
SEEDS = 99
LISTED = 8  # names in a message
FIRST = ("qgf", "vgf", "grad_step", "best_of_n")  # in front of the list of rules


class Word(NamedTuple):
    """A word of a sentence: its text, what the judge gives for it, and whether the unsteered sentence has another there."""

    text: str
    score: float
    changed: bool


@dataclass(frozen=True)
class Said:
    """A sentence.

    Attributes
    ----------
    words : tuple of Word
    promised, paid : float
        What the proxy promises, what the judge pays.
    readable : bool
    """

    words: tuple[Word, ...]
    promised: float
    paid: float
    readable: bool


@dataclass(frozen=True)
class Reading:
    """What is asked for.

    Attributes
    ----------
    rule : str
    labels : int
        How many sentences the judge scored for the proxy.
    strength : int
        Which of `ladder`'s strengths stands in the middle; -1 the best one.
    seed : int
        Of prompts, noise and proxy.
    """

    rule: str = "qgf"
    labels: int = 1000
    strength: int = -1
    seed: int = 0


@dataclass(frozen=True)
class Column:
    """Sentences of one strength.

    Attributes
    ----------
    title : str
    strength : float
    said : tuple of Said
    points : ndarray
        (128, 2) latents in the plane of the picture.
    """

    title: str
    strength: float
    said: tuple[Said, ...]
    points: np.ndarray


def ladder(rule: str, labels: int) -> tuple[float, ...]:
    """The strengths of a rule on the dial, 0 first: those that were measured, else some of its own range."""
    measured = [row.value for row in rows_of(rule, labels)]
    if measured:
        return (0.0, *measured)
    field = next(field for field in fields_of(RULES[rule]) if field.name == RULES[rule].strength)
    stops = [stop for stop in field.stops if isinstance(stop, (int, float)) and stop > 0]
    return (0.0, *(float(stop) for stop in stops[:: max(1, len(stops) // 8)]))


def rows_of(rule: str, labels: int) -> tuple[Row, ...]:
    """What was measured of a rule, in the order of its strength; of several numbers of particles the first."""
    rows = [row for row in shipped_table() if (row.rule, row.labels) == (rule, labels)]
    return tuple(row for row in rows if row.others == rows[0].others)


def best_of(rule: str, labels: int) -> int:
    """Where on the ladder the judge pays most; the middle where nothing was measured."""
    rows = rows_of(rule, labels)
    if not rows:
        return len(ladder(rule, labels)) // 2
    return 1 + max(range(len(rows)), key=lambda i: rows[i].pay.mean)


def rule_at(rule: str, labels: int, strength: float) -> Rule:
    """The rule at a strength, with the settings that it was measured with; 0 is the behaviour policy."""
    if strength == 0.0:
        return make_rule("bc")
    rows, kind = rows_of(rule, labels), RULES[rule]
    whole = kind.model_fields[kind.strength].annotation is int
    return make_rule(rule, **(rows[0].others if rows else {}), **{kind.strength: int(strength) if whole else strength})


def read(reading: Reading) -> tuple[Column, Column, Column]:
    """Say the same prompts, from the same noise, unsteered, at the dial's strength, and at the last one."""
    room, task = load_room(), LanguageTask(reading.labels)
    parts, steps = task.parts(reading.seed), ladder(reading.rule, reading.labels)
    middle = reading.strength if 0 <= reading.strength < len(steps) else best_of(reading.rule, reading.labels)
    codes = room.draw_prompts(CLOUD, torch.Generator().manual_seed(reading.seed))
    latents = [
        _latents(rule_at(reading.rule, reading.labels, steps[i]), parts, codes, reading.seed) for i in (0, middle, -1)
    ]
    plane = np.linalg.svd(_centred(latents[0], latents[0]), full_matrices=False)[2][:2]
    titles = ("Unsteered", "At the dial", "Too far")
    first = room.spell(room.say(codes, latents[0]))
    return tuple(  # type: ignore[return-value]
        Column(
            title,
            steps[where],
            tuple(_said(room, parts, codes[:SHOWN], points[:SHOWN], first)),
            _centred(points, latents[0]) @ plane.T,
        )
        for title, where, points in zip(titles, (0, middle, -1), latents, strict=True)
    )


def _centred(points: torch.Tensor, around: torch.Tensor) -> np.ndarray:
    return (points - around.mean(0)).numpy()


def _latents(rule: Rule, parts: Parts, codes: torch.Tensor, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return act(
        rule, parts, codes, draw_noise(len(codes), rule.particles, parts.action_dim, generator, rule.extra_draws())
    )


def _said(
    room: Room, parts: Parts, codes: torch.Tensor, latents: torch.Tensor, first: Sequence[Sequence[str]]
) -> list[Said]:
    sentences = room.say(codes, latents)
    scored = room.score(sentences)
    assert parts.critic is not None
    promised = q_values(parts.critic, codes, latents, "mean")
    found = []
    for i, words in enumerate(room.spell(sentences)):
        before = [*first[i], *[""] * len(words)]
        judged = room.judge.of_words(words)
        marked = tuple(Word(word, score, word != old) for word, score, old in zip(words, judged, before, strict=False))
        found.append(Said(marked, float(promised[i]), float(scored.pay[i]), bool(scored.readable[i])))
    return found


def rules() -> dict[str, str]:
    """The rules that need no part beyond flow and critic, names by title; the measured ones first."""
    able = [name for name, rule in RULES.items() if set(rule.needs) <= {"reference", "critic"} and name != "bc"]
    return {RULES[name].title: name for name in sorted(able, key=lambda name: (name not in FIRST, able.index(name)))}


def words_of(rule: str, labels: int) -> list[str]:
    """What the dial says at each strength."""
    field = next(field for field in fields_of(RULES[rule]) if field.name == RULES[rule].strength)
    return [f"{field.title} {exact(value)}" for value in ladder(rule, labels)]


def read_link(arguments: Mapping[str, str]) -> tuple[Reading, list[str]]:
    """Turn a link's arguments into a reading; what cannot be read keeps its default and is named beside it."""
    problems: list[str] = []

    def one_of(name: str, known: Sequence[Any], default: Any) -> Any:
        text = arguments.get(name, str(default))
        match = next((one for one in known if str(one) == text), None)
        if match is None:
            more = "…" if len(known) > LISTED else ""
            problems.append(f"{name} is one of {', '.join(map(str, known[:LISTED]))}{more}, got '{text[:40]}'")
        return default if match is None else match

    rule, labels = one_of("rule", list(rules().values()), "qgf"), one_of("labels", LABELS, 1000)
    strength = one_of("at", range(-1, len(ladder(rule, labels))), -1)
    return Reading(rule, labels, strength, one_of("seed", range(SEEDS + 1), 0)), problems


def write_link(reading: Reading) -> dict[str, Any]:
    """A reading as a link's arguments."""
    return {"rule": reading.rule, "labels": reading.labels, "at": reading.strength, "seed": reading.seed}


def as_csv(columns: Sequence[Column]) -> bytes:
    """One line a sentence."""
    rows = [
        (
            column.title,
            column.strength,
            " ".join(word.text for word in said.words),
            said.promised,
            said.paid,
            said.readable,
        )
        for column in columns
        for said in column.said
    ]
    return csv_of(["column", "strength", "sentence", "promised", "paid", "readable"], rows)


def code_of(reading: Reading) -> str:
    """A script that prints the sentences."""
    return "\n".join(
        (
            "from workbench.views.language import Reading, read",
            "",
            f"reading = Reading({reading.rule!r}, {reading.labels}, strength={reading.strength}, seed={reading.seed})",
            "for column in read(reading):  # unsteered, at the dial, too far",
            "    print(column.title, column.strength)",
            "    for said in column.said:",
            '        text = " ".join(word.text for word in said.words)',
            '        print(f"  {text}: promised {said.promised:.2f}, paid {said.paid:.2f}")',
            "",
        )
    )
