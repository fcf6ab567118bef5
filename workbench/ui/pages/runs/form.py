"""The form that starts a small sweep: task, rules, values of their strength, seeds, episodes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import panel as pn

from workbench.engine.digits import duration
from workbench.engine.steering.rules import RULES
from workbench.engine.tasks.registry import TASKS, make_listed
from workbench.engine.words import UserError, counted
from workbench.experiments.grid import TRAINING, Grid, parse_axes, parse_seeds, parse_values
from workbench.experiments.launch import SweepState
from workbench.plots.markup import Markup, html, joined
from workbench.ui.controls.field import Field, all_right, number_field, whole
from workbench.ui.controls.notice import STYLE as WORDS
from workbench.ui.controls.rule import STYLE, choice
from workbench.ui.shell.binding import Binding
from workbench.ui.shell.html_pane import HTML

TALL = ".bk-btn { min-height: 31px; }"  # as high as the button beside it
MOST_JOBS = 200
MOST_EPISODES = 2000
MOST_STEPS = 200_000


class SweepForm(pn.viewable.Viewer):
    """Fields, Start and Cancel, and how far the sweep is.

    Parameters
    ----------
    start : callable
        ``start()`` when Start was pressed.
    cancel : callable
    """

    def __init__(self, start: Callable[[], None], cancel: Callable[[], None]) -> None:
        super().__init__()
        options: dict[str, Any] = {"stylesheets": [STYLE], "margin": 0, "sizing_mode": "stretch_width", "min_width": 60}
        tasks = {make_listed(name).info.title: name for name in TASKS}
        self.task = choice("Task", tasks, next(iter(tasks.values())), css_classes=["wb-sweep-task"])
        titles = {rule.title: name for name, rule in RULES.items()}
        self.rules = pn.widgets.MultiSelect(
            label="Rules",
            options=titles,
            value=["qgf"] if "qgf" in RULES else list(RULES)[:1],
            size=7,
            css_classes=["wb-sweep-rules"],
            **options,
        )
        field: dict[str, Any] = {"margin": 0, "sizing_mode": "stretch_width", "min_width": 60}
        self.values: Field[Any] = Field(
            self._read_values,
            label="Values of the strength",
            text="0.1,0.3,1",
            placeholder="0.1,0.3,1 or qgf.weight=0.1,1",
            css_classes=["wb-sweep-values"],
            **field,
        )
        self.seeds = Field(
            lambda text: parse_seeds(text, "this field"),
            label="Seeds",
            text="0,1",
            css_classes=["wb-sweep-seeds"],
            **field,
        )
        self.episodes = number_field(
            "Episodes", 200, 1, MOST_EPISODES, 50, "workbench sweep", css_classes=["wb-sweep-episodes"], **field
        )
        self.steps: Field[int | None] = Field(
            lambda text: whole("Updates", text, 1, MOST_STEPS, "workbench sweep") if text.strip() else None,
            label="Updates",
            placeholder="task’s",
            range=[1, MOST_STEPS, 500],
            css_classes=["wb-sweep-steps"],
            **field,
        )
        self.rules.param.watch(lambda _: self.values.check(), "value")
        buttons: dict[str, Any] = {"stylesheets": [STYLE], "margin": 0, "sizing_mode": "stretch_width"}
        self.start = pn.widgets.Button(
            label="Start sweep", color="primary", css_classes=["wb-sweep"], **(buttons | {"stylesheets": []})
        )
        self.stop = pn.widgets.Button(
            label="Cancel", disabled=True, css_classes=["wb-cancel"], **(buttons | {"stylesheets": [STYLE, TALL]})
        )
        self.progress = HTML("", stylesheets=[WORDS], margin=0, sizing_mode="stretch_width")
        self.start.on_click(lambda _: self._press(start))
        self.stop.on_click(lambda _: cancel())
        self._refused = ""
        self._task_chosen = False
        self._binding = Binding()
        self._binding.bind(self._chose_task, self.task)

    def grid(self) -> Grid:
        """What the form asks for.

        Raises
        ------
        UserError
            What the engine says of wrong names and values; or more than this page starts.
        """
        rules = tuple(self.rules.value)
        if not rules:
            raise UserError("choose one rule or more")
        axes = dict(self.values.value)
        if (steps := self.steps.value) is not None:
            axes[f"{TRAINING}.steps"] = (steps,)
        grid = Grid(
            tasks=(self.task.value,),
            rules=rules,
            axes=axes,
            seeds=self.seeds.value,
            episodes=self.episodes.value,
        )
        jobs = sum(_size(grid, rule) for rule in rules)
        if jobs > MOST_JOBS:
            raise UserError(
                f"this sweep has {counted(jobs, 'job')}, this page starts {MOST_JOBS} at most: take fewer values or seeds, or "
                f"run it in a terminal: {grid.command('STORE')[:400]}"
            )
        return grid

    def _read_values(self, text: str) -> dict[str, tuple[Any, ...]]:
        """The axes that the text means for the chosen rules, each value tried on its rule."""
        rules = tuple(self.rules.value)
        axes = axes_of(rules, text)
        longest = max(map(len, axes.values()), default=0)
        if longest > MOST_JOBS:
            raise UserError(f"{longest:,} values; this page starts {counted(MOST_JOBS, 'job')} at most")
        if rules:
            Grid(tasks=(self.task.value,), rules=rules, axes=axes, seeds=(0,), episodes=1).jobs()
        return axes

    def _chose_task(self, _: Any) -> None:
        self._task_chosen = True

    def _press(self, start: Callable[[], None]) -> None:
        """Start, unless a field says that it cannot be read."""
        if all_right(self.values, self.seeds, self.episodes, self.steps):
            start()

    def refuse(self, words: str) -> None:
        """Say below the buttons why nothing was started or cancelled; "" takes that away."""
        self._refused = words

    def follow(self, state: SweepState | None) -> None:
        """Say how far the sweep is, or what was refused last."""
        running = state is not None and state.running
        self.start.disabled, self.stop.disabled = running, not running
        text = Markup() if state is None else words_of(state)
        if self._refused:
            text = joined((html('<div class="notice error" role="alert">{}</div>', self._refused), text))
        if text != self.progress.object:
            self.progress.object = text

    def propose(self, task: str) -> None:
        """Offer ``task`` first, unless a person has chosen another one."""
        if not self._task_chosen and task in TASKS:
            with self._binding.by_program():
                self.task.value = task

    def __panel__(self) -> pn.viewable.Viewable:
        row: dict[str, Any] = {"styles": {"gap": "8px"}, "sizing_mode": "stretch_width", "margin": (0, 0, 7, 0)}
        return pn.Column(
            pn.Row(self.task, **row),
            pn.Row(self.rules, **row),
            pn.Row(self.values, **row),
            pn.Row(self.seeds, self.episodes, self.steps, **row),
            pn.Row(self.start, self.stop, **row),
            self.progress,
            sizing_mode="stretch_width",
            margin=0,
        )


def axes_of(rules: tuple[str, ...], text: str) -> dict[str, tuple[Any, ...]]:
    """The axes that a text means: values of each rule's own strength, or ``name=values`` as the command line takes them.

    A rule that equals the behaviour whatever its settings has no strength and runs once. One that is steered in training
    has its strength there, and training settings are the same for all rules of a grid, so that it must be swept alone.

    Raises
    ------
    UserError
    """
    text = text.strip()
    if "=" in text:
        return parse_axes((tuple(text.split()),), "this field")
    steered = [name for name in rules if RULES[name].bc_at != {}]
    trained = {name: word for name in steered if (word := RULES[name].trained_strength) is not None}
    if not text and steered:
        raise UserError("give values of the strength, such as 0.1,0.3,1, or name=value,value of any setting")
    if trained and len(steered) > 1:
        name, setting = next(iter(trained.items()))
        raise UserError(
            f"the strength of {RULES[name].title} is set in training ({TRAINING}.{setting}), which rules share: sweep it alone"
        )
    names = [f"{TRAINING}.{trained[name]}" if name in trained else f"{name}.{RULES[name].strength}" for name in steered]
    return {name: parse_values(text) for name in names}


def words_of(state: SweepState) -> Markup:
    """A sweep's progress as HTML, with a bar while it runs."""
    if not state.running:
        left = state.total - state.done
        ended = f"Sweep ended: {state.done} of {counted(state.total, 'run')} done."
        more = " Start it again and the rest is done." if left else ""
        return html("<p role='status'>{}</p>", state.error or ended + more)
    share = 100 * state.done / max(state.total, 1)
    eta = "training first" if state.eta_seconds is None else f"about {duration(state.eta_seconds)} left"
    return html(
        "<p role='status'>{} of {} done, {}<span class='bar' style='--wb-part:{:.0f}%;display:block'></span></p>",
        state.done,
        counted(state.total, "run"),
        eta,
        share,
    )


def _size(grid: Grid, rule: str) -> int:
    count = len(grid.seeds)
    for values in grid.axes_of(rule).values():
        count *= len(values)
    return count
