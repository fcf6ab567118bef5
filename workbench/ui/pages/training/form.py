"""The form that starts a training: task, critic, parts, size, steps; with the task's own settings as its defaults."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import panel as pn

from workbench.engine.steering.rules import RULES
from workbench.engine.tasks.registry import TASKS, make_listed
from workbench.engine.training.losses import CRITICS
from workbench.engine.training.plan import extra_parts
from workbench.engine.words import UserError
from workbench.ui.controls.rule import STYLE, choice
from workbench.ui.pages.training.own_data import OwnData
from workbench.views.bring import OWN

MOST_STEPS = 200_000
SIZES = {"32 × 2": [32, 32], "64 × 2": [64, 64], "128 × 3": [128] * 3, "256 × 3": [256] * 3, "512 × 4": [512] * 4}
CRITIC_WORDS = {
    "iql": "IQL",
    "td_vgf": "TD through VGF",
    "td_actor": "TD with an actor",
}


class Form(pn.viewable.Viewer):
    """Fields and a Start button.

    Parameters
    ----------
    start : callable
        ``start(order)`` with the arguments of `Trainings.start`; its errors are the caller's to show.
    """

    def __init__(self, start: Callable[[dict[str, Any]], None]) -> None:
        super().__init__()
        self._start = start
        options: dict[str, Any] = {"stylesheets": [STYLE], "margin": (0, 0, 8, 0), "sizing_mode": "stretch_width"}
        tasks = {make_listed(name).info.title: name for name in TASKS}
        self.task = choice("Task", tasks, "three_exits", css_classes=["wb-task"])
        critics = {CRITIC_WORDS.get(name, name.replace("_", " ")): name for name in CRITICS}
        self.critic = choice("Critic", critics, "iql", css_classes=["wb-critic"])
        self.size = choice("Network", dict.fromkeys(SIZES), None)
        self.size.options = list(SIZES)
        self.steps = pn.widgets.IntInput(label="Updates", start=1, end=MOST_STEPS, step=500, **options)
        self.seed = pn.widgets.IntInput(label="Seed", start=0, end=2**31 - 1, value=0, **options)
        extra = [name for name, rule in RULES.items() if extra_parts(rule.needs)]
        self.rules = pn.widgets.MultiSelect(
            label="Also train the parts of",
            options={RULES[name].title: name for name in extra},
            value=[],
            size=3,
            css_classes=["wb-parts"],
            **options,
        )
        self.own = OwnData()
        self.button = pn.widgets.Button(
            label="Start", color="primary", css_classes=["wb-start"], **(options | {"stylesheets": []})
        )
        self.button.on_click(lambda _: self._start(self.order()))
        for widget in (self.task, self.critic):
            widget.param.watch(lambda _: self._defaults(), "value")
        self._defaults()

    def _defaults(self) -> None:
        """Take over the task's own settings."""
        defaults = make_listed(self.task.value).training_defaults(self.critic.value)
        hidden = list(defaults.get("hidden", (512,) * 4))
        self.size.value = next((name for name, widths in SIZES.items() if widths == hidden), "64 × 2")
        self.steps.value = min(int(defaults.get("steps", 10_000)), MOST_STEPS)
        self.own.follow(self.task.value)

    def offer(self, datasets: Iterable[str], wanted: str = "") -> None:
        """Offer the visitor's own ``datasets`` as tasks too, and choose the ``wanted`` one."""
        tasks = {title: name for title, name in self.task.options.items() if not name.startswith(OWN)}
        tasks |= {f"Your data: {name}": OWN + name for name in datasets}
        if tasks != self.task.options:
            chosen = self.task.value
            self.task.options = tasks
            self.task.value = chosen if chosen in tasks.values() else "three_exits"
        if OWN + wanted in tasks.values():
            self.task.value = OWN + wanted

    @property
    def dataset(self) -> str:
        """The own dataset that is chosen; "" for a task that is none."""
        return self.task.value.removeprefix(OWN) if self.task.value.startswith(OWN) else ""

    def order(self) -> dict[str, Any]:
        """What `Trainings.start` needs.

        Raises
        ------
        UserError
            Steps out of range, or a data file that was refused, or is still being checked.
        """
        steps = self.steps.value
        if steps is None or not 1 <= steps <= MOST_STEPS:
            raise UserError(f"updates must be 1 to {MOST_STEPS:,} here, got {steps}; for more: workbench fit --steps N")
        settings = {
            "critic": self.critic.value,
            "hidden": SIZES[self.size.value],
            "steps": steps,
            "seed": self.seed.value or 0,
        }
        order: dict[str, Any] = {"task": self.task.value, "settings": settings, "rules": tuple(self.rules.value)}
        content = self.own.content()
        if content is not None:
            order |= {"data": content, "data_name": f"{self.task.value.replace('/', '-')}.npz"}
        return order

    def __panel__(self) -> pn.viewable.Viewable:
        pair = {"gap": "10px"}
        rows = [
            pn.Row(one, two, styles=pair, sizing_mode="stretch_width", margin=(0, 0, 8, 0))
            for one, two in ((self.task, self.critic), (self.size, self.steps))
        ]
        return pn.Column(*rows, self.rules, self.seed, self.own, self.button, sizing_mode="stretch_width", margin=0)
