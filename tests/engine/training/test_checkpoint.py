"""Checkpoints: what is saved comes back, damage is named, and a save that is cut off at any point does no harm."""

import errno
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from engine.small_runs import TASK, WAYS, contents, saved_run, small_data, small_trainer
from safetensors.torch import load as load_arrays
from safetensors.torch import save as save_arrays

from workbench.engine.data.atomic import folder_at_once, made_folder, remove_leftovers, write_atomic
from workbench.engine.training.loop import checkpoint
from workbench.engine.training.loop.checkpoint import RUN_FILE, CheckpointError, load_run, resume, save_checkpoint


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A finished run's folder."""
    saved_run(tmp_path / "run")
    return tmp_path / "run"


def state_of(folder: Path) -> Path:
    (found,) = folder.glob("state-*.safetensors")
    return found


def reseal(folder: Path, **changes: Any) -> None:
    """Change run.json as a program that knows the format would."""
    record = json.loads((folder / RUN_FILE).read_bytes())
    record.pop("seal")
    record = {name: value for name, value in (record | changes).items() if value is not None}
    (folder / RUN_FILE).write_bytes(checkpoint._seal(record))


def test_what_is_saved_comes_back(tmp_path: Path) -> None:
    for name, way in WAYS.items():
        trainer = saved_run(tmp_path / name, **way)
        loaded = load_run(tmp_path / name, TASK)
        assert loaded.finished
        assert loaded.config == trainer.config
        assert (loaded.step, loaded.total_steps) == (trainer.total_steps, trainer.total_steps)
        ours, theirs = loaded.parts(), trainer.parts()
        observations, actions = torch.randn(5, 3), torch.randn(5, 2).clamp(-1, 1)
        assert torch.equal(ours.normalize(observations), theirs.normalize(observations))
        assert torch.equal(ours.reference(observations, actions, 0.3), theirs.reference(observations, actions, 0.3))
        assert torch.equal(ours.critic(observations, actions), theirs.critic(observations, actions))
        assert torch.equal(ours.target_critic(observations, actions), theirs.target_critic(observations, actions))
        assert (ours.reward_scale, ours.discount) == (theirs.reward_scale, theirs.discount)
        assert loaded.probes.shape == (256, 3)
        assert (loaded.probes[:, None] == torch.from_numpy(trainer.data.observations)).all(-1).any(1).all()


def test_the_record_says_what_it_is(run: Path) -> None:
    record = json.loads((run / RUN_FILE).read_bytes())
    assert record["task"] == TASK
    assert record["data"] == {"fingerprint": small_data().fingerprint(), "rows": 60}
    assert record["versions"]["torch"] == torch.__version__
    assert record["state"]["sha256"] == hashlib.sha256(state_of(run).read_bytes()).hexdigest()
    assert str(run) not in (run / RUN_FILE).read_text()  # a run folder may be moved


def cut_state(run: Path) -> None:
    state_of(run).write_bytes(state_of(run).read_bytes()[:-10])


def edit_state(run: Path) -> None:
    content = bytearray(state_of(run).read_bytes())
    content[-5] ^= 1
    state_of(run).write_bytes(content)


def hashed_nonsense(run: Path) -> None:
    state_of(run).write_bytes(b"nonsense")
    digest = hashlib.sha256(b"nonsense").hexdigest()
    reseal(run, state={"file": state_of(run).name, "sha256": digest})


def edit_record(run: Path) -> None:
    text = (run / RUN_FILE).read_text()
    assert '"discount": 0.99' in text
    (run / RUN_FILE).write_text(text.replace('"discount": 0.99', '"discount": 0.9'))


def cut_record(run: Path) -> None:
    (run / RUN_FILE).write_bytes((run / RUN_FILE).read_bytes()[:300])


DAMAGE: dict[str, tuple[Callable[[Path], Any], str]] = {
    "no folder": (shutil.rmtree, "holds no run .*workbench fit TASK"),
    "no record": (lambda run: (run / RUN_FILE).unlink(), "holds no run"),
    "no state": (lambda run: state_of(run).unlink(), "state-.* is missing; restore it or train again"),
    "truncated state": (cut_state, "is truncated or was edited .*SHA-256"),
    "edited state": (edit_state, "is truncated or was edited .*SHA-256"),
    "state of another format": (hashed_nonsense, "no valid safetensors file"),
    "edited record": (edit_record, "was edited after it was written"),
    "truncated record": (cut_record, "run.json is not valid JSON"),
    "deep record": (lambda run: (run / RUN_FILE).write_text("[" * 100_000), "run.json is not valid JSON"),
    "binary record": (lambda run: (run / RUN_FILE).write_bytes(b"\xff\xfe\x00"), "run.json is not valid JSON"),
    "a list": (lambda run: (run / RUN_FILE).write_text("[]"), "format version None, this workbench reads 1"),
    "another version": (
        lambda run: reseal(run, format=99),
        "format version 99, this workbench reads 1 and 2; use the version",
    ),
    "another task": (lambda run: reseal(run, task="other"), "was trained on task 'other', not on 'a_task'"),
    "lacking a key": (lambda run: reseal(run, trained=None), "'trained' is missing"),
    "state as a number": (lambda run: reseal(run, state=3), "'state': must be an object, got 3"),
}


