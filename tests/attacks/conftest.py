"""A server that is started as a user starts one, and visitors that write every byte of their requests themselves."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Answer(NamedTuple):
    """Status, headers by lower-case name (all values), body."""

    status: int
    headers: dict[str, list[str]]
    body: str


def ask(port: int, lines: list[str], body: str = "", address: str = "127.0.0.1") -> Answer:
    """Send a request line and headers as they are, and read the whole answer."""
    with socket.create_connection((address, port), timeout=120) as line:
        length = [f"Content-Length: {len(body.encode())}"] if body else []
        line.sendall(("\r\n".join([*lines, *length]) + "\r\n\r\n" + body).encode())
        found = b""
        while not complete(found) and (part := line.recv(65536)):
            found += part
    head, _, rest = found.partition(b"\r\n\r\n")
    status, *fields = head.decode().split("\r\n")
    headers: dict[str, list[str]] = {}
    for field in fields:
        name, _, value = field.partition(":")
        headers.setdefault(name.lower(), []).append(value.strip())
    return Answer(int(status.split()[1]), headers, rest.decode("utf-8", "replace"))


def complete(found: bytes) -> bool:
    """Whether an answer is there as far as its own length says; a handshake has none."""
    head, end, rest = found.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
    return bool(end) and len(rest) >= (0 if length is None else int(length[1]))


@contextmanager
def served(root: Path, home: Path, *flags: str, path: Path | None = None) -> Iterator[int]:
    """``workbench serve`` with everything of its own below ``home``; its port."""
    port = free_port()
    env = os.environ | {"PYTHONPATH": os.pathsep.join([str(root), *([str(path)] if path else [])])}
    env |= {name: str(home / name.lower()) for name in ("HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME")}
    command = [sys.executable, "-m", "workbench.cli", "serve", "--port", str(port), "--store", str(home / "store")]
    process = subprocess.Popen([*command, *flags], cwd=root, env=env, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        while "Workbench is at" not in (line := process.stdout.readline()):
            assert line, "the server ended"
        yield port
        assert process.poll() is None, "the server ended"
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the module's server keeps everything."""
    return tmp_path_factory.mktemp("home")
