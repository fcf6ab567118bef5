"""Transitions whose observations are pictures: kept as bytes, and cropped at random when a minibatch is drawn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from workbench.engine.data.replay import Replay
from workbench.engine.data.transitions import Batch, OutOfBounds, Place, Transitions, make_transitions
from workbench.engine.words import UserError, shown

MARGIN = 3  # pixels by which a crop may be moved, as in FQL's code


@dataclass(frozen=True)
class PictureTransitions(Transitions):
    """A dataset of R rows whose observations are bytes (R, S), flattened pictures; build it with `make_pictures`.

    Attributes
    ----------
    picture : tuple of int
        Height, width and channels.
    """

    picture: tuple[int, int, int] = (1, 1, 1)

    def sample_states(self, seed: int, count: int = 256) -> Tensor:
        """As of `Transitions`, as float32."""
        return super().sample_states(seed, count).float()


def make_pictures(
    arrays: Mapping[str, np.ndarray],
    *,
    out_of_bounds: OutOfBounds = "refuse",
    source: str = "dataset",
    place: Place = "row {}".format,
) -> PictureTransitions:
    """Check the ``arrays`` of a dataset of pictures by their names in `Transitions`, ``observations`` (R, H, W, C) of bytes.

    The pictures are not copied where they lie row after row already; everything else is as in `make_transitions`.

    Raises
    ------
    UserError
        Pictures that are not bytes of four axes, or not alike before and after; else as `make_transitions`.
    """
    shapes = []
    observations, actions, following = (arrays[name] for name in ("observations", "actions", "next_observations"))
    for name, array in (("observations", observations), ("next_observations", following)):
        if array.dtype != np.uint8 or array.ndim != 4 or 0 in array.shape:
            raise UserError(
                f"{source}: '{name}' must be pictures (rows, height, width, channels) of bytes (uint8), got shape "
                f"{shown(tuple(array.shape))} of {array.dtype}; save them as (pictures * 255).astype('uint8') if they are 0 to 1"
            )
        shapes.append(tuple(array.shape))
    if shapes[0] != shapes[1] or len(actions) != len(observations):
        raise UserError(
            f"{source}: 'observations' {shapes[0]}, 'next_observations' {shapes[1]} and 'actions' {shown(tuple(actions.shape))} "
            "differ in rows or size"
        )
    blind = np.zeros((len(observations), 1), dtype=np.float32)
    rest = make_transitions(
        blind,
        actions,
        arrays["rewards"],
        arrays["masks"],
        blind,
        arrays["ends"],
        out_of_bounds=out_of_bounds,
        source=source,
        place=place,
    )
    columns = vars(rest) | {
        "observations": np.ascontiguousarray(observations).reshape(len(observations), -1),
        "next_observations": np.ascontiguousarray(following).reshape(len(observations), -1),
    }
    return PictureTransitions(**columns, picture=shapes[0][1:])


class PictureReplay(Replay):
    """`Replay` over pictures, which stay bytes until a minibatch is drawn.

    Attributes
    ----------
    crop : float
        Share of the minibatches whose pictures are moved by up to 3 pixels, the border repeated; before and after alike.
    """

    crop = 0.0

    def __init__(self, data: PictureTransitions, mean: Tensor, std: Tensor, *, steps: int, **settings: Any) -> None:
        self._picture = data.picture
        nothing = np.zeros((len(data), 0), dtype=np.float32)
        columns = {name: value for name, value in vars(data).items() if name != "picture"}
        blind = Transitions(**columns | {"observations": nothing, "next_observations": nothing})
        super().__init__(blind, mean[:0], std[:0], steps=steps, **settings)
        device = self._matrix.device
        self._now, self._then = (torch.from_numpy(x).to(device) for x in (data.observations, data.next_observations))
        self._last = torch.from_numpy(blind.returns(self._steps, self._discount)[2]).to(device)

    @property
    def is_held(self) -> bool:
        """No: crops are drawn beside the rows."""
        return False

    def make_room(self, room: int) -> None:
        """Refuse: rows that are played are not kept as pictures."""
        raise UserError(
            "training on pictures does not go on with environment steps; train on the dataset alone (workbench fit)"
        )

    def noise(self, size: int, generator: torch.Generator) -> Tensor | None:
        """By how much each picture is moved, (M, 2) from 0 to 6, 3 not at all; nothing is drawn where nothing is cropped."""
        if self.crop == 0.0:
            return None
        moved = torch.randint(0, 2 * MARGIN + 1, (size, 2), generator=generator, device=generator.device)
        chosen = torch.rand((), generator=generator, device=generator.device) < self.crop
        return torch.where(chosen, moved, torch.full_like(moved, MARGIN))

    def batch(self, index: Tensor, noise: Tensor | None = None) -> Batch:
        """As of `Replay`, with pictures as float32, 0 to 255."""
        plain = super().batch(index)
        now, then = self._now.index_select(0, index), self._then.index_select(0, self._last.index_select(0, index))
        if noise is not None:
            now, then = (cropped(pixels, self._picture, noise) for pixels in (now, then))
        return plain._replace(observations=now.float(), next_observations=then.float())

    def following(self, size: int) -> Iterator[Tensor]:
        """As of `Replay`; a block of ``size`` pictures is made float32 at a time."""
        for which in self._last.split(size):
            yield self._then.index_select(0, which).float()


def cropped(pixels: Tensor, picture: tuple[int, int, int], moved: Tensor) -> Tensor:
    """Pictures (M, S) seen through a window that is moved by ``moved`` - 3 pixels (M, 2); beyond the border that repeats."""
    rows, height, width = len(pixels), *picture[:2]
    down, right = (
        (torch.arange(size, device=pixels.device) + moved[:, axis : axis + 1] - MARGIN).clamp(0, size - 1)
        for axis, size in enumerate((height, width))
    )
    grid = pixels.view(rows, *picture)
    which = torch.arange(rows, device=pixels.device)[:, None, None]
    return grid[which, down[:, :, None], right[:, None, :]].reshape(rows, -1)
