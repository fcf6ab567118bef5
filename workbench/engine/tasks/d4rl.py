"""``d4rl/<dataset>``: D4RL's datasets, from its own files, in environments of Gymnasium and gymnasium-robotics."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from workbench.engine.data.boxes import ActionBox
from workbench.engine.data.hdf5 import read_hdf5
from workbench.engine.data.npz import DataFileError, plain_transitions
from workbench.engine.data.transitions import OutOfBounds, Transitions
from workbench.engine.tasks import d4rl_envs
from workbench.engine.tasks.collect import Tick
from workbench.engine.tasks.d4rl_envs import Setting
from workbench.engine.tasks.gym import GymTask
from workbench.engine.tasks.gym_batch import GymBatch, box_of
from workbench.engine.tasks.protocol import TaskInfo
from workbench.engine.words import UserError

NAMES = {
    "locomotion": re.compile(
        r"(?P<what>halfcheetah|hopper|walker2d|ant)-(?P<kind>random|medium|expert|medium-replay|full-replay|medium-expert)"
        r"-v(?P<version>[0-2])"
    ),
    "antmaze": re.compile(r"antmaze-(?P<what>umaze|medium|large)(?P<kind>|-diverse|-play)-v(?P<version>[0-2])"),
    "maze2d": re.compile(r"maze2d-(?P<what>open|umaze|medium|large)(?P<kind>|-dense)-v(?P<version>[01])"),
    "kitchen": re.compile(r"kitchen-(?P<what>complete|partial|mixed)(?P<kind>)-v(?P<version>0)"),
    "adroit": re.compile(r"(?P<what>pen|door|hammer|relocate)-(?P<kind>human|cloned|expert)-v(?P<version>[01])"),
}
WITHOUT = {  # what D4RL has beside these, and why there is no environment
    "minigrid": "its actions are choices, no continuous ones",
    "carla": "it needs CARLA, a simulator of its own",
    "flow": "it needs Flow and SUMO, simulators of their own",
    "bullet": "it needs PyBullet's environments, which Gymnasium does not have",
}
# Return of a random and of an expert policy, D4RL's own; (0, 1) where the score is the share of episodes that reach the goal.
SCORES: dict[str, tuple[float, float]] = {
    "halfcheetah": (-280.178953, 12135.0),
    "hopper": (-20.272305, 3234.3),
    "walker2d": (1.629008, 4592.3),
    "ant": (-325.6, 3879.7),
    "maze2d-open-v0": (0.01, 20.66),
    "maze2d-umaze-v0": (0.94, 62.6),
    "maze2d-medium-v0": (5.77, 85.14),
    "maze2d-large-v0": (4.83, 191.99),
    "maze2d-umaze-v1": (23.85, 161.86),
    "maze2d-medium-v1": (13.13, 277.39),
    "maze2d-large-v1": (6.7, 273.99),
    "maze2d-open-dense-v0": (11.17817, 27.166538620695782),
    "maze2d-umaze-dense-v1": (68.537689, 193.66285642381482),
    "maze2d-medium-dense-v1": (44.264742, 297.4552547777125),
    "maze2d-large-dense-v1": (30.569041, 303.4857382709002),
    "pen": (96.262799, 3076.8331017826877),
    "hammer": (-274.856578, 12794.134825156867),
    "relocate": (-6.425911, 4233.877797728884),
    "door": (-56.512833, 2880.5693087298737),
    "kitchen": (0.0, 4.0),
    "antmaze": (0.0, 1.0),
}


class D4RLTask(GymTask):
    """``d4rl/<dataset>``: D4RL's data, from the folder that ``--data`` names, in today's versions of its environments.

    Parameters
    ----------
    dataset : str
        Such as ``hopper-medium-v2`` or ``antmaze-umaze-v2``; the file has D4RL's own name, or is ``<dataset>.hdf5``.

    Raises
    ------
    UserError
        Not one of D4RL's datasets, or one whose environment nobody has any more.
    """

    prefix = "d4rl"

    @staticmethod
    def check_listed(identifier: str) -> None:
        """Refuse what is not one of D4RL's datasets (`make_listed`)."""
        D4RLTask(identifier)

    @classmethod
    def open(cls, identifier: str) -> D4RLTask:
        """The task of this name in its family."""
        return cls(identifier)

    def __init__(self, dataset: str) -> None:
        self._dataset = dataset
        self.family, self._named = _recognised(dataset)
        self._setting = _setting(self.family, self._named)
        super().__init__(self._setting.env_id)

    @property
    def name(self) -> str:
        """``d4rl/<dataset>``."""
        return f"{self.prefix}/{self._dataset}"

    def make(self, **options: Any) -> Any:
        """One environment whose observations are built as the data's, with the task's rewards."""
        return self._setting.make(**options)

    @cached_property
    def _space(self) -> tuple[ActionBox, int, int]:
        setting = (
            self._setting
        )  # known without the environment: data can be trained on where its simulator does not run
        bound = np.ones(setting.action_dim)
        return ActionBox(-bound, bound, self.name), setting.observation_dim, setting.horizon

    @cached_property
    def info(self) -> TaskInfo:
        """Sizes, of data and environment."""
        box, size, horizon = self._space
        shift = f"; {self._setting.shift:+g} on every reward, of data and episodes" if self._setting.shift else ""
        summary = f"D4RL's {self._dataset} in {self.env_id}; an observation is {self._setting.built_of}{shift}"
        extra = "minari" if self.family == "locomotion" else "robotics"
        return TaskInfo(self.name, self.env_id, size, len(box.low), horizon, summary, extra=extra)

    def _single(self, count: int, seed: int, **options: Any) -> GymBatch:
        made = [self.make(**options) for _ in range(count)]
        box = box_of(made[0].action_space, self.name)
        if len(box.low) != self._setting.action_dim:
            raise UserError(
                f"{self.name}: its environment {self.env_id} takes {len(box.low)} numbers as an action, the data have "
                f"{self._setting.action_dim}; another version of it is installed"
            )
        return GymBatch(self.name, made, seed, box, self._setting.horizon)

    def normalised_scores(self, returns: np.ndarray, success: np.ndarray) -> np.ndarray | None:
        """D4RL's score of each episode, 0 a random and 100 an expert policy; None where D4RL has none.

        Parameters
        ----------
        returns : ndarray
            (E,) undiscounted, task units.
        success : ndarray
            (E,) bool; what counts in antmaze, whose D4RL return is 1 at the goal and 0 elsewhere.
        """
        names = (self._dataset, self._named["what"], self.family)
        found = next((SCORES[name] for name in names if name in SCORES), None)
        if found is None:
            return None
        value = success if self.family == "antmaze" else returns
        return 100.0 * (np.asarray(value, dtype=np.float64) - found[0]) / (found[1] - found[0])

    def files(self, folder: str | Path) -> Mapping[str, Path]:
        """The file, by one of D4RL's own names if that is there."""
        where = Path(folder).expanduser()
        named = [where / f"{name}.hdf5" for name in (*self._own_names(), self._dataset)]
        return {"train": next((path for path in named if path.exists()), named[-1])}

    def _own_names(self) -> list[str]:
        """What D4RL calls the file."""
        what, kind, version = (self._named[part] for part in ("what", "kind", "version"))
        if self.family == "locomotion":
            return [f"{what}_{kind.replace('-', '_')}-v{version}"]
        if self.family == "maze2d":
            return [f"maze2d-{what}{kind or '-sparse'}{'-v1' if version == '1' else ''}"]
        if self.family == "kitchen":
            kitchens = {"mixed": "kitchen_microwave_kettle_bottomburner_light-v0"}
            kitchens |= {"complete": "mini_kitchen_microwave_kettle_light_slider-v0"}
            return [kitchens.get(what, "kitchen_microwave_kettle_light_slider-v0")]
        if self.family == "adroit":
            old = {"human": f"{what}-v0_demos_clipped", "cloned": f"{what}-demos-v0-bc-combined"}
            return [old.get(kind, f"{what}-v0_expert_clipped")] if version == "0" else []
        maze = {"umaze": "u-maze", "medium": "big-maze", "large": "hardest-maze"}[what]
        start, goal = (what != "umaze" or kind == "-diverse"), kind == "-diverse"
        return [f"Ant_maze_{maze}_noisy_multistart_{start}_multigoal_{goal}_sparse{'_fixed' if version == '2' else ''}"]

    def load(self, folder: str | Path, *, out_of_bounds: OutOfBounds = "refuse") -> Transitions:
        """Read the file in ``folder``; raises as `read_hdf5`."""
        return self.load_file(self.files(folder)["train"], out_of_bounds=out_of_bounds)

    def load_file(self, path: Path, *, out_of_bounds: OutOfBounds = "refuse") -> Transitions:
        """Read one file; raises as `read_hdf5`, and where its columns are those of another dataset."""
        arrays = read_hdf5(path)
        size = arrays["observations"].shape[1]
        if size != self._setting.observation_dim:
            raise DataFileError(
                f"{path}: 'observations' has {size} columns, {self._dataset} has {self._setting.observation_dim} "
                f"({self._setting.built_of}); this is the file of another dataset"
            )
        changed = {"actions": self.to_unit(arrays["actions"]), "rewards": arrays["rewards"] + self._setting.shift}
        return plain_transitions(arrays | changed, str(path), out_of_bounds)

    def write(
        self, folder: str | Path, rows: int | None, seed: int, *, tick: Tick | None = None, processes: int | None = None
    ) -> tuple[Path, ...]:
        """D4RL's data are not made here: UserError says what to do."""
        raise UserError(
            f"{self.name}: D4RL's data are not generated here; put its file {self.files(folder)['train'].name} into {folder}"
        )


