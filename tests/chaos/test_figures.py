"""The figures that the chaos suites print: added up over processes, with the names that are always printed."""

import subprocess
import sys

import pytest
from figures import NAMES, times

SUITE = """
import pytest

@pytest.mark.parametrize("number", range(4))
def test_count(figures, number):
    figures["kills"] += number
    figures["other"] += 1
"""


@pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["here", "two processes"])
def test_figures_are_added_up_and_printed(tmp_path, root, workers):
    (tmp_path / "conftest.py").write_text(
        "from figures import figures, pytest_sessionfinish, pytest_terminal_summary, pytest_testnodedown\n"
    )
    (tmp_path / "test_counting.py").write_text(SUITE)
    (tmp_path / "pytest.ini").write_text(f"[pytest]\npythonpath = {root / 'tests'}\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *workers, str(tmp_path)]
    found = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=True).stdout
    printed = dict(line.rsplit(None, 1) for line in found.split("figures")[1].splitlines()[1:9])
    assert printed == {name: "0" for name in NAMES} | {"kills": "6", "other": "4"}


def test_times_never_falls_to_nothing(monkeypatch):
    monkeypatch.setattr("figures.CHAOS", 0.1)
    assert times(1) == 1
    monkeypatch.setattr("figures.CHAOS", 3.0)
    assert times(20) == 60
