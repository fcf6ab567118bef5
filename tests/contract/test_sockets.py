"""The watch over sockets that libraries leave open."""

import socket

from sockets import open_sockets, what_is_left_closed


def test_a_socket_in_a_cycle_is_closed_and_one_from_before_is_not() -> None:
    with socket.socket() as mine:
        with what_is_left_closed():
            ring: list[object] = [socket.socket()]
            ring.append(ring)
            name = id(ring[0])
            assert name in open_sockets()
            del ring
        assert name not in open_sockets()
        assert mine.fileno() != -1
