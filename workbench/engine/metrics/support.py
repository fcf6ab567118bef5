"""Support: how far a steered action is from what the data did in similar states.

Similar states come first, actions second: of the dataset's rows the ``states`` nearest in normalised observation space are
taken (with all ties, so that a bandit's one state takes all rows), and among their actions the k-th nearest counts. The answer is
in action units and does not mix them with the units of states.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from workbench.engine.data.transitions import Transitions
from workbench.engine.words import UserError

STATES = 64
NEAREST = 5
CALIBRATION = 512  # rows of the data whose own distances say what is usual
KEPT = 128  # states whose neighbours are remembered
INSIDE = 0.95  # share of the data's own actions that count as inside


@dataclass(frozen=True)
class Support:
    """Distance of actions from the data.

    Attributes
    ----------
    distance : float
        Mean distance to the k-th nearest dataset action at similar states, action units.
    usual : float
        The same for the data's own actions, each left out of its neighbours.
    inside : float
        Share of the actions that are no farther from the data than 95% of the data's own actions are. A policy that draws from
        the data reads 0.95.
    """

    distance: float
    usual: float
    inside: float


class DataSupport:
    """The dataset, ready to be asked how near its actions are.

    Parameters
    ----------
    data : Transitions
    states : int
        Rows of the data that count as similar to a state.
    nearest : int
        k. The nearest one alone would be ruled by outliers of the data.
    seed : int
        Chooses the rows on which ``usual`` distances are measured.

    Raises
    ------
    UserError
        Fewer rows than ``nearest`` + 1, or ``states`` < ``nearest`` + 1.
    """

    def __init__(self, data: Transitions, states: int = STATES, nearest: int = NEAREST, seed: int = 0) -> None:
        if not 1 <= nearest < min(states, len(data)):
            raise UserError(
                f"nearest = {nearest} must be at least 1 and below both states = {states} and the data's {len(data)} rows"
            )
        self.nearest, self._states = nearest, min(states, len(data))
        spread = data.observations.std(0)
        self._scale = np.where(spread > 0, spread, 1.0).astype(np.float64)
        self._actions = data.actions.astype(np.float64)
        # a median split would recurse without end on many equal states
        self._tree = cKDTree(data.observations / self._scale, balanced_tree=False, compact_nodes=False)
        self._near: dict[
            tuple[bytes, int], cKDTree
        ] = {}  # of the latest states: a page asks at the same one again and again
        rows = np.random.default_rng(seed).permutation(len(data))[:CALIBRATION]
        # a row finds itself first, at distance 0: ask for one neighbour more, in both spaces
        self.own = self._distances(data.observations[rows], data.actions[rows, None], spare=1)[:, 0]
        self.border = float(np.quantile(self.own, INSIDE))

    def distances(self, observations: np.ndarray, actions: np.ndarray) -> np.ndarray:
        """Distance (B, R), action units, of ``actions`` (B, R, D) at ``observations`` (B, S) to the k-th nearest action."""
        return self._distances(observations, actions, spare=0)

    def measure(self, observations: np.ndarray, actions: np.ndarray) -> Support:
        """Summarise the distances of ``actions`` (B, R, D) at ``observations`` (B, S)."""
        distances = self.distances(observations, actions)
        return Support(float(distances.mean()), float(self.own.mean()), float((distances <= self.border).mean()))

    def _distances(self, observations: np.ndarray, actions: np.ndarray, spare: int) -> np.ndarray:
        states, which = np.unique(observations, axis=0, return_inverse=True)
        distances = np.empty(actions.shape[:2])
        for i, state in enumerate(states):
            here, near = which.ravel() == i, self._actions_near(state, spare)
            distance, _ = near.query(actions[here].reshape(-1, actions.shape[2]), k=[min(self.nearest + spare, near.n)])
            distances[here] = distance.reshape(-1, actions.shape[1])
        return distances

    def _actions_near(self, state: np.ndarray, spare: int) -> cKDTree:
        """The data's actions at states like ``state`` (S,)."""
        name = (state.tobytes(), spare)
        if name not in self._near:
            point = state / self._scale
            reach, _ = self._tree.query(point, k=[min(self._states + spare, len(self._actions))])
            hood = self._tree.query_ball_point(point, reach[0] * (1 + 1e-9))
            while len(self._near) >= KEPT:
                self._near.pop(next(iter(self._near)), None)
            self._near[name] = cKDTree(self._actions[hood])
        return self._near[name]
