"""Policies of a page: built-in, of a run of the store, of an uploaded checkpoint; what is refused, and in which words."""

import base64
import hashlib
import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from safetensors.torch import load, save

from workbench.engine.tasks.registry import make_task
from workbench.engine.training.config import make_config
from workbench.engine.training.loop.checkpoint import RUN_FILE, _seal, save_checkpoint
from workbench.engine.training.loop.fit import fit
from workbench.engine.training.loop.trainer import Trainer
from workbench.engine.words import MissingExtraError
from workbench.ui.canvas.frames import unpack
from workbench.ui.controls.policy_choice import PolicyChoice
from workbench.ui.pages.landscape.page import LandscapePage
from workbench.ui.pages.particles.page import ParticlesPage
from workbench.ui.pages.rollouts.page import RolloutsPage
from workbench.ui.server.parts_cache import Cache
from workbench.views import policies
from workbench.views.links import read_link, write_link
from workbench.views.policies import Source, find, listed, upload


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of three_exits, of a few updates."""
    task, folder = make_task("three_exits"), tmp_path_factory.mktemp("run")
    settings = {"hidden": (8, 8), "steps": 3, "batch_size": 32, "discount": 0.97}
    trainer = Trainer(task.generate(500, 0), make_config(**settings))
    list(fit(trainer))
    save_checkpoint(trainer, folder, "three_exits")
    return folder


@pytest.fixture
def store(run_folder: Path, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A store with that run, and the course's run of pointmaze."""
    for name, source in (("aaaa1111", run_folder), ("bbbb2222", root / "notebooks" / "data" / "pointmaze")):
        shutil.copytree(source, tmp_path / "trained" / name)
    monkeypatch.setenv("WORKBENCH_STORE", str(tmp_path))
    yield tmp_path
    for name in [name for name in policies._found if name.startswith("run:")]:
        del policies._found[name]


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def edited(folder: Path, change) -> dict[str, bytes]:
    """The files after ``change(record)``, sealed again as only someone of ill will would."""
    found = files(folder)
    record = json.loads(found[RUN_FILE])
    record.pop("seal")
    change(record)
    return found | {RUN_FILE: _seal(record)}


def ready(name: str) -> Cache:
    """A cache that has the policy: outside a server a page that finds it still loading does not look again."""
    cache = Cache()
    cache.wait(name)
    return cache


def soon(true) -> None:
    end = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_runs_of_the_store_are_offered(store: Path) -> None:
    (store / "trained" / "broken").mkdir()
    (store / "trained" / "broken" / RUN_FILE).write_text("{")
    names = listed(2, ["three_exits"])
    assert next(iter(names.values())) == "three_exits"
    assert set(names.values()) == {"three_exits", "run:aaaa1111", "run:bbbb2222"}
    assert "pointmaze-medium-navigate, run bbbb22, seed 0" in names
    assert set(listed(1, []).values()) == set()
    with pytest.raises(ValueError, match="no finished training 'nothing'"):
        find("run:nothing")
    assert "no finished training '../aaaa1111'" in read_link({"task": "run:../aaaa1111"})[1][0]


def test_a_link_to_a_run_reproduces_its_question(store: Path) -> None:
    question, problems = read_link({"task": "run:aaaa1111", "rule": "qgf", "x": "0.5"})
    assert problems == []
    assert question.state == (0.5, -0.8, 0.0, 0.4)
    assert read_link({key: str(value) for key, value in write_link(question).items()}) == (question, [])


@pytest.mark.parametrize("kind", [ParticlesPage, LandscapePage, RolloutsPage])
def test_a_run_is_shown_on_every_page(kind, store: Path) -> None:
    page = kind({"task": "run:aaaa1111", "rule": "qgf", "episodes": "100"}, ready("run:aaaa1111"))
    shown = {"particles": "answer", "landscape": "terrain", "rollouts": "both"}[page.name]
    soon(lambda: getattr(page, shown) is not None)
    assert "wb.load_run(" in page.code()
    assert page.state()["task"] == "run:aaaa1111"
    page.left()


