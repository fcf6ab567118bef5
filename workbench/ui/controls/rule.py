"""Panel controls made from a rule's own fields: bounds, units, meanings and all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import panel as pn
import param

from workbench.engine.models.parts import Parts
from workbench.engine.steering.protocol import AfterFlow, DuringFlow, Rule
from workbench.engine.steering.rules import RULES
from workbench.engine.training.plan import extra_parts
from workbench.engine.words import counted
from workbench.plots.markup import html, joined
from workbench.ui.browser.callbacks import stop_words
from workbench.ui.shell.binding import Binding
from workbench.ui.shell.html_pane import HTML
from workbench.views.fields import Field, fields_of, shared_settings
from workbench.views.question import Policy

STYLE = (Path(__file__).parent / "rule.css").read_text(encoding="utf-8")
# When a setting that rules share can change anything; otherwise a slider is hidden, a list greyed out.
APPLIES: dict[str, Callable[[dict[str, Any]], bool]] = {
    "pick": lambda now: now["particles"] > 1,
    "temperature": lambda now: now["particles"] > 1 and now["pick"] == "softmax",
    "pessimism": lambda now: "mean" in (now["aggregate"], now["pick_aggregate"]),
    "gate_floor": lambda now: now["gate_kappa"] > 0.0,
    "keep": lambda now: now["particles"] > 1,
    "prune_at": lambda now: now["keep"] < now["particles"],
}


class QuickSlider(pn.widgets.IntSlider):
    """An integer slider that reports at once; the stock one waits 50 ms, which was the largest delay measured."""

    _debounce = 1


class StopSlider(pn.viewable.Viewer):
    """A slider over a field's stops (linear, whole or logarithmic with an exact 0), labelled in the browser.

    Parameters
    ----------
    field : Field
    value : Any
        Where it starts; a value between two stops becomes a stop of its own.

    Attributes
    ----------
    stops : tuple
        The values that it stops at.
    """

    value = param.Parameter(doc="The value of the field, not the position of the handle.")

    def __init__(self, field: Field, value: object) -> None:
        super().__init__(value=value)
        self.field, self.stops = field, field.with_stop(value)
        words = [field.show(stop) for stop in self.stops]
        self.slider = QuickSlider(
            label=title_of(field),
            start=0,
            end=len(words) - 1,
            value=self.stops.index(value),
            stylesheets=[STYLE],
            format=stop_words(words),
            sizing_mode="stretch_width",
            css_classes=["wb-slider", f"wb-{field.name}"],
            margin=0,
        )
        self.slider.param.watch(self._moved, "value")

    def _moved(self, event: param.parameterized.Event) -> None:
        self.value = self.stops[event.new]

    def put(self, value: object) -> None:
        """Move the handle to one of the stops; ValueError where there is none of this value."""
        self.slider.value = self.stops.index(value)

    def __panel__(self) -> pn.viewable.Viewable:
        return self.slider


def title_of(field: Field) -> str:
    """The label: words, and the symbol of the papers where the meaning names one."""
    return f"{field.title} {field.symbol}".strip()


def meaning_of(field: Field) -> HTML:
    """The one-line meaning below a control."""
    text = field.meaning[:1].upper() + field.meaning[1:]
    return HTML(
        html('<div class="wb-meaning">{}</div>', text),
        stylesheets=[STYLE],
        margin=0,
        sizing_mode="stretch_width",
    )


class Choice(pn.widgets.Select):
    """A list whose disabled entries are disabled in the browser too: Panel 1.9 names them by value, not by label."""

    def _process_param_change(self, params: dict[str, Any]) -> dict[str, Any]:
        props = super()._process_param_change(params)
        if "disabled_options" in props:
            labels = dict(zip(self.values, self.labels, strict=True))
            props["disabled_options"] = [labels[value] for value in props["disabled_options"]]
        return props


def choice(label: str, options: Mapping[str, Any], value: object, **more: Any) -> Choice:
    """A styled drop-down list."""
    return Choice(
        label=label,
        options=dict(options),
        value=value,
        stylesheets=[STYLE],
        margin=0,
        min_width=60,
        sizing_mode="stretch_width",
        **more,
    )


class RuleControls(pn.viewable.Viewer):
    """Every setting of one rule: its own first, what every rule has behind a button.

    Parameters
    ----------
    rule : type of Rule
    settings : dict
        Values that differ from the defaults, already valid.
    """

    values = param.Dict(default={}, doc="All settings by name; a change of any control replaces it.")
    touched = param.String(default="", doc="The setting that was changed last.")

    def __init__(self, rule: type[Rule], settings: dict[str, Any]) -> None:
        self.rule, self.fields = rule, fields_of(rule)
        values = {field.name: settings.get(field.name, field.default) for field in self.fields}
        super().__init__(values=values)
        self.widgets: dict[str, Any] = {}
        self._rows: dict[str, pn.Column] = {}
        own: list[Any] = []
        more: list[Any] = []
        pair: list[Any] = []
        for field in self.fields:
            widget = self._widget(field, values[field.name])
            self.widgets[field.name] = widget
            widget.param.watch(lambda event, name=field.name: self._changed(name, event.new), "value")
            if field.kind in ("choice", "flag"):
                pair.append(widget)
                continue
            self._rows[field.name] = pn.Column(
                widget, meaning_of(field), margin=(0, 0, 7, 0), sizing_mode="stretch_width"
            )
            shared = field.name in shared_settings(rule) and field.name != rule.strength
            (more if shared else own).append(self._rows[field.name])
        for left in range(0, len(pair), 2):
            more.append(
                pn.Row(*pair[left : left + 2], margin=(0, 0, 8, 0), styles={"gap": "10px"}, sizing_mode="stretch_width")
            )
        # A hidden column is not even sent: twice as many controls made the page slower to open.
        self._more: list[Any] = more
        self._place = pn.Column(margin=0, sizing_mode="stretch_width")
        self.toggle = pn.widgets.Toggle(
            label="More settings",
            stylesheets=[STYLE],
            margin=(0, 0, 8, 0),
            height=26,
            css_classes=["wb-more"],
            sizing_mode="stretch_width",
        )
        self.toggle.param.watch(self._open, "value")
        self._column = pn.Column(*own, self.toggle, self._place, margin=0, sizing_mode="stretch_width")
        self._grey()

    def _open(self, event: Any) -> None:
        self._place.objects = self._more if event.new else []
        self.toggle.label = "Fewer settings" if event.new else "More settings"

    def _widget(self, field: Field, value: object) -> Any:
        if field.kind == "flag":
            return pn.widgets.Checkbox(
                label=field.title, value=value, stylesheets=[STYLE], margin=(22, 0, 0, 0), sizing_mode="stretch_width"
            )
        if field.kind == "choice":
            words = {str(stop).replace("_", " "): stop for stop in field.stops}
            meaning = field.meaning[:1].upper() + field.meaning[1:]
            return choice(field.title, words, value, description=meaning, css_classes=[f"wb-{field.name}"])
        return StopSlider(field, value)

    def _changed(self, name: str, value: object) -> None:
        with param.parameterized.batch_call_watchers(self):
            self.touched = name
            self.values = self.values | {name: value}
        self._grey()

    def _grey(self) -> None:
        for name, applies in APPLIES.items():
            if name in self.widgets:
                self._enable(name, applies(self.values))
        self._enable("aggregate", issubclass(self.rule, (DuringFlow, AfterFlow)))

    def _enable(self, name: str, enabled: bool) -> None:
        if name in self._rows:
            self._rows[name].visible = enabled
        else:
            self.widgets[name].disabled = not enabled

    def __panel__(self) -> pn.viewable.Viewable:
        return self._column


def lacking(rule: type[Rule], parts: Parts) -> str:
    """Why ``rule`` cannot run with ``parts``, nor be trained for them, and the cure; "" when it can."""
    missing = [name for name in rule.needs if name not in parts.available() and name not in extra_parts(rule.needs)]
    if not missing:
        return ""
    return (
        f"{rule.title} needs {', '.join(name.replace('_', ' ') for name in missing)}, which this policy has not. "
        f"Train it: workbench fit TASK --rule {rule.name} --out RUN"
    )


class PolicyControls(pn.viewable.Viewer):
    """A rule from the registry and its settings.

    Parameters
    ----------
    label : str
    policy : Policy or None
        None is "no rule", for ``optional`` ones.
    optional : bool
    css : str
        Class of the whole, for tests and the tour.
    """

    policy = param.Parameter(doc="Policy or None; a change of any control replaces it.")

    def __init__(self, label: str, policy: Policy | None, optional: bool, css: str) -> None:
        super().__init__(policy=policy)
        self._optional = optional
        options = {rule.title: name for name, rule in RULES.items() if name != "bc"} | {RULES["bc"].title: "bc"}
        options |= {"none": "none"} if optional else {}
        self.rule = choice(label, options, policy.rule if policy else "none", css_classes=["wb-rule"])
        self.note = HTML("", stylesheets=[STYLE], margin=0, sizing_mode="stretch_width", visible=False)
        self.controls: RuleControls | None = None
        self._place = pn.Column(margin=(8, 0, 0, 0), sizing_mode="stretch_width")
        self._column = pn.Column(
            self.rule, self.note, self._place, margin=(0, 0, 4, 0), sizing_mode="stretch_width", css_classes=[css]
        )
        self._make(policy)
        self._binding = Binding()
        self._binding.bind(self._chosen, self.rule)

    def set(self, policy: Policy | None) -> None:
        """Show ``policy``."""
        if policy == self.policy:
            return
        with self._binding.by_program():
            self.rule.disabled_options = []  # a link may ask for any rule; the page then says what is missing
            self.rule.value = policy.rule if policy else "none"
        self._make(policy)
        self.policy = policy

    def disable(self, reasons: Mapping[str, str], slow: Mapping[str, str]) -> None:
        """Grey out the rules that cannot run here, and say why (``reasons`` by rule name); name those that train first.

        ``slow`` says which part a rule trains when it is chosen, by rule name.
        """
        chosen = self.rule.value
        # Panel refuses to disable what is chosen, or everything.
        self.rule.disabled_options = [name for name in reasons if name != chosen]
        later = {name: part for name, part in slow.items() if name not in reasons}
        lists = [(f"{counted(len(reasons), 'rule')} not trained here", list(reasons.values()))]
        words = [f"{RULES[name].title}: {part}" for name, part in later.items()]
        lists.append((f"{counted(len(later), 'rule trains', 'rules train')} a part of their own first", words))
        self.note.object = joined(
            html('<details class="wb-meaning"><summary>{}</summary>{}</details>', summary, joined(lines, "<br>"))
            for summary, lines in lists
            if lines
        )
        self.note.visible = bool(reasons or later) and not self._optional  # said once is enough

    def _make(self, policy: Policy | None) -> None:
        self.controls = None if policy is None else RuleControls(RULES[policy.rule], policy.settings)
        if self.controls is not None:
            self.controls.param.watch(self._moved, "values")
        self._place.objects = [] if self.controls is None else [self.controls]

    def _chosen(self, event: Any) -> None:
        policy = None if event.new == "none" else Policy(event.new)
        self._make(policy)
        self.policy = policy

    def _moved(self, event: Any) -> None:
        self.policy = Policy(self.rule.value, dict(event.new))

    def __panel__(self) -> pn.viewable.Viewable:
        return self._column
