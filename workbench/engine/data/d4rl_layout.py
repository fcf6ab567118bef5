"""The families of D4RL's files, which share one layout and differ in what their columns mean.

What a file is, is read from the shapes of its arrays alone. Every family keeps its rows; only what ends an episode is set right
where a family's ``terminals`` say something else than that the episode ended by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

import numpy as np

from workbench.engine.data.boundaries import teleports, warn_of_unmarked

Shapes = Mapping[str, tuple[int, ...]]
Arrays = dict[str, np.ndarray]
Family = Literal["antmaze", "maze2d", "kitchen", "adroit", "locomotion", ""]

ADROIT = {(45, 24): "pen", (39, 28): "door", (46, 26): "hammer", (39, 30): "relocate"}
LOCOMOTION = {(17, 6): "halfcheetah or walker2d", (11, 3): "hopper", (111, 8): "ant"}
KITCHEN_TASKS = 4  # in each of D4RL's kitchens; a row's reward counts those that are done
LEAP = 5.0  # metres: an ant that moves so far in one step was put there (D4RL's own check)


class Layout(NamedTuple):
    """What a file in D4RL's layout is.

    Attributes
    ----------
    family : str
        "" for a file of another kind in the same layout.
    title : str
        What a description calls it.
    notes : tuple of str
        What is particular about it; a sentence each.
    """

    family: Family
    title: str
    notes: tuple[str, ...] = ()


OTHER = Layout("", "D4RL's HDF5")


def layout_of(shapes: Shapes) -> Layout:
    """Recognise a family by the shapes of the file's arrays; ``infos/goal`` is among them where the file has it."""
    sizes = tuple(shapes.get(name, (0, 0))[-1] for name in ("observations", "actions"))
    goals = shapes.get("infos/goal", ())[1:] == (2,)
    if sizes == (29, 8) and goals:
        return Layout(
            "antmaze",
            "D4RL's HDF5, antmaze",
            (
                "antmaze: an observation is the ant's place, posture and velocities; the goal (infos/goal) is the same in every "
                "episode and no part of it",
                "antmaze: the task d4rl/antmaze-… takes 1 from every reward, of data and of episodes, as the papers do: "
                "-1 a step, 0 at the goal",
            ),
        )
    if sizes == (4, 2) and goals:
        return Layout(
            "maze2d",
            "D4RL's HDF5, maze2d",
            (
                "maze2d: no episode ends by itself; 'terminals', where they are set, say that the controller took another "
                "waypoint, and count as time limits",
            ),
        )
    if sizes == (60, 9):
        return Layout(
            "kitchen",
            "D4RL's HDF5, kitchen",
            (
                f"kitchen: 'terminals' end each demonstration; those whose reward is {KITCHEN_TASKS}, all tasks done, are "
                "terminations, the others count as time limits, and the value behind them is bootstrapped",
            ),
        )
    if sizes in ADROIT:
        return Layout("adroit", f"D4RL's HDF5, Adroit {ADROIT[sizes]}")
    if sizes in LOCOMOTION and "infos/qpos" in shapes:
        return Layout("locomotion", f"D4RL's HDF5, {LOCOMOTION[sizes]}")
    return OTHER


def as_recorded(columns: Arrays, layout: Layout, source: str) -> Arrays:
    """``columns`` with ends that mean what they say elsewhere: ``terminals`` a termination, ``timeouts`` a time limit.

    Parameters
    ----------
    columns : dict
        As `workbench.engine.data.columns`, checked for their shapes.
    layout : Layout
    source : str
        What a warning calls the file.
    """
    if "terminals" not in columns or "rewards" not in columns:
        return columns
    over = _flag(columns["terminals"])
    cut = _flag(columns["timeouts"]) if "timeouts" in columns else np.zeros_like(over)
    if layout.family == "maze2d" and over.any():
        return columns | {"terminals": np.zeros_like(over), "timeouts": cut | over}
    if layout.family == "kitchen":
        done = over & (np.asarray(columns["rewards"]).reshape(-1) >= KITCHEN_TASKS)
        return columns | {"terminals": done, "timeouts": (cut | over) & ~done}
    if layout.family == "antmaze" and "next_observations" not in columns:
        unmarked = teleports(columns["observations"][:, :2], LEAP) & ~(over | cut)
        if unmarked.any():
            warn_of_unmarked(unmarked, source)
            return columns | {"timeouts": cut | unmarked}
    return columns


def _flag(array: np.ndarray) -> np.ndarray:
    return np.asarray(np.asarray(array).reshape(-1) != 0)
