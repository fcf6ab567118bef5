"""The numbers under a stage: what the chosen actions earn, what the critic says, and how far from the data they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from workbench.engine.metrics.shift import sliced_wasserstein2
from workbench.engine.models.parts import Parts
from workbench.engine.steering.trace import Trace

NEIGHBOURS = 5
INSIDE = 0.95  # share of the behaviour's own samples that count as on the support
MODE_SHARE = 0.02  # a mode is covered when at least this share of the chosen actions is in it
CLOUD = 512


@dataclass(frozen=True)
class Numbers:
    """What is measured on one stage; rewards and Q in the task's units, distances in action units.

    Attributes
    ----------
    q : float
        Mean Q of the chosen actions (NaN without a critic).
    true_reward : float or None
        Mean true reward of the chosen actions, where the task knows it.
    shift : float
        Mean distance of the particles, before the pick, from where the behaviour flow takes the same noise.
    shift_error : float
        Standard error of ``shift`` over the noise: particles of one group move together, so the groups are what is counted.
        NaN for a single group.
    w2 : float
        Sliced Wasserstein-2 distance between the chosen actions and the behaviour flow's.
    budget : float
        Mean length of the pushes along a particle's way.
    support : float
        Share of the chosen actions that lie where the data are.
    covered, modes : float, int or None
        Modes of the data that the chosen actions still reach, of how many; where a task names no modes, ``modes`` is
        None and ``covered`` the share of the behaviour's samples that have a chosen action near.
    """

    q: float
    true_reward: float | None
    shift: float
    shift_error: float
    w2: float
    budget: float
    support: float
    covered: float
    modes: int | None


@dataclass(frozen=True)
class Support:
    """Where the behaviour's actions are: known in closed form, or seen from its own samples.

    Attributes
    ----------
    samples : Tensor
        (R, D), actions of the behaviour flow.
    radius : float
        The distance to the fifth nearest sample that 95% of the samples themselves keep.
    task : object or None
        Knows its support (``on_support``, ``behaviour.nearest_component``), or None.
    """

    samples: Tensor
    radius: float
    task: Any = None

    @classmethod
    def around(cls, samples: Tensor, task: Any) -> Support:
        """Of the behaviour's ``samples`` (R, D)."""
        cloud = samples[:CLOUD]
        if hasattr(task, "on_support"):
            return cls(cloud, 0.0, task)
        near = torch.cdist(cloud, cloud).topk(min(NEIGHBOURS + 1, len(cloud)), largest=False).values[:, -1]
        return cls(cloud, float(near.quantile(INSIDE)))

    def share(self, actions: Tensor) -> float:
        """Share of ``actions`` (M, D) on the support."""
        if self.task is not None:
            return float(self.task.on_support(actions).float().mean())
        near = torch.cdist(actions[:CLOUD], self.samples).topk(min(NEIGHBOURS, len(self.samples)), largest=False)
        return float((near.values[:, -1] <= self.radius).float().mean())

    def coverage(self, actions: Tensor) -> tuple[float, int | None]:
        """How much of the data's variety ``actions`` (M, D) still have: see `Numbers`."""
        if self.task is not None:
            which, _ = self.task.behaviour.nearest_component(actions)
            count = len(self.task.behaviour.means)
            held = torch.bincount(which[self.task.on_support(actions)], minlength=count) / len(actions)
            return float((held >= MODE_SHARE).sum()), count
        nearest = torch.cdist(self.samples, actions[:CLOUD]).amin(1)
        return float((nearest <= self.radius).float().mean()), None


def measure(trace: Trace, behaviour: Trace, parts: Parts, task: Any, support: Support) -> Numbers:
    """Measure one trace against the behaviour flow's trace of the same noise (which may hold more particles)."""
    rows, chosen = torch.arange(len(trace.picked)), trace.actions
    final = trace.positions[-1].flatten(0, 1)
    home = behaviour.positions[-1].flatten(0, 1)[: len(final)]
    groups = (final - home).norm(dim=-1).view(trace.positions.shape[1:3]).mean(1)
    q = float("nan") if trace.q is None else float(trace.q[rows, trace.picked].mean()) / parts.reward_scale
    truth = getattr(task, "true_reward", None)
    covered, modes = support.coverage(chosen)
    return Numbers(
        q=q,
        true_reward=None if truth is None else float(torch.as_tensor(truth(chosen)).mean()),
        shift=float(groups.mean()),
        shift_error=float(groups.std() / len(groups) ** 0.5) if len(groups) > 1 else float("nan"),
        w2=0.0
        if trace is behaviour
        else sliced_wasserstein2(chosen.double().numpy(), behaviour.actions[: len(final)].double().numpy()),
        budget=float(trace.budget.mean()),
        support=support.share(chosen),
        covered=covered,
        modes=modes,
    )
