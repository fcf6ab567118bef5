"""Bootstrap intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import bootstrap

RESAMPLES = 2000


@dataclass(frozen=True)
class Interval:
    """A mean with its 95% percentile bootstrap interval, in the unit of the data."""

    mean: float
    low: float
    high: float

    def as_dict(self) -> dict[str, float]:
        """``{"mean": …, "low": …, "high": …}``."""
        return {"mean": self.mean, "low": self.low, "high": self.high}


def bootstrap_mean(values: np.ndarray, seed: int = 0, level: float = 0.95) -> Interval:
    """Mean of ``values`` (E,) with a percentile bootstrap interval over its entries (methods.md, section 7).

    Raises
    ------
    ValueError
        Empty input.
    """
    values = np.asarray(values, dtype=np.float64)
    if values.size == 0:
        raise ValueError("no values to average: at least one episode is needed")
    mean = float(values.mean())
    if values.size == 1 or np.ptp(values) == 0.0:
        return Interval(mean, mean, mean)
    rng = np.random.default_rng(seed)
    result = bootstrap(
        (values,), np.mean, n_resamples=RESAMPLES, confidence_level=level, method="percentile", rng=rng, batch=100
    )
    return Interval(mean, float(result.confidence_interval.low), float(result.confidence_interval.high))
