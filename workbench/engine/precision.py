"""How to compute: which fp32 matrix product, and on how many threads."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch

SMALL = 8_000_000  # multiply-adds of one layer below which a second thread hardly helps
WORTH_IT = 4_000_000  # multiply-adds of one layer below which the default path has less overhead
FP32_ERROR = 1e-5
_SETTING = threading.Lock()  # the precision belongs to the process: threads must not restore each other's change
_inside = 0  # blocks of `fast_matmul` that are running, in any thread


def medium_is_fp32() -> bool:
    """Say whether "medium" still computes in fp32 on this processor (elsewhere it may mean bfloat16); measured once."""
    with _SETTING:
        return _measure()


@functools.cache
def _measure() -> bool:
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.randn(256, 256, generator=generator) for _ in range(2))
    exact = a.double() @ b.double()
    before = torch.get_float32_matmul_precision()
    try:
        torch.set_float32_matmul_precision("medium")
        error = (a @ b - exact).abs().max() / exact.abs().max()
    finally:
        torch.set_float32_matmul_precision(before)
    return bool(error < FP32_ERROR)


@contextmanager
def fast_matmul(rows: int, width: int, device: torch.device) -> Iterator[None]:
    """Within this block, matrix products take the fastest path that is still fp32.

    On AMD processors torch's default reaches half the speed of the path that "medium" selects, at the same error. On CUDA
    nothing changes: "medium" would mean TF32 or bfloat16 there.

    Parameters
    ----------
    rows, width : int
        Size of the typical product, (rows, width) × (width, width): small ones stay on the default path.
    device : torch.device
    """
    global _inside
    if device.type != "cpu" or rows * width * width < WORTH_IT:
        yield
        return
    with _SETTING:
        use = _inside > 0 or (torch.get_float32_matmul_precision() == "highest" and _measure())
        if use and _inside == 0:
            torch.set_float32_matmul_precision("medium")
        _inside += use
    try:
        yield
    finally:
        with _SETTING:
            _inside -= use
            if use and _inside == 0:
                torch.set_float32_matmul_precision("highest")


@contextmanager
def few_threads(rows: int, width: int, device: torch.device) -> Iterator[None]:
    """Within this block small networks compute on one thread.

    A second thread makes an update of a 64×2 network 12% faster on an idle machine, and many times slower on a busy one, where
    threads wait for each other at every small operation.

    Parameters
    ----------
    rows, width : int
        Size of the typical product, (rows, width) × (width, width).
    device : torch.device
    """
    before = torch.get_num_threads()
    if device.type != "cpu" or before == 1 or rows * width * width >= SMALL:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
