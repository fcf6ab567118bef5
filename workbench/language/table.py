"""The table: proxy, judge, readability, perplexity, diversity and shift, by rule and strength, over seeds of the proxy."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from workbench.engine.metrics.cost import network_evaluations
from workbench.engine.metrics.intervals import Interval, bootstrap_mean
from workbench.engine.metrics.shift import draw_clouds, shift_between
from workbench.engine.models.parts import Parts, q_values
from workbench.engine.steering.noise import draw_noise
from workbench.engine.steering.protocol import Rule
from workbench.engine.steering.rules import make_rule
from workbench.engine.steering.run import act
from workbench.language.room import Room
from workbench.language.task import LanguageTask

STATES = 32  # prompts
DRAWS = 8  # sentences at each: 256 together
LABELS = (1000, 200)
SEEDS = range(20, 25)  # other proxies, prompts and noise than those by which the proxy's and VGF's settings were found
FILE = Path(__file__).parent / "table.json"


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


VGF = {"particles": 8, "ascent": "plain", "step_size": 0.3, "alpha": 0.05, "pick": "uniform"}
GRID: tuple[Strength, ...] = (
    Strength("bc", "", 0.0, {}),
    *(Strength("best_of_n", "particles", n, {}) for n in (2, 16)),
    *(Strength("qgf", "weight", w, {}) for w in (10.0, 30.0, 60.0, 120.0, 300.0, 1000.0, 3000.0)),
    *(Strength("qgf", "weight", w, {"particles": 8}) for w in (15.0, 35.0, 60.0)),
    *(Strength("vgf", "steps", n, VGF) for n in (4, 8, 12, 25)),
)


@dataclass(frozen=True)
class Row:
    """What 256 sentences of one rule at one strength were, with 95% intervals over seeds of the proxy.

    Attributes
    ----------
    rule, setting : str
    value : float
        The strength.
    others : dict
        The rule's further settings.
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
    others: dict[str, Any]
    labels: int
    network_evaluations: int
    proxy: Interval
    gold: Interval
    pay: Interval
    readable: Interval
    perplexity: Interval
    distinct: Interval
    shift: Interval

    @property
    def name(self) -> str:
        """The rule, with its particles where it is measured with several: "vgf ×8"."""
        particles = self.others.get("particles", 1)
        return self.rule if particles == 1 else f"{self.rule} ×{particles}"

    @property
    def strength(self) -> Strength:
        """What was measured."""
        return Strength(self.rule, self.setting, self.value, self.others)

    def as_dict(self) -> dict[str, Any]:
        """Plain types, ready for JSON."""
        return asdict(self)

    def numbers(self) -> tuple[Interval, ...]:
        """The measured numbers, as `NUMBERS` orders them."""
        return (self.proxy, self.gold, self.pay, self.readable, self.perplexity, self.distinct, self.shift)

    @classmethod
    def of(cls, found: dict[str, Any]) -> Row:
        """The row that `as_dict` wrote."""
        return cls(**(found | {name: Interval(**found[name]) for name in NUMBERS}))


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
            intervals = [bootstrap_mean(column) for column in values.T]
            yield Row(*strength, count, cost, *intervals), values
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


def seconds_of(room: Room, rule: Rule, parts: Parts, repeats: int = 3) -> float:
    """Seconds of this process's processor time that steering 256 sentences and spelling them takes, the median of ``repeats``."""
    generator, spent = torch.Generator().manual_seed(0), []
    codes = room.draw_prompts(STATES * DRAWS, generator)
    for _ in range(repeats):
        noise = draw_noise(len(codes), rule.particles, parts.action_dim, generator, rule.extra_draws())
        begun = time.process_time()
        room.spell(room.say(codes, act(rule, parts, codes, noise)))
        spent.append(time.process_time() - begun)
    return sorted(spent)[repeats // 2]


def distinct_pairs(sentences: Sequence[Sequence[str]]) -> float:
    """Different pairs of neighbouring words over all such pairs ("distinct-2")."""
    pairs = [pair for words in sentences for pair in pairwise(words)]
    return len(set(pairs)) / max(1, len(pairs))


@lru_cache(maxsize=1)
def shipped_table() -> tuple[Row, ...]:
    """The rows that ``workbench language table --keep`` measured last, beside this module; none for a room that is new."""
    if not FILE.is_file():
        return ()
    return tuple(Row.of(row) for row in json.loads(FILE.read_text(encoding="utf-8"))["rows"])


def as_markdown(rows: Sequence[Row]) -> str:
    """The table of docs/language.md: a line for each row, means with their 95% intervals."""
    lines = [
        "| labels | rule | strength | evaluations | proxy | gold | pay | readable | perplexity | distinct-2 | shift |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        digits = (2, 3, 3, 2, 0, 2, 2)
        cells = [f"{x.mean:.{n}f} ({x.low:.{n}f}, {x.high:.{n}f})" for x, n in zip(row.numbers(), digits, strict=True)]
        head = (str(row.labels), f"`{row.name}`", f"{row.value:g}", str(row.network_evaluations))
        lines.append(f"| {' | '.join((*head, *cells))} |")
    return "\n".join(lines)
