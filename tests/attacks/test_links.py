"""What a link, an upload or a store names: nothing of it is imported, made or trained, and nothing is written by looking."""

import json
import shutil
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from attacks.conftest import ask, served
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.engine.tasks.registry import make_listed, make_task
from workbench.engine.training.config import make_config
from workbench.engine.training.loop.checkpoint import RUN_FILE, _seal, save_checkpoint
from workbench.engine.training.loop.fit import fit
from workbench.engine.training.loop.trainer import Trainer
from workbench.ui.pages.landscape.page import LandscapePage
from workbench.ui.pages.particles.page import ParticlesPage
from workbench.ui.server.parts_cache import Cache, Latest
from workbench.ui.shell.registry import PAGES, page_class
from workbench.ui.shell.template import FailedPage, made
from workbench.views import policies
from workbench.views import rollout_links as rollouts
from workbench.views.contained import contained
from workbench.views.links import read_link
from workbench.views.policies import find, listed, upload

EVIL = "evil_module"
NAMES = [
    f"gym/{EVIL}:X-v0",
    f"minari/{EVIL}:X-v0",
    f"d4rl/{EVIL}:X-v0",
    f"ogbench/{EVIL}:X-v0",
    f"run:{EVIL}:X",
    f"{EVIL}:X-v0",
]
NAMES += [
    "gym/Pendulum-v1",
    "gym/",
    "gym",
    "/",
    "",
    "..",
    "../../x",
    "minari/../../x",
    "minari//x-v0",
    "minari/x/../../y-v0",
    "minari/~/x-v0",
]
NAMES += [
    "minari/mujoco/hopper/medium-v0",
    "d4rl/hopper-medium-v2",
    "d4rl/../hopper-medium-v2",
    "ogbench/../x",
    "ogbench/nothing-v0",
]
NAMES += [
    "run:",
    "run:..",
    "run:../trained/x",
    "run:/x",
    "upload:",
    "upload:..",
    "file:///x",
    "http://127.0.0.1/x",
    "GYM/x:Y-v0",
]
NAMES += [
    f"gym/{EVIL}:X-v0\x00",
    f"gym/{EVIL}\n:X-v0",
    f"gym/ {EVIL}:X-v0",
    f"gym/a/{EVIL}:X-v0",
    "bandit2d\x00",
    "x" * 5000,
]


