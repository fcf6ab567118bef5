"""Who may delete what on the page of runs: on a shared server only what one's own browser launched."""

from __future__ import annotations

from collections.abc import Callable

from workbench.experiments.owners import Owners
from workbench.experiments.store import Store, StoreError, home_of


class Rights:
    """The rights of one browser.

    Parameters
    ----------
    anybody : bool
        The server is one person's (`lab.one_user`): everything may be deleted.
    secret : callable
        The browser's secret; "" while it has not told.
    """

    def __init__(self, anybody: bool, secret: Callable[[], str]) -> None:
        self.anybody, self._secret = anybody, secret

    def put_away(self, store: Store, keys: list[str]) -> list[str]:
        """`Store.put_away`; StoreError, with what to do, when one of ``keys`` is somebody else's."""
        foreign = [] if self.anybody else Owners(store).foreign(self._secret(), keys)
        if foreign:
            names = ", ".join(key[:8] for key in foreign[:4]) + (", …" if len(foreign) > 4 else "")
            raise StoreError(
                f"You did not launch {names} ({len(foreign)} of {len(keys)} selected). On a server that several people "
                "use, a run is deleted by the browser that launched it; by everybody once that one has ticked “Others "
                f"may delete my runs”; or in a terminal: workbench runs rm {store.where} {foreign[0][:8]}"
            )
        return store.put_away(keys)

    def in_trash(self, store: Store) -> list[str]:
        """What lies in the trash and this browser may put back."""
        names = store.trash()
        if self.anybody:
            return names
        keys = {name: home_of(name).rpartition("/")[2].partition("-")[0] for name in names}
        foreign = set(Owners(store).foreign(self._secret(), keys.values()))
        return [name for name in names if keys[name] not in foreign]
