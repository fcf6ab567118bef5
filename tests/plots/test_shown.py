"""How results show themselves: words everywhere, a table with a picture where HTML is seen, and no library before that."""

import re
import subprocess
import sys
from dataclasses import replace
from html import unescape

import pytest
from plots.conftest import SHAPES, steered
from plots.test_result_pictures import run

import workbench as wb
from workbench.engine.glossary import TERM
from workbench.engine.steering.rules import RULES

__all__ = ["run"]  # a fixture


@pytest.fixture(scope="module")
def evaluation():
    task = wb.make_task("bandit2d")
    return wb.evaluate(wb.QGF(weight=1.0), task.parts(), task, 10, 0)


def both(thing) -> tuple[str, str]:
    found = thing._repr_mimebundle_()
    assert set(found) == {"text/plain", "text/html"}
    assert thing._repr_mimebundle_(include=["text/plain"]).keys() == {"text/plain"}
    assert thing._repr_mimebundle_(exclude={"text/html"}).keys() == {"text/plain"}
    return found["text/plain"], found["text/html"]


@pytest.mark.parametrize("shape", SHAPES)
def test_a_trace(trained, shape: str) -> None:
    trace = steered(wb.QGF(weight=0.7), trained[shape].parts())
    words, html = both(trace)
    size = trace.positions.shape[-1]
    assert words.startswith("Trace of QGF: Settings weight = 0.7; Shape 3 states × 4 particles")
    assert f"{size} numbers an action" in words
    assert f"{float(trace.transport.mean()):.3g}" in words
    assert "<img" in html
    assert "tensor(" not in words + html


def test_an_evaluation_has_the_glossary_s_labels(evaluation) -> None:
    words, html = both(evaluation)
    for key in ("return", "transport", "shift.w2", "gap"):
        assert TERM[key].head in unescape(re.sub("<[^>]+>", " ", html))
        assert TERM[key].hint in unescape(html)
    assert f"{evaluation.returns.mean:.3g} [{evaluation.returns.low:.3g}, {evaluation.returns.high:.3g}]" in words
    assert "<img" in html


def test_parts_and_runs(trained, run) -> None:
    words, html = both(trained["chunk"].parts())
    assert "Action 4 numbers, 2 steps" in words
    assert "critic" in words
    words, html = both(wb.load_run(run))
    assert words.startswith("Run on bandit2d")
    assert "Updates 40 of 40" in words
    assert "<img" in html
    bare, html = both(trained["two"])  # without a log: the table alone
    assert "<img" not in html
    assert "a_task" in bare


def test_text_is_escaped(evaluation) -> None:
    bad = "<script>alert(1)</script>"
    _, html = both(replace(evaluation, task=bad, rule=bad, settings={bad: bad}))
    assert "<script" not in html


@pytest.mark.parametrize("name", RULES)
def test_every_rule_s_trace(trained, name: str) -> None:
    words = steered(wb.make_rule(name), trained["two"].parts())._repr_mimebundle_(include=["text/plain"])["text/plain"]
    assert words.startswith(f"Trace of {RULES[name].title}")


def test_nothing_is_loaded_before_something_is_displayed() -> None:
    code = """
import sys, torch, workbench as wb
parts = wb.make_task("bandit2d").parts()
trace = wb.steer(wb.QGF(), parts, torch.zeros(2, 1), wb.draw_noise(2, 1, 2, torch.Generator().manual_seed(0)))
trace._repr_mimebundle_(include=["text/plain"]); wb.plots; dir(wb.plots)
print("holoviews" in sys.modules, "matplotlib" in sys.modules)
trace._repr_mimebundle_()
print("holoviews" in sys.modules)
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.split() == ["False", "False", "True"]


def test_a_terminal_gets_words_and_draws_nothing() -> None:
    code = """
import sys, torch, workbench as wb
from IPython.terminal.interactiveshell import TerminalInteractiveShell
shell = TerminalInteractiveShell.instance()
parts = wb.make_task("bandit2d").parts()
trace = wb.steer(wb.QGF(), parts, torch.zeros(2, 1), wb.draw_noise(2, 1, 2, torch.Generator().manual_seed(0)))
found, _ = shell.display_formatter.format(trace)
print(found["text/plain"].split(":")[0].replace(" ", "_"), "text/html" in found, "holoviews" in sys.modules)
"""
    said = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert said.split()[-3:] == ["Trace_of_QGF", "False", "False"]
