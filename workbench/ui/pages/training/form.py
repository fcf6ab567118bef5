"""The form that starts a training: task, critic, parts, size, steps; with the task's own settings as its defaults."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import panel as pn

from workbench.engine.steering.rules import RULES
from workbench.engine.tasks.registry import TASKS, make_listed
from workbench.engine.training.losses import CRITICS
from workbench.engine.training.plan import extra_parts
from workbench.ui.controls.field import all_right, number_field
from workbench.ui.controls.rule import STYLE, choice
from workbench.ui.pages.training.own_data import OwnData
from workbench.ui.shell.binding import Binding
from workbench.views.bring import OWN

MOST_STEPS = 200_000
MOST_SEED = 2**31 - 1
SIZES = {"32 × 2": [32, 32], "64 × 2": [64, 64], "128 × 3": [128] * 3, "256 × 3": [256] * 3, "512 × 4": [512] * 4}
CRITIC_WORDS = {
    "iql": "IQL",
    "td_vgf": "TD through VGF",
    "td_actor": "TD with an actor",
    "floq": "floq, a flow of values",
    "dqc": "DQC, taught by long chunks",
}


class Form(pn.viewable.Viewer):
    """Fields and a Start button.

    Parameters
    ----------
    start : callable
        ``start(order)`` with the arguments of `Trainings.start`; its errors are the caller's to show.
    changed : callable
        Called when a person has changed a field.
    """

    def __init__(self, start: Callable[[dict[str, Any]], None], changed: Callable[[], None] = lambda: None) -> None:
        super().__init__()
        self._start = start
        options: dict[str, Any] = {"stylesheets": [STYLE], "margin": (0, 0, 8, 0), "sizing_mode": "stretch_width"}
        tasks = {make_listed(name).info.title: name for name in TASKS}
        self.task = choice("Task", tasks, "three_exits", css_classes=["wb-task"])
        self.task.margin = (0, 0, 8, 0)
        critics = {CRITIC_WORDS.get(name, name.replace("_", " ")): name for name in CRITICS}
        self.critic = choice("Critic", critics, "iql", css_classes=["wb-critic"])
        self.size = choice("Network", dict.fromkeys(SIZES), None)
        self.size.options = list(SIZES)
        field: dict[str, Any] = {"sizing_mode": "stretch_width", "margin": 0, "min_width": 60}
        self.steps = number_field("Updates", 1, 1, MOST_STEPS, 500, "workbench fit TASK --steps N", **field)
        self.seed = number_field("Seed", 0, 0, MOST_SEED, 1, **field)
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
        self.button.on_click(lambda _: self._press())
        self._defaults()
        self._binding, self._told = Binding(), changed
        self._binding.bind(lambda _: self._chosen(), self.task, self.critic)
        self._binding.bind(lambda _: changed(), self.size, self.rules)
        self._binding.bind(lambda _: changed(), self.steps, self.seed, to="text")

    def state(self) -> dict[str, Any]:
        """What a link says of the form: the task where it is one of the list, and what differs from its own settings."""
        size, steps = self._usual()
        values = {
            "fit_critic": (self.critic.value, "iql"),
            "fit_network": (self.size.value, size),
            "fit_updates": (self.steps.text, str(steps)),
            "fit_seed": (self.seed.text, "0"),
            "fit_parts": (",".join(self.rules.value), ""),
        }
        changed = {name: value for name, (value, usual) in values.items() if value != usual}
        return ({} if self.dataset else {"task": self.task.value}) | changed

    def restore(self, arguments: Mapping[str, str]) -> None:
        """Show what a link says; what is no choice here is left out."""
        with self._binding.by_program():
            task, critic = arguments.get("task", ""), arguments.get("fit_critic", "iql")
            if task in TASKS:
                self.task.value = task
            self.critic.value = critic if critic in CRITICS else "iql"
            self._defaults()
            if arguments.get("fit_network") in SIZES:
                self.size.value = arguments["fit_network"]
            self.steps.text = arguments.get("fit_updates", self.steps.text)
            self.seed.text = arguments.get("fit_seed", "0")
            parts = arguments.get("fit_parts", "").split(",")
            self.rules.value = [name for name in self.rules.options.values() if name in parts]

    def _press(self) -> None:
        """Start, unless a field says that it cannot be read."""
        if all_right(self.steps, self.seed):
            self._start(self.order())

    def _chosen(self) -> None:
        with self._binding.by_program():
            self._defaults()
        self._told()

    def _usual(self) -> tuple[str, int]:
        """Network and updates of the task's own settings."""
        defaults = make_listed(self.task.value).training_defaults(self.critic.value)
        hidden = list(defaults.get("hidden", (512,) * 4))
        size = next((name for name, widths in SIZES.items() if widths == hidden), "64 × 2")
        return size, min(int(defaults.get("steps", 10_000)), MOST_STEPS)

    def _defaults(self) -> None:
        """Take over the task's own settings."""
        size, steps = self._usual()
        self.size.value, self.steps.text = size, str(steps)
        self.own.follow(self.task.value)

    def offer(self, datasets: Iterable[str], wanted: str = "") -> None:
        """Offer the visitor's own ``datasets`` as tasks too, and choose the ``wanted`` one."""
        tasks = {title: name for title, name in self.task.options.items() if not name.startswith(OWN)}
        tasks |= {f"Your data: {name}": OWN + name for name in datasets}
        before = self.task.value
        with self._binding.by_program():
            if tasks != self.task.options:
                self.task.options = tasks
                self.task.value = before if before in tasks.values() else "three_exits"
            if OWN + wanted in tasks.values():
                self.task.value = OWN + wanted
            if self.task.value != before:
                self._defaults()

    @property
    def dataset(self) -> str:
        """The own dataset that is chosen; "" for a task that is none."""
        return self.task.value.removeprefix(OWN) if self.task.value.startswith(OWN) else ""

    def order(self) -> dict[str, Any]:
        """What `Trainings.start` needs.

        Raises
        ------
        UserError
            A number that is not taken, or a data file that was refused, or is still being checked.
        """
        settings = {
            "critic": self.critic.value,
            "hidden": SIZES[self.size.value],
            "steps": self.steps.value,
            "seed": self.seed.value,
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
            for one, two in ((self.critic, self.size), (self.steps, self.seed))
        ]
        return pn.Column(self.task, *rows, self.rules, self.own, self.button, sizing_mode="stretch_width", margin=0)
