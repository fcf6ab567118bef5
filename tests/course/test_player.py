"""A participant's rule at arm's length: whatever it does, the board goes on and says in words what happened."""

import os
import socket
import time
from functools import lru_cache
from pathlib import Path

import capstone_rules
import numpy as np
import pytest
import torch

import workbench as wb
from workbench.course.judge import Judge
from workbench.course.player import Limits, Player, Refused, board_parts
from workbench.course.submission import Submission, submission_of
from workbench.engine.steering.noise import draw_noise
from workbench.engine.steering.run import act

QUICK = Limits(seconds=60.0, cpu_seconds=30, memory=1 << 30)


def ask(submission, limits=QUICK, rows=4):
    with Player(submission, limits) as player:
        noise = draw_noise(rows, player.particles, 2, torch.Generator().manual_seed(0), player.extra)
        states = np.linspace(-0.5, 0.5, rows * 4, dtype=np.float32).reshape(rows, 4)
        return player.act(states, noise), states, noise, player.held


def asked_by(body: str) -> Submission:
    """A rule that runs ``body`` when it is made and tells what it found, as an error."""
    imports = "import os, sys, socket, subprocess"
    source = f"class Spy(wb.DuringFlow):\n    pass\n\n{imports}\n{body}\nraise ValueError(f'found: {{found}}')\n"
    return Submission(rule="Spy", source=source)


@pytest.mark.parametrize(
    "rule", [wb.make_rule("qgf", weight=0.3), wb.make_rule("best_of_n", particles=3)], ids=lambda r: r.name
)
def test_it_answers_as_the_rule_does_here(rule):
    actions, states, noise, _ = ask(submission_of(rule))
    assert np.allclose(actions, act(rule, board_parts(), torch.from_numpy(states), noise).numpy(), atol=1e-6)


@pytest.mark.parametrize(
    ("kind", "limits", "says"),
    [
        ("Loops", Limits(60.0, 2, 1 << 30), "2 seconds of processor time"),
        ("Sleeps", Limits(8.0, 30, 1 << 30), "longer than 8 seconds"),
        ("Greedy", QUICK, "too much memory"),
        ("Bytes", QUICK, "too much memory"),
        ("Exits", QUICK, "called exit"),
        ("Dies", QUICK, "ended in the middle"),
        ("Liar", QUICK, "something else than actions"),
        ("NotANumber", QUICK, "the push is NaN"),
        ("Writes", QUICK, "stopped with"),
    ],
)
def test_what_breaks_a_limit_is_refused_in_words(kind, limits, says):
    with pytest.raises(Refused, match=says):
        ask(submission_of(getattr(capstone_rules, kind)()), limits)


def test_megabytes_of_print_go_nowhere_and_do_no_harm(capfd):
    actions, states, noise, _ = ask(submission_of(capstone_rules.Chatty(flow_steps=3)))
    plain = act(wb.make_rule("bc", flow_steps=3), board_parts(), torch.from_numpy(states), noise).numpy()
    assert np.allclose(actions, plain, atol=1e-6)
    assert capfd.readouterr() == ("", "")


def test_it_sees_no_environment_of_ours_no_home_and_an_empty_folder(monkeypatch):
    monkeypatch.setenv("WORKBENCH_SECRET", "sesame-7731")
    with pytest.raises(Refused) as told:
        ask(asked_by("found = (sorted(os.environ), os.listdir('.'), os.path.expanduser('~') == os.getcwd())"))
    assert "found: " in str(told.value)
    assert "SECRET" not in str(told.value)
    assert "[], True)" in str(told.value)


@lru_cache
def held() -> list[str]:
    """What this system closes."""
    return ask(submission_of(wb.make_rule("bc")))[3]


def closed(what: str) -> None:
    """Skip where this system cannot close it: the documentation promises it for newer Linux only."""
    if what not in held():
        pytest.skip(f"this system cannot close {what} without root")


WAYS = (
    "open({path!r}).read()",
    "os.listdir({folder!r})",
    "os.popen('cat {path}').read()",
    "open('/proc/{pid}/environ').read()",
    "open('/proc/{pid}/maps').read()",
)


@pytest.mark.parametrize("way", WAYS)
def test_the_key_cannot_be_read(tmp_path, way, monkeypatch):
    closed("files")
    judge = Judge(tmp_path / "teacher")
    path = judge.home / "key"
    monkeypatch.setenv("WORKBENCH_KEY", path.read_text())
    look = way.format(path=str(path), folder=str(judge.home), pid=os.getpid())
    body = f"try:\n    found = {look}\nexcept OSError as error:\n    found = type(error).__name__"
    with pytest.raises(Refused, match="found: ") as told:
        ask(asked_by(body))
    assert path.read_text() not in str(told.value)
    assert any(word in str(told.value) for word in ("PermissionError", "found: $", "FileNotFoundError")) or str(
        told.value
    ).endswith("found: ")


def test_the_network_cannot_be_reached():
    closed("network")
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        address = ("127.0.0.1", server.getsockname()[1])
        body = f"try:\n    socket.create_connection({address}, 2)\n    found = 'open'\nexcept OSError:\n    found = 'closed'"
        with pytest.raises(Refused, match="found: closed"):
            ask(asked_by(body))


def test_the_shared_policy_cannot_be_changed_and_nothing_stays_behind(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    import tempfile

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(Refused):
        ask(submission_of(capstone_rules.Writes()))
    assert list(tmp_path.iterdir()) == []


def test_what_it_started_ends_with_it():
    body = "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\nfound = child.pid"
    with pytest.raises(Refused, match="found: ") as told:
        ask(asked_by(body))
    words = str(told.value).removeprefix("found: ")
    if words.isdigit():
        end = time.monotonic() + 20
        while Path(f"/proc/{words}").exists() and time.monotonic() < end:
            time.sleep(0.1)
        state = Path(f"/proc/{words}/stat")
        assert not state.exists() or state.read_text().split()[2] == "Z"


@pytest.mark.parametrize(
    ("submission", "says"),
    [
        (Submission(rule="nothing"), "no rule named 'nothing'"),
        (Submission(rule="qgf", settings={"weight": -1.0}), "weight"),
        (Submission(rule="qgf", settings={"wieght": 1.0}), "did you mean 'weight'"),
        (Submission(rule="fql"), "needs part"),
        (Submission(rule="best_of_n", settings={"particles": 1000}), "at most 64 particles"),
        (Submission(rule="Gone", source="x = 1"), "no rule Gone"),
        (Submission(rule="Broken", source="class Broken(wb.DuringFlow\n"), "SyntaxError"),
        (
            Submission(rule="A", source="class A(Base):\n    pass\n"),
            "'Base' is not defined: put all that your rule uses",
        ),
    ],
    ids=lambda value: getattr(value, "rule", ""),
)
def test_what_cannot_be_played_says_why(submission, says):
    with pytest.raises(Refused, match=says):
        ask(submission)
