"""Runs side by side: what they were told differently, what they measured, and the paired difference of their returns."""

from __future__ import annotations

from typing import Any

from workbench.engine.glossary import numbers_of
from workbench.engine.metrics.intervals import bootstrap_mean
from workbench.experiments.store import Store, StoreError


def compare(store: Store, keys: list[str]) -> list[dict[str, Any]]:
    """One entry for each run: ``told`` (settings in which the runs differ), ``measured``, and ``difference``.

    ``difference`` is the mean of return − return of the first run, episode by episode, with its interval; None for the
    first run, and where the two did not meet the same starts and noise (another task, seed or number of episodes).

    Raises
    ------
    StoreError
        A run has no result.
    """
    results = {}
    for key in dict.fromkeys(keys):
        result = store.result(key)
        if result is None:
            raise StoreError(f"run {key[:8]} has no result yet; compare those that are done")
        results[key] = result
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
                "difference": _difference(store, results, first, key),
            }
        )
    return entries


def _told(job: dict[str, Any]) -> dict[str, Any]:
    training = {f"fit.{name}": value for name, value in job["training"].items()}
    rest = {name: job[name] for name in ("task", "rule", "seed", "episodes")}
    return rest | {"data": job["data"]["fingerprint"]} | job["settings"] | training


def _difference(store: Store, results: dict[str, Any], first: str, key: str) -> dict[str, float] | None:
    same = all(results[first]["job"][name] == results[key]["job"][name] for name in ("task", "seed", "episodes"))
    if key == first or not same:
        return None
    returns = [store.episodes(run)["report.returns"] for run in (key, first)]
    return bootstrap_mean(returns[0] - returns[1], seed=0).as_dict()
