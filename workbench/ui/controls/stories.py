"""The buttons above a rule's settings: each sets the strength to a value that shows something, as "too far" does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import panel as pn

from workbench.ui.controls.rule import STYLE
from workbench.ui.server.fault import told
from workbench.ui.server.parts_cache import LONG, Latest
from workbench.ui.shell.page import Page


class Stories(pn.FlexBox):
    """One button for each story; which strength a story needs is computed in a worker thread.

    Parameters
    ----------
    page : Page
    stories : mapping of str to (str, str)
        Title and meaning by name.
    ask : callable
        ``ask() -> question``, in the page's thread: what is shown when a button is pressed.
    work : callable
        ``work(name, question) -> answer``, in a worker thread.
    tell : callable
        ``tell(answer)``, in the page's thread.
    fail : callable
        ``fail(words)``.
    """

    def __init__(
        self,
        page: Page,
        stories: Mapping[str, tuple[str, str]],
        ask: Callable[[], Any],
        work: Callable[[str, Any], Any],
        tell: Callable[[Any], None],
        fail: Callable[[str], None],
    ) -> None:
        def show(asked: tuple[str, Any], answer: object, error: Exception | None) -> None:
            if error is not None:
                fail(f"{stories[asked[0]][0]} could not be set. {told(error)}")
            else:
                tell(answer)

        self._work: Latest[tuple[str, Any], Any] = Latest(lambda asked: work(*asked), page.later(show), LONG)
        buttons = [
            pn.widgets.Button(
                label=title,
                description=meaning,
                stylesheets=[STYLE],
                margin=0,
                height=28,
                styles={"flex": "1 1 44%"},
                css_classes=["wb-preset", f"wb-preset-{name}"],
                on_click=lambda _, name=name: self._work.ask((name, ask())),
            )
            for name, (title, meaning) in stories.items()
        ]
        super().__init__(
            *buttons, gap="6px", margin=(0, 0, 10, 0), sizing_mode="stretch_width", css_classes=["wb-presets"]
        )

    def drop(self) -> None:
        """Forget what waits."""
        self._work.drop()
