"""The workbench for value-guided flow policies: the names that a notebook needs.

They are loaded on first use, so that ``import workbench`` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOMES = {
    "RULES": "workbench.engine.steering.rules",
    "make_rule": "workbench.engine.steering.rules",
    "act": "workbench.engine.steering.run",
    "steer": "workbench.engine.steering.run",
    "draw_noise": "workbench.engine.steering.noise",
    "AfterFlow": "workbench.engine.steering.protocol",
    "DuringFlow": "workbench.engine.steering.protocol",
    "Parts": "workbench.engine.models.parts",
    "check_parts": "workbench.engine.models.check",
    "load_published": "workbench.engine.models.published",
    "TASKS": "workbench.engine.tasks.registry",
    "make_task": "workbench.engine.tasks.registry",
    "WideBandit": "workbench.engine.tasks.wide_bandit",
    "evaluate": "workbench.engine.metrics.evaluate",
    "wasserstein2": "workbench.engine.metrics.shift",
    "rollout": "workbench.engine.tasks.rollout",
    "td_target": "workbench.engine.training.losses.iql",
    "load_run": "workbench.engine.training.loop.checkpoint",
    "quick_parts": "workbench.engine.training.loop.quick",
    "train": "workbench.runs.train",
    "flow_matching_loss": "workbench.engine.training.losses.flow_matching",
    "expectile_loss": "workbench.engine.training.losses.iql",
    "mmd_against_theory": "workbench.engine.metrics.mmd",
    "Grid": "workbench.experiments.grid",
    "Processes": "workbench.experiments.processes",
    "Store": "workbench.experiments.store",
    "curves": "workbench.experiments.summary",
    "sweep": "workbench.experiments.sweep",
    "write_report": "workbench.report.page",
}
_ROOMS = (
    "adapt",
    "course",
)  # whole rooms: wb.course.check(...)
__all__ = sorted((*_HOMES, *_ROOMS))
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return importlib.import_module(f"workbench.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'workbench' has no attribute '{name}'; it has {', '.join(__all__)}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
