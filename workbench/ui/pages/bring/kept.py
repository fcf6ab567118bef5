"""The datasets that a visitor keeps: a list, and what can be done with the chosen one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import panel as pn

from workbench.engine.data.own_datasets import remove_dataset
from workbench.engine.words import UserError, counted
from workbench.ui.controls.rule import STYLE, choice
from workbench.ui.pages.store_page import StorePage
from workbench.ui.server.lab import trainings
from workbench.views import bring

NONE = "none kept yet"
LOOK = "choose one"


class Kept(pn.viewable.Viewer):
    """The list and its buttons; hidden while there is nothing.

    Parameters
    ----------
    page : StorePage
        It says what is refused, and whose browser this is.
    go : callable
        ``go(link)`` leads the browser to another page.
    show : callable
        ``show(name)`` when one was chosen.

    Attributes
    ----------
    wanted : str
        The one that the link names, until it is shown.
    shown : str
    """

    def __init__(self, page: StorePage, go: Callable[[str], None], show: Callable[[str], None]) -> None:
        super().__init__()
        self._page, self._go, self._show = page, go, show
        self._who, self._anybody = "", False
        self.wanted = self.shown = ""
        options: dict[str, Any] = {
            "stylesheets": [STYLE],
            "margin": 0,
            "sizing_mode": "stretch_width",
            "disabled": True,
        }
        self.pick = choice("Your datasets", {NONE: ""}, "", css_classes=["wb-kept-list"])
        self.train = pn.widgets.Button(label="Train on it", css_classes=["wb-kept-train"], **options)
        self.remove = pn.widgets.Button(label="Remove", css_classes=["wb-kept-remove"], **options)
        page.binding.bind(lambda event: page.do(lambda: self._picked(event.new)), self.pick)
        buttons = pn.Row(
            self.train, self.remove, styles={"gap": "8px"}, sizing_mode="stretch_width", margin=(6, 0, 0, 0)
        )
        self._place = pn.Column(
            self.pick,
            buttons,
            sizing_mode="stretch_width",
            margin=(14, 0, 0, 0),
            css_classes=["wb-kept"],
            visible=False,
        )
        self.train.on_click(lambda _: go(f"./training?dataset={quote(self.pick.value)}"))
        self.remove.on_click(lambda _: page.do(self._remove))

    def list(self, who: str, anybody: bool) -> None:
        """Read which there are for the browser ``who``, once it has told, and show the wanted one."""
        if not who:
            return
        self._who, self._anybody = who, anybody
        names = list(bring.mine(who, anybody))
        wanted, self.wanted = self.wanted, ""
        if wanted and wanted not in names:
            self._page.notice.say("hint", "The dataset that this link names is not here, or is not yours.")
        with self._page.binding.by_program():
            self.pick.options = ({LOOK: ""} | {name: name for name in names}) if names else {NONE: ""}
            self.pick.value = wanted if wanted in names else ""
        self._place.visible = bool(names)
        self._picked(self.pick.value)

    def _picked(self, name: str) -> None:
        self.train.disabled = self.remove.disabled = not name
        self.shown = name
        if name:
            bring.check_mine(name, self._who, self._anybody)
            self._show(name)

    def forget(self) -> None:
        """Another thing is shown."""
        with self._page.binding.by_program():
            self.pick.value = self.shown = ""
        self.train.disabled = self.remove.disabled = True

    def _remove(self) -> None:
        """Delete the chosen one, unless a training needs it."""
        name = self.pick.value
        bring.check_mine(name, self._page.secret(), self._anybody)
        using = [one for one in trainings().visible(self._page.secret()) if one.task == bring.OWN + name]
        if using:
            raise UserError(
                f"{counted(len(using), 'training')} learned from it; delete those first, on the page Training"
            )
        remove_dataset(name)
        self.shown = ""
        self._show("")
        self.list(self._page.secret(), self._anybody)
        self._page.notice.say("hint", f"{name} is removed.")
        self._page.changed()

    def __panel__(self) -> pn.viewable.Viewable:
        return self._place
