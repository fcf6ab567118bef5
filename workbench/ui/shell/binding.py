"""What a person changes is answered; what the program sets, as a link or a story asks for it, is not."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any


class Binding:
    """The widgets of one page (or of one control made of several), and what is done when a person changes them.

    A page answers a person's change: it reads its widgets, writes the link and asks for a picture. The same widgets are set by
    the program when a link is restored, when a story is told, or when what there is to choose from has changed. Those changes
    stand inside `by_program`, and bound answers keep silent.

    Parameters
    ----------
    around : callable, optional
        Gives a block that stands around every answer: a page's `held`, without which Bokeh may refuse what is changed.

    Examples
    --------
    >>> binding = Binding()
    >>> binding.bind(self._changed, self.task, self.seed)
    >>> with binding.by_program():
    ...     self.task.value, self.seed.value = question.task, question.seed
    """

    def __init__(self, around: Callable[[], AbstractContextManager[None]] = nullcontext) -> None:
        self._around = around
        # By thread: while a worker sets something, what a person changes meanwhile is still answered.
        self._here = threading.local()

    def bind(self, answer: Callable[[Any], None], *widgets: Any, to: str = "value") -> None:
        """Call ``answer(event)`` whenever a person changes one of ``widgets``.

        Parameters
        ----------
        answer : callable
            It gets param's event: ``obj`` is the widget, ``old`` and ``new`` are the values.
        *widgets : Parameterized
        to : str
            The parameter that is watched.
        """

        def receive(event: Any) -> None:
            if not self.setting:
                with self._around():
                    answer(event)

        for widget in widgets:
            widget.param.watch(receive, to)

    @property
    def setting(self) -> bool:
        """Whether this thread is inside `by_program`."""
        return getattr(self._here, "depth", 0) > 0

    @contextmanager
    def by_program(self) -> Iterator[None]:
        """Changes of the block are the program's, and are not answered; blocks may stand in each other."""
        self._here.depth = getattr(self._here, "depth", 0) + 1
        try:
            yield
        finally:
            self._here.depth -= 1
