"""One peer's program in its own interpreter, spoken to over pipes (`benchmarks.peer_child` is what runs there)."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

CHILD = Path(__file__).with_name("peer_child.py")


class PeerError(RuntimeError):
    """The peer's own code raised, or its process ended."""


class Peer(NamedTuple):
    """Where a peer's code is, and what runs it.

    Attributes
    ----------
    name : {"qgf", "vgf", "torchrl"}
    python : str
        The interpreter that has what it needs.
    folder : str
        The checkout; empty for an installed package.
    """

    name: str
    python: str
    folder: str = ""


class Child:
    """A process that has made one piece of work ready, and times it when told.

    Parameters
    ----------
    peer : Peer
    work : dict
        The work and its sizes.

    Raises
    ------
    PeerError
        It could not be made ready; the words are the peer's own.
    """

    def __init__(self, peer: Peer, work: dict[str, Any]) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 -- lives as long as the process
        self._process = subprocess.Popen(
            [peer.python, str(CHILD)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            cwd=peer.folder or None,
            env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        )
        try:
            answer = self._ask(do="open", peer=peer.name, folder=peer.folder, work=work)
        except BaseException:
            self.close()
            raise
        self.about: str = answer["about"]

    def seconds(self, count: int) -> tuple[float, float]:
        """Seconds of ``count`` calls, measured there: on the clock, and of all processors together."""
        answer = self._ask(do="time", count=count)
        return float(answer["seconds"]), float(answer["cpu"])

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()
        self._errors.close()

    def _ask(self, **request: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            self._process.wait()
            self._errors.seek(0)
            last = self._errors.read().decode(errors="replace").strip().splitlines()[-1:]
            raise PeerError(f"its process ended with code {self._process.returncode}: {''.join(last) or 'no words'}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise PeerError(answer["error"])
        return answer