@pytest.fixture
def marker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A file that appears when the module on the path is imported, which would end this process too."""
    found = tmp_path / "imported"
    (tmp_path / f"{EVIL}.py").write_text(f"open({str(found)!r}, 'w').close()\nraise SystemExit(3)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield found
    sys.modules.pop(EVIL, None)


def test_no_name_of_a_link_is_imported_or_made(marker: Path) -> None:
    for name in NAMES:
        question, problems = read_link({"task": name})
        assert problems, name
        assert question.task == "bandit2d"
        assert rollouts.read_link({"task": name})[1], name
        with pytest.raises((ValueError, ImportError)):
            find(name)
    assert not marker.exists()
    with pytest.raises(SystemExit):
        _ = make_task(f"gym/{EVIL}:X-v0").info  # the test's own proof: this is what a link would have done
    assert marker.exists()


@settings(max_examples=200, derandomize=True, deadline=None)
@given(st.sampled_from(["gym/", "minari/", "d4rl/", "run:", "upload:", ""]), st.text(max_size=30))
def test_no_text_is_a_policy(prefix: str, text: str) -> None:
    with pytest.raises((ValueError, ImportError)):
        find(f"{prefix}{text} ")


def test_the_names_of_a_store_choose_among_what_is_here() -> None:
    assert make_listed("three_exits").info.name == "three_exits"
    for name in (
        "gym/nothing:X-v0",
        "minari/../x-v0",
        "minari//abs-v0",
        "minari/a/..-v0",
        "d4rl/x:Y",
        "nothing",
        "gym/",
    ):
        with pytest.raises((ValueError, ImportError)):
            make_listed(name)


@pytest.mark.parametrize("kind", [ParticlesPage, LandscapePage])
def test_a_page_with_such_a_link_shows_words(kind, marker: Path) -> None:
    page = made(kind.name, {"task": f"gym/{EVIL}:X-v0", "rule": "qgf"})
    assert not isinstance(page, FailedPage)
    assert page.state()["task"] == "bandit2d"
    page.left()
    assert not marker.exists()


def test_what_would_end_the_server_is_words(monkeypatch: pytest.MonkeyPatch) -> None:
    def ends(*_: object) -> None:
        raise SystemExit(3)

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("workbench.ui.shell.template.page_class", lambda name: ends)
    assert isinstance(made("particles", {}), FailedPage)
    with pytest.raises(KeyboardInterrupt), contained("x"):  # the owner's own
        interrupted()
    monkeypatch.setattr(policies, "make_listed", ends)
    policies._found.pop("bandit1d", None)
    with pytest.raises(ValueError, match="ended with SystemExit"):
        find("bandit1d")
    cache = Cache(build=ends)
    monkeypatch.undo()
    with pytest.raises(RuntimeError, match="ended with SystemExit"):
        cache.wait("bandit1d")
    told, heard = threading.Event(), []
    Latest(ends, lambda question, answer, error: (heard.append(error), told.set())).ask(1)
    assert told.wait(60)
    assert "SystemExit" in str(heard[0])


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    task, folder = make_task("three_exits"), tmp_path_factory.mktemp("run")
    trainer = Trainer(task.generate(300, 0), make_config(hidden=(8, 8), steps=2, batch_size=32, discount=0.97))
    list(fit(trainer))
    save_checkpoint(trainer, folder, "three_exits")
    return folder


def sealed(folder: Path, task: str) -> bytes:
    record = json.loads((folder / RUN_FILE).read_bytes())
    record.pop("seal")
    return _seal(record | {"task": task})


def test_a_stored_run_and_an_upload_import_nothing(
    run_folder: Path, tmp_path: Path, marker: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKBENCH_STORE", str(tmp_path / "store"))
    for number, task in enumerate((f"gym/{EVIL}:X-v0", "minari/../../x-v0", f"d4rl/{EVIL}:X-v0", "nothing")):
        name = f"{number}0000000"
        folder = tmp_path / "store" / "trained" / name
        shutil.copytree(run_folder, folder)
        (folder / RUN_FILE).write_bytes(sealed(run_folder, task))
        assert f"run:{name}" in listed(128, []).values()  # it stands in the list,
        with pytest.raises((ValueError, ImportError)) as told:  # and says why it cannot be shown
            find(f"run:{name}")
        assert task.partition("/")[2][:6] in str(told.value) or task in str(told.value)
        files = {path.name: path.read_bytes() for path in folder.iterdir()}
        with pytest.raises(ValueError, match="uploads are taken for"):
            upload(files)
        problems = read_link({"task": f"run:{name}"})[1]
        assert problems
    for thread in threading.enumerate():
        if thread.name == "import of tasks":
            thread.join(60)
    assert not marker.exists()


def tree(folder: Path) -> dict[str, int]:
    """Every file, and when its content changed; without the list of fonts that matplotlib writes when it is first imported."""
    found = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.parent.name != "matplotlib")
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in found}


def test_looking_at_addresses_changes_nothing_and_never_ends_the_server(root: Path, tmp_path: Path) -> None:
    home, path = tmp_path / "home", tmp_path / "path"
    home.mkdir()
    path.mkdir()
    (path / f"{EVIL}.py").write_text(f"open({str(home / 'imported')!r}, 'w').close()\nimport os\nos._exit(3)\n")
    evil, odd = f"?task=gym/{EVIL}:X-v0", "?task=run:..&seed=1e999&x=nan&peak=inf,inf&shown=-1&shift=1e999"
    questions = ["", "?task=three_exits&rule=qgf&rule2=grpo", "?run=../../x&sort=x&only_status=%00"]
    targets = [f"/{name}{question}" for name in ("", *PAGES) for question in (evil, odd)]
    targets += [f"/{name}{question}" for name in ("", "particles", "rollouts", "runs") for question in questions]
    with served(root, home, path=path) as port:
        status = ask(port, ["GET /static/js/bokeh.min.js HTTP/1.1", f"Host: 127.0.0.1:{port}"]).status
        assert status == 200
        before = tree(home)
        for target in targets:
            assert ask(port, [f"GET {target} HTTP/1.1", f"Host: 127.0.0.1:{port}"]).status == 200, target
        for method in ("HEAD", "PUT", "DELETE", "POST", "PATCH", "OPTIONS", "TRACE"):
            found = ask_head(port, method)
            assert found in (200, 403, 404, 405, 400), method
        assert tree(home) == before
        assert not (home / "store").exists()


def ask_head(port: int, method: str) -> int:
    with socket.create_connection(("127.0.0.1", port), timeout=60) as line:
        line.sendall(f"{method} /runs HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: 0\r\n\r\n".encode())
        return int(line.recv(4096).split()[1])


def test_every_page_takes_any_argument(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WORKBENCH_STORE", str(tmp_path / "store"))
    odd = ["", "\x00", "../../x", "<b>", "1e999", "nan", "-1", "9" * 400, "{}", "%s", "é" * 50]
    keys = [
        "task",
        "rule",
        "rule2",
        "seed",
        "shown",
        "peak",
        "x",
        "weight",
        "run",
        "sort",
        "only_status",
        "shift",
        "episodes",
    ]
    for name in PAGES:
        for number, key in enumerate(keys):
            page = page_class(name)({key: odd[number % len(odd)], "tick": odd[(number + 3) % len(odd)]})
            page.left()
    assert not (tmp_path / "store").exists()
