"""One process at a time works in a folder; the second is told who does, and a killed one lets go."""

import os
import signal
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from workbench.engine.data.atomic import folder_at_once
from workbench.engine.data.hold import FILE, HeldError, Hold, holder, is_held

CHILD = textwrap.dedent("""
    import sys, time
    from pathlib import Path
    from workbench.engine.data.hold import Hold
    held = Hold(Path(sys.argv[1]))
    print("held", flush=True)
    time.sleep(600)
""")


def start(folder: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", CHILD, folder], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_the_second_is_told_who_holds_it_and_a_killed_one_lets_go(tmp_path: Path) -> None:
    with start(tmp_path) as process:
        try:
            with pytest.raises(HeldError, match=rf"process {process.pid} on {socket.gethostname()}, since 20"):
                Hold(tmp_path)
            found = is_held(tmp_path)
            assert found is not None
            assert found.pid == process.pid
        finally:
            process.send_signal(signal.SIGKILL)
    assert is_held(tmp_path) is None  # its note is still there, its lock is not
    held = Hold(tmp_path)
    found = holder(tmp_path)
    assert found is not None
    assert found.pid == os.getpid()
    held.release()
    held.release()
    assert not (tmp_path / FILE).exists()
    Hold(tmp_path).release()


@pytest.mark.parametrize("note", [b"", b"[]", b'{"pid": "x"}', b"\xff\xfe", b'{"pid": 1, "host": 2, "since": null}'])
def test_a_damaged_note_is_no_obstacle(tmp_path: Path, note: bytes) -> None:
    held = Hold(tmp_path)
    (tmp_path / FILE).write_bytes(note)
    with pytest.raises(HeldError, match="worked on by another process"):
        Hold(tmp_path)
    held.release()
    (tmp_path / FILE).write_bytes(note)
    Hold(tmp_path).release()


def test_what_cannot_be_locked_is_said_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / FILE).mkdir()
    with pytest.raises(OSError, match="cannot be locked"):
        Hold(tmp_path)
    (tmp_path / FILE).rmdir()
    fcntl = pytest.importorskip("fcntl")

    def no_locks(*_: object) -> None:
        raise OSError(37, "No locks available")  # what a network folder says

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with pytest.raises(OSError, match=r"No locks available.*file system that knows locks"):
        Hold(tmp_path)


def test_the_loser_of_two_new_folders_reads_words(tmp_path: Path) -> None:
    def both() -> None:
        with folder_at_once(tmp_path / "run") as first, folder_at_once(tmp_path / "run") as second:
            assert first != second
            (first / "file").write_text("first")
            (second / "file").write_text("second")

    with pytest.raises(ValueError, match="was made by another process meanwhile") as error:
        both()
    assert ".draft" not in str(error.value)
    assert (tmp_path / "run" / "file").read_text() == "second"  # whoever comes first stays
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["file"]


def test_only_abandoned_drafts_are_cleared_away(tmp_path: Path) -> None:
    abandoned, alive, young = (tmp_path / f".run.{name}.draft" for name in ("killed", "alive", "young"))
    for draft in (abandoned, alive, young):
        draft.mkdir()
    (abandoned / FILE).write_text("of a killed process")
    held = Hold(alive)
    with folder_at_once(tmp_path / "run"):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == [alive.name, young.name, "run"]
    held.release()
