"""Policies that are a diffusion of their own, steered in training: noise is taken back step by step."""

from __future__ import annotations

from typing import Any, ClassVar

from torch import Tensor

from workbench.engine.models.diffusion import Schedule, kept, step_back
from workbench.engine.models.parts import Parts
from workbench.engine.steering.protocol import Info, Rule, State, setting


class TrainedDiffusion(Rule):
    """The part ``field``_actor predicts the noise in the action; ``flow_steps`` T times it is taken out and a little put back.

    Source: methods_more.md, section 14. The published codes leave both clips out by default, and then actions explode: a
    small error of the estimate is divided by the little that is kept of the action at the first steps.
    """

    strength: ClassVar[str] = "particles"
    bc_at: ClassVar[dict[str, Any] | None] = None
    field: ClassVar[str]

    schedule: Schedule = setting("vp", "how the share of noise grows from step to step, as in training")
    clip_before: bool = setting(True, "clip the clean action that is seen at each step (published: not)")
    clip_after: bool = setting(True, "clip the action after each step (published: not)")

    def flows(self) -> tuple[str, ...]:
        """None: what is predicted is noise, at every step with fresh noise."""
        return ()

    def ticks(self) -> int:
        """T."""
        return self.flow_steps

    def extra_draws(self) -> int:
        """The noise that every step but the last puts back."""
        return self.flow_steps - 1

    def step(self, parts: Parts, observations: Tensor, state: State) -> tuple[State, Info]:
        """One step back, from t = T to t = 0; the last one clips to [-1, 1]."""
        x, t = state.actions, self.flow_steps - state.tick
        flat = x.flatten(0, 1)
        time = flat.new_full((1, 1), t / self.flow_steps)  # the same for all: the clock is asked once
        word = parts.part(f"{self.field}_clock")(parts.part(f"{self.field}_frequencies")(time))
        estimate = parts.part(f"{self.field}_actor")(state.rows, flat, word.expand(flat.shape[0], -1)).view(x.shape)
        alpha, signal = kept(self.schedule, self.flow_steps)
        noise = None if t == 1 or state.extra is None else state.extra[:, :, state.tick]
        clip = (self.clip_before, self.clip_after)
        unclipped = step_back(x, estimate, noise, alpha[t], (signal[t], signal[t - 1]), clip)
        moved = unclipped.clamp(-1.0, 1.0) if t == 1 else unclipped
        seen = unclipped + 0.0 * estimate  # the clips on the way make ±1 of an infinite estimate
        info = Info((state.tick + 1) / self.flow_steps, None, {"jump": moved - x}, unclipped=seen)
        return state._replace(actions=moved, tick=state.tick + 1), info
