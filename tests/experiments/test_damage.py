"""One damaged file of a store spoils nothing else: it is named with its cure, left out, put in order, and done again."""

import json
import os
import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import nullcontext, suppress
from pathlib import Path

import numpy as np
import pytest
from experiments.small import DATA, finish, record, small_grid

from workbench.cli import main
from workbench.experiments.compare import compare
from workbench.experiments.damage import check, open_damaged, repair
from workbench.experiments.files import StoreError
from workbench.experiments.job import Data
from workbench.experiments.owners import Owners
from workbench.experiments.serial import Serial
from workbench.experiments.store import Store
from workbench.experiments.summary import read_curves
from workbench.experiments.sweep import sweep
from workbench.ui.pages.runs.details import describe
from workbench.views.budget import damaged_words, points_of
from workbench.views.runs import line_of

Damage = Callable[[Path], object]  # damages a run's folder


def changed(name: str, **values: object) -> Damage:
    """Replace values of a record; a dotted name goes inside, None takes it away."""

    def damage(run: Path) -> None:
        found = json.loads((run / name).read_text())
        for path, value in values.items():
            *outer, last = path.split("__")
            place = found
            for step in outer:
                place = place[step]
            if value is None:
                del place[last]
            else:
                place[last] = value
        (run / name).write_text(json.dumps(found))

    return damage


def written(name: str, content: bytes) -> Damage:
    return lambda run: (run / name).write_bytes(content)


def replaced(name: str, make: Callable[[Path], object]) -> Damage:
    def damage(run: Path) -> None:
        (run / name).unlink()
        make(run / name)

    return damage


def episodes(change: Callable[[Path], object]) -> Damage:
    return lambda run: change(next(run.glob("episodes-*")))


def listen(path: Path) -> None:
    here = os.getcwd()
    os.chdir(path.parent)  # a socket's path must be short
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path.name)
    os.chdir(here)


def failed(run: Path) -> None:
    (run / "result.json").unlink()
    (run / "failed.json").write_text('{"error": "x", "traceback": "", "attempts": 1}')


def then(*damages: Damage) -> Damage:
    return lambda run: [damage(run) for damage in damages]


