"""A process that ends while its threads compute ends cleanly: nothing is said, and it does not abort."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ENDS = """
import threading

import torch

from workbench.ui.server.parts_cache import CACHE, LONG, QUICK, Cache, Latest

begun = threading.Semaphore(0)


def compute(until):
    begun.release()
    matrix = torch.rand(200, 200)
    while True:
        matrix = torch.tanh(matrix @ matrix)
        if until():
            return matrix
"""
CREW = """
for crew in (QUICK, LONG, Latest.crew):
    for number in range(3):
        done = iter(range({products}))
        ask = Latest(lambda asked, done=done: compute(lambda: next(done, None) is None), lambda *answer: None, crew)
        ask.ask(number)
begun.acquire()
begun.acquire()
begun.acquire()
"""
TRAINING = """
def build(task, report):
    def told():
        report(0.5)
        return False

    return compute(told)


CACHE = Cache(build)
CACHE.status("three_exits")
begun.acquire()
"""
PART = """
def further(source, parts, part, report):
    def told():
        report(0.5, 1.0)
        return False

    return compute(told)


CACHE = Cache(further=further)
CACHE.wait("bandit2d")
who = threading.Event()
CACHE.ready("bandit2d", ("one_step",), who)
begun.acquire()
"""
EPISODES = """
from workbench.views.caller import go_on, NOBODY


def episodes(asked, parts, task, caller):
    def told():
        go_on(caller, 0.5)
        return False

    return compute(told)


CACHE.wait("bandit2d")
Latest(lambda asked: CACHE.work(episodes, asked, "bandit2d", ("qgf",)), lambda *answer: None, LONG).ask(0)
begun.acquire()
"""


@pytest.mark.parametrize(
    "work",
    [CREW.format(products=200), TRAINING, PART, EPISODES],
    ids=["crews", "training", "learned part", "episodes"],
)
def test_it_ends_while_threads_compute(work: str, root: Path, tmp_path: Path) -> None:
    env = os.environ | {"PYTHONPATH": str(root), "WORKBENCH_STORE": str(tmp_path / "store")}
    env |= {"XDG_CACHE_HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", ENDS + work], env=env, cwd=root, capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stderr) == (0, "")
