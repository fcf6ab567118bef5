"""The tutorial and the home page run as they stand there, and what they say about the numbers is so."""

import contextlib
import io
import json
import re
import shlex
from pathlib import Path

import pytest

from workbench.cli import main

DOCS = Path(__file__).resolve().parents[2] / "docs"


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (DOCS / page).read_text(encoding="utf-8"), re.S)


def printed(code: str) -> str:
    """What a page's Python prints."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(compile(code, "page", "exec"), {})  # noqa: S102 -- the page's own code, from this repository
    return said.getvalue()


def command(monkeypatch: pytest.MonkeyPatch, line: str, *more: str) -> str:
    """What a line of the page prints."""
    monkeypatch.setattr("sys.argv", [*shlex.split(line), *more])
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.suppress(SystemExit):  # a failed command prints nothing to read
        main()
    return said.getvalue()


def test_the_code_of_the_home_page_runs() -> None:
    (code,) = blocks("index.md", "python")
    assert printed(code) == "torch.Size([11, 1, 256, 2])\n"


@pytest.mark.slow
def test_the_tutorial_runs_and_says_what_is_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    lines = [line for block in blocks("tutorial.md", "sh") for line in block.splitlines()]
    assert all(line.startswith("workbench ") for line in lines)
    assert lines.pop() == "workbench serve"  # the browser tests serve
    fit, behaviour, steered, far, other, tune = lines
    command(monkeypatch, fit)
    numbers = [json.loads(command(monkeypatch, line, "--json")) for line in (behaviour, steered, far, other)]
    returns = [found["return"]["mean"] for found in numbers]
    assert 0.1 < returns[0] < 0.3  # "near 0.2"
    assert returns[1] > 3 * returns[0]  # "three times as large and more"
    assert returns[2] < returns[0] + (returns[1] - returns[0]) / 2  # "most of what was won is gone"
    assert returns[3] > 2 * returns[0]
    assert numbers[1]["support"]["inside"] > 0.85  # "changed a little"
    assert numbers[2]["support"]["inside"] < 0.1  # "hardly an action"
    assert numbers[2]["gap"]["mean"] > numbers[1]["gap"]["mean"]
    assert "chosen: weight = " in command(monkeypatch, tune)
    (code,) = blocks("tutorial.md", "python")
    rows = [line.split() for line in printed(code).splitlines()]
    transport = [float(row[-1]) for row in rows]
    assert transport[0] == 0.0 < transport[1] < transport[2]
