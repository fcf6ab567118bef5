"""What a submission was measured at, its place among others, and the bar."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from workbench.engine.metrics.intervals import Interval, bootstrap_mean

LIMIT = 0.08  # W2 from the behaviour policy, action units, at the behaviour's states and at the submission's own
TO_BEAT = 0.76  # return: the whole interval must lie above
Three = tuple[float, float, float]


class Result(BaseModel):
    """One submission on one set of episodes.

    Attributes
    ----------
    digest : str
        Of the submission (`Submission.digest`).
    ground : str
        What it was played on: a fingerprint of the policy, the episodes and the way of measuring.
    returns : list of float
        One per episode; the same starts for all on the same ground.
    shift, own_shift : tuple
        Mean, low, high.
    held : list of str
        What was closed to the submission's process.
    fault : str
        Why it could not be played; "" when it was.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    digest: str
    ground: str
    returns: Annotated[list[float], Field(max_length=20_000)] = []
    shift: Three = (0.0, 0.0, 0.0)
    own_shift: Three = (0.0, 0.0, 0.0)
    held: list[str] = []
    fault: str = ""

    def interval(self) -> Interval:
        """Mean return with its 95% interval over all episodes."""
        return bootstrap_mean(np.array(self.returns))

    @property
    def valid(self) -> bool:
        """Whether it was played, within the allowed shift at both kinds of states."""
        return not self.fault and max(self.shift[0], self.own_shift[0]) <= LIMIT

    @property
    def beaten(self) -> bool:
        """Whether it beats the bar: valid, and the whole interval above."""
        return self.valid and self.interval().low > TO_BEAT


def read_result(content: object) -> Result | None:
    """A result from plain JSON; None when it is none."""
    try:
        return Result.model_validate(content)
    except ValidationError:
        return None


def ranks(results: Sequence[Result]) -> list[int | None]:
    """The place of each: one more than the number of valid ones that are better beyond chance; None for those not valid.

    Two are told apart when the 95% interval of their paired difference, episode by episode, leaves out 0; all that nobody
    beats so share the first place.
    """
    returns = [np.array(one.returns) if one.valid else None for one in results]
    return [None if mine is None else 1 + sum(_better(other, mine) for other in returns) for mine in returns]


def _better(other: np.ndarray | None, mine: np.ndarray) -> bool:
    if other is None or len(other) != len(mine) or not len(mine):
        return False
    difference = other - mine
    return bool(difference.mean() > 1.96 * difference.std(ddof=1) / np.sqrt(len(difference)))
