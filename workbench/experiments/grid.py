"""A grid of jobs: tasks × rules × values of settings × seeds, and the command that asks for it."""

from __future__ import annotations

import itertools
import json
import re
import shlex
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from workbench.engine.settings import make, nearest
from workbench.engine.steering.rules import RULES, find_rule
from workbench.engine.training.config import config_class
from workbench.engine.words import UserError
from workbench.experiments.job import IMPORTED, Data, Job, make_job

TRAINING = "fit"  # the prefix of training settings: fit.expectile=0.7,0.9
RANGE = re.compile(r"(\d+)\.\.(\d+)")
MOST = 100_000  # jobs; more is a slip of the keyboard


class Grid(BaseModel):
    """What a sweep runs.

    Attributes
    ----------
    tasks, rules : tuple of str
    axes : dict of str to tuple
        Values of settings: ``weight`` is a setting of every rule that has one of this name, ``qgf.weight`` of that rule
        alone, ``fit.expectile`` of the training. A rule without any of the settings runs once, with its defaults.
    seeds : tuple of int
    episodes : int
        In each of the two sets, choosing and reporting.
    data : Data
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    tasks: tuple[str, ...] = Field(min_length=1)
    rules: tuple[str, ...] = Field(min_length=1)
    axes: dict[str, tuple[Any, ...]] = {}
    seeds: tuple[int, ...] = Field(default=(0,), min_length=1)
    episodes: int = Field(
        default=500, ge=1, description="episodes to choose a strength on, and as many others to report it on"
    )
    data: Data = Data()

    def jobs(self) -> list[Job]:
        """All jobs, each once, in the order of tasks, rules, values and seeds.

        Raises
        ------
        UserError
            Unknown names, values out of bounds, an axis that no rule of the grid has, or more than 100,000 jobs.
        """
        self._check_axes()
        found: dict[str, Job] = {}
        for task, name in itertools.product(dict.fromkeys(self.tasks), dict.fromkeys(self.rules)):
            axes = self.axes_of(name)
            if self._count(axes) > MOST:
                raise UserError(f"this grid has {self._count(axes):,} jobs for rule '{name}', more than {MOST:,}")
            for values in itertools.product(*axes.values()):
                settings: dict[str, Any] = {}
                training: dict[str, Any] = {}
                for axis, value in zip(axes, values, strict=True):
                    place, _, setting = axis.rpartition(".")
                    (training if place == TRAINING else settings)[setting] = value
                first = make_job(
                    task=task,
                    rule=name,
                    settings=settings,
                    training=training,
                    data=self.data,
                    episodes=self.episodes,
                    seed=self.seeds[0],
                )
                for seed in self.seeds:
                    job = make_job(**first.model_dump() | {"seed": seed}) if seed != first.seed else first
                    found[job.key] = job
        return list(found.values())

    def axes_of(self, rule: str) -> dict[str, tuple[Any, ...]]:
        """The axes that apply to ``rule``."""
        fields = find_rule(rule).model_fields
        return {
            axis: values
            for axis, values in self.axes.items()
            if axis.startswith(f"{TRAINING}.") or axis in fields or (axis.partition(".")[0] == rule)
        }

    def _count(self, axes: dict[str, tuple[Any, ...]]) -> int:
        count = len(self.seeds)
        for values in axes.values():
            count *= len(values)
        return count

    def _check_axes(self) -> None:
        for axis, values in self.axes.items():
            if not values:
                raise UserError(f"axis '{axis}' has no values")
            place, dot, setting = axis.rpartition(".")
            known: dict[str, Any] = {}
            if place == TRAINING:
                known = {**config_class().model_fields, IMPORTED: None}
                whose = "training"
            elif dot:
                if place not in self.rules:
                    have = f"{', '.join(self.rules)}; training settings begin with {TRAINING}."
                    raise UserError(f"axis '{axis}' is of '{place}', which is not among the rules here: {have}")
                known, whose = dict(find_rule(place).model_fields), f"rule '{place}'"
            else:
                for rule in self.rules:
                    known |= find_rule(rule).model_fields
                whose = f"rule '{self.rules[0]}'" if len(self.rules) == 1 else f"the rules {', '.join(self.rules)}"
            if setting not in known or (place == TRAINING and setting in ("seed", "parts")):
                hint = ""
                if not dot and setting in config_class().model_fields:
                    hint = f" (a training setting? write {TRAINING}.{setting}=…)"
                verb = "has" if whose.startswith(("rule ", "training")) else "have"
                raise UserError(f"{whose} {verb} no setting '{setting}'{nearest(setting, list(known))}{hint}")

    def command(self, store: str) -> str:
        """The command line that runs this grid into ``store``."""
        words = ["workbench", "sweep"]
        for task in self.tasks:
            words += ["--task", task]
        for rule in self.rules:
            words += ["--rule", rule]
        if self.axes:
            words += ["--grid", *(f"{axis}={_spell(values)}" for axis, values in self.axes.items())]
        words += ["--seeds", spell_seeds(self.seeds), "--episodes", str(self.episodes)]
        if self.data.folder is not None:
            words += ["--data", self.data.folder]
        if self.data.clip_actions:
            words += ["--clip-actions"]
        return shlex.join([*words, "--store", store])


def make_grid(**given: Any) -> Grid:
    """Build a `Grid`; UserError says what of it is wrong."""
    return make(Grid, given, "a sweep", "'{}' of a sweep")


def parse_axes(
    groups: tuple[tuple[str, ...], ...], flag: str = "--grid", prefix: str = ""
) -> dict[str, tuple[Any, ...]]:
    """Read ``name=value,value,…`` pairs: values as JSON has them, ``1..5`` a range of whole numbers, else text.

    Raises
    ------
    UserError
        Not of this form, or a name given twice.
    """
    found: dict[str, tuple[Any, ...]] = {}
    for pair in (pair for group in groups for pair in group):
        name, equals, text = pair.partition("=")
        if not equals or not name or not text:
            raise UserError(f"{flag} takes name=value,value,…, such as {flag} weight=0,0.3,1; got '{pair}'")
        name = prefix + name
        if name in found:
            raise UserError(f"{flag} gives {name} twice; put all its values behind one {name}=")
        found[name] = parse_values(text)
    return found


def parse_values(text: str) -> tuple[Any, ...]:
    """The values in ``1,2.5,[64,64],greedy,0..3``; a value that stands twice counts once."""
    if span := RANGE.fullmatch(text):
        low, high = int(span[1]), int(span[2])
        if high - low >= MOST:
            raise UserError(f"the range {text} has {high - low + 1:,} values, more than {MOST:,}")
        return tuple(range(low, high + 1))
    try:
        values = json.loads(f"[{text}]")
    except ValueError:
        values = [value for word in text.split(",") if word.strip() for value in _word(word.strip())]
    return tuple({json.dumps(value): value for value in values}.values())


def parse_seeds(text: str, flag: str = "--seeds") -> tuple[int, ...]:
    """The seeds in ``0..4`` or ``0,2,5..7``; a refusal says that ``flag`` takes no others.

    Raises
    ------
    UserError
        Not whole numbers, negative ones, or none.
    """
    seeds = [value for word in text.split(",") for value in parse_values(word.strip() or "?")]
    if not seeds or not all(isinstance(seed, int) and not isinstance(seed, bool) and seed >= 0 for seed in seeds):
        raise UserError(f"{flag} takes whole numbers from 0, such as 0..4 or 0,1,5; got '{text}'")
    return tuple(dict.fromkeys(seeds))


def spell_seeds(seeds: tuple[int, ...]) -> str:
    """The inverse of `parse_seeds`, short."""
    if len(seeds) > 2 and seeds == tuple(range(seeds[0], seeds[-1] + 1)):
        return f"{seeds[0]}..{seeds[-1]}"
    return ",".join(map(str, seeds))


def _word(text: str) -> tuple[Any, ...]:
    if RANGE.fullmatch(text):
        return parse_values(text)
    try:
        return (json.loads(text),)
    except ValueError:
        return (text,)


def _spell(values: tuple[Any, ...]) -> str:
    return ",".join(value if isinstance(value, str) else json.dumps(value, separators=(",", ":")) for value in values)


__all__ = ["RULES", "TRAINING", "Grid", "parse_axes", "parse_seeds", "parse_values", "spell_seeds"]
