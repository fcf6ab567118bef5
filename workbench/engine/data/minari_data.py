"""Datasets in Minari's local storage. Nothing here uses the network, and no remote list is ever asked for."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from workbench.engine.data.boxes import ActionBox, flat
from workbench.engine.data.npz import Arrays, DataFileError


@dataclass(frozen=True)
class MinariData:
    """A dataset of Minari's local storage.

    Attributes
    ----------
    arrays : dict
        The plain form (`workbench.engine.data.npz`), actions in the environment's units.
    box : ActionBox
    environment : str
        The Gymnasium id of its environment; "" when the dataset names none.
    """

    arrays: Arrays
    box: ActionBox
    environment: str


def read_minari(dataset: str) -> MinariData:
    """Read the dataset called ``dataset`` (such as ``mujoco/hopper/medium-v0``) from Minari's folder on this machine.

    Raises
    ------
    DataFileError
        It is not there, or cannot be read.
    ValueError
        Observations that are not numbers, or actions without finite bounds.
    ImportError
        minari is not installed.
    """
    try:
        import minari
    except ImportError as error:
        raise ImportError(
            f'Minari datasets need an optional package ({error}); install it with: pip install "workbench[minari]"'
        ) from error
    source = f"minari/{dataset}"
    try:
        stored = minari.load_dataset(dataset, download=False)
        episodes = [_episode(episode, source) for episode in stored.iterate_episodes()]
        space = stored.action_space
    except FileNotFoundError as error:
        raise DataFileError(
            f"{source}: not in Minari's folder on this machine; fetch it: minari download {dataset} "
            "(MINARI_DATASETS_PATH names the folder)"
        ) from error
    except (OSError, KeyError, TypeError) as error:
        raise DataFileError(f"{source}: cannot be read ({error}); fetch it again: minari download {dataset}") from error
    if not episodes:
        raise DataFileError(f"{source}: has no episodes")
    if not hasattr(space, "low"):
        raise ValueError(f"{source}: its actions are {space}; only continuous actions (a Box) can be steered")
    arrays = {name: np.concatenate([episode[name] for episode in episodes]) for name in episodes[0]}
    return MinariData(arrays, ActionBox(space.low, space.high, source), _environment(stored))


def _episode(episode: Any, source: str) -> Arrays:
    steps = len(episode.rewards)
    seen = flat(episode.observations, steps + 1)
    terminated, ended = np.asarray(episode.terminations, dtype=bool), np.asarray(episode.truncations, dtype=bool)
    if steps == 0 or seen.shape[1] == 0:
        raise DataFileError(f"{source}: episode {episode.id} is empty")
    ended = ended | terminated
    ended[-1] = True
    return {
        "observations": seen[:-1],
        "actions": flat(episode.actions, steps),
        "rewards": np.asarray(episode.rewards, dtype=np.float64),
        "masks": (~terminated).astype(np.float32),
        "next_observations": seen[1:],
        "ends": ended,
    }


def _environment(stored: Any) -> str:
    """The id alone: a whole specification could name any function of this machine, and a dataset is not to be trusted."""
    specification = stored.storage.metadata.get("env_spec")
    if not specification:
        return ""
    found = json.loads(specification) if isinstance(specification, str) else {"id": getattr(specification, "id", "")}
    name = str(found.get("id", ""))
    return "" if ":" in name else name
