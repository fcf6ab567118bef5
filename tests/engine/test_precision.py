"""The process's matrix-product setting comes back whatever threads do."""

import threading
import time

import pytest
import torch

from workbench.engine import precision


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
