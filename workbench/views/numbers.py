"""The numbers under a stage: what the chosen actions earn, what the critic promises, how far from the data they are."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from workbench.engine.metrics.shift import compared, shift_distance, twins
from workbench.engine.models.parts import Parts
from workbench.engine.steering.protocol import Rule
from workbench.engine.steering.trace import Trace
from workbench.engine.tasks.abilities import HasTruth, KnowsSupport
from workbench.engine.tasks.protocol import Task

NEIGHBOURS = 5
INSIDE = 0.95  # share of the behaviour's own samples that count as near each other
MODE_SHARE = 0.02  # a mode is covered when at least this share of the chosen actions is in it
CLOUD = 512
COMPARED = 128  # chosen actions of an exact distance: a picture every 50 ms


@dataclass(frozen=True)
class Numbers:
    """What is measured on one stage, at the state that is shown; `workbench.engine.glossary` (``state.…``) says what each is.

    Attributes
    ----------
    promised : float
        NaN without a critic.
    earned, gap : float or None
        None where the task does not know the true reward.
    gap_error : float or None
        Half of the gap's 95% interval over the chosen actions; NaN for a single one.
    transport : float
    displacement : float
    displacement_error : float
        Its standard error over the noise: particles of one group move together, so the groups are what is counted.
        NaN for a single group.
    shift, shift_floor : float
        Of at most 128 chosen actions.
    support : float or None
        None where the data are not at hand.
    covered, modes : float, int or None
        Modes of the data that the chosen actions still reach, of how many; where a task names no modes, ``modes`` is
        None and ``covered`` the share of the behaviour's samples that have a chosen action near.
    """

    promised: float
    earned: float | None
    gap: float | None
    transport: float
    displacement: float
    displacement_error: float
    shift: float
    shift_floor: float
    support: float | None
    covered: float
    modes: int | None
    gap_error: float | None = None

    def as_dict(self) -> dict[str, float | None]:
        """The numbers by their keys in the glossary."""
        found: dict[str, float | None] = {
            f"state.{name}": getattr(self, name)
            for name in ("promised", "earned", "gap", "transport", "displacement", "shift", "support")
        }
        return found | {"state.modes" if self.modes is not None else "state.coverage": self.covered}


@dataclass(frozen=True)
class Variety:
    """The behaviour's actions at the state: known in closed form, or seen from its own samples.

    Attributes
    ----------
    samples : Tensor
        (R, D), actions of the behaviour flow.
    radius : float
        The distance to the fifth nearest sample that 95% of the samples themselves keep.
    task : KnowsSupport or None
        One that knows the modes of its data, or None.
    """

    samples: Tensor
    radius: float
    task: KnowsSupport | None = None

    @classmethod
    def around(cls, samples: Tensor, task: Task | None) -> Variety:
        """Of the behaviour's ``samples`` (R, D)."""
        cloud = samples[:CLOUD]
        if isinstance(task, KnowsSupport):
            return cls(cloud, 0.0, task)
        near = torch.cdist(cloud, cloud).topk(min(NEIGHBOURS + 1, len(cloud)), largest=False).values[:, -1]
        return cls(cloud, float(near.quantile(INSIDE)))

    def coverage(self, actions: Tensor) -> tuple[float, int | None]:
        """How much of the data's variety ``actions`` (M, D) still have: see `Numbers`."""
        if self.task is not None:
            which, _ = self.task.behaviour.nearest_component(actions)
            count = len(self.task.behaviour.means)
            held = torch.bincount(which[self.task.on_support(actions)], minlength=count) / len(actions)
            return float((held >= MODE_SHARE).sum()), count
        nearest = torch.cdist(self.samples, actions[:CLOUD]).amin(1)
        return float((nearest <= self.radius).float().mean()), None


def measure(
    trace: Trace, behaviour: Trace, rule: Rule, choice: Tensor, parts: Parts, task: Task | None, variety: Variety
) -> Numbers:
    """Measure one trace against the behaviour flow's trace of the same noise.

    Parameters
    ----------
    trace : Trace
        (B groups, N particles) at one state.
    behaviour : Trace
        At least B·N samples of one particle each, the same noise in the same order.
    rule : Rule
        That of ``trace``.
    choice : Tensor
        (B, N), the noise of a uniform pick.
    parts, task, variety
    """
    rows, chosen = torch.arange(len(trace.picked)), trace.actions
    final = trace.positions[-1]
    home = behaviour.positions[-1].flatten(0, 1)[: final.shape[0] * final.shape[1]].view_as(final)
    moved = (final - home).norm(dim=-1)
    moved = moved.mean(1) if trace.kept is None else moved[trace.kept].view(len(moved), -1).mean(1)
    beside, other = compared(rule, home, choice)
    clouds = [cloud[None, :COMPARED] for cloud in (chosen, beside, other)]
    shift, floor = shift_distance(clouds[0], clouds[1], None if twins(rule) else clouds[2])
    q = float("nan") if trace.q is None else float(trace.q[rows, trace.picked].mean()) / parts.reward_scale
    reward = None
    if task is not None and isinstance(task, HasTruth):
        reward = torch.as_tensor(task.true_reward(chosen)).flatten()
    earned = None if reward is None else float(reward.mean())
    covered, modes = variety.coverage(chosen)
    return Numbers(
        promised=q,
        earned=earned,
        gap=None if earned is None else q - earned,
        transport=float(trace.of_kept(trace.transport).mean()),
        displacement=float(moved.mean()),
        displacement_error=float(moved.std() / len(moved) ** 0.5) if len(moved) > 1 else float("nan"),
        shift=shift.mean,
        shift_floor=floor,
        support=_support(trace, chosen, parts),
        covered=covered,
        modes=modes,
        gap_error=None if reward is None else _half_interval(trace, reward, parts),
    )


def _half_interval(trace: Trace, reward: Tensor, parts: Parts) -> float:
    """Half of the 95% interval of promised minus earned, over the chosen actions."""
    if trace.q is None or len(reward) < 2:
        return float("nan")
    chosen = trace.q[torch.arange(len(trace.picked)), trace.picked] / parts.reward_scale
    return float(1.96 * (chosen - reward.to(chosen)).std() / len(reward) ** 0.5)


def _support(trace: Trace, chosen: Tensor, parts: Parts) -> float | None:
    if parts.data is None:
        return None
    first = chosen[None, :CLOUD, : parts.step_dim]
    inside: float = parts.data.measure(trace.observations[:1].numpy(), first.numpy()).inside
    return inside
