"""DSRL: steer the noise that the behaviour flow begins with; the flow itself is a black box."""

from typing import Any, ClassVar, Literal

from torch import Tensor

from workbench.engine.models.critic import Aggregate
from workbench.engine.models.parts import Parts, velocity_at
from workbench.engine.steering.protocol import Info, State, Unguided, setting


class DSRL(Unguided):
    r"""Diffusion Steering via Reinforcement Learning: a policy chooses where the flow begins.

    .. math:: a = \mathrm{flow}(s, z), \qquad z = c\, \tanh(m(s) + \sigma(s)\, \epsilon)

    Source: DSRL, arXiv 2506.15799 (methods_more.md, section 12). The bound c of the noise (``dsrl_scale``) is chosen in
    training. The flow is asked forwards alone, never for a derivative. Where training kept an average of the flow
    (``target_reference``) that one decodes, as published; ``decoder`` = "online" takes the flow itself. The published
    critic is ``td_actor`` with ``actor=dsrl``. Departures: see training/losses/noise_policy.py.

    Cost: T velocity evaluations and 1 noise-policy evaluation.
    """

    name: ClassVar[str] = "dsrl"
    title: ClassVar[str] = "DSRL"
    paper: ClassVar[str] = "DSRL, arXiv 2506.15799"
    equation: ClassVar[str] = r"a = \mathrm{flow}(s, z), \quad z = c\, \tanh(m(s) + \sigma(s)\, \epsilon)"
    needs: ClassVar[tuple[str, ...]] = ("reference", "noise_policy")
    strength: ClassVar[str] = "particles"
    trained_strength: ClassVar[str | None] = "dsrl_scale"
    bc_at: ClassVar[dict[str, Any] | None] = None

    critic: Literal["target", "online"] = setting("online", "the EMA target critic or the online one")
    pick_aggregate: Aggregate = setting("mean", "how the ensemble's members are combined for the pick")
    decoder: Literal["average", "online"] = setting("average", "the flow's EMA, where training kept one, or the flow")

    def ticks(self) -> int:
        """One for the noise, then T."""
        return 1 + self.flow_steps

    def step(self, parts: Parts, observations: Tensor, state: State) -> tuple[State, Info]:
        """Choose the noise, then an Euler step at a time."""
        if state.tick > 0:
            after, info = self.denoise(parts, state._replace(tick=state.tick - 1))
            return after._replace(tick=state.tick + 1), info
        chosen = parts.part("noise_policy")(state.rows, state.actions.flatten(0, 1)).view(state.actions.shape)
        seen = chosen + 0.0 * state.actions  # tanh makes ±1 of an infinite number, as a clip does
        info = Info(0.0, None, {"jump": chosen - state.actions}, unclipped=seen)
        return state._replace(actions=chosen, tick=1), info

    def velocity(self, parts: Parts, rows: Tensor, actions: Tensor, t: float) -> Tensor:
        """The decoding flow's velocity (B, N, D)."""
        average = self.decoder == "average" and "target_reference" in parts.available()
        flow = parts.part("target_reference") if average else parts.reference
        return velocity_at(flow, rows, actions.flatten(0, 1), t, self.until(t)).reshape(actions.shape)
