"""Compiling and loading the passes in C: once a machine, in a second or two, kept in the user's cache folder."""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from platformdirs import user_cache_path

SOURCES = [Path(__file__).with_name(name) for name in ("passes.c", "numbers.h", "weights.h", "row.h", "decision.h")]
OFF = "WORKBENCH_NATIVE"  # set to 0: PyTorch's operations alone


def library() -> ctypes.CDLL | None:
    """The passes, or None where `reason` says why not."""
    return _once()[0]


def reason() -> str:
    """Why the passes in C are not used; empty where they are."""
    return _once()[1]


def load() -> tuple[ctypes.CDLL | None, str]:
    """The passes, compiled where need be, and what stands in the way."""
    if os.environ.get(OFF) == "0":
        return None, f"{OFF}=0"
    if sys.platform == "win32" or platform.machine() not in ("x86_64", "AMD64"):
        return None, f"written for Linux and macOS on x86-64, this is {platform.system()} on {platform.machine()}"
    compiler = find_compiler()
    if compiler is None:
        return None, "no C compiler was found (Debian and Ubuntu: apt install gcc; macOS: xcode-select --install)"
    try:
        return _declared(ctypes.CDLL(str(built(compiler)))), ""
    except (OSError, subprocess.SubprocessError) as error:
        return None, f"{compiler}: {_words(error)}"


_once = functools.cache(load)


def find_compiler() -> str | None:
    """Path of the C compiler: the one in CC, or the system's."""
    named = os.environ.get("CC", "").split()
    return shutil.which(named[0]) if named else shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")


def built(compiler: str) -> Path:
    """The compiled file; made where it is not there for this source, compiler and processor."""
    mark = hashlib.sha256(
        "\n".join((*(file.read_text("utf-8") for file in SOURCES), compiler, _processor(), torch.__version__)).encode()
    )
    target = user_cache_path("workbench") / "native" / f"passes-{mark.hexdigest()[:16]}.so"
    if target.exists():
        about = target.stat()
        if about.st_uid != os.getuid() or about.st_mode & 0o022:
            raise OSError(f"{target} is not yours alone, and it would be run: delete it")
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        made = Path(folder) / "passes.so"
        fast = ["-O3", "-march=native", "-fno-math-errno"]  # roots of whole registers: nobody reads errno
        command = [compiler, *fast, "-shared", "-fPIC", str(SOURCES[0]), "-o", str(made), "-lm"]
        threads = [] if sys.platform == "darwin" else ["-fopenmp"]  # torch's own threads: its runtime is loaded already
        subprocess.run([*command, *threads], check=True, capture_output=True, timeout=120)
        made.chmod(0o700)
        made.replace(target)  # another process may have made the same one meanwhile
    return target


def _processor() -> str:
    """What `-march=native` looks at: a home folder may be shared by machines that differ."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor()
    return "".join(sorted({line for line in lines if line.startswith(("flags", "model name"))}))


def _words(error: Exception) -> str:
    said = error.stderr if isinstance(error, subprocess.CalledProcessError) else None
    words = said.decode(errors="replace") if said else str(error)
    return (words.strip().splitlines() or ["no words"])[0][:200]


def _declared(found: ctypes.CDLL) -> ctypes.CDLL:
    """Say what the functions of passes.c take: ctypes would cut pointers to 32 bits."""
    pointer, long, integer = ctypes.c_void_p, ctypes.c_long, ctypes.c_int
    for name, arguments, result in (
        ("kept_size", (pointer, long), long),
        ("forward_scratch", (pointer, integer), long),
        ("backward_scratch", (pointer, long, integer, integer), long),
        ("forward", (pointer, pointer, pointer, pointer, long, long, long, pointer, pointer, pointer, integer), None),
        ("chosen_scratch", (pointer, integer), long),
        (
            "backward_chosen",
            (pointer, pointer, pointer, pointer, long, pointer, pointer, pointer, pointer, integer),
            None,
        ),
        ("backward", (pointer, pointer, pointer, pointer, long, pointer, pointer, pointer, pointer, integer), None),
        ("pack", (pointer, pointer, pointer), None),
        ("decision_scratch", (pointer,), long),
        ("decide", (pointer, pointer, pointer, pointer), None),
    ):
        function = getattr(found, name)
        function.argtypes, function.restype = arguments, result
    return found
