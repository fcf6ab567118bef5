"""The buttons of one training: pause or resume, share, delete."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import panel as pn

from workbench.runs.launched import Training
from workbench.ui.controls.rule import STYLE
from workbench.ui.pages.store_page import StorePage
from workbench.ui.server.lab import trainings

PATIENCE = 4.0  # seconds in which the second press deletes


class RunButtons(pn.viewable.Viewer):
    """They act on the training that `follow` was told last.

    Parameters
    ----------
    page : StorePage
        It says what is refused, and whose browser this is.
    deleted : callable
        Called after a deletion.
    """

    def __init__(self, page: StorePage, deleted: Callable[[], None]) -> None:
        super().__init__()
        self._page, self._deleted = page, deleted
        self._training: Training | None = None
        self._asked_for: Training | None = None  # whose deletion the next press confirms
        options: dict[str, Any] = {"stylesheets": [STYLE], "margin": 0, "sizing_mode": "stretch_width"}
        self.pause = pn.widgets.Button(label="Pause", disabled=True, css_classes=["wb-pause"], **options)
        self.share = pn.widgets.Button(label="Share", disabled=True, css_classes=["wb-share"], **options)
        self.remove = pn.widgets.Button(label="Delete", disabled=True, css_classes=["wb-delete"], **options)
        self.pause.on_click(lambda _: self._press(self._pause))
        self.share.on_click(lambda _: self._press(self._share))
        self.remove.on_click(lambda _: self._press(self._remove))

    def follow(self, training: Training | None) -> None:
        """Offer what can be done with ``training`` now."""
        self._training = training
        state = "" if training is None else training.state
        self.pause.disabled = state not in ("running", "paused")
        self.pause.label = "Resume" if state == "paused" else "Pause"
        self.share.disabled = self.remove.disabled = training is None
        self.share.label = "Stop sharing" if training is not None and training.shared else "Share"

    def _press(self, act: Callable[[Training], None]) -> None:
        training = self._training
        if training is not None:
            self._page.do(lambda: act(training))

    def _pause(self, training: Training) -> None:
        act = trainings().resume if training.state == "paused" else trainings().pause
        act(self._page.secret(), training.name)

    def _share(self, training: Training) -> None:
        trainings().share(self._page.secret(), training.name, not training.shared)

    def _remove(self, training: Training) -> None:
        """The first press asks, the second deletes."""
        if self._asked_for is not training:
            self._asked_for = training
            self.remove.label = "Really delete?"
            self._page.every(PATIENCE, self._calm)
            return
        trainings().remove(self._page.secret(), training.name)
        self._calm()
        self._deleted()

    def _calm(self) -> None:
        self._asked_for = None
        self.remove.label = "Delete"

    def __panel__(self) -> pn.viewable.Viewable:
        return pn.Row(
            self.pause,
            self.share,
            self.remove,
            styles={"gap": "8px"},
            margin=(6, 0, 0, 0),
            sizing_mode="stretch_width",
            css_classes=["wb-buttons"],
        )
