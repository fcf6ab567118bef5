"""A short soak: people, one of them greedy, and drawing processes that are killed; what is counted, not how long it took."""

import pytest

from benchmarks.soak import soak
from benchmarks.ui_server import server


@pytest.mark.browser  # a real server, as those have
@pytest.mark.usefixtures("sockets_closed")
def test_nothing_is_lost_when_drawing_processes_are_killed() -> None:
    with server() as (url, pid):
        outcome = soak(url, pid, sessions=6, greedy=1, seconds=8.0, kills=2, discarded=0.0)
    assert outcome.errors == []
    assert outcome.lost == 0
    assert outcome.last == outcome.sessions == 6  # everybody sees what they chose last
    assert len(outcome.kills) == 2
    assert len(outcome.waits) >= 5  # everybody who is not greedy saw a picture
    assert outcome.greedy_waits
    assert outcome.descriptors[1] <= outcome.descriptors[0]
