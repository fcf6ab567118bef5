"""Small data that the tests of experiments share."""

import uuid
from pathlib import Path

import pytest
from experiments.small import small_data

from workbench.experiments.job import Data
from workbench.experiments.store import Store


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Data:
    """500 rows of three_exits in a folder."""
    return small_data(tmp_path_factory.mktemp("experiments") / "data")


@pytest.fixture(params=["folder", "memory", "local"])
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A store in a folder, and at URLs of two kinds."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    places = {
        "folder": str(tmp_path / "store"),
        "memory": f"memory://{uuid.uuid4().hex}",
        "local": f"local://{tmp_path / 'store'}",
    }
    return Store(places[request.param], create=True)


@pytest.fixture
def folder(tmp_path: Path) -> Store:
    return Store(tmp_path / "store", create=True)
