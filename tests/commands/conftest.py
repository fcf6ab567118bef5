"""The command line in this process, and one small trained run that the tests share."""

from pathlib import Path

import pytest
from commands.running import SMALL, Command, run_main

from workbench.cli import main
from workbench.engine.steering.rules import RULES


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    """``command("fit", "three_exits", ...)`` as ``workbench fit three_exits ...``."""
    return lambda *args: run_main(capsys, *args)


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with 2000 rows of three_exits."""
    folder = tmp_path_factory.mktemp("cli") / "data"
    main(["generate", "three_exits", "--out", str(folder), "--rows", "2000"])
    return folder


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Path:
    """A run of 50 steps with the parts of every rule; tests must not change it."""
    folder = tmp_path_factory.mktemp("cli") / "run"
    main(["fit", "three_exits", "--out", str(folder), "--data", str(data), "--rule", *RULES, *SMALL])
    return folder


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
