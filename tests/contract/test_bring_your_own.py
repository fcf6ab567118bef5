"""The code in docs/bring_your_own.md runs as it stands there, and prints what is printed there."""

import contextlib
import io
import re
from pathlib import Path

import torch
from plain_rules import rules_without_parts

import workbench

PAGE = Path(__file__).resolve().parents[2] / "docs/bring_your_own.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)


def test_the_page_runs_in_order() -> None:
    names: dict[str, object] = {}
    printed = []
    for code in blocks("python"):
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            exec(compile(code, PAGE.name, "exec"), names)  # noqa: S102 -- the page's own code, from this repository
        printed.append(said.getvalue())
        actions = names["actions"]
        assert isinstance(actions, torch.Tensor)
        assert actions.shape == (100, 2)
        assert actions.abs().max() <= 1.0
    assert printed[0] == "These parts can be steered: no problem was found.\n"
    assert [line.split()[0] for line in printed[1].splitlines()] == list(rules_without_parts())
    assert printed[2] == ""
    assert printed[3] == blocks("text")[0]


def test_ten_lines_are_enough() -> None:
    lines = [line for line in blocks("python")[0].splitlines() if line and not line.startswith("import")]
    assert len(lines) <= 10


def test_every_rule_of_the_page_raises_q() -> None:
    """The second example shows a table; its numbers make sense."""
    names: dict[str, object] = {}
    with contextlib.redirect_stdout(io.StringIO()) as said:
        for code in blocks("python")[:2]:
            exec(compile(code, PAGE.name, "exec"), names)  # noqa: S102
    q = {line.split()[0]: float(line.split()[2]) for line in said.getvalue().splitlines()[1:]}
    for name in q:
        assert q[name] >= q["bc"] - 1e-3, name
    assert workbench.RULES.keys() >= q.keys()
