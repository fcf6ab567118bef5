"""``data/<name>``: data that a user brought (`workbench data add`), without an environment to play in."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from workbench.engine.data.boxes import ActionBox
from workbench.engine.data.goals import GoalTransitions
from workbench.engine.data.hindsight import with_goals
from workbench.engine.data.own_datasets import OwnDataset, check_name, load_own, read_own
from workbench.engine.data.transitions import OutOfBounds, Transitions
from workbench.engine.tasks.protocol import BatchEnv, TaskInfo
from workbench.engine.tasks.usual_settings import USUAL_SETTINGS
from workbench.engine.words import UserError

GOALS = ":goals"  # behind the name of a dataset: trained towards goals of hindsight


class NoEnvironmentError(UserError):
    """A task that has data and no environment was to be played."""


class RecordedTask:
    """A dataset of this user as a task: it is trained on, steered, and measured without a return.

    Parameters
    ----------
    dataset : str
        Its name in the user's datasets.

    Raises
    ------
    UserError
        There is none of this name.
    """

    def __init__(self, dataset: str) -> None:
        self._dataset = check_name(dataset)
        self._about: OwnDataset = read_own(dataset)

    @staticmethod
    def open(identifier: str) -> RecordedTask:
        """The task of this name in its family; with `GOALS` behind it the same data towards goals."""
        if identifier.endswith(GOALS):
            return GoalRecordedTask(identifier.removesuffix(GOALS))
        return RecordedTask(identifier)

    @staticmethod
    def check_listed(identifier: str) -> None:
        """Refuse what is no name of a dataset (`make_listed`)."""
        check_name(identifier.removesuffix(GOALS))

    @property
    def name(self) -> str:
        """``data/<name>``."""
        return f"data/{self._dataset}"

    @cached_property
    def info(self) -> TaskInfo:
        """Sizes, of the data."""
        about = self._about
        summary = f"your data ({about.format}), no environment: no return is measured"
        return TaskInfo(self.name, self._dataset, about.observation_dim, about.action_dim, about.longest, summary)

    @cached_property
    def box(self) -> ActionBox:
        """What −1 and 1 stand for in the units of the file: `ActionBox.from_unit` gives actions for the robot."""
        return ActionBox(np.array(self._about.low), np.array(self._about.high), self.name)

    def training_defaults(self, critic: str = "iql") -> dict[str, Any]:
        """The papers' ordinary settings with smaller networks; not measured on these data."""
        return USUAL_SETTINGS | {"critic": critic}

    def own_data(self, out_of_bounds: OutOfBounds = "refuse") -> Transitions:
        """The data as they were added."""
        return load_own(self._dataset, out_of_bounds=out_of_bounds)

    def generate(self, rows: int | None, seed: int) -> Transitions:
        """The first ``rows`` of the data, all for None."""
        data = self.own_data()
        if rows is None or rows >= len(data):
            return data
        columns = ("observations", "actions", "rewards", "masks", "next_observations", "ends")
        cut = {name: getattr(data, name)[:rows].copy() for name in columns}
        cut["ends"][-1] = True
        return replace(data, **cut)

    def environments(self, count: int, seed: int) -> BatchEnv:
        """There are none: `NoEnvironmentError` says what can be measured."""
        raise NoEnvironmentError(
            f"{self.name} has no environment, so that no return can be measured; what the data alone tell: "
            f"workbench measure offline RUN --rule RULE; a strength: workbench tune RUN --rule RULE --offline"
        )


class GoalRecordedTask(RecordedTask):
    """``data/<name>:goals``: the same data towards goals of hindsight; observations are state and goal, one behind the other.

    The data's own rewards are not read: a step costs 1 until the goal is reached (`workbench.engine.data.goals`).
    """

    @property
    def name(self) -> str:
        """``data/<name>:goals``."""
        return f"{super().name}{GOALS}"

    @cached_property
    def info(self) -> TaskInfo:
        """Sizes, of the data and their goals."""
        plain = RecordedTask(self._dataset).info
        return replace(
            plain,
            name=self.name,
            title=f"{plain.title}, any goal",
            observation_dim=2 * plain.observation_dim,
            summary=f"{plain.summary}; towards goals of hindsight, which stand behind the state: −1 a step until then",
        )

    def own_data(self, out_of_bounds: OutOfBounds = "refuse") -> GoalTransitions:
        """The data as they were added, with a goal in every row."""
        return self._towards(super().own_data(out_of_bounds))

    def generate(self, rows: int | None, seed: int) -> GoalTransitions:
        """As of `RecordedTask`, with a goal in every row."""
        return self._towards(RecordedTask(self._dataset).generate(rows, seed))

    def _towards(self, data: Transitions) -> GoalTransitions:
        return with_goals(data, float(USUAL_SETTINGS["discount"]))
