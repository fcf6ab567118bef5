"""What can be said of a rule from data alone: how far its actions shift, whether the data know them, what the critic promises."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from workbench.engine.data.transitions import Transitions
from workbench.engine.glossary import VERSION
from workbench.engine.inference import outside_inference_mode
from workbench.engine.metrics.cost import network_evaluations
from workbench.engine.metrics.evaluate import SHIFT_DRAWS, SHIFT_STATES, support_of
from workbench.engine.metrics.importance import Importance, weigh
from workbench.engine.metrics.intervals import Interval, bootstrap_mean
from workbench.engine.metrics.shift import Shift, draw_clouds, shift_between
from workbench.engine.metrics.support import DataSupport, Support
from workbench.engine.models.parts import Parts, q_values
from workbench.engine.steering.noise import draw_noise
from workbench.engine.steering.protocol import Rule
from workbench.engine.steering.run import act
from workbench.engine.words import UserError

STARTS = 1024  # first states that are looked at


@dataclass(frozen=True)
class OfflineEvaluation:
    """Numbers of a rule that need no environment; there is no return among them.

    Attributes
    ----------
    task, rule : str
    settings : dict
    seed : int
    promised : Interval or None
        The critic's value of the actions that the rule chooses where the episodes of the data start, in task
        units; None without a critic.
    fitted_q : Interval or None
        The value of following the rule from there, by fitted-Q evaluation (`workbench.experiments.offline`).
    importance : Importance or None
        The same by weighting the data's own episodes, and how many carry it; None for action chunks.
    transport : float
    shift : Shift
    support : Support
    states : int
    network_evaluations : int
    """

    task: str
    rule: str
    settings: dict[str, Any]
    seed: int
    promised: Interval | None
    fitted_q: Interval | None
    importance: Importance | None
    transport: float
    shift: Shift
    support: Support
    states: int
    network_evaluations: int

    def as_dict(self) -> dict[str, Any]:
        """Plain types, ready for JSON; the numbers by their keys in the glossary. ``return`` is null."""
        return {
            "version": VERSION,
            "task": self.task,
            "rule": self.rule,
            "settings": self.settings,
            "seed": self.seed,
            "return": None,
            "promised": None if self.promised is None else self.promised.as_dict(),
            "fitted_q": None if self.fitted_q is None else self.fitted_q.as_dict(),
            "importance": None if self.importance is None else self.importance.as_dict(),
            "transport": self.transport,
            "shift": self.shift.as_dict(),
            "support": asdict(self.support),
            "states": {"from": "dataset", "count": self.states},
            "network_evaluations": self.network_evaluations,
        }


@outside_inference_mode
def evaluate_offline(rule: Rule, parts: Parts, task: str, seed: int, data: Transitions) -> OfflineEvaluation:
    """Measure what needs no episode.

    Parameters
    ----------
    rule : Rule
    parts : Parts
        Of a run, which brings the behaviour states of its dataset; ``parts.data`` is asked for support where it is there.
    task : str
        Its name.
    seed : int
        Fixes the noise.
    data : Transitions
        The dataset that the parts were trained on.

    Raises
    ------
    ValueError
        The parts bring no states of a dataset, or a part that the rule needs is missing.
    """
    if parts.behaviour_states is None:
        raise UserError(
            "these parts bring no states of a dataset; give Parts(behaviour_states=...), (64, S) rows of your data"
        )
    rows = parts.behaviour_states.to(parts.device)[:SHIFT_STATES]
    clouds = draw_clouds(rule, parts, rows, SHIFT_DRAWS, torch.Generator(rows.device).manual_seed(seed))
    starts = torch.from_numpy(_starts(data)).to(parts.device)
    return OfflineEvaluation(
        task=task,
        rule=rule.name,
        settings=rule.model_dump(),
        seed=seed,
        promised=None if parts.critic is None else bootstrap_mean(_promised(rule, parts, starts, seed), seed),
        fitted_q=None,
        importance=weigh(rule, parts, data, seed),
        transport=clouds.transport,
        shift=shift_between(clouds, rule, parts, rows, seed),
        support=support_of(clouds, parts.data or DataSupport(data), parts, rows),
        states=len(rows),
        network_evaluations=network_evaluations(rule, parts, rows[0]),
    )


def _starts(data: Transitions) -> np.ndarray:
    """First states of the data's episodes, (E, S), evenly spread over them where there are many."""
    first = np.flatnonzero(np.append(1.0, data.ends[:-1]))
    spread = np.linspace(0, len(first) - 1, min(len(first), STARTS)).round().astype(int)
    return np.asarray(data.observations[first[spread]])


@torch.no_grad()
def _promised(rule: Rule, parts: Parts, starts: torch.Tensor, seed: int) -> np.ndarray:
    """The critic's value of one action at each start, (E,), in task units."""
    generator = torch.Generator(starts.device).manual_seed(seed)
    noise = draw_noise(len(starts), rule.particles, parts.action_dim, generator, rule.extra_draws())
    chosen = act(rule, parts, starts, noise)
    q = q_values(parts.pick_critic(rule.critic), parts.normalize(starts), chosen, rule.pick_aggregate)
    return (q / parts.reward_scale).cpu().numpy().astype(np.float64)
