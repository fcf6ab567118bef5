"""The decision card: a limit in, the rule and strength to take out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import panel as pn
from bokeh.models import ColumnDataSource

from workbench.engine.digits import exact, figure, rounded
from workbench.engine.steering.rules import RULES
from workbench.engine.words import UserError, counted, plain
from workbench.experiments.recommend import NothingFitsError, Recommendation, recommend
from workbench.experiments.summary import Curve
from workbench.plots.markup import Markup, html
from workbench.ui.browser.link import callback
from workbench.ui.controls.field import Field
from workbench.ui.controls.notice import STYLE as WORDS
from workbench.ui.controls.rule import STYLE, choice
from workbench.ui.shell.html_pane import HTML
from workbench.views.measured import Ride

COPY = Path(__file__).parent / "copy.js"
LIMITS = {"largest shift": "most_shift", "least return": "least_return"}
LOOK = (Path(__file__).parent / "budget.css").read_text(encoding="utf-8")


class Decision(pn.viewable.Viewer):
    """The card.

    Parameters
    ----------
    held : callable
        The page's `held`, for what a person presses.
    changed : callable
        The person changed what is asked.
    take : callable
        ``take(recommendation)``: the dial is to stand on it.

    Attributes
    ----------
    limit, value : widgets
    answer : Recommendation or None
    """

    def __init__(
        self,
        held: Callable[[], AbstractContextManager[None]],
        changed: Callable[[], None],
        take: Callable[[Recommendation], None],
    ) -> None:
        super().__init__()
        self._held = held
        self._curves: list[Curve] = []
        self._asked = False
        self.answer: Recommendation | None = None
        options: dict[str, Any] = {"stylesheets": [STYLE], "margin": 0}
        self.limit = choice("I can accept a", LIMITS, "most_shift", css_classes=["wb-limit"])
        self.value = Field(
            _limit, label="of", text="0.2", css_classes=["wb-limit-value"], sizing_mode="stretch_width", margin=0
        )
        self.words = HTML("", stylesheets=[WORDS, LOOK], margin=0, sizing_mode="stretch_width")
        self._text = ColumnDataSource({"text": [""]})
        self._copy = pn.widgets.Button(label="Copy the command", css_classes=["wb-copy-command"], height=28, **options)
        self._copy.js_on_click(
            args={"text": self._text},
            code=f"const button = cb_obj.origin ?? cb_obj\n{callback(COPY, 'text', 'button')}",
        )
        self._show = pn.widgets.Button(
            label="Show it on the dial",
            css_classes=["wb-take"],
            height=28,
            **options,
        )
        self._show.on_click(lambda _: self._taken(take))
        self._buttons = pn.Row(
            self._copy,
            self._show,
            styles={"gap": "8px"},
            margin=(8, 0, 0, 0),
            sizing_mode="stretch_width",
            visible=False,  # until there is an answer
        )
        self.limit.param.watch(lambda _: self._again(changed), "value")
        self.value.param.watch(lambda _: self._again(changed), "text")

    def draw(self, curves: Sequence[Curve], ride: Ride | None) -> None:
        """Choose among ``curves``; the first limit is the shift of the best strength on the dial's ``ride``."""
        self._curves = list(curves)
        if not self._asked and ride is not None and ride.best is not None:
            self._asked = True
            first = max(ride.shift[ride.best], 0.01) if self.limit.value == "most_shift" else 0.0
            self.value.text = exact(rounded(first, 1))
        self.tell()

    def tell(self) -> None:
        """Answer, or say why there is no answer."""
        self.answer = None
        try:
            self.answer = recommend(self._curves, **{self.limit.value: self.value.value})
        except NothingFitsError as error:
            words = html('<p class="none" role="status">Nothing satisfies this: {}.</p>', error)
        except UserError as error:
            words = html('<p role="status">{}</p>', error)
        else:
            words = answer_html(self.answer)
            self._text.data = {"text": [self.answer.command()]}
        self._buttons.visible = self.answer is not None
        self.words.object = words

    def _taken(self, take: Callable[[Recommendation], None]) -> None:
        if self.answer is not None:
            take(self.answer)

    def _again(self, changed: Callable[[], None]) -> None:
        self._asked = True
        with self._held():
            self.tell()
            changed()

    def __panel__(self) -> pn.viewable.Viewable:
        row = pn.Row(self.limit, self.value, styles={"gap": "10px"}, sizing_mode="stretch_width", margin=(6, 0, 0, 0))
        head = HTML(html("<h2>Decide for my policy</h2>"), stylesheets=[WORDS], margin=0)
        return pn.Column(
            head, row, self.words, self._buttons, sizing_mode="stretch_width", margin=0, css_classes=["wb-decision"]
        )


def _limit(text: str) -> float:
    """The number that ``text`` says; UserError where it says none."""
    try:
        return float(text.strip().replace("−", "-"))
    except ValueError:
        raise UserError(f"write a number such as 0.2, got {plain(text.strip())[:40] or 'nothing'}") from None


def answer_html(found: Recommendation) -> Markup:
    """Rule and strength, what it gives, on which seeds, and the command."""
    doubt = "" if found.certain else html('<p class="none">On the reporting episodes this is not certain.</p>')
    title = RULES[found.rule].title if found.rule in RULES else found.rule
    return html(
        '<p class="answer" role="status">{}, {} {}</p>'
        "<p>return {} ({} to {}) at shift {}; the best of {} within the limit</p>{}"
        '<details class="seeds"><summary>Seeds: chosen on {}, reported on as many others</summary>'
        "<p>Training seeds {}. Chosen on evaluation seeds {} to {}, reported on others: {} to {}.</p></details><code>{}</code>",
        title,
        found.axis.replace("_", " "),
        exact(found.strength),
        figure(found.reported.mean),
        figure(found.reported.low),
        figure(found.reported.high),
        figure(found.shift),
        counted(found.candidates, "strength"),
        doubt,
        counted(len(found.chosen_on), "evaluation seed"),
        ", ".join(map(str, found.training_seeds)),
        found.chosen_on[0],
        found.chosen_on[-1],
        found.reported_on[0],
        found.reported_on[-1],
        found.command(),
    )
