"""The environments of D4RL's datasets as Gymnasium and gymnasium-robotics have them, with observations as the data have them.

Each entry says which environment is made, with which arguments and time limit, and how its observation becomes a row like the
data's. Facts of D4RL's own environments (mazes, goals, time limits) are those of its published code.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from workbench.engine.data.boxes import flat
from workbench.engine.tasks.gym_batch import make_gym

View = Callable[[Any], np.ndarray]
Maze = list[list[int | str]]

# "#" wall, "r" where the ant starts, "g" the goal; rows from above, as D4RL writes them.
ANT_MAZES = {
    "umaze": ("#####", "#r  #", "### #", "#g  #", "#####"),
    "medium": (
        *("########", "#r ##  #", "#  #   #", "##   ###"),
        *("#  #   #", "# #  # #", "#   # g#", "########"),
    ),
    "large": (
        *("############", "#r   #     #", "# ## # # # #", "#      #   #", "# #### ### #"),
        *("#  # #     #", "## # # # ###", "#  #   # g #", "############"),
    ),
}
POINT_MAZES = {
    "open": ("#######", "#     #", "#  g  #", "#     #", "#######"),
    "umaze": ("#####", "#g  #", "### #", "#   #", "#####"),
    "medium": (
        *("########", "#  ##  #", "#  #   #", "##   ###"),
        *("#  #   #", "# #  # #", "#   # g#", "########"),
    ),
    "large": (
        *("############", "#    #     #", "# ## # # # #", "#      #   #", "# #### ### #"),
        *("#  # #     #", "## # # # ###", "#  #   # g #", "############"),
    ),
}
ANT_CELL = 4.0  # metres
SLIDER_KITCHEN = ("microwave", "kettle", "light switch", "slide cabinet")
BURNER_KITCHEN = ("microwave", "kettle", "bottom burner", "light switch")
KITCHEN_GOALS: dict[
    str, tuple[int, tuple[float, ...]]
] = {  # first of its places among 30 joints, and the joints' goals
    "bottom burner": (11, (-0.88, -0.01)),
    "light switch": (17, (-0.69, -0.05)),
    "slide cabinet": (19, (0.37,)),
    "microwave": (22, (-0.75,)),
    "kettle": (23, (-0.23, 0.75, 1.62, 0.99, 0.0, 0.0, -0.06)),
}
ANT_NUMBERS = 111  # of an observation in D4RL's ant files; 84 of them contact forces, which its simulator left at 0


@dataclass(frozen=True)
class Setting:
    """How a dataset's environment is made.

    Attributes
    ----------
    env_id : str
        Gymnasium's.
    horizon : int
        Steps until an episode is cut off, D4RL's.
    observation_dim, action_dim : int
        S and D of the data, whose actions lie in [-1, 1].
    view : callable
        The row (S,) of an observation of the environment.
    built_of : str
        What the row is, in words.
    arguments : dict
    shift : float
        Added to every reward, of data and of episodes.
    """

    env_id: str
    horizon: int
    observation_dim: int
    action_dim: int
    view: View = flat
    built_of: str = "the environment's own observation"
    arguments: Mapping[str, Any] = field(default_factory=dict)
    shift: float = 0.0

    def make(self, **options: Any) -> Any:
        """One environment, with D4RL's observations and the task's rewards."""
        env = make_gym(self.env_id, **{"max_episode_steps": self.horizon} | dict(self.arguments) | options)
        from gymnasium.spaces import Box
        from gymnasium.wrappers import TransformObservation, TransformReward

        space = Box(-np.inf, np.inf, (self.observation_dim,), np.float32)
        seen = TransformObservation(env, self.view, space)
        return TransformReward(seen, lambda reward: float(reward) + self.shift) if self.shift else seen


def locomotion(body: str) -> Setting:
    """Gymnasium's newest version of the body that D4RL recorded."""
    if body == "ant":
        words = "27 numbers of the ant, then 84 zeros: D4RL's simulator left the contact forces at 0"
        return Setting("Ant-v5", 1000, ANT_NUMBERS, 8, _ant_view, words)
    bodies = {
        "halfcheetah": ("HalfCheetah-v5", 17, 6),
        "hopper": ("Hopper-v5", 11, 3),
        "walker2d": ("Walker2d-v5", 17, 6),
    }
    env_id, seen, moved = bodies[body]
    return Setting(env_id, 1000, seen, moved)


