"""Sockets that a library leaves open when its loop ends are closed where they were opened.

Dask's and Tornado's loops may end with a connection half closed. Its socket then lies in a cycle until the collector comes by, in
whichever test that is, and a warning is an error there.
"""

import gc
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

PATIENCE = 2.0  # seconds for what is being closed


def open_sockets() -> dict[int, socket.socket]:
    """The open sockets of this process, by identity."""
    # `type`, not isinstance: lazy objects of other libraries do things when they are asked for their class.
    found = [thing for thing in gc.get_objects() if issubclass(type(thing), socket.socket)]
    return {id(one): one for one in found if one.fileno() != -1}


@contextmanager
def what_is_left_closed() -> Iterator[None]:
    """Close what was opened inside and is still open after a while."""
    before = open_sockets()
    yield
    end = time.monotonic() + PATIENCE
    while (left := open_sockets().keys() - before.keys()) and time.monotonic() < end:
        time.sleep(0.05)
    for name, one in open_sockets().items():
        if name in left:
            one.close()


@pytest.fixture
def sockets_closed() -> Iterator[None]:
    """For tests that run a library's loop in this process: its sockets end with the test."""
    with what_is_left_closed():
        yield
