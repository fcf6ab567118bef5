"""Latency: a decision takes time, and the world does not wait. What is played until the next chunk is ready?

Measured in environment steps, so that it is exact and the same on every machine.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from workbench.engine.words import UserError, counted

Way = Literal["rtc", "naive", "pause"]
MEANINGS: dict[Way, str] = {
    "rtc": "real-time chunking: the next chunk is decided while this one plays, and continues it",
    "naive": "the next chunk is decided while this one plays, knows nothing of it, and takes over when it is ready",
    "pause": "the chunk is played to its end, then zero actions until the next one is ready",
}


class Latency(BaseModel):
    """How long a decision takes in environment steps, and what is played meanwhile.

    The first chunk of an episode is ready when the episode begins. With ``delay=0`` and no ``execute`` every way is the same:
    chunks one after the other, as without latency.

    Attributes
    ----------
    delay : int
        Environment steps d from what a decision saw to the first action that it gives.
    way : {"rtc", "naive", "pause"}
        Real-time chunking: the next chunk is decided while this one plays, and continues it. Naive: it knows nothing of it.
        Pause: the chunk is played to its end, then zero actions until the next one is ready.
    execute : int, optional
        Environment steps of a chunk that are played; without it as many as can be: h - d, or all h with pauses.
    clip : float
        Of real-time chunking: most that the flow is corrected by, β.

    Examples
    --------
    >>> import workbench as wb
    >>> wb.Latency(delay=2, way="rtc").schedule(chunk=8).every
    6
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    delay: int = Field(
        default=0,
        ge=0,
        le=100,
        description="environment steps d from what a decision saw to the first action that it gives",
    )
    way: Way = Field(default="rtc", description="what is played meanwhile: rtc (real-time chunking), naive, or pause")
    execute: int | None = Field(
        default=None,
        ge=1,
        le=100,
        description="environment steps of a chunk that are played; without it as many as can be",
    )
    clip: float = Field(default=5.0, gt=0.0, le=1e6, description="rtc: most that the flow is corrected by, β")

    def schedule(self, chunk: int) -> Schedule:
        """When decisions are made for chunks of ``chunk`` steps.

        Raises
        ------
        UserError
            The chunks are too short for the delay; the words say how long they would have to be.
        """
        if self.way == "pause":
            every = chunk if self.execute is None else self.execute
            if every > chunk:
                raise UserError(f"execute = {every} is more than the {counted(chunk, 'step')} of a chunk")
            return Schedule(chunk, self.delay, every, True)
        if self.execute is None and 2 * self.delay > chunk:
            raise UserError(
                f"a delay of {counted(self.delay, 'step')} needs chunks of at least {2 * self.delay}, and these have {chunk}: "
                f"train with --set chunk={2 * self.delay} or more, allow a delay of at most {chunk // 2}, or use way = pause"
            )
        every = chunk - self.delay if self.execute is None else self.execute
        if not max(1, self.delay) <= every <= chunk - self.delay:
            raise UserError(
                f"execute = {every} must be at least the delay ({self.delay}) and at most the chunk less the delay "
                f"({chunk} - {self.delay}): a chunk is decided while the one before it plays"
            )
        return Schedule(chunk, self.delay, every, False)


class Schedule(NamedTuple):
    """When decisions are made, and when their actions are played.

    Attributes
    ----------
    chunk : int
        h, steps of a chunk.
    delay : int
        d, steps until a decision is ready.
    every : int
        Steps of a chunk that are played.
    pauses : bool
        Whether the world waits for a decision with zero actions.
    """

    chunk: int
    delay: int
    every: int
    pauses: bool

    def decision(self, step: int) -> int | None:
        """Number of the decision that is made before environment step ``step``; None where none is."""
        late, period = (self.delay, self.every + self.delay) if self.pauses else (0, self.every)
        if step == 0:
            return 0
        number, rest = divmod(step + late, period)
        return None if rest else number

    @property
    def shared(self) -> int:
        """Steps that a chunk reaches into the next one."""
        return 0 if self.pauses else self.chunk - self.every
