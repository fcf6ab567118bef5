"""Coverage: which of a task's known modes a policy still uses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Coverage:
    """Use of the modes.

    Attributes
    ----------
    shares : dict of str to float
        Share of the episodes in each mode; what is missing to 1 took none of them.
    effective : float
        How many modes are in use: exp of the entropy of the shares among the episodes that took one. 1 for one mode alone, M for
        all M alike, 0 where none was taken. Steering that pays by giving up modes shows here.
    """

    shares: dict[str, float]
    effective: float


def measure_coverage(names: tuple[str, ...], modes: np.ndarray) -> Coverage:
    """Count ``modes`` (E,), indices into ``names`` or -1 for none."""
    counts = np.array([(modes == i).sum() for i in range(len(names))], dtype=np.float64)
    shares = dict(zip(names, (counts / len(modes)).tolist(), strict=True))
    if counts.sum() == 0:
        return Coverage(shares, 0.0)
    p = counts[counts > 0] / counts.sum()
    return Coverage(shares, float(np.exp(-(p * np.log(p)).sum())))
