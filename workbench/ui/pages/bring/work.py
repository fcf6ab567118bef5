"""What is being done with a visitor's files: one errand at a time, and what comes of it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from workbench.engine.words import UserError
from workbench.runs.bring import Errand


class Work:
    """One errand, and the folder that it writes to.

    Attributes
    ----------
    scratch : Path or None
        A folder for what the errand makes; deleted with it, unless somebody took it over by setting this to None.
    """

    def __init__(self) -> None:
        self.scratch: Path | None = None
        self._errand: Errand | None = None
        self._doing = ""
        self._then: Callable[[dict[str, Any]], None] = lambda answer: None
        self._refused: Callable[[UserError], None] = lambda error: None

    @property
    def busy(self) -> bool:
        """Whether something is being done."""
        return self._errand is not None

    def check_free(self) -> None:
        """Raise `UserError` while something is being done."""
        if self.busy:
            raise UserError("something is being read already; wait for it, or press Cancel")

    def start(
        self,
        order: Mapping[str, Any],
        doing: str,
        hide: Mapping[Path, str],
        then: Callable[[dict[str, Any]], None],
        refused: Callable[[UserError], None],
    ) -> None:
        """Begin.

        Parameters
        ----------
        order, hide
            As for `Errand`.
        doing : str
            For the words meanwhile.
        then, refused : callable
            Called with the answer, or with the refusal.
        """
        self.check_free()
        more = {} if self.scratch is None else {self.scratch: ""}
        self._errand = Errand(order, dict(hide) | more)
        self._doing, self._then, self._refused = doing, then, refused

    def words(self) -> str:
        """How far it is; "" while nothing is done."""
        errand = self._errand
        if errand is None:
            return ""
        seconds = int(errand.seconds)
        if errand.look() == "waiting":
            return f"Other files are being read on this server; yours is next ({seconds} s)"
        return f"{self._doing}: {errand.words() or 'checked before anything is kept'} ({seconds} s)"

    def ended(self) -> Callable[[], None] | None:
        """What to do now that it is done; None while it is not, or there is nothing."""
        errand = self._errand
        if errand is None or errand.look() != "done":
            return None
        self._errand = None
        then, refused = self._then, self._refused

        def go_on() -> None:
            try:
                answer = errand.answer()
            except UserError as error:
                self.clean()
                refused(error)
                return
            try:
                then(answer)
            finally:
                if not self.busy:
                    self.clean()

        return go_on

    def cancel(self) -> None:
        """Stop it; nothing that it made stays."""
        if self._errand is not None:
            self._errand.cancel()
            self._errand = None
        self.clean()

    def clean(self) -> None:
        """Delete what it wrote."""
        if self.scratch is not None:
            shutil.rmtree(self.scratch, ignore_errors=True)
            self.scratch = None