def antmaze(size: str) -> Setting:
    """D4RL's ant maze: episodes end at the goal; -1 a step and 0 at the goal."""
    maze = ANT_MAZES[size]
    upright = maze[::-1]  # gymnasium-robotics lets y grow upwards, D4RL along its rows
    start = _places(upright, "r", ANT_CELL)

    def view(seen: Mapping[str, np.ndarray]) -> np.ndarray:
        return np.concatenate((seen["achieved_goal"] - start, seen["observation"][:27])).astype(np.float32)

    return Setting(
        {"umaze": "AntMaze_UMaze-v5", "medium": "AntMaze_Medium-v5", "large": "AntMaze_Large-v5"}[size],
        700 if size == "umaze" else 1000,
        29,
        8,
        view,
        "x and y in metres from the start, then 27 numbers of the ant; the goal is fixed and not observed",
        {"maze_map": _cells(upright), "continuing_task": False},
        shift=-1.0,
    )


def maze2d(size: str, reward: str, version: int) -> Setting:
    """D4RL's point maze: episodes run until time is up, and every step near the goal is paid."""
    maze = POINT_MAZES[size]
    turned = [
        "".join(row[-1 - i] for row in maze) for i in range(len(maze[0]))
    ]  # x along D4RL's rows, y along its columns
    centre = np.array([len(maze), len(maze[0])]) / 2 - 0.5
    limits = {"open": 150, "umaze": 300, "medium": 600, "large": 800}
    if version == 0:
        limits |= {"umaze": 150, "medium": 250, "large": 600}

    def view(seen: Mapping[str, np.ndarray]) -> np.ndarray:
        return np.concatenate((seen["achieved_goal"] + centre, seen["observation"][2:])).astype(np.float32)

    name = {"open": "Open", "umaze": "UMaze", "medium": "Medium", "large": "Large"}[size]
    return Setting(
        f"PointMaze_{name}{'Dense' if reward == 'dense' else ''}-v3",
        limits[size],
        4,
        2,
        view,
        "row and column of the maze as D4RL counts them, then the velocities; the goal is fixed and not observed",
        {"maze_map": _cells(turned), "continuing_task": True, "reset_target": False},
    )


def kitchen(kind: str) -> Setting:
    """D4RL's kitchen: a task is paid once, when it is done; episodes end when all four are."""
    tasks = BURNER_KITCHEN if kind == "mixed" else SLIDER_KITCHEN
    goal = np.zeros(30)
    for task in tasks:
        first, joints = KITCHEN_GOALS[task]
        goal[first : first + len(joints)] = joints

    def view(seen: Mapping[str, np.ndarray]) -> np.ndarray:
        here = seen["observation"]  # 9 places and 9 velocities of the robot, 21 places and 20 velocities of the things
        return np.concatenate((here[:9], here[18:39], goal)).astype(np.float32)

    return Setting(
        "FrankaKitchen-v1",
        280,
        60,
        9,
        view,
        "9 joints of the robot, 21 of the kitchen, then the goal of all 30; no velocities",
        {"tasks_to_complete": list(tasks)},
    )


def adroit(hand: str) -> Setting:
    """D4RL's Adroit hand."""
    sizes = {"pen": (45, 24), "door": (39, 28), "hammer": (46, 26), "relocate": (39, 30)}[hand]
    return Setting(f"AdroitHand{hand.capitalize()}-v1", 100 if hand == "pen" else 200, *sizes)


def _ant_view(seen: np.ndarray) -> np.ndarray:
    return np.concatenate((seen[:27], np.zeros(ANT_NUMBERS - 27))).astype(np.float32)


def _cells(maze: Any) -> Maze:
    return [[{"#": 1, " ": 0}.get(cell, cell) for cell in row] for row in maze]


def _places(maze: Any, what: str, cell: float) -> np.ndarray:
    """Where gymnasium-robotics puts the cell ``what``: its mazes have their middle at the origin, and y grows upwards."""
    (found,) = [(i, j) for i, row in enumerate(maze) for j, letter in enumerate(row) if letter == what]
    i, j = found
    return np.array([(j + 0.5 - len(maze[0]) / 2) * cell, (len(maze) / 2 - i - 0.5) * cell])
