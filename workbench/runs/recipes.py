"""Recipes: methods that are a way of training and a steering rule together, by name, as plain settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from workbench.engine.settings import nearest
from workbench.engine.words import UserError


@dataclass(frozen=True)
class Recipe:
    """One method: what it is trained with, and the rule that plays it.

    Attributes
    ----------
    title, paper, summary : str
    training : mapping
        Training settings that differ from the task's own; what the caller sets besides wins over them.
    rule : str
    settings : mapping
        The rule's settings that differ from its defaults.
    """

    title: str
    paper: str
    summary: str
    training: Mapping[str, Any]
    rule: str
    settings: Mapping[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """Plain types, ready for JSON."""
        return asdict(self)

    def beside(self, rules: tuple[str, ...], given: Mapping[str, Any]) -> tuple[tuple[str, ...], dict[str, Any]]:
        """The rules and training settings where ``rules`` are wanted too, and settings are ``given`` that win."""
        return tuple(dict.fromkeys((self.rule, *rules))), {**self.training, **given}

    def flags(self) -> str:
        """The rule as flags of ``workbench evaluate``."""
        settings = " ".join(f"{name}={value}" for name, value in self.settings.items())
        return f"--rule {self.rule}" + (f" --set {settings}" if settings else "")


_ONLINE = {"critic": "online"}
_ONLINE_MEAN = {**_ONLINE, "pick_aggregate": "mean"}
RECIPES: dict[str, Recipe] = {
    "q_chunking": Recipe(
        "Q-chunking (QC)",
        "Q-chunking, arXiv 2507.07969",
        "a critic of chunks of 5 actions, with the reward inside a chunk as its n-step return, and best-of-32 over chunks, "
        "in the backup and in acting",
        {
            "critic": "td_actor",
            "chunk": 5,
            "actor": "best_of_n",
            "actor_settings": {"particles": 32, **_ONLINE_MEAN},
            "target_aggregate": "mean",
        },
        "best_of_n",
        {"particles": 32, **_ONLINE_MEAN},
    ),
    "q_chunking_fql": Recipe(
        "Q-chunking with FQL (QC-FQL)",
        "Q-chunking, arXiv 2507.07969",
        "the same critic of chunks with the one-step policy of FQL in place of best-of-32",
        {
            "critic": "td_actor",
            "chunk": 5,
            "actor": "fql",
            "fql_alpha": 100.0,
            "normalize_q": False,
            "target_aggregate": "mean",
        },
        "fql",
        {},
    ),
    "dqc": Recipe(
        "Decoupled Q-chunking (DQC)",
        "DQC, arXiv 2512.10926",
        "a critic of chunks of 25 actions teaches one of chunks of 5, and the best of 32 of the flow's short chunks is played; "
        "for long goal-conditioned tasks",
        {"critic": "dqc", "chunk": 5, "dqc_chunk": 25, "dqc_distillation": 0.8, "dqc_backup": 0.9},
        "best_of_n",
        {"particles": 32, **_ONLINE},
    ),
    "floq": Recipe(
        "floq",
        "floq, arXiv 2509.06863",
        "a critic that is a flow of values, backed up through FQL's one-step policy, which plays",
        {"critic": "floq", "actor": "fql", "target_aggregate": "mean", "normalize_q": False},
        "fql",
        {},
    ),
    "qgf_paper": Recipe(
        "QGF as in its paper's runs",
        "QGF, arXiv 2606.11087",
        "IQL and a flow of chunks of 5 actions, in networks of 4 x 1024, discount 0.999; choose the weight afterwards",
        {"critic": "iql", "chunk": 5, "hidden": (1024,) * 4, "batch_size": 1024, "discount": 0.999, "steps": 500_000},
        "qgf",
        {"weight": 0.04},
    ),
}
"""Every recipe by its name."""


def find_recipe(name: str) -> Recipe:
    """The recipe ``name``; UserError names the nearest one when there is none."""
    if name not in RECIPES:
        known = list(RECIPES)
        raise UserError(f"no recipe named '{name}'{nearest(name, known)} Known recipes: {', '.join(known)}")
    return RECIPES[name]
