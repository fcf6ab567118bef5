"""Rendered frames of one episode, for tasks with a renderer: a button a policy, and the frames in a row."""

from __future__ import annotations

import base64
import io
import threading
from collections.abc import Callable
from typing import Any, NamedTuple

import panel as pn
from PIL import Image

from workbench.engine.digits import figure
from workbench.engine.models.parts import Parts
from workbench.engine.steering.protocol import Rule
from workbench.engine.tasks.film import Film, HasRenderer, NoPictureError, film
from workbench.engine.tasks.latency import Latency
from workbench.engine.tasks.protocol import Task
from workbench.engine.words import UserError, counted
from workbench.plots.markup import Markup, html, joined
from workbench.ui.controls.notice import STYLE as WORDS
from workbench.ui.controls.rule import STYLE
from workbench.ui.server.fault import told
from workbench.ui.server.parts_cache import Latest
from workbench.ui.shell.html_pane import HTML
from workbench.ui.shell.page import Page

FRAMES = 10
SIDE = 240  # pixels of a frame
ONE_AT_A_TIME = threading.Lock()  # of the server: a renderer keeps a core busy
LOOK = """
.film { display: flex; gap: 6px; overflow-x: auto; padding-bottom: 4px; margin: 6px 0 0; }
.film figure { margin: 0; flex: 1 0 84px; max-width: 130px; }
.film img { width: 100%; border-radius: 6px; display: block; }
.film figcaption { font-size: 11px; color: var(--wb-muted); text-align: center; }
"""


class Scene(NamedTuple):
    """What is to be filmed; ``title`` is the policy in words."""

    title: str
    rule: Rule
    parts: Parts
    task: Task
    seed: int
    latency: Latency


class Strip(pn.Column):
    """Buttons and frames; hidden where the task has no renderer.

    Parameters
    ----------
    page : Page
    scene : callable
        ``scene(number) -> Scene`` of policy A (0) or B (1); UserError, in words, while there is none.
    """

    def __init__(self, page: Page, scene: Callable[[int], Scene]) -> None:
        self._page, self._scene, self._asked = page, scene, 0
        self._film: Latest[tuple[int, Scene], Film] = Latest(self._shoot, page.later(self._show))
        self._words = HTML("", stylesheets=[WORDS, LOOK], margin=0, sizing_mode="stretch_width")
        buttons = [
            pn.widgets.Button(
                label=f"Render an episode of {letter}",
                stylesheets=[STYLE],
                margin=0,
                height=28,
                css_classes=[f"wb-film-{letter.lower()}"],
                on_click=lambda _, number=number: self._press(number),
            )
            for number, letter in enumerate("AB")
        ]
        row = pn.Row(*buttons, styles={"gap": "8px"}, margin=0)
        super().__init__(
            row, self._words, sizing_mode="stretch_width", margin=(8, 0, 0, 0), visible=False, css_classes=["wb-film"]
        )

    def follow(self, task: Task) -> None:
        """Another task, or other settings: the frames are of something else now."""
        self.visible = isinstance(task, HasRenderer)
        self._asked += 1
        self._words.object = ""

    def drop(self) -> None:
        """Forget what waits, and stop what runs."""
        self._asked += 1
        self._film.drop()

    def _press(self, number: int) -> None:
        try:
            scene = self._scene(number)
        except UserError as error:
            self._words.object = html("<p role='alert'>{}</p>", error)
            return
        self._asked += 1
        self._words.object = html("<p role='status'>Playing and rendering {}; some seconds…</p>", scene.title)
        self._film.ask((self._asked, scene))

    def _shoot(self, asked: tuple[int, Scene]) -> Film:
        number, scene = asked

        def stopped() -> bool:
            return self._page.closed or number != self._asked

        if not ONE_AT_A_TIME.acquire(timeout=2.0):
            raise NoPictureError("Somebody's episode is being rendered on this server; try again in some seconds.")
        try:
            return film(scene.rule, scene.parts, scene.task, scene.seed, FRAMES, stopped, latency=scene.latency)
        finally:
            ONE_AT_A_TIME.release()

    def _show(self, asked: tuple[int, Scene], found: Film | None, error: Exception | None) -> None:
        number, scene = asked
        if number != self._asked:
            return
        self._words.object = (
            html_of(found, scene.title) if found is not None else html("<p role='alert'>{}</p>", told(error))
        )


def html_of(found: Film, title: str) -> Markup:
    """The frames in a row with their steps."""
    episode = found.episode
    ending = "success" if episode.success[0] else "no success"
    steps = counted(int(episode.lengths[0]), "step")
    words = f"{title}: one episode, {ending} after {steps}, return {figure(episode.returns[0])}"
    pictures = joined(
        html(
            '<figure><img alt="Step {0}" src="data:image/jpeg;base64,{1}"><figcaption>{0}</figcaption></figure>',
            step,
            _jpeg(frame),
        )
        for frame, step in zip(found.frames, found.steps.tolist(), strict=True)
    )
    return html(
        '<p>{}</p><div class="film" tabindex="0" role="group" aria-label="Frames by step">{}</div>', words, pictures
    )


def _jpeg(frame: Any) -> str:
    image, buffer = Image.fromarray(frame), io.BytesIO()
    image.thumbnail((SIDE, SIDE))
    image.save(buffer, "jpeg", quality=85)
    return base64.b64encode(buffer.getvalue()).decode("ascii")
