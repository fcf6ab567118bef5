"""A participant's rule at arm's length: a process that gets states and noise, and gives actions.

The rule never sees the episodes, the meter or the key, and what it says is taken as actions and nothing else. Its process has
no environment of ours, an empty home, a limit on time, processor time, memory and files, and where the system allows it neither
files nor network (`workbench.course.confine`).
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from platformdirs import user_cache_path

from workbench.course.respond import ACTIONS, FAULT, HELLO, PRELUDE, TOLD
from workbench.course.submission import Submission
from workbench.engine.models.parts import Parts
from workbench.engine.steering.noise import Noise
from workbench.engine.tasks.three_exits import ThreeExits
from workbench.engine.training.loop.quick import quick_parts
from workbench.engine.words import UserError
from workbench.views.policies import SEED

CHILD = Path(__file__).with_name("respond.py")
ROOT = Path(__file__).resolve().parents[2]
SYSTEM = (
    "/usr",
    "/lib",
    "/lib64",
    "/bin",
    "/nix",
    "/run/current-system",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/dev/null",
    "/dev/urandom",
    "/sys/devices/system/cpu",
    "/proc/cpuinfo",
    "/proc/meminfo",
)
MOST_PARTICLES = 64


class Refused(UserError):
    """What was handed in cannot be played; the message is for its author."""


@dataclass(frozen=True)
class Limits:
    """What a submission may use: wall seconds and processor seconds in all, and bytes beyond what torch itself takes."""

    seconds: float = 120.0
    cpu_seconds: int = 90
    memory: int = 2 << 30


class Player:
    """The process of one submission; use it in a ``with`` block.

    Attributes
    ----------
    particles, extra : int
        What noise the rule wants per state.
    twins : bool
        Whether the choice among particles does not look at Q.
    held : list of str
        What is closed or limited: "files", "network", "memory", "seconds".

    Raises
    ------
    Refused
        The rule cannot be made, fails, or breaks a limit.
    """

    def __init__(self, submission: Submission, limits: Limits = Limits()) -> None:
        self._limits, self._late = limits, False
        self._home = tempfile.TemporaryDirectory(prefix="workbench-", ignore_cleanup_errors=True)
        home = Path(self._home.name).resolve()
        (home / "empty").mkdir()
        _lay_out_parts(home / "parts")
        (home / "submission.py").write_text(_module(submission.source), encoding="utf-8")
        plan = {
            "readable": _readable(home),
            "seed": SEED,
            "parts": str(home / "parts"),
            "file": str(home / "submission.py") if submission.source else "",
            "rule": submission.rule,
            "settings": submission.settings,
            "cpu_seconds": limits.cpu_seconds,
            "memory": limits.memory,
        }
        self._process = subprocess.Popen(
            [sys.executable, "-s", "-P", str(CHILD)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=home / "empty",
            env=_environment(home / "empty"),
            start_new_session=True,
        )
        self._clock = threading.Timer(limits.seconds, self._too_late)
        self._clock.daemon = True
        self._clock.start()
        try:
            self._send(json.dumps(plan).encode())
            hello = json.loads(self._receive(HELLO, TOLD))
            self.held = [str(word) for word in hello[0]]
            self.particles, self.extra, self.twins = int(hello[1]), int(hello[2]), bool(hello[3])
            if not 1 <= self.particles <= MOST_PARTICLES or not 0 <= self.extra <= MOST_PARTICLES:
                raise Refused(
                    f"the board plays rules with at most {MOST_PARTICLES} particles, this one has {self.particles}"
                )
        except BaseException:
            self.close()
            raise

    def act(self, states: np.ndarray, noise: Noise) -> np.ndarray:
        """Actions (B, 2), clipped to [-1, 1], for states (B, 4)."""
        b, n = noise.choice.shape
        m = 0 if noise.extra is None else noise.extra.shape[2]
        pieces = [states, noise.start.numpy(), noise.choice.numpy()] + (
            [] if noise.extra is None else [noise.extra.numpy()]
        )
        self._send(
            struct.pack("<3I", b, n, m) + b"".join(np.ascontiguousarray(p, np.float32).tobytes() for p in pieces)
        )
        actions = np.frombuffer(self._receive(ACTIONS, b * 8, exact=True), np.float32).reshape(b, 2)
        if not np.isfinite(actions).all():
            raise Refused("the rule gave an action that is no number (NaN or infinite)")
        return actions.clip(-1.0, 1.0)

    def close(self) -> None:
        """End the process and all that it started, and remove its folder."""
        self._clock.cancel()
        self._end()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):  # bytes that it did not read any more
                    stream.close()
        self._home.cleanup()

    def __enter__(self) -> Player:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _too_late(self) -> None:
        self._late = True
        self._end()

    def _end(self) -> None:
        try:
            if hasattr(os, "killpg"):
                os.killpg(self._process.pid, signal.SIGKILL)
            else:
                self._process.kill()
        except (ProcessLookupError, PermissionError):
            pass  # it has ended

    def _send(self, content: bytes) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(struct.pack("<I", len(content)) + content)
            self._process.stdin.flush()
        except OSError:
            pass  # it has ended; what it said before that is read next

    def _receive(self, kind: bytes, size: int, exact: bool = False) -> bytes:
        assert self._process.stdout is not None
        head = self._process.stdout.read(5)
        if len(head) == 5:
            said, length = head[:1], struct.unpack("<I", head[1:])[0]
            if said == FAULT and length <= 4 * TOLD:
                raise Refused(_readable_words(self._process.stdout.read(length).decode(errors="replace")))
            if said == kind and (length == size if exact else length <= size):
                content = self._process.stdout.read(length)
                if len(content) == length:
                    return content
        if self._late:
            raise Refused(f"the rule took longer than {self._limits.seconds:g} seconds")
        self._end()
        code = self._process.wait()
        if code == -int(getattr(signal, "SIGXCPU", 0)) and code:
            raise Refused(f"the rule used more than {self._limits.cpu_seconds} seconds of processor time")
        raise Refused("the rule's process ended in the middle, or said something else than actions (did it call exit?)")


def _readable_words(text: str) -> str:
    name, _, rest = text.partition(": ")
    if (
        name in ("MemoryError", "SystemExit", "KeyboardInterrupt")
        or "not enough memory" in text
        or "can't allocate" in text
    ):
        return (
            "the rule needs too much memory"
            if name not in ("SystemExit", "KeyboardInterrupt")
            else "the rule called exit"
        )
    return rest if name in ("UserError", "ValueError") else f"the rule stopped with {text}"


def _module(source: str) -> str:
    """A file of what was handed in: Python wants imports from the future first, then come the names that lessons use."""
    lines = source.splitlines()
    future = [line for line in lines if line.startswith("from __future__ ")]
    return "\n".join([*future, PRELUDE, *(line for line in lines if line not in future)]) + "\n"


def _libraries() -> list[str]:
    """Folders of installed packages, and of this one."""
    return list(dict.fromkeys([str(ROOT), *(path for path in sys.path if "-packages" in path)]))


def _readable(home: Path) -> list[str]:
    """What torch and the workbench read to run at all, and the submission's own folder."""
    packages = [path for path in _libraries() if path != str(ROOT)]
    return [*SYSTEM, sys.prefix, sys.base_prefix, *packages, str(ROOT / "workbench"), str(home), "/proc/self/statm"]


def _environment(home: Path) -> dict[str, str]:
    """Nothing of ours but what Python needs to start."""
    variables = {
        name: os.environ[name] for name in ("PATH", "SYSTEMROOT", "LD_LIBRARY_PATH", "LANG") if name in os.environ
    }
    python = os.pathsep.join(_libraries())
    threads = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
    places = {"HOME": str(home), "USERPROFILE": str(home), "TMPDIR": str(home)}
    return (
        variables
        | threads
        | places
        | {"PYTHONPATH": python, "PYTHONDONTWRITEBYTECODE": "1", "CUDA_VISIBLE_DEVICES": ""}
    )


def board_parts() -> Parts:
    """The policy of three exits that the lessons use, from the user's cache; trained when it is not there."""
    making = quick_parts(ThreeExits(), SEED)
    while True:
        try:
            next(making)
        except StopIteration as end:
            parts: Parts = end.value
            return parts


def _lay_out_parts(folder: Path) -> None:
    """A copy of that policy: the rule's process cannot touch the one that all use."""
    board_parts()
    folder.mkdir()
    for run in (user_cache_path("workbench") / "quick").glob(f"{ThreeExits.info.name}-*"):
        shutil.copytree(run, folder / run.name)
