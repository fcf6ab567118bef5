"""What is asked of a visitor: which column is what, for which task a checkpoint is, and how it is to be read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import panel as pn

from workbench.engine.data.formats.choices import WIDE
from workbench.engine.words import UserError
from workbench.ui.controls.rule import STYLE, choice

MOST_NAMES = 400  # of a list
BY_NAME = "by their names"
OPTIONS: dict[str, Any] = {
    "stylesheets": [STYLE],
    "margin": (0, 0, 8, 0),
    "sizing_mode": "stretch_width",
    "min_width": 60,
}
LABELS = {
    "observations": "Columns observed (none: by their names)",
    "actions": "Columns of actions (none: by their names)",
    "reward": "Reward",
    "terminal": "Ended by itself",
    "timeout": "Cut off",
    "episode": "Episode number",
}
WHOLE = {"chunk", "flow_steps"}
OTHER = "another OGBench task…"


class ColumnForm(pn.viewable.Viewer):
    """Lists of the columns that may be chosen, and a button that looks again.

    Parameters
    ----------
    again : callable
        ``again()`` when the button was pressed.
    """

    def __init__(self, again: Callable[[], None]) -> None:
        super().__init__()
        self._fields: dict[str, Any] = {}
        self._place = pn.Column(
            margin=(10, 0, 0, 0), sizing_mode="stretch_width", visible=False, css_classes=["wb-columns"]
        )
        self.button = pn.widgets.Button(label="Look again with these columns", css_classes=["wb-again"], **OPTIONS)
        self.button.on_click(lambda _: again())

    def offer(self, choices: Mapping[str, Sequence[str]]) -> None:
        """Ask for these roles, each with its names; what was chosen stays where it still can be."""
        before = self.columns()
        self._fields = {}
        for role, names in choices.items():
            names = list(names)[:MOST_NAMES]
            kept = before.get(role)
            if role in WIDE:
                chosen = [name for name in kept or () if name in names]
                self._fields[role] = pn.widgets.MultiSelect(
                    label=LABELS[role],
                    options=names,
                    value=chosen,
                    size=min(5, max(2, len(names))),
                    css_classes=[f"wb-{role}"],
                    **OPTIONS,
                )
            else:
                options = {BY_NAME: ""} | {name: name for name in names if name}
                self._fields[role] = choice(
                    LABELS[role], options, kept if kept in names else "", css_classes=[f"wb-{role}"]
                )
        small = [field for role, field in self._fields.items() if role not in WIDE]
        pairs = [
            pn.Row(*small[left : left + 2], margin=(0, 0, 8, 0), styles={"gap": "10px"}, sizing_mode="stretch_width")
            for left in range(0, len(small), 2)
        ]
        wide = [field for role, field in self._fields.items() if role in WIDE]
        self._place.objects = [*wide, *pairs, self.button] if self._fields else []
        self._place.visible = bool(self._fields)

    def columns(self) -> dict[str, Any]:
        """What was chosen, by role."""
        return {role: field.value for role, field in self._fields.items() if field.value}

    def __panel__(self) -> pn.viewable.Viewable:
        return self._place


class CheckpointForm(pn.viewable.Viewer):
    """For which task a checkpoint is, and what its files do not say of it.

    Parameters
    ----------
    again : callable
        ``again()`` when it is to be read in another way.
    start : callable
        ``start()`` when it is to be imported.
    """

    def __init__(self, again: Callable[[], None], start: Callable[[], None]) -> None:
        super().__init__()
        text: dict[str, Any] = OPTIONS | {"description": None}
        self.task = choice("Task that it was trained for", {"none fits": ""}, "", css_classes=["wb-import-task"])
        self.other = pn.widgets.TextInput(
            label="Name of the OGBench task",
            placeholder="cube-single-play-singletask-v0",
            visible=False,
            css_classes=["wb-other-task"],
            **text,
        )
        self.family = choice("Code", {"by its names": "", "vgf": "vgf", "qgf": "qgf", "fql": "fql"}, "")
        self.activation = choice(
            "Activation", {"the code's own": "", "relu": "relu", "gelu": "gelu", "mish": "mish"}, ""
        )
        labels = {
            "discount": "Discount γ",
            "chunk": "Chunk",
            "reward_scale": "Reward scale",
            "flow_steps": "Flow steps T",
        }
        self._numbers = {
            name: pn.widgets.TextInput(label=label, placeholder="as the file says", css_classes=[f"wb-{name}"], **text)
            for name, label in labels.items()
        }
        self.again = pn.widgets.Button(label="Read it this way", css_classes=["wb-again"], **OPTIONS)
        self.start = pn.widgets.Button(
            label="Import as a run", color="primary", css_classes=["wb-import"], **(OPTIONS | {"stylesheets": []})
        )
        self.again.on_click(lambda _: again())
        self.start.on_click(lambda _: start())
        self.task.param.watch(self._chosen, "value")
        pair: dict[str, Any] = {"styles": {"gap": "10px"}, "sizing_mode": "stretch_width", "margin": (0, 0, 8, 0)}
        fields = list(self._numbers.values())
        self._place = pn.Column(
            pn.Row(self.task, **pair),
            self.other,
            pn.Row(self.family, self.activation, **pair),
            pn.Row(*fields[:2], **pair),
            pn.Row(*fields[2:], **pair),
            self.again,
            self.start,
            margin=(10, 0, 0, 0),
            sizing_mode="stretch_width",
            visible=False,
            css_classes=["wb-checkpoint"],
        )

    def offer(self, tasks: Mapping[str, str]) -> None:
        """Show it, with the tasks that fit by title."""
        before = self.task.value
        options = dict(tasks) | {OTHER: OTHER}
        self.task.options = options
        self.task.value = before if before in options.values() else next(iter(options.values()))
        self._place.visible = True

    def hide(self) -> None:
        """There is no checkpoint; what was said of the last one is forgotten."""
        self._place.visible = False
        self.family.value = self.activation.value = self.other.value = ""
        for field in self._numbers.values():
            field.value = ""

    @property
    def named(self) -> str:
        """The task that was chosen; "" while none is."""
        other = (self.other.value or "").strip().removeprefix("ogbench/")
        return str(self.task.value if self.task.value != OTHER else f"ogbench/{other}" if other else "")

    def chosen(self) -> str:
        """The task that was chosen; UserError while none is."""
        if not self.named:
            raise UserError("choose the task that it was trained for, or name an OGBench task")
        return self.named

    def reading(self) -> dict[str, Any]:
        """How it is to be read.

        Raises
        ------
        UserError
            A number that is none.
        """
        reading: dict[str, Any] = {
            "family": self.family.value or None,
            "activation": self.activation.value or None,
        }
        for name, field in self._numbers.items():
            word = (field.value or "").strip()
            try:
                reading[name] = None if not word else int(word) if name in WHOLE else float(word)
            except ValueError:
                kind = "whole number" if name in WHOLE else "number"
                raise UserError(
                    f"{field.label} must be a {kind}, got '{word[:40]}'; leave it empty for what the file says"
                ) from None
        return reading

    def _chosen(self, event: Any) -> None:
        self.other.visible = event.new == OTHER

    def __panel__(self) -> pn.viewable.Viewable:
        return self._place