def _recognised(dataset: str) -> tuple[str, dict[str, str]]:
    """The family of a dataset, and the parts of its name."""
    plain = dataset.replace("_", "-")
    for family, pattern in NAMES.items():
        found = pattern.fullmatch(plain)
        if found is None:
            continue
        what, kind = found["what"], found["kind"]
        if family == "antmaze" and (kind == "-play") != (what != "umaze" and kind != "-diverse"):
            break  # umaze has no "play", the others no plain one
        if family == "maze2d" and (what == "open") and found["version"] == "1":
            break
        return family, found.groupdict()
    first = plain.partition("-")[0]
    if first in WITHOUT:
        raise UserError(
            f"d4rl/{dataset[:60]}: there is no environment for it, {WITHOUT[first]}. Its data can be trained on and measured "
            "offline: workbench data add FILE.hdf5 --name NAME, then workbench fit data/NAME"
        )
    raise UserError(
        f"d4rl/{dataset[:60]}: no dataset of D4RL's that is known here; known are names such as hopper-medium-v2 (halfcheetah, "
        "walker2d, ant), antmaze-umaze-v2, antmaze-large-play-v2, maze2d-medium-v1, kitchen-complete-v0, pen-human-v1 (door, "
        "hammer, relocate). Use other files with an environment of your own: workbench fit gym/ID --data FILE.hdf5"
    )


def _setting(family: str, found: Mapping[str, str]) -> Setting:
    what, kind = found["what"], found["kind"]
    if family == "locomotion":
        return d4rl_envs.locomotion(what)
    if family == "antmaze":
        return d4rl_envs.antmaze(what)
    if family == "maze2d":
        return d4rl_envs.maze2d(what, "dense" if kind else "sparse", int(found["version"]))
    if family == "kitchen":
        return d4rl_envs.kitchen(what)
    return d4rl_envs.adroit(what)
