"""What a user caused is a message; a fault of the workbench keeps its traceback, and is not taken for a wrong input."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from commands.running import Command, check

from workbench.console import errors_in_words
from workbench.engine.steering.rules.qgf import QGF
from workbench.engine.words import DivergedError, MissingExtraError, UserError

BROKEN = """
import sys
from workbench.engine.{module} import {name} as broken
def fail(*args, **given):
    raise {error}("a bug")
broken.init = fail
from workbench.cli import main
main(sys.argv[1:])
"""


@pytest.mark.parametrize("error", ["ValueError", "KeyError", "TypeError", "ImportError", "FloatingPointError"])
def test_a_fault_keeps_its_traceback(root: Path, trained: Path, error: str) -> None:
    script = BROKEN.format(module="steering.rules.qgf", name="QGF", error=error)
    done = subprocess.run(
        [sys.executable, "-c", script, "evaluate", str(trained), "--rule", "qgf", "--episodes", "2"],
        env=os.environ | {"PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "a bug" in done.stderr
    assert "error: a bug" not in done.stderr


def test_a_refusal_deep_inside_is_a_message(command: Command, trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise UserError("too many particles; take fewer")

    monkeypatch.setattr(QGF, "init", refuse)
    check(command("evaluate", trained, "--rule", "qgf", "--episodes", 2), "too many particles; take fewer")


@pytest.mark.parametrize("error", [DivergedError("NaN"), MissingExtraError("install it"), OSError("disk full")])
def test_what_has_words(capsys: pytest.CaptureFixture[str], error: Exception) -> None:
    with pytest.raises(SystemExit) as end, errors_in_words():
        raise error
    assert end.value.code == 2
    assert capsys.readouterr().err == f"error: {error}\n"


def test_a_fault_in_a_check_of_settings_is_no_wrong_setting(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pydantic takes any ValueError of a validator for a wrong value."""

    def fail(name: str) -> None:
        raise ValueError("a bug")

    monkeypatch.setattr("workbench.experiments.job.make_task", fail)
    with pytest.raises(ValueError, match="a bug") as error:
        command("sweep", "--task", "three_exits", "--rule", "qgf", "--store", tmp_path)
    assert type(error.value) is ValueError
