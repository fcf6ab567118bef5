"""Datasets in Minari's local storage. Nothing here uses the network, and no remote list is ever asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from workbench.engine.data.boxes import ActionBox, flat
from workbench.engine.data.columns import Arrays, DataFileError
from workbench.engine.data.recorded_env import RecordedEnv, recorded_env
from workbench.engine.words import MissingExtraError, UserError


@dataclass(frozen=True)
class MinariData:
    """A dataset of Minari's local storage.

    Attributes
    ----------
    arrays : dict
        The plain form (`workbench.engine.data.npz`), actions in the environment's units.
    box : ActionBox
    environment : RecordedEnv
        Its Gymnasium id, which is "" when the dataset names none, and arguments.
    episodes : ndarray
        (E,) the episodes' numbers.
    firsts : ndarray
        (E,) the rows where they begin.
    """

    arrays: Arrays
    box: ActionBox
    environment: RecordedEnv
    episodes: np.ndarray
    firsts: np.ndarray

    def place(self, row: int) -> str:
        """What messages call a row: its episode and step."""
        at = int(np.searchsorted(self.firsts, row, side="right")) - 1
        return f"episode {int(self.episodes[at])}, step {row - int(self.firsts[at])}"


def read_minari(dataset: str) -> MinariData:
    """Read the dataset called ``dataset`` (such as ``mujoco/hopper/medium-v0``) from Minari's folder on this machine.

    Raises
    ------
    DataFileError
        It is not there, or cannot be read.
    UserError
        Observations that are not numbers, or actions without finite bounds.
    ImportError
        minari is not installed.
    """
    try:
        import minari
    except ImportError as error:
        raise MissingExtraError(
            f'Minari datasets need an optional package ({error}); install it with: pip install "workbench[minari]"'
        ) from error
    source = f"minari/{dataset}"
    try:
        stored = minari.load_dataset(dataset, download=False)
        numbers, episodes = [], []
        for episode in stored.iterate_episodes():
            episodes.append(_episode(episode, source))
            numbers.append(int(episode.id))
        space = stored.action_space
    except FileNotFoundError as error:
        raise DataFileError(
            f"{source}: not in Minari's folder on this machine; fetch it: minari download {dataset} "
            "(MINARI_DATASETS_PATH names the folder)"
        ) from error
    except UserError:
        raise
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise DataFileError(f"{source}: cannot be read ({error}); fetch it again: minari download {dataset}") from error
    if not episodes:
        raise DataFileError(f"{source}: has no episodes")
    if not hasattr(space, "low"):
        raise UserError(f"{source}: its actions are {space}; only continuous actions (a Box) can be steered")
    arrays = {name: np.concatenate([episode[name] for episode in episodes]) for name in episodes[0]}
    lengths = [len(episode["rewards"]) for episode in episodes]
    return MinariData(
        arrays,
        ActionBox(space.low, space.high, source),
        recorded_env(stored.storage.metadata.get("env_spec"), source),
        np.array(numbers),
        np.cumsum([0, *lengths[:-1]]),
    )


def _episode(episode: Any, source: str) -> Arrays:
    """One episode of T steps in the plain form; DataFileError says what does not fit."""
    rewards = np.asarray(episode.rewards, dtype=np.float64).reshape(-1)
    steps, where = len(rewards), f"{source}: episode {episode.id}"
    if steps == 0:
        raise DataFileError(f"{where} is empty; save the dataset without it")
    terminated, ended = (np.asarray(flags, dtype=bool) for flags in (episode.terminations, episode.truncations))
    if terminated.shape != (steps,) or ended.shape != (steps,):
        raise DataFileError(
            f"{where} has {steps} rewards, but terminations {terminated.shape} and truncations {ended.shape}; "
            "one of each for every step is needed"
        )
    try:
        seen, actions = flat(episode.observations, steps + 1), flat(episode.actions, steps)
    except UserError as error:
        raise DataFileError(
            f"{where} of {steps} steps does not fit ({error}); it needs {steps + 1} observations, one after the last step too, "
            f"and {steps} actions. It was cut off or put together wrongly: save the dataset without it"
        ) from None
    if seen.shape[1] == 0:
        raise DataFileError(f"{where} is empty, its observations have no numbers; save the dataset without it")
    ended = ended | terminated
    ended[-1] = True
    return {
        "observations": seen[:-1],
        "actions": actions,
        "rewards": rewards,
        "masks": (~terminated).astype(np.float32),
        "next_observations": seen[1:],
        "ends": ended,
    }
