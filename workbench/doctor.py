"""What ``workbench doctor`` finds out about this installation."""

from __future__ import annotations

import importlib.util
import platform
import time
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch

from workbench.engine.models.fused import operations
from workbench.engine.models.native import build
from workbench.engine.precision import bf16_is_fast, fast_matmul, medium_is_fp32
from workbench.engine.training.fast.compiled import compiler_available
from workbench.runs.devices import decide, usual_work

PACKAGES = ("torch", "numpy", "panel", "holoviews", "bokeh", "jupyterlab", "ipywidgets", "matplotlib")
EXTRAS = {
    "ogbench": "ogbench",
    "minari": "minari",
    "dask": "distributed",
    "export": "onnxruntime",
    "language": "transformers",
    "test": "pytest",
    "dev": "ruff",
}


def examine() -> dict[str, Any]:
    """Return findings by name: versions, extras, GPU, compiler, and the speed of the fp32 matrix product."""
    facts: dict[str, Any] = {
        "workbench": _version("workbench"),
        "python": platform.python_version(),
        "platform": platform.platform(),
    }
    facts |= {name: _version(name) for name in PACKAGES}
    facts |= {f"extra {extra}": importlib.util.find_spec(module) is not None for extra, module in EXTRAS.items()}
    facts["cuda"] = torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
    facts |= {f"device auto: {what}": decide(work).why for what, work in usual_work().items()}
    facts["threads"] = torch.get_num_threads()
    facts["compiler"] = compiler_available()
    facts["passes in C"] = build.reason() or "yes"
    facts["kernels in Triton"] = operations.reason() or "yes"
    facts["medium is fp32"] = medium_is_fp32()
    facts["fast bf16"] = bf16_is_fast()
    facts["fp32 GFLOP/s"] = round(matmul_gflops(), 1)
    return facts


def matmul_gflops(size: int = 1024, repeats: int = 40) -> float:
    """Best of some products of (size, size) matrices on the CPU by the path training uses, in GFLOP/s."""
    a, b = torch.randn(size, size), torch.randn(size, size)
    best = float("inf")
    with fast_matmul(size, size, a.device):
        for _ in range(repeats):
            start = time.perf_counter()
            torch.mm(a, b)
            best = min(best, time.perf_counter() - start)
    return 2.0 * size**3 / best / 1e9


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "missing"
