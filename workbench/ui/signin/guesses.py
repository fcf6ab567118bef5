"""Who guesses passwords is made to wait, by the address that the guesses come from."""

from __future__ import annotations

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable

FREE = 5  # wrong passwords before the first wait
FIRST = 30.0  # seconds; every further wrong password doubles the wait
LONGEST = 900.0  # seconds
MOST = 4096  # addresses remembered


class Guesses:
    """Wrong passwords by address; those that were wrong longest ago are forgotten first.

    Parameters
    ----------
    clock : callable
        Seconds.
    most : int
        Addresses remembered.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, most: int = MOST) -> None:
        self._clock, self._most = clock, most
        self._wrong: OrderedDict[str, tuple[int, float]] = OrderedDict()  # how many, and until when to wait

    def left(self, address: str) -> float:
        """Seconds that ``address`` has to wait; 0 when it may try."""
        return max(0.0, self._wrong.get(network_of(address), (0, 0.0))[1] - self._clock())

    def wrong(self, address: str) -> None:
        """``address`` gave a wrong password."""
        key = network_of(address)
        count = self._wrong.pop(key, (0, 0.0))[0] + 1
        wait = 0.0 if count < FREE else min(FIRST * 2.0 ** min(count - FREE, 30), LONGEST)
        self._wrong[key] = (count, self._clock() + wait)
        while len(self._wrong) > self._most:
            self._wrong.popitem(last=False)

    def right(self, address: str) -> None:
        """``address`` gave a right password."""
        self._wrong.pop(network_of(address), None)

    def __len__(self) -> int:
        return len(self._wrong)


def network_of(address: str) -> str:
    """The address itself; of IPv6 the /64, for one household has as many addresses as it likes."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((int(parsed), 64), strict=False))
    return str(parsed)


def in_words(seconds: float) -> str:
    """A wait as people say it."""
    if seconds < 90:
        return f"{max(1, round(seconds))} seconds"
    return f"{round(seconds / 60)} minutes"
