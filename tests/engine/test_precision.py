"""The process's matrix-product setting comes back whatever threads do."""

import threading
import time

import pytest
import torch

from workbench.engine import precision
from workbench.engine.models.mlp import Mlp, MlpShape, named_views


def test_threads_that_measure_at_once_leave_the_setting_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    set_precision = torch.set_float32_matmul_precision

    def slowly(name: str) -> None:
        set_precision(name)
        time.sleep(0.05)

    precision._measure.cache_clear()
    monkeypatch.setattr(torch, "set_float32_matmul_precision", slowly)
    threads = [threading.Timer(delay, precision.medium_is_fp32) for delay in (0.0, 0.02)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = torch.get_float32_matmul_precision()
    set_precision("highest")
    assert found == "highest"


def test_blocks_that_overlap_in_threads_compute_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first block to end leaves the fast path to the other: otherwise a run's bits would depend on its neighbour."""
    monkeypatch.setattr(precision, "_measure", lambda: True)
    first, second = (precision.fast_matmul(256, 512, torch.device("cpu")) for _ in range(2))
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert torch.get_float32_matmul_precision() == "medium"
    second.__exit__(None, None, None)
    assert torch.get_float32_matmul_precision() == "highest"


@pytest.mark.parametrize("members", [1, 2, 3])
@pytest.mark.parametrize("width", [96, 160])
def test_every_weight_has_its_gradient_on_the_fast_path(members: int, width: int) -> None:
    """torch.bmm with ``out`` left the last layer of an ensemble unwritten there: its gradient was what the memory held before."""
    shape = MlpShape(5, 1, (width, width), members=members)
    generator = torch.Generator().manual_seed(width)
    net, x = Mlp(shape, generator), torch.randn(224, 5, generator=generator)
    gradients = []
    before = torch.get_float32_matmul_precision()
    for how in ("highest", "medium"):
        torch.set_float32_matmul_precision(how)
        try:
            held = [torch.full((count,), torch.nan) for count in (width * members, net.theta.numel()) for _ in range(8)]
            del held  # what is allocated next begins with this
            net.theta.grad = None
            net(x).square().sum().backward()
            gradients.append(net.theta.grad.clone())
        finally:
            torch.set_float32_matmul_precision(before)
    assert bool(gradients[1].isfinite().all())
    for name, view in named_views(gradients[1], shape).items():
        wanted = named_views(gradients[0], shape)[name]
        torch.testing.assert_close(view, wanted, rtol=0.05, atol=0.02 * float(wanted.abs().max()) + 1e-6)
