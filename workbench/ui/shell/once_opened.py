"""A page trains nothing before the browser that asked for it has opened its connection."""

from __future__ import annotations

from collections.abc import Callable

from workbench.ui.server.parts_cache import Cache, Status


class OnceOpened(Cache):
    """The cache as a page sees it: nothing is trained for an address that was only fetched.

    Any site can make a browser fetch an address of this server. Only a browser that shows the page opens its websocket too.

    Parameters
    ----------
    cache : Cache
    opened : callable
        Whether the page's websocket is open.
    """

    def __init__(self, cache: Cache, opened: Callable[[], bool]) -> None:
        self._shared, self._opened = cache, opened
        self.task, self.cancel, self.retry, self.wait = cache.task, cache.cancel, cache.retry, cache.wait  # type: ignore[method-assign]

    def status(self, name: str, train: bool = True) -> Status:
        """As `Cache.status`."""
        return self._shared.status(name, train and self._opened())

    def ready(self, name: str, needs: tuple[str, ...], who: object, train: bool = True) -> Status:
        """As `Cache.ready`."""
        return self._shared.ready(name, needs, who, train and self._opened())
