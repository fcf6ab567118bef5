"""What was recognised, as a card of words and two pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bokeh.document import Document

from workbench.ui.canvas.bokeh_figures import follow_theme
from workbench.ui.pages.bring.draw import action_figure, length_figure, show_actions, show_lengths
from workbench.ui.pages.bring.words import STYLE, nothing_yet, recognised, refused
from workbench.ui.shell.html_pane import HTML
from workbench.views import bring

NOTHING: dict[str, list[Any]] = {"edges": [], "counts": []}


class Card:
    """The words and the pictures.

    Attributes
    ----------
    words : HTML
    actions, lengths : figure
    """

    def __init__(self, document: Document | None) -> None:
        self.words = HTML("", stylesheets=[STYLE], margin=0, sizing_mode="stretch_width", css_classes=["wb-found"])
        self._actions, self._lengths = action_figure(), length_figure()
        self.actions, self.lengths = self._actions.figure, self._lengths.figure
        follow_theme([self.actions, self.lengths], document)
        self.nothing()

    def nothing(self) -> None:
        """What can be brought."""
        self.words.object = nothing_yet()
        self._draw(NOTHING, NOTHING, ())

    def dataset(self, file: str, answer: Mapping[str, Any]) -> bool:
        """What an errand said of a dataset; whether it can be kept as it is."""
        if "about" not in answer:
            self.words.object = refused(
                f"{file}: say which column is what",
                answer["refused"],
                "Choose the columns on the left, and look again.",
                (),
            )
            self._draw(NOTHING, NOTHING, ())
            return False
        about = answer["about"]
        obstacle = bring.obstacles(about)
        notes = [*([obstacle] if obstacle else []), *bring.cautions(about), *about["notes"]]
        title = f"{file}: a dataset, {about['format']}"
        says = "Nothing is kept yet. This is what a training would see."
        self.words.object = recognised(title, says, bring.dataset_rows(about), notes)
        self._draw(answer["actions"], answer["lengths"], about["action_names"])
        return not obstacle

    def checkpoint(self, file: str, found: Mapping[str, Any], notes: Sequence[str] = ()) -> None:
        """What an errand said of a checkpoint, and ``notes`` of its import."""
        title = f"{file}: a checkpoint, family {found['family']}"
        says = "Say for which task it was trained, and import it: it becomes a run that can be steered and measured."
        self.words.object = recognised(title, says, bring.checkpoint_rows(found), [*found["notes"], *notes])
        self._draw(NOTHING, NOTHING, ())

    def refusal(self, file: str, words: str) -> None:
        """Why a file was not taken."""
        self.words.object = refused(f"{file} was not taken", words, *bring.way_on(file))
        self._draw(NOTHING, NOTHING, ())

    def kept(self, name: str) -> None:
        """A dataset that was kept before."""
        says = "It is yours: train on it, or remove it."
        self.words.object = recognised(f"Your dataset {name}", says, bring.kept_rows(name), bring.kept_notes(name))
        self._draw(NOTHING, NOTHING, ())

    def _draw(self, actions: Mapping[str, Any], lengths: Mapping[str, Any], names: Sequence[str]) -> None:
        show_actions(self._actions, actions, names)
        show_lengths(self._lengths, lengths)
