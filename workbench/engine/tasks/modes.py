"""Tasks that know the modes of what can be done in them."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np


@runtime_checkable
class KnowsModes(Protocol):
    """A task that can say of an episode which of several known ways it took.

    Attributes
    ----------
    mode_names : tuple of str
        Names of the M modes.
    """

    mode_names: tuple[str, ...]

    def modes(self, path: np.ndarray, first_actions: np.ndarray, returns: np.ndarray) -> np.ndarray:
        """Say which mode each episode took.

        Parameters
        ----------
        path : ndarray
            (ticks + 1, E, S) observations; those of a finished episode stay as they were.
        first_actions : ndarray
            (E, d), what was played at the start, as the environment takes it.
        returns : ndarray
            (E,).

        Returns
        -------
        ndarray
            (E,) int, 0 to M - 1, or -1 for none of them.
        """
        ...
