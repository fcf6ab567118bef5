"""The token table: proxy and perplexity before and after rounding, what is paid, and what it costs, by way and strength."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from workbench.engine.metrics.intervals import Interval, bootstrap_mean
from workbench.engine.models.parts import q_values
from workbench.language.networks import counted_words
from workbench.language.table import distinct_pairs
from workbench.language.text import PROMPT
from workbench.language.tokens.proxy import GAIN
from workbench.language.tokens.room import TokenRoom
from workbench.language.tokens.ways import FURTHER, PLAIN, Learned, Made, Way, learn

RESPONSES = 80  # a seed
SEEDS = tuple(range(5))
GRIDS: dict[int, tuple[Way, ...]] = {1000: (*PLAIN, *FURTHER), 200: PLAIN}  # by number of labels
FILE = Path(__file__).parent / "table.json"
DIGITS = {
    "changed": 2,
    "proxy_before": 2,
    "proxy_after": 2,
    "own_before": 0,
    "own_after": 0,
    "gold": 2,
    "pay": 3,
    "readable": 2,
    "perplexity": 0,
    "distinct": 2,
    "train_seconds": 1,
    "draw_seconds": 1,
}
NUMBERS = tuple(DIGITS)
HEADS = {
    "changed": "words changed",
    "proxy_before": "proxy before",
    "proxy_after": "after rounding",
    "own_before": "own perplexity before",
    "own_after": "after rounding",
    "distinct": "distinct-2",
    "train_seconds": "seconds of training",
    "draw_seconds": "of 100 responses",
}


@dataclass(frozen=True)
class TokenRow:
    """What a way at one strength gave, with 95% intervals over seeds.

    Attributes
    ----------
    labels : int
    way, setting : str
    value : float
        The strength.
    network_evaluations : int
        Per response.
    numbers : dict of str to Interval
        Share of words that rounding changed; the proxy's value of the matrices before and after rounding; the causal model's
        perplexity where it reads them before and after; of the words the judge's score, what is paid, the share that can be
        read, the judging model's perplexity and distinct-2; processor seconds of training and of 100 responses.
    """

    labels: int
    way: str
    setting: str
    value: float
    network_evaluations: int
    numbers: dict[str, Interval]

    def as_dict(self) -> dict[str, Any]:
        """Plain types, ready for JSON."""
        return asdict(self)

    @classmethod
    def of(cls, found: dict[str, Any]) -> TokenRow:
        """The row that `as_dict` wrote."""
        return cls(**(found | {"numbers": {name: Interval(**one) for name, one in found["numbers"].items()}}))


Found = tuple[TokenRow, np.ndarray]  # a row, and its numbers by seed (seeds, numbers)


def measure_ways(
    room: TokenRoom,
    labels: int,
    ways: Sequence[Way],
    seeds: Sequence[int] = SEEDS,
    tick: Callable[[int, int], None] = lambda done, total: None,
) -> Iterator[Found]:
    """Measure every way; each seed has labels, a proxy, prompts and noise of its own."""
    every = [learn(room, labels, seed) for seed in seeds]
    for done, way in enumerate(ways, 1):
        made = [_once(room, way, learned, seed) for learned, seed in zip(every, seeds, strict=True)]
        values = np.array([numbers for numbers, _ in made])
        intervals = dict(zip(NUMBERS, (bootstrap_mean(column) for column in values.T), strict=True))
        yield TokenRow(labels, way.name, way.setting, way.value, made[0][1], intervals), values
        tick(done, len(ways))


def _once(room: TokenRoom, way: Way, learned: Learned, seed: int) -> tuple[list[float], int]:
    generator = torch.Generator().manual_seed(10_000 + seed)
    observations = room.draw_prompts(RESPONSES, generator)
    made = way.make(room, learned, observations, generator)
    found = numbers_of(room, learned, observations, made)
    return [found[name] for name in NUMBERS], made.network_evaluations


def numbers_of(room: TokenRoom, learned: Learned, observations: Tensor, made: Made) -> dict[str, float]:
    """The numbers of one row, of one seed."""
    start, before, after = made.carried
    said, at_first = room.say(observations, after), room.say(observations, start)
    counts = counted_words(at_first) | counted_words(said)
    scored = room.room.score(said)

    def promised(matrices: Tensor) -> float:
        return float(q_values(learned.proxy, observations, matrices, "mean").mean()) / GAIN

    return {
        "changed": float(((said != at_first)[:, PROMPT:] & counts).sum() / counts.sum()),
        "proxy_before": promised(before),
        "proxy_after": promised(after),
        "own_before": float(room.own_surprise(observations, before).mean().exp()),
        "own_after": float(room.own_surprise(observations, after).mean().exp()),
        "gold": float(scored.gold.mean()),
        "pay": float(scored.pay.mean()),
        "readable": float(scored.readable.float().mean()),
        "perplexity": float(scored.surprise.mean().exp()),
        "distinct": distinct_pairs(room.room.spell(said)),
        "train_seconds": made.train_seconds,
        "draw_seconds": 100.0 * made.draw_seconds / len(observations),
    }


def comparisons(found: Sequence[Found]) -> list[dict[str, Any]]:
    """Each way at its best strength against best-of-N of at least as many evaluations, both paired over the seeds.

    A seed's strength is chosen on the other seeds, so that nobody is paid for luck. The rival is the smallest best-of-N of the
    table that costs no less than the strength that was chosen (the largest one, where all cost less).
    """
    pay = NUMBERS.index("pay")
    by: dict[tuple[int, str], list[tuple[TokenRow, np.ndarray]]] = {}
    for row, values in found:
        by.setdefault((row.labels, row.way), []).append((row, values[:, pay]))
    said = []
    for (labels, way), steps in by.items():
        rivals = sorted(by.get((labels, "best_of_n"), []), key=lambda one: one[0].network_evaluations)
        if way in ("bc", "best_of_n") or not rivals:
            continue
        paid = np.array([one for _, one in steps])  # (strengths, seeds)
        chosen = [int(np.delete(paid, seed, 1).mean(1).argmax()) for seed in range(paid.shape[1])]
        own, rival, sizes = [], [], []
        for seed, which in enumerate(chosen):
            cost = steps[which][0].network_evaluations
            row, other = next((one for one in rivals if one[0].network_evaluations >= cost), rivals[-1])
            own.append(float(paid[which, seed]))
            rival.append(float(other[seed]))
            sizes.append(int(row.value))
        mean, against = bootstrap_mean(np.array(own)), bootstrap_mean(np.array(rival))
        ahead = bootstrap_mean(np.array(own) - np.array(rival))
        strengths = sorted({steps[which][0].value for which in chosen})
        last = bootstrap_mean(np.array(own) - paid[-1])
        said.append(
            {
                "labels": labels,
                "way": way,
                "strengths": strengths,
                "pay": asdict(mean),
                "best_of": sorted(set(sizes)),
                "rival": asdict(against),
                "ahead": asdict(ahead),
                "fall": asdict(last),
                "rises": bool(paid.mean(1).argmax() == len(paid) - 1),
            }
        )
    return said


def sentence_of(said: dict[str, Any]) -> str:
    """A comparison in words."""

    def spell(one: dict[str, float]) -> str:
        return f"{one['mean']:.3f} ({one['low']:.3f}, {one['high']:.3f})"

    at = " or ".join(f"{value:g}" for value in said["strengths"])
    size = " or ".join(map(str, said["best_of"]))
    end = (
        "is still paid most at its last strength"
        if said["rises"]
        else f"falls by {spell(said['fall'])} to its last strength"
    )
    return (
        f"{said['way']}, {said['labels']} labels: at {at} paid {spell(said['pay'])}; best-of-{size} "
        f"{spell(said['rival'])}; ahead by {spell(said['ahead'])}; {end}"
    )


@lru_cache(maxsize=1)
def shipped_token_table() -> tuple[tuple[TokenRow, ...], tuple[dict[str, Any], ...]]:
    """Rows and comparisons that ``workbench language tokens --keep`` measured last."""
    kept = json.loads(FILE.read_text(encoding="utf-8"))
    return tuple(TokenRow.of(row) for row in kept["rows"]), tuple(kept["comparisons"])


def as_markdown(rows: Sequence[TokenRow]) -> str:
    """The table of docs/language.md: means, and for the pay its 95% interval."""
    heads = ("labels", "way", "strength", "evaluations", *(HEADS.get(name, name) for name in NUMBERS))
    lines = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    for row in rows:
        cells = [
            f"{one.mean:.{DIGITS[name]}f}" + (f" ({one.low:.3f}, {one.high:.3f})" if name == "pay" else "")
            for name, one in row.numbers.items()
        ]
        head = (str(row.labels), f"`{row.way}`", f"{row.value:g}", str(row.network_evaluations))
        lines.append(f"| {' | '.join((*head, *cells))} |")
    return "\n".join(lines)
