"""A rule measured without an environment: what `evaluate_offline` says, and its value by fitted-Q evaluation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from workbench.engine.data.transitions import Transitions
from workbench.engine.metrics.intervals import bootstrap_mean
from workbench.engine.metrics.offline import OfflineEvaluation, evaluate_offline
from workbench.engine.models.parts import Parts
from workbench.engine.steering.protocol import Rule
from workbench.engine.training.loop.fqe import FQEConfig, fitted_q_values

STEPS = 1000  # of a progress bar
IN_SUPPORT = (
    0.5  # least share of a strength's actions that must be like the data's: of others no dataset tells the worth
)


def measure_offline(
    rule: Rule,
    parts: Parts,
    task: str,
    seed: int,
    data: Transitions,
    *,
    hidden: tuple[int, ...] = (64, 64),
    tick: Callable[[int, int], None] | None = None,
) -> tuple[OfflineEvaluation, np.ndarray]:
    """Measure a rule from data alone.

    Parameters
    ----------
    rule, parts, task, seed, data
        As `evaluate_offline`.
    hidden : tuple of int
        Widths of the critic that judges.
    tick : callable, optional
        ``tick(done, total)`` while it learns.

    Returns
    -------
    (OfflineEvaluation, ndarray)
        With ``fitted_q``; and the value from each of the data's starts, (S,), task units. Rules that are measured with the same
        seed meet the same minibatches, starts and noise.
    """
    work = fitted_q_values([rule], parts, data, FQEConfig(hidden=hidden, seed=seed))
    while True:
        try:
            share = next(work)
        except StopIteration as end:
            values: np.ndarray = end.value[0]
            break
        if tick is not None:
            tick(int(STEPS * share), STEPS)
    found = evaluate_offline(rule, parts, task, seed, data)
    return replace(found, fitted_q=bootstrap_mean(values, seed)), values
