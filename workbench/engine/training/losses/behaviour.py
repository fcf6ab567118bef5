"""What the losses that train the behaviour policy have in common."""

from __future__ import annotations

from typing import ClassVar

from workbench.engine.training.losses.loss import C, Loss


class BehaviourLoss(Loss[C]):
    """A way to train the behaviour policy: a value of the setting ``behaviour``.

    Attributes
    ----------
    outputs_per_action : int
        Outputs of its network for each number of an action.
    gives_mean : bool
        x + (1 - t) v is the mean of all actions that x may become, as it is after flow matching.
    """

    trains: ClassVar[tuple[str, ...]] = ("reference",)
    outputs_per_action: ClassVar[int] = 1
    gives_mean: ClassVar[bool] = True
