"""Two small pictures of the policy that the dial stands on, and the ways to its pages."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import panel as pn
from PIL import Image

from workbench.engine.digits import figure
from workbench.engine.steering.rules import RULES
from workbench.engine.tasks.floor import Floor
from workbench.engine.words import UserError
from workbench.plots.markup import Markup, html, joined
from workbench.plots.palette import look
from workbench.ui.controls.awaited import Awaited
from workbench.ui.controls.notice import STYLE as WORDS
from workbench.ui.pages.store_page import StorePage
from workbench.ui.server.draw_processes import Desk
from workbench.ui.server.fault import told
from workbench.ui.server.parts_cache import QUICK, Latest
from workbench.ui.shell.html_pane import HTML
from workbench.ui.shell.page import write_arguments
from workbench.views import rollout_links
from workbench.views.links import write_link
from workbench.views.policies import ALL_TASKS, find
from workbench.views.question import Policy, Question
from workbench.views.rollouts import Order
from workbench.views.sketches import SHOWN, Sketch, Sketcher

SIDE = 100.0  # of a picture, its own units
LOOK = (Path(__file__).parent / "budget.css").read_text(encoding="utf-8")


class Sketches(pn.viewable.Viewer):
    """Shows a policy in small, computed where pictures are drawn.

    Parameters
    ----------
    page : StorePage
    """

    def __init__(self, page: StorePage) -> None:
        super().__init__()
        self._page = page
        self._desk = Desk(Sketcher)
        self._latest: Latest[Question, Sketch] = Latest(self._draw, page.later(self._show), QUICK)
        self._awaited = Awaited(page.cache, self._ask)
        self._wanted: Question | None = None
        self._heading = ""
        self.words = HTML("", stylesheets=[WORDS, LOOK], margin=0, sizing_mode="stretch_width")

    def ask(self, task: str, policy: Policy, heading: str) -> None:
        """Show ``policy`` on a built-in task; of another one say that there is no picture."""
        self._heading = heading
        if task not in ALL_TASKS:
            self._wanted = None
            self.words.object = html("<h2>{}</h2><p>{} has no built-in policy to draw this with.</p>", heading, task)
            return
        self._wanted = Question(task, (policy,), 0, SHOWN, find(task).start)
        self._ask()

    def clear(self) -> None:
        """There is nothing to show."""
        self._wanted, self.words.object = None, ""

    def drop(self) -> None:
        """Forget what waits."""
        self._latest.drop()
        self._desk.close()

    def _ask(self) -> None:
        wanted = self._wanted
        if wanted is None:
            return
        try:
            parts, words = self._awaited.ask(wanted.task, wanted.rules)
        except (UserError, ImportError) as error:
            self.words.object = html("<h2>{}</h2><p role='alert'>{}</p>", self._heading, told(error))
            return
        if parts is not None:
            self._latest.ask(wanted)
            return
        self.words.object = html("<h2>{}</h2><p role='status'>{}</p>{}", self._heading, words.text, links_of(wanted))
        if words.kind == "loading":
            self._page.again(self._ask)

    def _draw(self, wanted: Question) -> Sketch:
        cache = self._page.cache
        found: Sketch = self._desk.draw(wanted, wanted, cache.wait(wanted.task), cache.task(wanted.task))
        return found

    def _show(self, wanted: Question, found: Sketch | None, error: Exception | None) -> None:
        if wanted != self._wanted:
            return
        if found is None:
            words = html("<p role='alert'>This strength could not be drawn. {}</p>", told(error))
            self.words.object = html("<h2>{}</h2>{}{}", self._heading, words, links_of(wanted))
            return
        self.words.object = sketch_html(found, self._heading)

    def __panel__(self) -> pn.viewable.Viewable:
        return self.words


def links_of(question: Question) -> Markup:
    """The ways to the pages of particles and of rollouts, with this rule and strength."""
    particles, rollouts = addresses_of(question)
    second = html(' · <a href="./rollouts?{}">Open in Rollouts</a>', rollouts) if rollouts else ""
    return html('<p><a href="./particles?{}">Open in Particles</a>{}</p>', particles, second)


def addresses_of(question: Question) -> tuple[str, str]:
    """What stands behind the addresses of both pages; "" where the task has no episodes."""
    policy = question.first
    particles = write_arguments(write_link(question) | {"shown": 256, "rule2": "none"} | policy.settings)
    if question.task not in rollout_links.TASKS:
        return particles, ""
    kind = RULES[policy.rule]
    weak = kind.bc_at.get(kind.strength) if kind.bc_at else None
    order = Order(question.task, policy.rule, dict(policy.settings), weak)
    return particles, write_arguments(rollout_links.write_link(order) | policy.settings)


def sketch_html(found: Sketch, heading: str) -> Markup:
    """Both pictures with their words."""
    particles, rollouts = addresses_of(found.question)
    figures = []
    if len(found.steered):
        label = (
            f"Particles: {len(found.home)} of the behaviour policy in grey, {len(found.steered)} steered ones in colour"
        )
        figures.append(
            html(
                '<figure><svg viewBox="13 13 74 74" role="img" aria-label="{}">{}</svg>'
                '<figcaption><a href="./particles?{}">Open in Particles</a><br>{}</figcaption></figure>',
                label,
                _cloud(found),
                particles,
                "grey: behaviour; colour: steered",
            )
        )
    if found.floor is not None:
        mean = figure(float(found.returns.mean()))
        words = f"{len(found.returns)} episodes from one start, return {mean}"
        figures.append(
            html(
                '<figure><svg viewBox="0 0 100 100" role="img" aria-label="{0}">{1}</svg>'
                '<figcaption><a href="./rollouts?{2}">Open in Rollouts</a><br>{0}</figcaption></figure>',
                words,
                _room(found, found.floor),
                rollouts,
            )
        )
    if not figures:
        return html("<h2>{}</h2><p>Actions of this task have too many numbers for a picture.</p>", heading)
    note = "Drawn with the task's built-in policy, in the state where its pictures begin."
    return html('<h2>{}</h2><p>{}</p><div class="pair">{}</div>', heading, note, joined(figures))


def _cloud(found: Sketch) -> Markup:
    """The landscape of the critic, the box of actions, and both clouds."""
    scale = SIDE / (2 * found.extent)

    def dots(points: np.ndarray, kind: str, size: float) -> Markup:
        places = (points * [1.0, -1.0] + found.extent) * scale
        return joined(
            html('<circle class="{}" cx="{:.1f}" cy="{:.1f}" r="{}"/>', kind, x, y, size) for x, y in places.tolist()
        )

    ground = ""
    if found.ground is not None:
        ground = html(
            '<image href="data:image/png;base64,{}" width="100" height="100" preserveAspectRatio="none"/>',
            _png(found.ground),
        )
    low, side = (found.extent - 1.0) * scale, 2.0 * scale
    box = html(
        '<rect x="{0:.1f}" y="{0:.1f}" width="{1:.1f}" height="{1:.1f}" fill="none" stroke="var(--wb-muted)" stroke-width="0.5" '
        'stroke-dasharray="2 2"/>',
        low,
        side,
    )
    return joined((ground, box, dots(found.home, "home", 1.3), dots(found.steered, "steered", 1.1)))


def _room(found: Sketch, floor: Floor) -> Markup:
    """The ground from above, and every episode's way."""
    left, right, low, high = floor.view

    def place(x: float, y: float) -> tuple[float, float]:
        return SIDE * (x - left) / (right - left), SIDE * (high - y) / (high - low)

    parts: list[Markup] = []
    for west, east, south, north in floor.blocks:
        (x, y), (x2, y2) = place(west, north), place(east, south)
        kind = "block" if floor.deadly else "wall"
        parts.append(
            html('<rect class="{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>', kind, x, y, x2 - x, y2 - y)
        )
    for x, y, radius, _ in floor.goals:
        cx, cy = place(x, y)
        parts.append(
            html('<circle class="goal" cx="{:.1f}" cy="{:.1f}" r="{:.1f}"/>', cx, cy, SIDE * radius / (right - left))
        )
    for way in found.paths:
        line = [place(float(x), float(y)) for x, y in way[::2]]
        words = " ".join(f"{x:.1f},{y:.1f}" for x, y in dict.fromkeys(line))
        parts.append(html('<polyline class="path" points="{}"/>', words))
    return joined(parts)


def _png(values: np.ndarray) -> str:
    """Values as one colour, the higher the denser: it is right on a light and on a dark ground."""
    small = values[::-2, ::2]
    low, high = np.quantile(small, (0.3, 0.995))
    share = np.clip((small - low) / max(float(high - low), 1e-9), 0.0, 1.0)
    ink = tuple(int(look("best_of_n").light[i : i + 2], 16) for i in (1, 3, 5))
    colour = np.broadcast_to(np.array(ink, np.uint8), (*share.shape, 3))
    pixels = np.concatenate((colour, (150 * share)[..., None].astype(np.uint8)), -1)
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, "png")
    return base64.b64encode(buffer.getvalue()).decode("ascii")
