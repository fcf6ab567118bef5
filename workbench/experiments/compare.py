"""Runs side by side: the settings in which they differ, what was measured, and the paired difference of their returns."""

from __future__ import annotations

from typing import Any

import numpy as np

from workbench.engine.glossary import numbers_of
from workbench.engine.metrics.intervals import bootstrap_mean
from workbench.experiments.reading import is_offline
from workbench.experiments.store import Store, StoreError


def compare(store: Store, keys: list[str]) -> list[dict[str, Any]]:
    """One entry for each run: ``told`` (settings in which the runs differ), ``measured``, and ``difference``.

    ``difference`` is the mean of return − return of the first run, episode by episode, with its interval; None for the
    first run, and where the two did not meet the same starts and noise (another task, seed or number of episodes).

    Raises
    ------
    StoreError
        A run has no result, or fewer than two are whole: damaged ones are left out.
    """
    whole, damaged = store.measured(dict.fromkeys(keys))
    for key in keys:
        if key not in damaged and all(result["key"] != key for result, _ in whole):
            raise StoreError(f"run {key[:8]} has no result yet; compare those that are done")
    if not keys:
        raise StoreError("compare takes two runs or more, got none")
    if damaged and len(whole) < 2:
        raise next(iter(damaged.values()))
    results = {result["key"]: result for result, _ in whole}
    episodes = {
        result["key"]: played["report.values" if is_offline(result) else "report.returns"] for result, played in whole
    }
    told = {key: _told(result["job"]) for key, result in results.items()}
    differing = [
        name
        for name in dict.fromkeys(name for settings in told.values() for name in settings)
        if len({repr(settings.get(name)) for settings in told.values()}) > 1
    ]
    first = next(iter(results))
    entries = []
    for key, result in results.items():
        report = result["report"]
        entries.append(
            {
                "key": key,
                "rule": result["job"]["rule"],
                "told": {name: told[key].get(name) for name in differing if name != "rule"},
                "measured": numbers_of(report),
                "difference": _difference(episodes, results, first, key),
            }
        )
    return entries


def _told(job: dict[str, Any]) -> dict[str, Any]:
    training = {f"fit.{name}": value for name, value in job["training"].items()}
    rest = {name: job[name] for name in ("task", "rule", "seed", "episodes")}
    return {**rest, "data": job["data"]["fingerprint"], **job["settings"], **training}


def _difference(
    episodes: dict[str, np.ndarray], results: dict[str, Any], first: str, key: str
) -> dict[str, float] | None:
    same = all(results[first]["job"][name] == results[key]["job"][name] for name in ("task", "seed", "episodes"))
    if key == first or not same or episodes[key].shape != episodes[first].shape:
        return None
    return bootstrap_mean(episodes[key] - episodes[first], seed=0).as_dict()
