"""The measured store that comes with the package: what is in it, that it can be made again, that it is installed."""

import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from workbench.engine.steering.rules import RULES
from workbench.engine.words import UserError
from workbench.experiments.grid import make_grid
from workbench.experiments.serial import Serial
from workbench.experiments.shipped import COMMAND, FILE, GRID, pack, read_shipped, shipped
from workbench.experiments.store import Store
from workbench.experiments.summary import curves, curves_of
from workbench.experiments.sweep import sweep


def test_every_test_time_rule_is_measured_over_its_strengths_with_all_seeds() -> None:
    found = {curve.rule: curve for curve in curves_of(shipped().measured)}
    wanted = {name for name, rule in RULES.items() if set(rule.needs) <= {"reference", "critic"}}
    assert found.keys() == wanted
    for name, curve in found.items():
        assert all(point.seeds == GRID.seeds for point in curve.points)
        assert len(GRID.seeds) >= 5
        assert curve.choice is not None
        if name != "bc":
            values = [point.value for point in curve.points]
            assert len(values) >= 3
            assert max(values) >= 10 * min(values)
        for point in curve.points:
            assert point.returns.low < point.returns.mean < point.returns.high
            for measure in ("promised", "earned", "gap"):
                interval = point.interval(measure)
                assert interval is not None
                assert interval.low < interval.mean < interval.high
                assert interval.mean == pytest.approx(point.per_seed[measure].mean(), abs=1e-3)


def test_it_is_small_and_says_what_it_is() -> None:
    assert FILE.stat().st_size < 500_000
    found = shipped()
    assert found.words == f"shipped example: measured with workbench {found.version} by {COMMAND}"
    assert len(found.measured) == len(GRID.jobs())
    assert {result["key"] for result, _ in found.measured} == {job.key for job in GRID.jobs()}


def test_what_is_packed_is_what_the_store_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    axes = {"fit.steps": (20,), "fit.hidden": ((8, 8),), "weight": (0.3, 3.0)}
    small = GRID.model_copy(update={"rules": ("qgf",), "axes": axes, "seeds": (0, 1), "episodes": 5})
    monkeypatch.setattr("workbench.experiments.shipped.GRID", small)
    store = Store(tmp_path / "store", create=True)
    with pytest.raises(UserError, match="0 of the 4 results"):
        pack(store, tmp_path / "packed.npz")
    for progress in sweep(small, store, Serial()):
        assert not progress.errors
    pack(store, tmp_path / "packed.npz")
    (own,), (read,) = curves(store), curves_of(read_shipped(tmp_path / "packed.npz").measured)
    assert read.points[1].returns == own.points[1].returns
    assert read.choice == own.choice
    for name, values in own.points[0].per_seed.items():
        np.testing.assert_allclose(read.points[0].per_seed[name], values, rtol=1e-5, equal_nan=True)
    assert own.points[0].interval("gap").mean == pytest.approx(read.points[0].interval("gap").mean, abs=1e-3)


@pytest.mark.parametrize("harm", ["cut", "other", "lacking", "another_count"])
def test_a_damaged_file_is_refused_in_words(tmp_path: Path, harm: str) -> None:
    file = tmp_path / "shipped.npz"
    with np.load(FILE) as whole:
        arrays = {name: whole[name] for name in whole.files}
    if harm == "cut":
        file.write_bytes(FILE.read_bytes()[:-2000])
    elif harm == "other":
        np.savez(file, **arrays | {"records": arrays["records"] + 1})
    elif harm == "lacking":
        np.savez(file, **{name: array for name, array in arrays.items() if name != "report.returns"})
    else:
        np.savez(file, **arrays | {"report.returns": arrays["report.returns"][:, :-1]})
    with pytest.raises(UserError):
        read_shipped(file)


@pytest.mark.slow
def test_one_point_made_again_is_what_is_shipped(tmp_path: Path) -> None:
    again = make_grid(tasks=GRID.tasks, rules=("qgf",), axes={"weight": (0.3,)}, seeds=(0,), episodes=GRID.episodes)
    (job,) = again.jobs()
    before, episodes = next(found for found in shipped().measured if found[0]["key"] == job.key)
    store = Store(tmp_path / "store", create=True)
    for progress in sweep(again, store, Serial()):
        assert not progress.errors
    after = store.result(job.key)
    assert after is not None
    for name in ("return", "promised", "earned"):  # another processor rounds otherwise, and a training amplifies it
        assert after["report"][name]["mean"] == pytest.approx(before["report"][name]["mean"], abs=0.12)
    assert after["report"]["shift"]["w2"] == pytest.approx(before["report"]["shift"]["w2"], rel=0.25)
    assert episodes["report.returns"].mean() == pytest.approx(before["report"]["return"]["mean"], abs=1e-5)


@pytest.mark.slow
def test_wheel_and_source_archive_hold_it(tmp_path: Path, root: Path) -> None:
    place = tmp_path / "clone"
    shutil.copytree(root / "workbench", place / "workbench", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(root / name, place / name)
    code = "from setuptools import build_meta as b; b.build_wheel('out'); b.build_sdist('out')"
    (place / "out").mkdir()
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], cwd=place, check=True, capture_output=True)
    (wheel,), (archive,) = (place / "out").glob("*.whl"), (place / "out").glob("*.tar.gz")
    wanted = FILE.relative_to(root).as_posix()
    assert wanted in zipfile.ZipFile(wheel).namelist()
    with tarfile.open(archive) as source:
        assert any(name.endswith(f"/{wanted}") for name in source.getnames())
