"""Acting on a GPU: the kernels of a decision recorded once for each number of states, and launched together."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import torch
from torch import Tensor

from workbench.engine.cuda import recorder_for
from workbench.engine.graphs import CannotRecord, Recorder, Recording, say_once
from workbench.engine.inference import outside_inference_mode
from workbench.engine.models.parts import Parts
from workbench.engine.steering.noise import Noise
from workbench.engine.steering.protocol import Rule
from workbench.engine.steering.run import act, checked, decide

MOST = 8  # recordings of one policy: numbers of states that it is asked for in turn


class Actor:
    """`act` with one rule and one policy, many times.

    On a GPU the decision is recorded at the first call with a number of states, and launched from then on; the actions are
    those of `act`. Elsewhere, and for rules that cannot be recorded, it is `act`.

    Parameters
    ----------
    rule : Rule
    parts : Parts
        Their networks must stay where they are; new weights may be copied into them.

    Attributes
    ----------
    recorder : Recorder or None
        None where nothing is recorded. Then any number of states is as good as any other.
    """

    def __init__(self, rule: Rule, parts: Parts) -> None:
        self._rule, self._parts = rule, parts
        self.recorder: Recorder | None = recorder_for(parts.device)
        self._recordings: OrderedDict[tuple[Any, ...], Recording] = OrderedDict()

    @outside_inference_mode
    @torch.no_grad()
    def __call__(self, observations: Tensor, noise: Noise) -> Tensor:
        """As `act`."""
        if self.recorder is None:
            return act(self._rule, self._parts, observations, noise)
        return checked(self._decide, self._rule, self._parts, observations, noise)

    def _decide(self, rule: Rule, parts: Parts, observations: Tensor, noise: Noise) -> tuple[Tensor, Tensor]:
        if self.recorder is None:
            return decide(rule, parts, observations, noise)
        inputs = (observations, *(part for part in noise if part is not None))
        key = tuple((tensor.shape, tensor.dtype) for tensor in inputs)
        recording = self._recordings.pop(key, None)
        if recording is None:
            try:
                recording = Recording(self._of_tensors, inputs, [], self.recorder)
            except CannotRecord as error:
                say_once(f"rule '{rule.name}' with these parts", error)
                self.recorder = None
                return decide(rule, parts, observations, noise)
        self._recordings[key] = recording  # the latest one last
        if len(self._recordings) > MOST:
            self._recordings.popitem(last=False)
        actions, total = recording(inputs)
        return actions, total

    def _of_tensors(self, inputs: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        observations, *noise = inputs
        return decide(self._rule, self._parts, observations, Noise(*noise))
