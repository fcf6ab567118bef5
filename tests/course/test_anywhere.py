"""The cell for Colab and VS Code, in environments that only look like them."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture
def run(root, monkeypatch, tmp_path):
    """Run the cell in an empty folder; returns the commands that it ran."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("VSCODE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(os, "environ", os.environ.copy())
    monkeypatch.setattr(os.path, "expanduser", lambda path: path.replace("~", str(tmp_path)))
    commands = []

    def command(words, check):
        assert check
        commands.append(words)
        if words[0] == "git":
            (Path(words[-1]) / "notebooks").mkdir(parents=True)

    monkeypatch.setattr(subprocess, "run", command)
    text = (root / "notebooks" / "anywhere.py").read_text()

    def cell():
        commands.clear()
        exec(compile(text, "anywhere", "exec"), {})  # noqa: S102 -- it is a cell
        return list(commands)

    return cell


@pytest.fixture
def colab(monkeypatch):
    """google.colab, as far as the cell uses it; counts how often widgets were switched on."""
    on = []
    output = ModuleType("google.colab.output")
    output.enable_custom_widget_manager = lambda: on.append(True)
    package = ModuleType("google.colab")
    package.output = output
    for name, module in (("google", ModuleType("google")), ("google.colab", package), ("google.colab.output", output)):
        monkeypatch.setitem(sys.modules, name, module)
    return on


def absent(monkeypatch, *names):
    """As if these packages were not installed."""
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in names else found(name))


def test_in_jupyterlab_it_does_nothing(run):
    before = os.getcwd()
    assert run() == []
    assert os.getcwd() == before


def test_in_colab_it_installs_once_goes_to_the_lessons_and_switches_widgets_on(run, colab, monkeypatch, tmp_path):
    absent(monkeypatch, "workbench")
    git, pip = run()
    assert git[:2] == ["git", "clone"]
    assert pip[:4] == [sys.executable, "-m", "pip", "install"]
    assert {str(tmp_path / "workbench-course"), "jupyter_bokeh"} <= set(pip)
    assert os.getcwd() == str(tmp_path / "workbench-course" / "notebooks")
    assert colab == [True]


def test_run_again_in_colab_it_installs_nothing(run, colab, monkeypatch, tmp_path):
    (tmp_path / "workbench-course" / "notebooks").mkdir(parents=True)
    assert run() == []
    assert os.getcwd() == str(tmp_path / "workbench-course" / "notebooks")
    assert run() == []
    assert os.getcwd() == str(tmp_path / "workbench-course" / "notebooks")
    assert colab == [True, True]


@pytest.mark.parametrize("name", ["VSCODE_PID", "VSCODE_CWD", "VSCODE_IPC_HOOK_CLI"])
def test_in_vs_code_panel_knows_where_it_is(run, monkeypatch, name):
    os.environ[name] = "1"
    assert run() == []
    assert "VSCODE_PID" in os.environ


@pytest.mark.parametrize("missing", ["workbench", "jupyter_bokeh", "ipywidgets"])
def test_in_vs_code_with_another_kernel_it_says_which_to_choose(run, monkeypatch, missing):
    os.environ["VSCODE_PID"] = "1"
    absent(monkeypatch, missing)
    with pytest.raises(ModuleNotFoundError, match=f"no {missing} in .*: choose the kernel"):
        run()