DAMAGES: dict[str, Damage] = {
    "episodes cut short": episodes(lambda path: path.write_bytes(path.read_bytes()[:100])),
    "episodes empty": episodes(lambda path: path.write_bytes(b"")),
    "episodes missing": episodes(Path.unlink),
    "episodes a folder": episodes(lambda path: (path.unlink(), path.mkdir())),
    "episodes of another run": episodes(lambda path: np.savez(path, **{"report.returns": np.zeros(7)})),
    "episodes not numbers": episodes(
        lambda path: np.savez(path, **{f"{name}.returns": np.full(5, np.nan) for name in ("choose", "report")})
    ),
    "result a list": written("result.json", b"[1, 2]"),
    "result cut": lambda run: (run / "result.json").write_bytes((run / "result.json").read_bytes()[:200]),
    "result empty": written("result.json", b""),
    "result in another encoding": lambda run: (run / "result.json").write_bytes(
        (run / "result.json").read_text().encode("utf-16")
    ),
    "result deep": written("result.json", b"[" * 100_000 + b"]" * 100_000),
    "result deep inside": changed("result.json", report__more=json.loads("[" * 200 + "]" * 200)),
    "result half a letter": written("result.json", b'{"key": "\\ud800"}'),
    "result huge number": changed("result.json", seconds=10**400),
    "result infinite": lambda run: (run / "result.json").write_text(
        (run / "result.json").read_text().replace('"seconds": 1.0', '"seconds": 1e999')
    ),
    "result NaN": lambda run: (run / "result.json").write_text(
        (run / "result.json").read_text().replace('"seconds": 1.0', '"seconds": NaN')
    ),
    "result lacks report": changed("result.json", report=None),
    "result lacks choose": changed("result.json", choose=None),
    "result lacks shift": changed("result.json", report__shift=None),
    "result shift a number": changed("result.json", report__shift=3),
    "result w2 text": changed("result.json", report__shift__w2="far"),
    "result return a number": changed("result.json", report__return=3),
    "result return lacks low": changed("result.json", report__return__low=None),
    "result mean true": changed("result.json", report__return__mean=True),
    "result key of another": changed("result.json", key="b" * 20),
    "result by a list": changed("result.json", by=[]),
    "result packages numbers": changed("result.json", by__packages={"torch": 2}),
    "result seeds text": changed("result.json", evaluation_seeds={"choose": "1", "report": "2"}),
    "result finished yesterday": changed("result.json", finished="yesterday"),
    "result episodes elsewhere": changed("result.json", episodes_file="../../../etc/passwd"),
    "result settings a list": changed("result.json", job__settings=[1]),
    "result seed text": then(changed("job.json", job__seed="x"), changed("result.json", job__seed="x")),
    "result negative episodes": changed("result.json", job__episodes=-5),
    "result markup key": changed("result.json", key="<script>alert(1)</script>"),
    "job a number": written("job.json", b"7"),
    "job missing": lambda run: (run / "job.json").unlink(),
    "failure empty": then(failed, written("failed.json", b"{}")),
    "failure attempts text": then(failed, changed("failed.json", attempts="<b>1</b>")),
    "failure error a list": then(failed, changed("failed.json", error=["x"])),
    "failure bytes": then(failed, written("failed.json", bytes(range(256)))),
    "result a pipe": replaced("result.json", os.mkfifo),
    "result a socket": replaced("result.json", listen),
    "result a device": replaced("result.json", lambda path: path.symlink_to("/dev/zero")),
    "result a link to itself": replaced("result.json", lambda path: path.symlink_to(path.name)),
    "result a folder": replaced("result.json", Path.mkdir),
    "result of holes": lambda run: os.truncate(run / "result.json", 2**33),
    "metrics a pipe": replaced("metrics.jsonl", os.mkfifo),
    "job a pipe": then(lambda run: (run / "result.json").unlink(), replaced("job.json", os.mkfifo)),
    "folder a link to itself": lambda run: (shutil.rmtree(run), run.symlink_to(run.name)),
}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A store of three runs, of which tests damage the first."""
    store = Store(tmp_path / "store", create=True)
    keys = [letter * 20 for letter in "abc"]
    records = [record(key, seed) for seed, key in enumerate(keys)]
    store.note_sweep({"data": DATA}, "workbench sweep …", records)
    for seed, key in enumerate(keys):
        assert finish(store, key, seed=seed)
    return tmp_path / "store"


def answers(store: Path, out: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[str]:
    """What the commands say of a store."""
    for words in (["runs", "list"], ["report"], ["runs", "check"]):
        with pytest.raises(SystemExit) if words == ["runs", "check"] else nullcontext():
            main([*words, str(store), *(["--out", str(out)] if words == ["report"] else [])])
        told = capsys.readouterr()
        yield told.out + told.err


@pytest.mark.parametrize("name", DAMAGES)
def test_one_damaged_run_spoils_nothing_else(
    place: Path, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workbench.report.page.components", lambda figures: ("", ["" for _ in figures]))
    monkeypatch.setattr("workbench.report.page.measurement_still.svg", lambda *_: "")  # pictures take seconds
    store, key = Store(place), "a" * 20
    DAMAGES[name](place / "runs" / key)
    (place / "index.jsonl").unlink()
    rows = {row.key: row for row in store.rows()}
    assert {rows[letter * 20].status for letter in "bc"} == {"done"}
    for row in rows.values():
        line_of(row)
        with suppress(ValueError):  # the page shows the words
            describe(store, [row])
    with suppress(ValueError):
        describe(store, list(rows.values()))
    found, damaged = read_curves(store)
    left = {run for curve in found for point in curve.points for run in point.keys}
    assert left == {row.key for row in rows.values() if row.status == "done"} >= {"b" * 20, "c" * 20}
    for curve in found:
        points_of(curve)
    if rows[key].status == "damaged":
        assert f"runs/{key}" in str(rows[key].error)
        assert "workbench runs repair" in str(rows[key].error)
        with pytest.raises(SystemExit):
            main(["runs", "show", str(place), "aaa"])
        assert f"runs/{key}" in capsys.readouterr().err
    if key in damaged:
        assert "1 damaged run is left out: aaaaaaaa" in damaged_words(damaged, "x")
    for told in answers(place, tmp_path / "report.html", capsys):
        assert "Traceback" not in told
        assert len(told) < 20_000
    assert f"damaged: runs/{key}" in told
    files, first = open_damaged(place)
    repair(files, first + check(files))
    assert check(files) == []
    assert [row.key for row in store.rows() if row.status == "done"] == ["b" * 20, "c" * 20]
    assert len(store.trash()) == 1
    main(["runs", "empty-trash", str(place), "--yes"])
    assert store.trash() == []


LINE = '{"owner": "x", "keys": %s}\n'
AROUND: dict[str, tuple[str, Callable[[Path], object]]] = {
    "sweep empty": ("sweeps/s.json", lambda path: path.write_text("{}")),
    "sweep of markup": ("sweeps/s.json", lambda path: path.write_text('{"started": ["<b>"], "jobs": {"<b>": 1}}')),
    "sweep a pipe": ("sweeps/s.json", os.mkfifo),
    "sweep a link to itself": ("sweeps/s.json", lambda path: path.symlink_to(path.name)),
    "sweep a folder": ("sweeps/s.json", Path.mkdir),
    "index of other types": ("index.jsonl", lambda path: path.write_text('{"key": "a", "returns": 5, "settings": 3}\n[]\n7\n')),
    "index bytes": ("index.jsonl", lambda path: path.write_bytes(bytes(range(256)))),
    "index a pipe": ("index.jsonl", os.mkfifo),
    "index a folder": ("index.jsonl", Path.mkdir),
    "index of lists": ("index.jsonl", lambda path: path.write_text('{"removed": ["a"]}\n{"key": ["a"]}\n')),
    "owners odd": ("owners.jsonl", lambda path: path.write_text(LINE % "5" + LINE % "[[1]]" + "[]\n7\n" + LINE % '["a"]')),
    "store cut": ("store.json", lambda path: path.write_text('{"lay')),
    "run of another name": ("runs/<b>x", Path.mkdir),
    "training without a record": ("trained/abc", Path.mkdir),
    "training of nothing": ("trained/abc", lambda path: (path.mkdir(parents=True), (path / "run.json").write_text("{}"))),
}  # fmt: skip


@pytest.mark.parametrize("name", AROUND)
def test_damage_around_the_runs_is_put_in_order(place: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    file, make = AROUND[name]
    (place / file).parent.mkdir(exist_ok=True)
    if (place / file).exists():
        (place / file).unlink()
    make(place / file)
    if file != "store.json":
        assert sum(row.status == "done" for row in Store(place).rows()) == 3
        assert Owners(Store(place)).foreign("me", ["a"]) == ["a"] or "owners" in file
    with pytest.raises(SystemExit) as end:
        main(["runs", "check", str(place)])
    assert end.value.code == 1
    assert file in capsys.readouterr().out
    before = sorted(path.name for path in place.rglob("*"))
    main(["runs", "repair", str(place), "--dry-run"])
    assert sorted(path.name for path in place.rglob("*")) == before
    main(["runs", "repair", str(place)])
    main(["runs", "check", str(place)])
    assert "everything is whole" in capsys.readouterr().out
    assert sum(row.status == "done" for row in Store(place).rows()) == 3


def test_what_was_moved_to_the_trash_by_repair_is_put_back_only_where_it_is_a_run(place: Path) -> None:
    (place / "sweeps" / "s.json").write_text("{}")
    files, _ = open_damaged(place)
    repair(files, check(files))
    store = Store(place)
    assert store.put_back(store.trash()) == []
    assert store.empty_trash() == 1


def test_compare_leaves_damaged_runs_out(place: Path) -> None:
    store = Store(place)
    (place / "runs" / ("a" * 20) / "result.json").write_text("{}")
    keys = [letter * 20 for letter in "abc"]
    assert [entry["key"] for entry in compare(store, keys)] == keys[1:]
    with pytest.raises(StoreError, match=f"runs/{'a' * 20}/result.json is damaged"):
        compare(store, keys[:2])


def test_a_result_that_is_edited_after_it_was_listed_is_read_again(place: Path) -> None:
    store = Store(place)
    assert {row.status for row in store.rows()} == {"done"}
    path = place / "runs" / ("a" * 20) / "result.json"
    path.write_text("{}")
    os.utime(path, (2**32, 2**32))
    assert {row.key[0]: row.status for row in store.rows()} == {"a": "damaged", "b": "done", "c": "done"}


def test_reading_writes_nothing(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(place)
    (place / "index.jsonl").unlink()

    def refuse(*_: object) -> None:
        raise OSError(30, "Read-only file system")

    for name in ("append", "write", "write_once", "rewrite", "move", "remove"):
        monkeypatch.setattr(type(store.place), name, refuse)
    assert {row.status for row in Store(place).rows()} == {"done"}
    assert len(read_curves(Store(place))[0]) == 1
    assert check(Store(place)) == []


@pytest.mark.parametrize("damage", ["episodes cut short", "result lacks report", "job a number", "result a pipe"])
def test_a_sweep_does_damaged_runs_again(tmp_path: Path, data: Data, damage: str) -> None:
    store, grid = Store(tmp_path / "store", create=True), small_grid(data, seeds=(0,))
    list(sweep(grid, store, Serial()))
    before = {key: store.result(key) for key in (job.key for job in grid.jobs())}
    first = next(iter(before))
    DAMAGES[damage](tmp_path / "store" / "runs" / first)
    states = list(sweep(grid, store, Serial()))
    assert list(states[0].again) == [first]
    assert "is damaged" in states[0].again[first]
    assert (states[-1].done, states[-1].failed) == (2, 0)
    again = store.result(first)
    assert again is not None
    assert before[first] is not None
    assert again["report"]["return"] == before[first]["report"]["return"]  # type: ignore[index]
    assert check(store) == []
    assert [name.rpartition("-")[2] for name in store.trash()] == [first]
