"""Bad data, damaged runs, no space: exit code 2, one message, no traceback, nothing half-written left."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from commands.running import SMALL, Command, check, everything, run_script

from workbench.engine.training.loop.checkpoint import load_run


class Bomb:
    """Its pickle makes a folder when it is loaded."""

    def __reduce__(self) -> tuple:
        return os.mkdir, ("exploded",)


def changed(**changes: object) -> Callable[[Path], None]:
    def spoil(path: Path) -> None:
        with np.load(path) as file:
            arrays = {name: file[name] for name in file.files}
        for name, change in changes.items():
            if change is None:
                del arrays[name]
            elif callable(change):
                arrays[name] = change(arrays[name])
        np.savez(path, **arrays)

    return spoil


def with_value(row: int, value: float) -> Callable[[np.ndarray], np.ndarray]:
    def put(array: np.ndarray) -> np.ndarray:
        array = array.astype(np.float64)
        array[row] = value
        return array

    return put


def three_outside(array: np.ndarray) -> np.ndarray:
    array = array.copy()
    array[[5, 6, 900], 1] = (1.5, -2.0, 3.0)
    return array


SPOILT: dict[str, tuple[Callable[[Path], object], tuple[str, ...]]] = {
    "NaN": (
        changed(rewards=with_value(17, np.nan)),
        ("three_exits.npz: 'rewards' has NaN or infinity, first in row 17", "drop or repair"),
    ),
    "infinity": (changed(observations=with_value(3, np.inf)), ("'observations' has NaN or infinity, first in row 3",)),
    "too large": (
        changed(rewards=with_value(3, 1e300)),
        ("'rewards' has numbers too large for float32, first in row 3",),
    ),
    "one row too few": (changed(rewards=lambda a: a[:-1]), ("'rewards' has 1999 rows but 'actions' has 2000",)),
    "two columns": (
        changed(rewards=lambda a: np.stack([a, a], 1)),
        ("'rewards' has shape (2000, 2), expected (R,) or (R, 1)",),
    ),
    "other observations": (
        changed(observations=lambda a: a[:, :3]),
        ("'observations' has 3 columns, task 'three_exits' needs 4",),
    ),
    "other actions": (changed(actions=lambda a: a[:, :1]), ("'actions' has 1 column, task 'three_exits' needs 2",)),
    "half a mask": (changed(masks=with_value(4, 0.5)), ("'masks' must be 0 or 1, got 0.5 in row 4",)),
    "no rows": (
        changed(
            **dict.fromkeys(
                ("observations", "actions", "rewards", "masks", "next_observations", "ends"), lambda a: a[:0]
            )
        ),
        ("has no rows",),
    ),
    "actions out of bounds": (
        changed(actions=three_outside),
        ("3 of 2000 rows have actions outside [-1, 1], first row 5", "--clip-actions"),
    ),
    "no rewards": (changed(rewards=None), ("three_exits.npz: lacks 'rewards'; it needs observations, actions",)),
    "no masks": (changed(masks=None), ("neither 'masks' nor 'terminals'",)),
    "objects": (
        changed(rewards=lambda a: np.array([Bomb()] * len(a))),
        ("'rewards' holds Python objects", "never loaded", "astype"),
    ),
    "truncated": (
        lambda path: path.write_bytes(path.read_bytes()[:-300]),
        ("three_exits.npz: not a readable npz archive",),
    ),
    "flipped bit": (
        lambda path: path.write_bytes(b"".join((path.read_bytes()[:3000], b"\xff\0\xff", path.read_bytes()[3003:]))),
        ("three_exits.npz",),
    ),
    "text": (lambda path: path.write_text("x,y\n0,1\n"), ("three_exits.npz: not a readable npz archive",)),
    "empty": (lambda path: path.write_bytes(b""), ("three_exits.npz: not a readable npz archive",)),
    "a folder": (lambda path: (path.unlink(), path.mkdir()), ("three_exits.npz: is a folder",)),
}


@pytest.mark.parametrize(("spoil", "words"), SPOILT.values(), ids=SPOILT)
def test_spoilt_data(
    command: Command, inside: Path, data: Path, spoil: Callable[[Path], object], words: tuple[str, ...]
) -> None:
    shutil.copytree(data, inside / "d")
    spoil(inside / "d" / "three_exits.npz")
    before = everything(inside)
    check(command("fit", "three_exits", "--out", "r", "--data", "d", *SMALL), *words)
    assert everything(inside) == before  # and nothing exploded


def test_data_in_a_file(command: Command, inside: Path, data: Path) -> None:
    """One that says by its suffix what it is does as well as its folder; another does not."""
    fingerprints = []
    for number, place in enumerate((data, data / "three_exits.npz")):
        assert command("fit", "three_exits", "--out", f"r{number}", "--data", place, *SMALL).code == 0
        fingerprints.append(load_run(inside / f"r{number}").fingerprint)
    assert fingerprints[0] == fingerprints[1]
    shutil.copy(data / "three_exits.npz", inside / "data.csv")
    check(
        command("fit", "three_exits", "--out", "r", "--data", "data.csv"),
        "is a file; name the folder that holds three_exits.npz, or a file that ends in .npz, .hdf5, .h5",
    )
    check(command("fit", "three_exits", "--out", "r", "--data", "none.hdf5"), "none.hdf5: no such file")


def test_a_file_where_a_folder_is_needed(command: Command, inside: Path) -> None:
    (inside / "file").touch()
    check(command("generate", "bandit1d", "--out", "file/d"), "file is a file where a folder is needed")
    check(command("fit", "bandit1d", "--steps", 1, "--out", "file/r"), "file is a file where a folder is needed")
    assert everything(inside) == {"file": b""}


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-9])


DAMAGED: dict[str, tuple[Callable[[Path], object], tuple[str, ...]]] = {
    "truncated state": (
        lambda run: cut(next(run.glob("state-*"))),
        ("truncated or was edited", "restore a copy or train again"),
    ),
    "edited state": (lambda run: next(run.glob("state-*")).write_bytes(b"x"), ("truncated or was edited",)),
    "no state": (lambda run: next(run.glob("state-*")).unlink(), ("is missing",)),
    "edited record": (
        lambda run: (run / "run.json").write_text((run / "run.json").read_text().replace('"seed": 0', '"seed": 1')),
        ("its seal",),
    ),
    "truncated record": (lambda run: cut(run / "run.json"), ("not valid JSON",)),
    "other version": (
        lambda run: (run / "run.json").write_text('{"format": 7}'),
        ("format version 7, this workbench reads 1",),
    ),
}


@pytest.mark.parametrize(("damage", "words"), DAMAGED.values(), ids=DAMAGED)
def test_damaged_runs(
    command: Command, inside: Path, trained: Path, damage: Callable[[Path], object], words: tuple[str, ...]
) -> None:
    shutil.copytree(trained, inside / "r")
    damage(inside / "r")
    before = everything(inside)
    check(command("evaluate", "r", "--rule", "bc", "--episodes", 2), *words)
    check(command("steer", "r", "--rule", "bc", "--out", "t.npz"), *words)
    check(command("fit", "three_exits", "--out", "r", "--resume"), *words)
    assert everything(inside) == before


def test_other_data_to_resume_with(command: Command, inside: Path, trained: Path) -> None:
    shutil.copytree(trained, inside / "r")
    command("generate", "three_exits", "--out", "d", "--rows", 100)
    check(
        command("fit", "three_exits", "--out", "r", "--resume", "--data", "d"),
        "r was trained on other data",
        "begin a new run",
    )
    (inside / "r" / "source.json").unlink()  # without the note, the task's own data are tried, and they are not these
    check(
        command("fit", "three_exits", "--out", "r", "--resume"),
        "r was trained on other data",
        "give it the data it began with",
    )


def test_an_empty_folder_exists_too(command: Command, inside: Path) -> None:
    (inside / "r").mkdir()
    check(command("fit", "three_exits", "--out", "r"), "r exists; choose another --out")
    (inside / "t.npz").touch()
    check(command("steer", "r", "--rule", "bc", "--out", "t.npz"), "t.npz exists; choose another name")


def test_losses_that_blow_up(command: Command, inside: Path, data: Path) -> None:
    done = command("fit", "three_exits", "--out", "r", "--data", data, *SMALL, "learning_rate=1", "reward_scale=1e38")
    check(done, "the loss '", "lower learning_rate or reward_scale")
    assert command("evaluate", "r", "--rule", "bc", "--episodes", "1", "--json").code == 0  # what was saved is sound


SMALL_FILES = """
import resource, sys
from workbench.engine.training.loop.checkpoint import load_run
from workbench.cli import main
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), int(sys.argv[1])))
main(sys.argv[2:])
"""


def test_no_space(root: Path, inside: Path, trained: Path) -> None:
    """The operating system refuses larger files, as a full disk would: for data, a first checkpoint, a trace."""
    check(
        run_script(root, SMALL_FILES, 10_000, "generate", "three_exits", "--out", "d/e", "--rows", 2000),
        "three_exits.npz do not fit",
    )
    check(
        run_script(root, SMALL_FILES, 10_000, "fit", "bandit1d", "--out", "runs/r", *SMALL),
        "do not fit",
        "free some space",
    )
    check(
        run_script(root, SMALL_FILES, 10_000, "steer", trained, "--rule", "vgf", "--out", "t.npz"), "t.npz do not fit"
    )
    assert everything(inside) == {}


def test_a_disk_that_fills_up_while_training(
    command: Command, inside: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The checkpoint before stays, the message says how to go on, and going on works."""
    from workbench.engine.training.loop import checkpoint

    write, calls = checkpoint.write_atomic, []

    def fills_up(path: Path, content: bytes) -> None:
        calls.append(path)
        if len(calls) > 6:  # two files each: at the start, after 20 steps, after 40; then no more
            raise OSError(28, f"disk full: {path}")
        write(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "write_atomic", fills_up)
        done = command("fit", "three_exits", "--out", "r", "--data", data, "--save-every", 20, *SMALL)
    assert done.code == 2
    assert [line for line in done.err.splitlines() if line.startswith("error: ")] == [
        f"error: disk full: {calls[-1]}",
        "error: the last checkpoint is intact; go on with: workbench fit three_exits --out r --resume",
    ]
    assert [path.name[:15] for path in (inside / "r").glob("state-*")] == ["state-000000040"]
    done = command("fit", "three_exits", "--out", "r", "--resume", "--json")
    assert done.json["step"] == 50
