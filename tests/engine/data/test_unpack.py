"""Unpacking: once, by one process, whole or not at all; taken up after a kill; refused in words, with nothing left."""

import errno
import os
import shutil
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from engine.data.shard_files import walk, write

from workbench.engine.data import unpack
from workbench.engine.data.columns import DataFileError
from workbench.engine.data.footprint import Keep
from workbench.engine.data.mapped import MappedTransitions
from workbench.engine.data.npz import load_dataset
from workbench.engine.data.shards import missing_shards, read_shards
from workbench.engine.data.transitions import Transitions
from workbench.engine.tasks.registry import make_task
from workbench.engine.tasks.storage import load_saved
from workbench.engine.words import UserError

ROWS, CUTS = 400, (100, 200, 300)
TASK = "gym/Pendulum-v1"


@pytest.fixture(autouse=True)
def rows_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WORKBENCH_ROWS", str(tmp_path / "rows"))
    return tmp_path / "rows"


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the shards that are read."""
    import workbench.engine.tasks.storage as storage

    found: list[str] = []
    read = storage.read_arrays
    monkeypatch.setitem(storage.FILES, ".npz", lambda path: found.append(path.name) or read(path))  # type: ignore[func-returns-value]
    return found


def on_disk(folder: Path) -> MappedTransitions:
    found = load_saved(make_task(TASK), folder, keep=Keep("disk"))
    assert isinstance(found, MappedTransitions)
    return found


def test_once(tmp_path: Path, rows_folder: Path, reads: list[str]) -> None:
    paths = write(tmp_path / "data", walk(ROWS), CUTS)
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "data").iterdir()}
    first = on_disk(tmp_path / "data")
    assert reads == [path.name for path in paths]
    assert before == {
        path.name: path.stat().st_mtime_ns for path in (tmp_path / "data").iterdir()
    }  # nothing is written there
    assert sorted(path.name for path in rows_folder.iterdir()) == [first.folder.name]  # no leftovers beside it
    assert sorted(path.name for path in first.folder.iterdir()) == ["rows.json", "rows.npy"]
    shutil.copytree(tmp_path / "data", tmp_path / "elsewhere")
    assert on_disk(tmp_path / "elsewhere").folder == first.folder  # by its content, wherever it lies
    assert len(reads) == 4
    write(tmp_path / "data", walk(ROWS, seed=1), CUTS)  # other rows
    assert on_disk(tmp_path / "data").fingerprint() != first.fingerprint()
    assert len(reads) == 8


@pytest.mark.parametrize("touch", ["cut", "edited", "no record", "damaged record"])
def test_rows_that_were_touched_are_written_again(tmp_path: Path, reads: list[str], touch: str) -> None:
    write(tmp_path / "data", walk(ROWS), CUTS)
    first = on_disk(tmp_path / "data")
    file = first.folder / "rows.npy"
    if touch == "cut":
        os.truncate(file, file.stat().st_size - 8)
    elif touch == "edited":
        content = bytearray(file.read_bytes())
        content[-9] ^= 1
        file.write_bytes(content)
        os.utime(file, ns=(1, 1))
    elif touch == "no record":
        (first.folder / "rows.json").unlink()
    else:
        (first.folder / "rows.json").write_text('{"format": 1')
    again = on_disk(tmp_path / "data")
    assert len(reads) == 8
    assert Transitions.fingerprint(again) == again.fingerprint() == first.fingerprint()


def test_a_kill_and_what_is_there_already(tmp_path: Path, rows_folder: Path, reads: list[str]) -> None:
    write(tmp_path / "data", walk(ROWS), CUTS)
    script = f"""
        import os
        from pathlib import Path
        from workbench.engine.data import unpack
        from workbench.engine.data.footprint import Keep
        from workbench.engine.tasks import storage
        from workbench.engine.tasks.registry import make_task

        unpack.SYNC_EVERY = 0
        read = storage.read_arrays
        storage.FILES[".npz"] = lambda path: os._exit(9) if path.name == "walk-002.npz" else read(path)
        storage.load_saved(make_task("{TASK}"), Path({str(tmp_path / "data")!r}), keep=Keep("disk"))
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=False)
    assert done.returncode == 9
    assert [path.name[0] for path in rows_folder.iterdir()] == ["."]  # nothing that looks finished
    file = next(rows_folder.glob(".*.work/rows/rows.npy"))
    with file.open("ab") as half:
        half.write(b"half a shard")
    found = on_disk(tmp_path / "data")
    assert reads == ["walk-002.npz", "walk-003.npz"]
    memory = load_saved(make_task(TASK), tmp_path / "data", keep=Keep("memory"))
    assert found.fingerprint() == Transitions.fingerprint(found) == memory.fingerprint()
    assert [path.name for path in rows_folder.iterdir()] == [found.folder.name]