def test_the_maze_is_drawn_and_its_agent_stands_in_no_wall(store: Path) -> None:
    page = ParticlesPage(
        {"task": "run:bbbb2222", "rule": "qgf", "weight": "30", "x": "12.5", "y": "16.5"}, ready("run:bbbb2222")
    )
    soon(lambda: page.plays.newest is not None)
    header, arrays = unpack(page.stages.world)
    assert header["title"] == "The maze"
    assert len(header["plan"]["blocks"]) == 38
    assert arrays["paths0"].shape[2] == 2
    page.stages.agent = [0.0, -9.0]
    assert page.question.state == (0.0, -1.3)  # 0.7 from the wall
    soon(lambda: not page._pictures.busy and not page.plays.busy)
    page.left()


def test_an_upload_is_a_policy_for_who_has_its_name(run_folder: Path) -> None:
    source = upload(files(run_folder))
    assert find(source.name) is source
    assert "three_exits, upload" in source.title
    assert source.name not in listed(2, ["three_exits"]).values()
    chosen = PolicyChoice("three_exits", ["three_exits"], 2)
    pieces = [{"begin": 2}]
    for name, content in files(run_folder).items():
        half = len(content) // 2
        for last, part in ((False, content[:half]), (True, content[half:])):
            pieces.append({"name": name, "data": base64.b64encode(part).decode(), "last": last})
    for piece in pieces:
        chosen.upload._handle_msg(piece)
    assert chosen.value.startswith("upload:")
    assert chosen.value in chosen.list.options.values()
    first = source.name
    del source
    for _ in range(policies.UPLOADS):
        upload(files(run_folder))
    with pytest.raises(ValueError, match="no longer here; upload it again"):
        find(first)
    assert find(chosen.value).title  # a page that shows it keeps it


def test_what_is_no_checkpoint_is_refused_in_words(run_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = files(run_folder)
    (state,) = (name for name in good if name.endswith(".safetensors"))
    refused = {
        "choose both at once": {RUN_FILE: good[RUN_FILE]},
        "not valid JSON": good | {RUN_FILE: b"\x80\x04K\x00."},
        "edited after it was written": good | {RUN_FILE: good[RUN_FILE].replace(b'"step": 3', b'"step": 4')},
        "truncated or was edited": good | {state: good[state][:-4]},
        "uploads are taken for": edited(run_folder, lambda record: record.update(task="gym/os:system-v0")),
        "lacks the array": edited(run_folder, lambda record: record["config"].update(hidden=[16384] * 9)),
        "of another version of the task": edited(run_folder, lambda record: record.update(task="bandit2d")),
    }
    for words, given in refused.items():
        with pytest.raises(ValueError, match=words) as told:
            upload(given)
        assert "scratch" not in str(told.value)
    arrays = load(good[state])
    del arrays["probes"]
    content = save(arrays)
    lacking = edited(run_folder, lambda record: record["state"].update(sha256=hashlib.sha256(content).hexdigest()))
    with pytest.raises(ValueError, match="lacks the array 'probes'"):
        upload(lacking | {state: content})
    monkeypatch.setattr(policies, "LIMIT", 100)
    with pytest.raises(ValueError, match="this page takes"):
        upload(good)


def test_a_missing_package_is_told_with_its_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Source:
        raise MissingExtraError(
            'OGBench tasks need an optional package; install it with: pip install "workbench[ogbench]"'
        )

    chosen = PolicyChoice("bandit2d", ["bandit2d"], 2)
    chosen.list.options = chosen.list.options | {"a run": "run:cccc"}
    monkeypatch.setattr("workbench.ui.controls.policy_choice.find", missing)
    chosen.list.value = "run:cccc"
    assert chosen.value == "bandit2d"
    assert chosen.upload.wrong
    assert "pip install" in chosen.upload.words