@pytest.mark.parametrize(("damage", "message"), DAMAGE.values(), ids=DAMAGE)
def test_damage_is_named(run: Path, damage: Callable[[Path], Any], message: str) -> None:
    damage(run)
    with pytest.raises(CheckpointError, match=message):
        load_run(run, TASK)


def test_a_record_cannot_name_files_elsewhere(run: Path) -> None:
    outside = run.parent / "outside.safetensors"
    shutil.copy(state_of(run), outside)
    state_of(run).unlink()
    digest = hashlib.sha256(outside.read_bytes()).hexdigest()
    reseal(run, state={"file": "../outside.safetensors", "sha256": digest})
    with pytest.raises(CheckpointError, match="is missing"):
        load_run(run, TASK)


def test_other_data_are_refused(run: Path) -> None:
    with pytest.raises(CheckpointError, match=r"was trained on other data .*begin a new run"):
        resume(load_run(run), small_data(seed=1))


def test_another_kind_of_device_is_refused(run: Path) -> None:
    with pytest.raises(CheckpointError, match="was trained on cuda and goes on only there, not on cpu"):
        resume(replace(load_run(run), device="cuda"), small_data())


def test_a_save_that_stops_anywhere_leaves_a_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder is copied before and after every call that changes it: what a kill at that moment would leave."""
    folder, copies = tmp_path / "run", tmp_path / "copies"
    folder.mkdir()
    trainer = small_trainer()
    save_checkpoint(trainer, folder, TASK)
    first = load_run(folder).arrays
    copies.mkdir()

    def copied(call: Callable) -> Callable:
        def watched(*args: Any, **kwargs: Any) -> Any:
            shutil.copytree(folder, copies / f"{len(list(copies.iterdir())):03d}")
            result = call(*args, **kwargs)
            shutil.copytree(folder, copies / f"{len(list(copies.iterdir())):03d}")
            return result

        return watched

    trainer.step()
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", copied(os.fsync))
        patch.setattr(Path, "replace", copied(Path.replace))
        patch.setattr(Path, "unlink", copied(Path.unlink))
        save_checkpoint(trainer, folder, TASK)
    clean = {name for name in contents(folder)}
    steps, littered = [], 0
    for copy in sorted(copies.iterdir()):
        found = load_run(copy, TASK)
        steps.append(found.step)
        littered += set(contents(copy)) != clean
        if found.step == 0:
            assert all(torch.equal(found.arrays[name], array) for name, array in first.items())
        resumed = resume(found, small_data())
        if found.step == 0:
            resumed.step()
        save_checkpoint(resumed, copy, TASK)
        assert contents(copy) == contents(folder)  # the same bytes, and the litter is gone
    assert steps == sorted(steps)
    assert {0, 1} == set(steps)
    assert littered > 3


def test_saving_the_same_step_again_keeps_the_state(run: Path) -> None:
    before = contents(run)
    save_checkpoint(resume(load_run(run), small_data()), run, TASK)
    assert contents(run) == before


@pytest.mark.parametrize("call", ["fsync", "mkstemp"])
def test_a_full_disk_leaves_the_older_checkpoint(run: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    before, trainer = contents(run), resume(load_run(run), small_data())
    trainer.step()

    def full(*args: Any, **kwargs: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os if call == "fsync" else checkpoint.write_atomic.__globals__["tempfile"], call, full)
    with pytest.raises(OSError, match=r"disk full: 0\.1 MiB for .*state-000000021-.* do not fit; free some space"):
        save_checkpoint(trainer, run, TASK)
    assert contents(run) == before


REALLY_FULL = """
import resource
import sys
from pathlib import Path
from engine.small_runs import TASK, small_data
from workbench.engine.training.loop.checkpoint import load_run, resume, save_checkpoint
run = Path(sys.argv[1])
trainer = resume(load_run(run, TASK), small_data())
trainer.step()
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
save_checkpoint(trainer, run, TASK)
"""


def test_a_real_limit_of_the_operating_system(run: Path, root: Path) -> None:
    before = contents(run)
    assert len(state_of(run).read_bytes()) > 2000
    paths = os.pathsep.join((str(root), str(root / "tests")))
    result = subprocess.run(
        [sys.executable, "-c", REALLY_FULL, str(run)],
        env=os.environ | {"PYTHONPATH": paths},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 1
    assert "file size limit" in result.stderr.splitlines()[-1]
    assert contents(run) == before


def test_write_atomic_replaces_or_does_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.txt"
    write_atomic(path, b"old")
    assert path.stat().st_mode & 0o077 == 0o666 & ~_umask() & 0o077

    def interrupted(handle: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_atomic(path, b"new")
    assert contents(tmp_path) == {"a.txt": b"old"}


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_leftovers_are_those_of_the_named_file(tmp_path: Path) -> None:
    for name in (".a.npz.x1y2.tmp", ".b.npz.x1y2.tmp", "a.npz", ".hidden", "notes.tmp"):
        (tmp_path / name).touch()
    remove_leftovers(tmp_path, "a.npz")
    assert set(contents(tmp_path)) == {".b.npz.x1y2.tmp", "a.npz", ".hidden", "notes.tmp"}
    remove_leftovers(tmp_path)
    assert set(contents(tmp_path)) == {"a.npz", ".hidden", "notes.tmp"}


def test_made_folders_go_again_as_far_as_they_are_empty(tmp_path: Path) -> None:
    def fail(path: Path, leave: bool) -> None:
        with made_folder(path):
            assert path.is_dir()
            if leave:
                (path.parent / "file").touch()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail(tmp_path / "a" / "b" / "c", leave=False)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(RuntimeError):
        fail(tmp_path / "a" / "b" / "c", leave=True)
    assert [path.name for path in (tmp_path / "a" / "b").iterdir()] == ["file"]
    with (
        pytest.raises(ValueError, match="file is a file where a folder is needed"),
        made_folder(tmp_path / "a" / "b" / "file" / "d"),
    ):
        pass


def test_a_folder_appears_complete_or_not_at_all(tmp_path: Path) -> None:
    (tmp_path / ".run.draft").mkdir()
    (tmp_path / ".run.draft" / "of a killed process").touch()
    os.utime(tmp_path / ".run.draft", (0, 0))
    with folder_at_once(tmp_path / "run") as draft:
        (draft / "file").touch()
        assert not (tmp_path / "run").exists()
    assert set(contents(tmp_path / "run")) == {"file"}

    def fail() -> None:
        with folder_at_once(tmp_path / "deep" / "other") as draft:
            (draft / "file").touch()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


# For every field of run.json, values that are none: each is refused in words, with a seal that fits.
ODD = [None, True, -1, 1.5, 10**30, "", "x" * 10**6, "\x1b[31m", [], [[]], [""], {}, {"a": {"b": []}}]
FIELDS = ["format", "task", "step", "total_steps", "trained", "config", "data", "device", "state", "online"]
INNER = ["config.hidden", "config.members", "config.parts", "config.chunk", "config.family", "config.seed", "config.critic",
         "config.actor_settings", "data.fingerprint", "state.file", "state.sha256"]  # fmt: skip


@pytest.mark.parametrize("field", FIELDS + INNER)
def test_wrong_types_in_a_sealed_record_are_refused_in_words(run: Path, field: str) -> None:
    whole = json.loads((run / RUN_FILE).read_bytes())
    whole.pop("seal")
    for value in ODD:
        record = json.loads(json.dumps(whole))
        outer, _, inner = field.partition(".")
        if inner:
            record[outer] = (record.get(outer) or {}) | {inner: value}
        else:
            record[outer] = value
        (run / RUN_FILE).write_bytes(checkpoint._seal(record))
        try:
            load_run(run).parts()
        except ValueError as error:
            said = str(error)
            assert len(said) < 3000
            assert "\x1b" not in said
        else:
            assert field.startswith("config.") or field in ("task", "online"), f"{field} = {value!r} was taken"


def test_arrays_of_other_shapes_are_refused_before_networks_are_made(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = json.loads((run / RUN_FILE).read_bytes())
    monkeypatch.setattr(checkpoint, "build_networks", lambda *_: pytest.fail("networks were made"))
    for hidden in ([16384] * 1000, [7], [2, 2, 2], [1] * 4):
        reseal(run, config=record["config"] | {"hidden": hidden})
        with pytest.raises(CheckpointError, match="train again or restore a copy"):
            load_run(run)
    reseal(run, config=record["config"] | {"members": 16})
    with pytest.raises(CheckpointError, match=r"'critic\.0\.weight' has shape"):
        load_run(run)


@pytest.mark.parametrize("change", ["transposed", "whole numbers", "missing", "empty"])
@pytest.mark.parametrize(
    "name", ["normalizer.mean", "normalizer.std", "probes", "reference.0.weight", "critic.1.bias", "adam.critic.first"]
)
def test_arrays_that_do_not_fit_are_refused_in_words(run: Path, name: str, change: str) -> None:
    arrays = load_arrays(state_of(run).read_bytes())
    match change:
        case "transposed":
            arrays[name] = arrays[name].reshape(-1, 1, 1, 1).contiguous()
        case "whole numbers":
            arrays[name] = torch.zeros(arrays[name].shape, dtype=torch.int64)
        case "missing":
            del arrays[name]
        case "empty":
            arrays[name] = torch.zeros(0)
    content = save_arrays(arrays)
    state_of(run).write_bytes(content)
    record = json.loads((run / RUN_FILE).read_bytes())
    reseal(run, state=record["state"] | {"sha256": hashlib.sha256(content).hexdigest()})
    with pytest.raises(CheckpointError):
        resume(load_run(run), small_data())
