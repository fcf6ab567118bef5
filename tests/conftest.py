"""What every test starts from: one thread, fixed seeds, deterministic torch, no display."""

import os

os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TRITON_INTERPRET", "1")  # the GPU's kernels are played on the CPU; Triton asks as it is loaded

import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from chromium import find_chromium
from figures import figures, pytest_sessionfinish, pytest_terminal_summary, pytest_testnodedown
from hypothesis import settings
from sockets import sockets_closed

__all__ = [
    "figures",
    "pytest_sessionfinish",
    "pytest_terminal_summary",
    "pytest_testnodedown",
    "sockets_closed",
]  # what pytest finds here

ROOT = Path(__file__).resolve().parents[1]

# The same examples in every run: a red test is red again tomorrow. Time limits would measure the machine.
settings.register_profile("workbench", derandomize=True, deadline=None, print_blob=True)
settings.load_profile("workbench")


@pytest.fixture(scope="session")
def root() -> Path:
    """The root of the clone."""
    return ROOT


@pytest.fixture(scope="session", autouse=True)
def _one_deterministic_thread() -> Iterator[None]:
    """One thread (machines are shared, sums keep their order) and an error where torch could not repeat itself."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)
    torch.set_num_threads(threads)


@pytest.fixture(autouse=True)
def _seeds() -> Iterator[None]:
    """Fixed seeds of the global generators; a test that changes torch's dtype or gradients mode does not leak it."""
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002 -- ogbench's mazes draw from the global generator
    torch.manual_seed(0)
    dtype = torch.get_default_dtype()
    yield
    torch.set_default_dtype(dtype)
    torch.set_grad_enabled(True)


@pytest.fixture
def rng() -> np.random.Generator:
    """A fresh NumPy generator with a fixed seed."""
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of the browser; a missing browser fails the test, since a skipped one would pass for a working page."""
    try:
        return find_chromium()
    except FileNotFoundError as missing:
        pytest.fail(str(missing), pytrace=False)
