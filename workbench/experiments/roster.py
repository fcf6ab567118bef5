"""Which workers of a cluster run the same code as the sweep: a record says one version, so one version makes the results."""

from __future__ import annotations

import hashlib
import platform
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

SHOWN = 12  # digits of the code's hash in a message


@lru_cache(maxsize=1)
def fingerprint() -> dict[str, str]:
    """What a result depends on: versions of workbench, torch and NumPy, Python without its last number, hash of the code."""
    versions = {"python": ".".join(platform.python_version_tuple()[:2])}
    for name in ("workbench", "torch", "numpy"):
        try:
            versions[name] = version(name).partition("+")[0]  # the CPU's and the GPU's build are the same version
        except PackageNotFoundError:
            versions[name] = "none"
    return versions | {"code": code_hash(Path(__file__).resolve().parents[1])}


def code_hash(folder: Path) -> str:
    """Hash of all Python files below ``folder``, names and contents."""
    whole = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        content = path.read_bytes()
        whole.update(f"{path.relative_to(folder).as_posix()} {len(content)}\n".encode() + content)
    return whole.hexdigest()


def differences(mine: dict[str, str], theirs: dict[str, str]) -> str:
    """``workbench 0.0.1, here 0.1.0; …``; "" where they agree."""
    return "; ".join(
        f"{name} {theirs.get(name, 'unknown')[:SHOWN]}, here {value[:SHOWN]}"
        for name, value in mine.items()
        if theirs.get(name) != value
    )


class Roster:
    """The workers of a cluster and how each differs from this process.

    Attributes
    ----------
    odd : dict of str to str
        Differences of the workers that are not the same, by address; those that have left too.
    same : set of str
        Addresses of the workers that are here and the same.
    count : int
        Workers that are here.
    """

    def __init__(self) -> None:
        self.odd: dict[str, str] = {}
        self.same: set[str] = set()
        self.count = 0

    def look(self, client: Any) -> dict[str, str]:
        """Ask the workers that are new, and return the odd ones among them."""
        here = set(client.nthreads())
        self.count = len(here)
        self.same &= here
        new = here - self.same - set(self.odd)
        if not new:
            return {}
        answers: dict[str, Any] = client.run(fingerprint, workers=sorted(new), on_error="return")
        odd = {}
        for address, answer in answers.items():
            if isinstance(answer, OSError):
                continue  # it has left meanwhile
            if isinstance(answer, Exception):
                odd[address] = f"it cannot say its version ({type(answer).__name__}): an older workbench, or none"
            elif words := differences(fingerprint(), answer):
                odd[address] = words
            else:
                self.same.add(address)
        self.odd |= odd
        return odd

    def note(self, address: str, words: str) -> bool:
        """Remember what a worker said of itself; whether that is news."""
        news = address not in self.odd
        self.odd[address] = words
        self.same.discard(address)
        return news


def told(odd: dict[str, str]) -> str:
    """``the worker at … has workbench 0.0.1, here 0.1.0``, for several of them."""
    lines = [f"the worker at {address} has {words}" for address, words in list(odd.items())[:3]]
    return "; ".join(lines) + (f"; and {len(odd) - 3} more" if len(odd) > 3 else "")
