"""What made a result: code version and commit, packages, Python, machine."""

from __future__ import annotations

import os
import platform
import socket
import subprocess
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = (
    "workbench",
    "torch",
    "numpy",
    "scipy",
    "pydantic",
    "safetensors",
    "POT",
    "ogbench",
    "mujoco",
    "distributed",
)


@lru_cache(maxsize=1)
def _fixed() -> dict[str, Any]:
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return {
        "code": _commit(),
        "packages": versions,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": _processor(),
    }


def provenance() -> dict[str, Any]:
    """Versions and machine of this process, as plain types."""
    return _fixed() | {"host": socket.gethostname(), "pid": os.getpid()}


def _commit() -> dict[str, Any] | None:
    """Commit of the clone that the code lies in, and whether files differ from it; None for an installed package."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return None
    try:
        commit = _git(root, "rev-parse", "HEAD")
        changed = _git(root, "status", "--porcelain", "--untracked-files=no", "--", "workbench")
    except (OSError, subprocess.SubprocessError):
        return None
    return {"commit": commit, "changed": bool(changed)}


def _git(root: Path, *words: str) -> str:
    done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, timeout=10, check=True)
    return done.stdout.strip()


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
