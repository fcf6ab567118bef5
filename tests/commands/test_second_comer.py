"""Two commands that would write into one run folder: the second is told who works on it."""

import os
import shutil
from pathlib import Path

from commands.running import SMALL, Command

from workbench.engine.data.hold import FILE, Hold


def test_the_second_is_told_who_works_on_the_run(inside: Path, trained: Path, command: Command) -> None:
    shutil.copytree(trained, inside / "run")
    held = Hold(inside / "run")
    for words in (("fit", "three_exits", "--out", "run", "--resume"), ("online", "run", "--out", "run", "--resume")):
        done = command(*words)
        assert done.code == 2
        assert f"run is being worked on by process {os.getpid()} on " in done.err
        assert ".tmp" not in done.err
        assert len(done.err.splitlines()) == 1
    held.release()
    assert command("fit", "three_exits", "--out", "run", "--resume").code == 0
    assert not (inside / "run" / FILE).exists()


def test_a_folder_that_appears_while_a_run_begins_is_left_alone(inside: Path, data: Path, command: Command) -> None:
    (inside / "run").mkdir()
    (inside / "run" / "notes.txt").write_text("mine")
    done = command("fit", "three_exits", "--out", "run", "--data", str(data), *SMALL)
    assert done.code == 2
    assert "run exists; choose another --out" in done.err
    assert ".draft" not in done.err
    assert [path.name for path in inside.iterdir()] == ["run"]
