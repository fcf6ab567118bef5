"""How to compute: which matrix product, how exact, and on how many threads."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Literal

import torch
from torch.overrides import TorchFunctionMode

from workbench.engine.words import UserError

Precision = Literal["highest", "tf32", "bf16"]
SMALL = 8_000_000  # multiply-adds of one layer below which a second thread hardly helps
WORTH_IT = 4_000_000  # multiply-adds of one layer below which the default path has less overhead
FP32_ERROR = 1e-5
_SETTING = threading.Lock()  # the precision belongs to the process: threads must not restore each other's change
_tf32 = 0  # blocks of `products` at "tf32" that are running, in any thread
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


def check_precision(precision: Precision, device: torch.device) -> None:
    """Raise UserError, with the cure, where ``device`` does not know ``precision``."""
    if precision == "tf32" and device.type != "cuda":
        raise UserError(
            f"precision=tf32 is a way of NVIDIA GPUs, and this is done on {device.type}; use precision=bf16, or highest"
        )


def bf16_is_fast() -> bool:
    """Whether this processor multiplies bf16 numbers itself; elsewhere bf16 is right and slow."""
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


@contextmanager
def products(precision: Precision, device: torch.device) -> Iterator[None]:
    """Within this block, and what it calls, matrix products of fp32 numbers are computed at ``precision``.

    Parameters
    ----------
    precision : {"highest", "tf32", "bf16"}
        All 24 bits of an fp32 factor; 11 of them (NVIDIA's TF32, on CUDA alone); or 8 (bf16). Sums are taken in fp32, and
        everything that is no matrix product stays as it is.
    device : torch.device

    Raises
    ------
    UserError
        The device does not know the precision.
    """
    check_precision(precision, device)
    before = _HERE.bf16
    _HERE.bf16 = precision == "bf16"
    try:
        with _Bf16Products() if _HERE.bf16 else _tf32_allowed() if precision == "tf32" else nullcontext():
            yield
    finally:
        _HERE.bf16 = before


def is_bf16() -> bool:
    """Whether this thread is inside a block of `products` at bf16."""
    return _HERE.bf16


def same_products() -> AbstractContextManager[object]:
    """For a backward pass, noted in its forward pass: a block whose products are as they are now.

    torch calls backward passes in threads of its own, and switches what `products` set off while it does.
    """
    return _Bf16Products() if _HERE.bf16 else nullcontext()


@contextmanager
def _tf32_allowed() -> Iterator[None]:
    """The setting belongs to the process: other threads' products on the GPU are TF32 too while a block runs."""
    global _tf32
    with _SETTING:
        if _tf32 == 0:
            torch.backends.cuda.matmul.allow_tf32 = True
        _tf32 += 1
    try:
        yield
    finally:
        with _SETTING:
            _tf32 -= 1
            if _tf32 == 0:
                torch.backends.cuda.matmul.allow_tf32 = False


class _Here(threading.local):
    bf16 = False


_HERE = _Here()


class _Bf16Products(TorchFunctionMode):
    """Rounds the factors of fp32 products to bf16, in this thread.

    torch's autocast cannot be used: it knows no products that write into a given place, as the backward passes of our
    networks do, and it would leave everything after a product in bf16.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = dict(kwargs or {})
        place = _FACTORS.get(func)
        if place is None or args[place].dtype != torch.float32:
            return func(*args, **given)
        left, right = args[place : place + 2]
        product = _PRODUCT[left.dim()](left.to(torch.bfloat16), right.to(torch.bfloat16))
        out = given.get("out")
        if place == 1:  # the first argument is added
            return torch.add(args[0], product, out=out)
        return product.to(torch.float32) if out is None else out.copy_(product)


_FACTORS = {torch.mm: 0, torch.bmm: 0, torch.addmm: 1, torch.baddbmm: 1}  # where the factors stand among the arguments
_PRODUCT: dict[int, Any] = {2: torch.mm, 3: torch.bmm}
