"""The strip of steps above a rule's settings: each sets the strength to a value that shows something, as "too far" does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import param
from panel.custom import JSComponent

from workbench.ui.browser.link import component
from workbench.ui.server.fault import told
from workbench.ui.server.parts_cache import LONG, Latest
from workbench.ui.shell.page import Page

HERE = Path(__file__).parent
KEPT = 50  # stories that were told: undo goes back to them


class Stories(JSComponent):
    """A step for each story, the present one marked and said in a sentence; a worker thread computes what a story needs.

    Parameters
    ----------
    page : Page
    stories : mapping of str to (str, str)
        Title and meaning by name.
    ask : callable
        ``ask() -> question``, in the page's thread: what is shown now.
    work : callable
        ``work(name, question) -> answer``, in a worker thread.
    tell : callable
        ``tell(answer)``, in the page's thread.
    fail : callable
        ``fail(words)``.
    key : callable
        ``key(question)``: a story is the present one while this is what its answer gave.
    """

    steps = param.List(default=[], doc="Name, title and meaning of each step that is offered.")
    current = param.String(default="", doc="The step that is shown; none after another change.")
    busy = param.String(default="", doc="The step that is being computed.")

    _esm = component(HERE / "stories.js")
    _stylesheets = [(HERE / "stories.css").read_text(encoding="utf-8")]

    def __init__(
        self,
        page: Page,
        stories: Mapping[str, tuple[str, str]],
        ask: Callable[[], Any],
        work: Callable[[str, Any], Any],
        tell: Callable[[Any], None],
        fail: Callable[[str], None],
        key: Callable[[Any], Any],
    ) -> None:
        self._stories, self._ask, self._key = stories, ask, key
        self._told: list[tuple[str, Any]] = []

        def show(asked: tuple[str, Any], answer: Any, error: Exception | None) -> None:
            self.busy = ""
            if error is not None:
                fail(f"{stories[asked[0]][0]} could not be set. {told(error)}")
                return
            tell(answer)
            self._told = [*self._told[-KEPT:], (asked[0], key(ask()))]
            self.follow()

        self._work: Latest[tuple[str, Any], Any] = Latest(lambda asked: work(*asked), page.later(show), LONG)
        super().__init__(margin=(0, 0, 10, 0), sizing_mode="stretch_width", css_classes=["wb-presets"])
        self.offer(stories)

    def offer(self, names: Mapping[str, Any] | list[str]) -> None:
        """Show the steps of these names."""
        self.steps = [[name, *self._stories[name]] for name in names]

    def follow(self) -> None:
        """Mark the story that is shown now, also where undo went back to one."""
        now = self._key(self._ask())
        self.current = next((name for name, key in reversed(self._told) if key == now), "")

    def drop(self) -> None:
        """Forget what waits."""
        self._work.drop()

    def _handle_msg(self, data: Any) -> None:
        name = data.get("press") if isinstance(data, dict) else None
        if isinstance(name, str) and name in [step[0] for step in self.steps]:
            self.busy = name
            self._work.ask((name, self._ask()))
