"""What the chaos, fuzz and attack tests count, added up over all test processes and printed at the end of a run.

A test asks for the fixture ``figures`` and counts: ``figures["kills"] += 1``. ``times(20)`` is 20 examples, and more of
them under ``WORKBENCH_CHAOS=5`` (``make chaos``).
"""

import os
from collections import Counter
from typing import Any

import pytest

CHAOS = float(os.environ.get("WORKBENCH_CHAOS", "1"))
NAMES = ("kills", "lost", "doubled", "files", "tracebacks", "code run", "refusals")  # printed first, zeros too
_COUNTED = pytest.StashKey[Counter[str]]()


def times(count: int) -> int:
    """That many examples, times the factor ``WORKBENCH_CHAOS``; at least one."""
    return max(1, round(count * CHAOS))


@pytest.fixture(scope="session")
def figures(pytestconfig: pytest.Config) -> Counter[str]:
    """The counts of this run by name; a name that nobody counted yet is 0."""
    return pytestconfig.stash.setdefault(_COUNTED, Counter())


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker of pytest-xdist hands its counts to the process that prints."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["figures"] = dict(session.config.stash.get(_COUNTED, Counter()))


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """Add what a worker of pytest-xdist counted; one that died has handed over nothing, and its test fails anyway."""
    counted = getattr(node, "workeroutput", {}).get("figures")
    if counted:
        node.config.stash.setdefault(_COUNTED, Counter()).update(counted)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print the figures, where a test counted any."""
    counted = config.stash.get(_COUNTED, Counter())
    if counted and not hasattr(config, "workerinput"):
        terminalreporter.section("figures")
        for name in (*NAMES, *sorted(set(counted) - set(NAMES))):
            terminalreporter.line(f"{name:<20} {counted[name]}")
