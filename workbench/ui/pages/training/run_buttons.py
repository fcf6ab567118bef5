"""The buttons of one training: pause or resume, share, delete; a deletion can be undone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import panel as pn

from workbench.runs.launched import Training
from workbench.ui.controls.rule import STYLE
from workbench.ui.pages.store_page import StorePage
from workbench.ui.server.fault import told
from workbench.ui.server.lab import trainings


class RunButtons(pn.viewable.Viewer):
    """They act on the training that `follow` was told last.

    Parameters
    ----------
    page : StorePage
        It says what is refused, and whose browser this is.
    show : callable
        ``show(name)`` shows the training of that name, where there is one, else the newest: called after a deletion, with "",
        and after one was taken back.
    """

    def __init__(self, page: StorePage, show: Callable[[str], None]) -> None:
        super().__init__()
        self._page, self._show = page, show
        self._training: Training | None = None
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
        """Delete it, in a worker thread: one that runs gets time to save."""
        secret, name = self._page.secret(), training.name
        self.remove.disabled = True

        def removed(_: None, error: Exception | None) -> None:
            if error is not None:
                self._page.notice.say("error", f"The training was not deleted. {told(error)}")
                self.follow(self._training)
                return
            self._page.notice.say("", "")
            self._show("")
            self._page.offer_undo(f"Training of {training.task} deleted.", lambda: self._put_back(secret, name))

        self._page.in_background(lambda: trainings().put_away(secret, name), removed)

    def _put_back(self, secret: str, name: str) -> None:
        trainings().put_back(secret, name)
        self._show(name)

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
