"""Who launched which run of a store, so that on a shared server nobody deletes another one's work.

Kept in ``STORE/owners.jsonl``: a line for each sweep that a page started, and for each time somebody shared. Of a secret only
its digest is written. Runs that were launched elsewhere (``workbench sweep``) belong to nobody here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from workbench.experiments.reading import owner_lines
from workbench.experiments.store import Store
from workbench.runs.owner import digest

OWNERS = "owners.jsonl"


class Owners:
    """The owners of one store's runs.

    Parameters
    ----------
    store : Store
    """

    def __init__(self, store: Store) -> None:
        self._place = store.place

    def note(self, owner: str, keys: Iterable[str]) -> None:
        """``owner`` launches ``keys``; of those who launched a run the last one made its result."""
        if keys := list(keys):
            self._place.append(OWNERS, json.dumps({"owner": digest(owner), "keys": keys}))

    def share(self, owner: str, shared: bool) -> None:
        """Let everybody delete what ``owner`` launched, or not."""
        self._place.append(OWNERS, json.dumps({"owner": digest(owner), "shared": shared}))

    def shares(self, owner: str) -> bool:
        """Whether ``owner`` lets everybody delete."""
        return digest(owner) in self._read()[1]

    def foreign(self, owner: str, keys: Iterable[str]) -> list[str]:
        """Those of ``keys`` that ``owner`` may not delete: launched by somebody else who does not share, or elsewhere."""
        launched, sharing = self._read()
        own = digest(owner) if owner else ""
        return [key for key in keys if launched.get(key, "") not in sharing | {own} - {""}]

    def own(self, owner: str, keys: Iterable[str]) -> list[str]:
        """Those of ``keys`` that ``owner`` launched."""
        launched = self._read()[0]
        return [key for key in keys if owner and launched.get(key) == digest(owner)]

    def _read(self) -> tuple[dict[str, str], set[str]]:
        launched: dict[str, str] = {}
        sharing: set[str] = set()
        for item in owner_lines(self._place.lines(OWNERS)):
            if item.get("shared") is not None:
                (sharing.add if item["shared"] else sharing.discard)(item["owner"])
            launched |= dict.fromkeys(item.get("keys", ()), item["owner"])
        return launched, sharing
