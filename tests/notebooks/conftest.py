"""One JupyterLab and one browser for all lessons, on copies of them, with no user's settings; one cache of policies."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from classroom import FLAGS, jupyterlab
from playwright.sync_api import Browser, sync_playwright


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the lessons keep the policy of three exits: the first that needs it trains it."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def environment(root: Path, cache: Path) -> dict[str, str]:
    path = os.pathsep.join([str(root), os.environ.get("PYTHONPATH", "")])
    return os.environ | {"PYTHONPATH": path, "XDG_CACHE_HOME": str(cache), "OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="session")
def lab(root: Path, environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """JupyterLab on a copy of the notebooks; yields its address."""
    home = tmp_path_factory.mktemp("lab")
    folder = home / "lessons"
    shutil.copytree(root / "notebooks", folder, ignore=shutil.ignore_patterns("instructor", "course.json"))
    with jupyterlab(folder, home, environment) as address:
        yield address


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS.split())
        yield browser
        browser.close()
