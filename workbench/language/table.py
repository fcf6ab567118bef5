"""The table: proxy, judge, readability, perplexity, diversity and shift, by rule and strength, over seeds of the proxy."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import torch

from workbench.engine.metrics.cost import network_evaluations
from workbench.engine.metrics.intervals import Interval, bootstrap_mean
from workbench.engine.metrics.shift import draw_clouds, shift_between
from workbench.engine.models.parts import Parts, q_values
from workbench.engine.steering.protocol import Rule
from workbench.engine.steering.rules import make_rule
from workbench.language.room import Room
from workbench.language.task import LanguageTask

STATES, DRAWS = 32, 8  # prompts, and sentences at each: 256 sentences
LABELS = (1000, 200)
SEEDS = tuple(range(6))


class Strength(NamedTuple):
    """A rule and one strength of it.

    Attributes
    ----------
    rule : str
    setting : str
        The setting that is its strength.
    value : float
    others : dict
        Its further settings.
    """

    rule: str
    setting: str
    value: float
    others: dict[str, Any]

    def make(self) -> Rule:
        """The rule itself."""
        return make_rule(self.rule, **self.others, **({self.setting: self.value} if self.setting else {}))


VGF = {"particles": 8, "step_size": 0.05, "alpha": 0.1, "pick": "uniform"}
GRID: tuple[Strength, ...] = (
    Strength("bc", "", 0.0, {}),
    *(Strength("best_of_n", "particles", n, {}) for n in (4, 16, 64)),
    *(Strength("qgf", "weight", w, {}) for w in (1.0, 3.0, 10.0, 20.0, 40.0, 100.0, 300.0)),
    *(Strength("vgf", "steps", n, VGF) for n in (4, 8, 16, 24, 40, 64, 100)),
    *(Strength("grad_step", "steps", n, {"step_size": 0.05}) for n in (4, 16, 64)),
)


@dataclass(frozen=True)
class Row:
    """What 256 sentences of one rule at one strength were, with 95% intervals over seeds of the proxy.

    Attributes
    ----------
    rule, setting : str
    value : float
        The strength.
    labels : int
    network_evaluations : int
        Per sentence.
    proxy, gold, pay, readable, perplexity, distinct, shift : Interval
        What the proxy promises; the judge's score of the words; that times readability, what the task pays; share that can be
        read; exp of the mean nats a word; different pairs of neighbouring words over all; W2 in action units.
    """

    rule: str
    setting: str
    value: float
    labels: int
    network_evaluations: int
    proxy: Interval
    gold: Interval
    pay: Interval
    readable: Interval
    perplexity: Interval
    distinct: Interval
    shift: Interval

    def as_dict(self) -> dict[str, Any]:
        """Plain types, ready for JSON."""
        return asdict(self)


NUMBERS = ("proxy", "gold", "pay", "readable", "perplexity", "distinct", "shift")


def measure_table(
    room: Room,
    grid: Sequence[Strength] = GRID,
    labels: Sequence[int] = LABELS,
    seeds: Sequence[int] = SEEDS,
    tick: Callable[[int, int], None] = lambda done, total: None,
) -> Iterator[tuple[Row, np.ndarray]]:
    """Measure every strength of ``grid``: its row, and the numbers of each seed (seeds, numbers) as `NUMBERS` orders them."""
    done, total = 0, len(labels) * len(grid)
    for count in labels:
        task = LanguageTask(count)
        every = [task.parts(seed) for seed in seeds]
        for strength in grid:
            rule = strength.make()
            values = np.array([_once(room, rule, parts, seed) for parts, seed in zip(every, seeds, strict=True)])
            cost = network_evaluations(rule, every[0], room.codes[0])
            intervals = {name: bootstrap_mean(column) for name, column in zip(NUMBERS, values.T, strict=True)}
            yield Row(strength.rule, strength.setting, strength.value, count, cost, **intervals), values
            done += 1
            tick(done, total)


def _once(room: Room, rule: Rule, parts: Parts, seed: int) -> list[float]:
    generator = torch.Generator().manual_seed(10_000 + seed)
    states = room.draw_prompts(STATES, generator)
    clouds = draw_clouds(rule, parts, states, DRAWS, generator)
    codes, latents = states.repeat_interleave(DRAWS, 0), clouds.chosen.flatten(0, 1)
    said = room.say(codes, latents)
    scored = room.score(said)
    assert parts.critic is not None
    return [
        float(q_values(parts.critic, codes, latents, "mean").mean()),
        float(scored.gold.mean()),
        float(scored.pay.mean()),
        float(scored.readable.float().mean()),
        float(scored.surprise.mean().exp()),
        distinct_pairs(room.spell(said)),
        shift_between(clouds, rule, parts, states, seed, likelihood=False).w2,
    ]


def distinct_pairs(sentences: Sequence[Sequence[str]]) -> float:
    """Different pairs of neighbouring words over all such pairs ("distinct-2")."""
    pairs = [pair for words in sentences for pair in pairwise(words)]
    return len(set(pairs)) / max(1, len(pairs))
