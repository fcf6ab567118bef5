"""What may be claimed from the table: a strength is chosen on some proxies and judged on one that had no say.

The strength that pays most in a table was picked because it came out high, so that its own number flatters it. Here each
proxy is left out once: the others choose the strength, and it alone says what that pays (`workbench suite` does the same).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import bootstrap

from workbench.engine.metrics.intervals import RESAMPLES, Interval, bootstrap_mean
from workbench.language.table import NUMBERS, Row

RIVAL = 16  # particles of the best-of-N that a rule is compared with, at no higher cost
PAY = NUMBERS.index("pay")


class Step(NamedTuple):
    """One strength of a rule: its value, its network evaluations, and what was paid with each proxy (P,)."""

    value: float
    evaluations: int
    paid: np.ndarray


@dataclass(frozen=True)
class Claim:
    """A rule with one number of labels, at a strength that other proxies chose.

    Attributes
    ----------
    rule : str
    labels : int
    strength : float
        What was chosen most often.
    pay : Interval
        What the chosen strength pays the proxy that was left out.
    over_best_of_16 : Interval
        That over what best-of-16 pays, among strengths that cost no more than it; a ratio of means.
    rise, fall : float
        Standard errors from the behaviour policy up to the chosen strength, and from there down to the last one.
    """

    rule: str
    labels: int
    strength: float
    pay: Interval
    over_best_of_16: Interval
    rise: float
    fall: float

    def as_dict(self) -> dict[str, Any]:
        """Plain types, ready for JSON, with the `text`."""
        return asdict(self) | {"text": self.text}

    @property
    def text(self) -> str:
        """The claim as one line."""
        ratio, pay = self.over_best_of_16, self.pay
        return (
            f"{self.rule}, {self.labels} labels: chosen on the other proxies (mostly {self.strength:g}) pays {pay.mean:.3f} "
            f"({pay.low:.3f}, {pay.high:.3f}); at no higher cost {ratio.mean:.2f} ({ratio.low:.2f}, {ratio.high:.2f}) times "
            f"best-of-16; rises by {self.rise:.1f} standard errors, falls by {self.fall:.1f} to the last strength"
        )


def claims(found: Sequence[tuple[Row, np.ndarray]]) -> list[Claim]:
    """One claim for each rule that has strengths, and each number of labels, from what `measure_table` gave."""
    by: dict[tuple[str, int], list[Step]] = {}
    for row, values in found:
        name = row.rule if row.rule == "best_of_n" else row.name
        by.setdefault((name, row.labels), []).append(Step(row.value, row.network_evaluations, values[:, PAY]))
    said = []
    for (rule, labels), steps in by.items():
        if rule in ("bc", "best_of_n"):
            continue
        rival = next(step for step in by["best_of_n", labels] if step.value == RIVAL)
        paid, strengths = held_out(steps)
        cheap = [step for step in steps if step.evaluations <= rival.evaluations]
        ratio = ratio_of(held_out(cheap)[0], rival.paid) if cheap else Interval(*[float("nan")] * 3)
        said.append(
            Claim(
                rule,
                labels,
                Counter(strengths).most_common(1)[0][0],
                bootstrap_mean(paid),
                ratio,
                errors(paid - by["bc", labels][0].paid),
                errors(paid - steps[-1].paid),
            )
        )
    return said


def held_out(steps: Sequence[Step]) -> tuple[np.ndarray, list[float]]:
    """What each proxy (P,) is paid at the strength that pays the others most, and these strengths."""
    paid = np.stack([step.paid for step in steps])  # (strengths, P)
    others = paid.sum(1, keepdims=True) - paid
    best = others.argmax(0)
    return paid[best, np.arange(paid.shape[1])], [steps[which].value for which in best]


def ratio_of(above: np.ndarray, below: np.ndarray) -> Interval:
    """The mean of ``above`` (P,) over that of ``below`` (P,), with a 95% bootstrap interval over the pairs."""
    mean = float(above.mean() / below.mean())
    if np.ptp(above) == 0.0 == np.ptp(below):
        return Interval(mean, mean, mean)

    def ratio(a: np.ndarray, b: np.ndarray, axis: int) -> np.ndarray:
        found: np.ndarray = a.mean(axis) / b.mean(axis)
        return found

    made = bootstrap(
        (above, below),
        ratio,
        paired=True,
        vectorized=True,
        n_resamples=RESAMPLES,
        method="percentile",
        rng=np.random.default_rng(0),
    ).confidence_interval
    return Interval(mean, float(made.low), float(made.high))


def errors(change: np.ndarray) -> float:
    """The mean of ``change`` (P,) in its standard errors."""
    return float(change.mean() / max(float(change.std(ddof=1)) / len(change) ** 0.5, 1e-9))
