"""OGBench's own environments: made, seeded and copied so that every episode repeats bit for bit. No torch here.

Worker processes that generate data import this module, which is why it stays light.
"""

from __future__ import annotations

import copy
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np


class MissingExtraError(ImportError):
    """An optional part of the workbench is not installed; the message says how to install it."""


def require_ogbench() -> Any:
    """Import ogbench, which registers its environments with Gymnasium.

    Raises
    ------
    MissingExtraError
        It is not installed.
    """
    try:
        import ogbench
    except ImportError as error:
        raise MissingExtraError(
            f'OGBench tasks need an optional package ({error}); install it with: pip install "workbench[ogbench]"'
        ) from error
    return ogbench


@contextmanager
def numpy_seeded(*entropy: int) -> Iterator[np.random.SeedSequence]:
    """Seed numpy's global generator inside the block, and give its state back afterwards.

    OGBench's mazes and oracles draw from it.

    Parameters
    ----------
    *entropy : int
        Non-negative; together they name the stream.
    """
    sequence = np.random.SeedSequence(entropy)
    state = np.random.get_state()  # noqa: NPY002 -- it is the generator that OGBench uses
    np.random.seed(sequence.generate_state(4))  # noqa: NPY002
    try:
        yield sequence
    finally:
        np.random.set_state(state)  # noqa: NPY002


def make_env(env_id: str, **kwargs: Any) -> Any:
    """One environment of OGBench without Gymnasium's wrappers (its time limit is `horizon_of`).

    Parameters
    ----------
    env_id : str
        A registered id, such as "cube-single-singletask-v0".
    **kwargs
        Passed to the environment, over the registered ones.

    Notes
    -----
    Manipulation environments build a new, unseeded action space at each access, and draw the random actions that settle
    the scene at reset from it. Here the space is made once, so that `reset_env` can seed it.
    """
    require_ogbench()
    import gymnasium

    spec = gymnasium.spec(env_id)
    with warnings.catch_warnings():  # looking for a display, which nothing here draws on, dm_control's import warns
        warnings.filterwarnings("ignore", module="glfw")
        creator: Any = gymnasium.envs.registration.load_env_creator(str(spec.entry_point))
    if isinstance(creator, type) and isinstance(getattr(creator, "action_space", None), property):
        space = gymnasium.spaces.Box(-1.0, 1.0, (5,), np.float32)
        creator = type(creator.__name__, (creator,), {"action_space": space})
    env = creator(**{**spec.kwargs, **kwargs})
    written = Path(getattr(env, "fullpath", ""))  # mazes write their XML to a temporary file and leave it there
    if written.is_file() and written.parent == Path(tempfile.gettempdir()):
        written.unlink()
    return env


def horizon_of(env_id: str) -> int:
    """Steps until Gymnasium cuts an episode off."""
    require_ogbench()
    import gymnasium

    return int(gymnasium.spec(env_id).max_episode_steps or 0)


def clone(env: Any) -> Any:
    """An independent environment that shares the compiled model of ``env``.

    A manipulation environment takes 0.5 s and 190 MiB to make, most of it meshes; a clone takes 1 ms and 1 MiB.
    What an episode changes in the model is its joints' damping (scene's locks), which `EnvBatch` keeps for each clone,
    and colours, which physics does not read.
    """
    import gymnasium
    import mujoco

    twin = object.__new__(type(env))
    for name, value in vars(env).items():
        if isinstance(value, mujoco.MjData):
            value = copy.copy(value)
        elif isinstance(value, np.ndarray | np.random.Generator | gymnasium.Space):
            value = copy.deepcopy(value)
        setattr(twin, name, value)
    return twin


def reset_env(env: Any, sequence: np.random.SeedSequence, **kwargs: Any) -> tuple[np.ndarray, dict[str, Any]]:
    """Reset with everything seeded; call it inside `numpy_seeded`, with what that yields.

    Returns
    -------
    (observation (S,), info)
    """
    seed = int(sequence.generate_state(5)[4])  # the first four words seed numpy's global generator
    env.action_space.seed(seed)
    observation, info = env.reset(seed=seed, **kwargs)
    return observation, info
