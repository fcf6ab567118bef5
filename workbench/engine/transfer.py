"""Handing numbers to a GPU while it computes: from pinned memory, and made on a stream of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

import torch
from torch import Tensor
from torch.utils import _pytree

T = TypeVar("T")


class Aside(Protocol):
    """Makes what the next launch takes; nothing that it uses may be written by a launch that still runs."""

    def __call__(self, make: Callable[[], T], /) -> T: ...


def at_once(make: Callable[[], T]) -> T:
    """Make it here and now."""
    return make()


def sent(rows: Tensor, device: torch.device) -> Tensor:
    """``rows`` on ``device``. From ordinary memory a GPU's copy would wait for all that was launched before it."""
    return rows.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else rows.to(device)


def free_memory(device: torch.device) -> int | None:
    """Bytes that are free on a GPU; None on devices whose memory is the processor's."""
    return torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else None


def aside_for(device: torch.device) -> Aside:
    """A stream of its own on a GPU. It begins after all that has been launched so far."""
    return OnStream(device) if device.type == "cuda" else at_once


class OnStream:
    """A GPU's second stream: rows and noise of the next updates are made on it while the latest launch still runs.

    Drawing rows that lie in the processor's memory asks which rows, which waits for the stream that drew their numbers. On the
    stream of the updates that would be a wait for all of them.

    Parameters
    ----------
    device : torch.device
    """

    def __init__(self, device: torch.device) -> None:
        self._device, self._stream = device, torch.cuda.Stream(device)
        self._stream.wait_stream(torch.cuda.current_stream(device))  # what it will read is there

    def __call__(self, make: Callable[[], T]) -> T:
        """The result may be used on the caller's stream."""
        here = torch.cuda.current_stream(self._device)
        with torch.cuda.stream(self._stream):
            made = make()
        here.wait_stream(self._stream)
        for leaf in _pytree.tree_leaves(made):
            if isinstance(leaf, Tensor):
                leaf.record_stream(here)  # its memory is not given away while this stream still reads it
        return made