def test_an_interrupt_keeps_and_a_refusal_removes(
    tmp_path: Path, rows_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = write(tmp_path / "data", walk(ROWS), CUTS)
    monkeypatch.setattr(unpack, "SYNC_EVERY", 0)

    def interrupted(path: Path) -> Transitions:
        if path == paths[2]:
            raise KeyboardInterrupt
        return load_dataset(path, out_of_bounds="clip")

    with pytest.raises(KeyboardInterrupt):
        read_shards(paths, interrupted, keep=Keep("disk"))
    assert list(rows_folder.glob(".*.work/rows/done.json"))
    bad = walk(ROWS)
    bad["rewards"][222] = np.nan
    write(tmp_path / "data", bad, CUTS)
    with pytest.raises(
        DataFileError, match=r"shard 3 of 4: .*walk-002\.npz: 'rewards' has NaN .*row 22; drop or repair"
    ):
        on_disk(tmp_path / "data")
    assert len(list(rows_folder.iterdir())) == 1  # the interrupted one; of the refused one nothing
    paths[2].write_bytes(paths[2].read_bytes()[:-200])
    with pytest.raises(DataFileError, match=r"walk-002\.npz: not a readable npz archive .* Copy or generate it again"):
        on_disk(tmp_path / "data")


def test_too_little_disk(tmp_path: Path, rows_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "data", walk(ROWS), CUTS)
    usage = shutil.disk_usage(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(unpack.shutil, "disk_usage", lambda _: usage._replace(free=unpack.SPARE + 1000))
        with pytest.raises(UserError, match=r"unpacking 400 rows needs .* of disk, .* are free; .*WORKBENCH_ROWS"):
            on_disk(tmp_path / "data")
    assert not rows_folder.exists()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(unpack, "write_at", full)
        with pytest.raises(OSError, match=r"disk full: .* free some space and run it again"):
            on_disk(tmp_path / "data")
    assert not rows_folder.exists()
    assert len(on_disk(tmp_path / "data")) == ROWS


def test_two_at_once(tmp_path: Path, rows_folder: Path, reads: list[str]) -> None:
    write(tmp_path / "data", walk(ROWS), CUTS)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: on_disk(tmp_path / "data"), range(4)))
    assert len(reads) == 4  # one unpacked, three waited
    assert len({data.folder for data in found}) == 1
    assert [path.name for path in rows_folder.iterdir()] == [found[0].folder.name]


def test_the_work_folder_goes_while_it_is_made(
    tmp_path: Path, rows_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """mkdir(exist_ok=True) raises when the folder is there at first and gone when it looks what stands there."""
    write(tmp_path / "data", walk(ROWS), CUTS)
    mkdir, raised = Path.mkdir, []

    def taken_away(self: Path, *given: Any, **named: Any) -> None:
        if self.name.endswith(".work") and len(raised) < 3:
            raised.append(FileExistsError if len(raised) % 2 else FileNotFoundError)
            raise raised[-1](errno.EEXIST, "File exists", str(self))
        mkdir(self, *given, **named)

    monkeypatch.setattr(Path, "mkdir", taken_away)
    found = on_disk(tmp_path / "data")
    assert len(raised) == 3
    assert [path.name for path in rows_folder.iterdir()] == [found.folder.name]


def test_a_file_where_the_work_folder_should_be(tmp_path: Path, rows_folder: Path) -> None:
    write(tmp_path / "data", walk(ROWS), CUTS)
    name = on_disk(tmp_path / "data").folder.name
    shutil.rmtree(rows_folder / name)
    (rows_folder / f".{name}.work").touch()
    with pytest.raises(UserError, match=rf"\.{name}\.work is a file where a folder is needed; remove it"):
        on_disk(tmp_path / "data")


def test_a_thousand_tiny_shards(tmp_path: Path) -> None:
    columns = walk(1200)
    write(tmp_path / "many", columns, range(1, 1000), packed=False)
    write(tmp_path / "one", columns, (), packed=False)
    many, one = (on_disk(tmp_path / name) for name in ("many", "one"))
    assert many.fingerprint() == one.fingerprint()
    assert many.folder != one.folder


def test_an_episode_that_the_next_shard_does_not_go_on(tmp_path: Path) -> None:
    """No file says that it ends there, and the next one begins elsewhere: an end, which is bootstrapped."""
    columns = walk(ROWS) | {"terminals": np.zeros(ROWS), "timeouts": np.zeros(ROWS)}
    write(tmp_path / "data", {name: np.delete(array, range(95, 105), 0) for name, array in columns.items()}, (95,))
    for where in ("memory", "disk"):
        data = load_saved(make_task(TASK), tmp_path / "data", keep=Keep(where))  # type: ignore[arg-type]
        assert np.flatnonzero(data.ends).tolist() == [36, 73, 94, *range(100, 389, 37), 389]
        assert data.masks.all()


def test_shards_of_other_widths_are_found_before(tmp_path: Path, rows_folder: Path, reads: list[str]) -> None:
    paths = write(tmp_path / "data", walk(ROWS), CUTS)
    np.savez(paths[3], **walk(50, width=5))  # type: ignore[arg-type]
    with pytest.raises(DataFileError, match=r"walk-003\.npz: 'observations' has 5 columns, 3 in walk-000\.npz"):
        on_disk(tmp_path / "data")
    assert not reads
    assert not rows_folder.exists()


def test_numbers_that_are_missing() -> None:
    def names(*numbers: int) -> list[Path]:
        return [Path(f"walk-{number:03d}.npz") for number in numbers]

    assert missing_shards(names(0, 1, 2)) == ""
    assert missing_shards(names(0, 2, 3, 9)) == "1, 4 to 8"
    assert missing_shards(names(1, 2)) == "0"
