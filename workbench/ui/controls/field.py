"""A field for a number or a list of them that says, beside itself, what it does not take."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, TypeVar

import param
from panel.custom import JSComponent

from workbench.engine.words import UserError, plain
from workbench.ui.browser.link import component

HERE = Path(__file__).parent
LONGEST = 2000  # characters of a field
WHOLE = re.compile(r"[+-]?(\d{1,3}(,\d{3})+|\d{1,30})")  # "60000" and "60,000"
T = TypeVar("T")


class Field(JSComponent, Generic[T]):
    """One line of text, and what it says.

    The text is never changed to something else that would be right: what cannot be read stays as it was written, and the
    reason stands below it.

    Parameters
    ----------
    read : callable
        ``read(text)`` returns what the text says; UserError for a text that says nothing, with what would.
    **params
        ``label``, ``text``, ``placeholder`` and options of Panel's.
    """

    label = param.String(default="")
    text = param.String(default="", doc="What stands in the field; the browser changes it.")
    placeholder = param.String(default="", doc="What stands there in grey while it is empty.")
    wrong = param.String(default="", doc="Why the text is refused; empty while it is not.")
    range = param.List(default=[], doc="Least, greatest and step of a whole number; empty for other texts.")

    _esm = component(HERE / "field.js")
    _stylesheets = [(HERE / "field.css").read_text(encoding="utf-8")]

    def __init__(self, read: Callable[[str], T], **params: Any) -> None:
        super().__init__(**params)
        self._read = read
        self.param.watch(lambda _: self.check(), "text")

    @property
    def value(self) -> T:
        """What the text says.

        Raises
        ------
        UserError
            It is refused; the message says what the field takes.
        """
        if len(self.text) > LONGEST:
            raise UserError(f"{self.label}: at most {LONGEST:,} characters are read, got {len(self.text):,}")
        return self._read(self.text)

    def check(self) -> bool:
        """Say below the field why its text is refused, or take those words away; returns whether it can be read."""
        try:
            self.value  # noqa: B018 -- read for what it raises
            self.wrong = ""
        except UserError as error:
            self.wrong = str(error)
        return not self.wrong

    def focus(self) -> None:
        """Lead the person there."""
        self._send_msg({"focus": True})


def number_field(label: str, value: int, low: int, high: int, step: int, more: str = "", **options: Any) -> Field[int]:
    """A field for a whole number.

    Parameters
    ----------
    label : str
    value : int
        Where it starts.
    low, high : int
        Least and greatest number that are taken.
    step : int
        Of an arrow key.
    more : str
        Where greater numbers are taken, as in "workbench fit --steps N".
    """
    return Field(
        lambda text: whole(label, text, low, high, more),
        label=label,
        text=str(value),
        range=[low, high, step],
        **options,
    )


def whole(label: str, text: str, low: int, high: int, more: str = "") -> int:
    """The whole number that ``text`` says; UserError unless it is from ``low`` to ``high``."""
    written = text.strip().replace("−", "-")
    number = int(written.replace(",", "")) if WHOLE.fullmatch(written) else None
    if number is None or not low <= number <= high:
        cure = f"; for more: {more}" if more and number is not None and number > high else ""
        got = f"got {plain(written)[:40]}" if written else "nothing is written here"
        raise UserError(f"{label}: a whole number from {low:,} to {high:,}, {got}{cure}")
    return number


def all_right(*fields: Field[Any]) -> bool:
    """Whether all can be read; the first that cannot gets the focus."""
    refused = [field for field in fields if not field.check()]
    for field in refused[:1]:
        field.focus()
    return not refused
