"""Folders for a moment: gone with their process, also with one that was killed, and never a living one's."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from workbench.engine.data.hold import FILE
from workbench.runs.scratch import PREFIX, YOUNG, clear_scratch, scratch_folder

OWNER = """
import sys
from pathlib import Path
from workbench.runs.scratch import scratch_folder
place = Path(sys.argv[1])
folder = scratch_folder("errand", place)
(folder / "big.bin").write_bytes(b"x" * 1000)
print(folder, flush=True)
sys.stdin.read()
"""


def owner(root: Path, place: Path) -> tuple[subprocess.Popen[str], Path]:
    """A process with a folder of its own."""
    process = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(place)],
        env=os.environ | {"PYTHONPATH": str(root)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def test_what_a_killed_process_left_is_cleared_and_a_living_one_keeps_its_own(root: Path, tmp_path: Path) -> None:
    killed, left = owner(root, tmp_path)
    living, kept = owner(root, tmp_path)
    try:
        assert clear_scratch(tmp_path) == 0
        assert (left / "big.bin").exists()
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        assert (left / "big.bin").exists()
        assert clear_scratch(tmp_path) == 1
        assert not left.parent.exists()
        assert (kept / "big.bin").exists()
        assert clear_scratch(tmp_path) == 0
    finally:
        living.communicate()
        killed.communicate()
    assert living.returncode == 0
    assert list(tmp_path.iterdir()) == []  # who ends as usual takes it along


def test_what_is_being_made_is_left_alone(tmp_path: Path) -> None:
    young, old, other = tmp_path / f"{PREFIX}young", tmp_path / f"{PREFIX}old", tmp_path / "workbench-something"
    for folder in (young, old, other):
        folder.mkdir()
    before = time.time() - 2 * YOUNG
    os.utime(old, (before, before))
    os.utime(other, (before, before))
    assert clear_scratch(tmp_path) == 1
    assert young.exists()
    assert other.exists()
    assert not old.exists()
    assert clear_scratch(tmp_path / "nowhere") == 0


def test_folders_of_one_process_lie_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = scratch_folder("a", tmp_path / "new"), scratch_folder("b", tmp_path / "new")
    assert first != second
    assert first.parent == second.parent
    assert (first.parent / FILE).exists()
    assert list(first.iterdir()) == []
    assert scratch_folder("c").parent.parent == Path(tempfile.gettempdir())
    assert clear_scratch(tmp_path / "new") == 0  # its own
