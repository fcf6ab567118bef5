"""Classifier-free guidance: no critic's gradient, but a flow that can be asked for better than average."""

from typing import ClassVar, Literal

import torch
from torch import Tensor

from workbench.engine.models.parts import Parts, velocity_at
from workbench.engine.steering.protocol import DuringFlow, setting


class CFGRL(DuringFlow):
    r"""Classifier-free guidance by optimality: extrapolate from the flow of all actions towards that of the better ones.

    .. math:: a \leftarrow a + \delta\,\big(v + w\,(v_c - v_u)\big), \qquad v_c = v(s, a, t, o{=}1),\ v_u = v(s, a, t, o{=}0)

    Source: CFGRL, arXiv 2505.23458 (methods.md, section 5). Departures: the published rule is v_u + w (v_c - v_u), both by the
    conditioned network; at w = 0 it would be v_u, a second network's idea of the same behaviour flow. With ``base`` =
    "reference" the push is added to the behaviour flow that every rule shares, so that w = 0 is ``bc`` exactly; with
    "own" the rule is the published one for every w > 0, and w = 0 is still ``bc``.

    Cost: T velocity evaluations and 2 T conditioned-flow evaluations.
    """

    name: ClassVar[str] = "cfgrl"
    title: ClassVar[str] = "CFGRL"
    paper: ClassVar[str] = "CFGRL, arXiv 2505.23458"
    equation: ClassVar[str] = r"a \leftarrow a + \delta\,(v + w\,(v_c - v_u))"
    needs: ClassVar[tuple[str, ...]] = ("reference", "conditioned_flow")

    weight: float = setting(
        1.0, "how far towards the better actions: w = 1 is their own flow", low=0.0, high=100.0, log=True
    )
    base: Literal["reference", "own"] = setting("reference", "whose velocity the push is added to: bc's, or v_u")

    def flows(self) -> tuple[str, ...]:
        """Both: what is added up are velocities of the two."""
        return (*super().flows(), "conditioned_flow")

    def guidance(
        self, parts: Parts, rows: Tensor, actions: Tensor, velocity: Tensor, t: float
    ) -> tuple[Tensor, None, None]:
        """v_c - v_u."""
        better, plain = (self._told(parts, rows, actions, t, label) for label in (1.0, 0.0))
        away = (plain - velocity) / self.weight if self.base == "own" else 0.0
        return better - plain + away, None, None

    def _told(self, parts: Parts, rows: Tensor, actions: Tensor, t: float, label: float) -> Tensor:
        labelled = torch.cat((rows, torch.full_like(rows[:, :1], label)), 1)
        return velocity_at(parts.part("conditioned_flow"), labelled, actions.flatten(0, 1), t).view(actions.shape)
