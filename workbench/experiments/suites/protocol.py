"""A protocol: which methods meet which tasks, with which seeds and strengths. One TOML file each, every field checked."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from workbench.engine.data.regular import read_regular
from workbench.engine.settings import make, nearest
from workbench.engine.steering.rules import find_rule
from workbench.engine.words import UserError, plain
from workbench.experiments.grid import TRAINING, Grid, make_grid
from workbench.experiments.job import Data

SHIPPED = Path(__file__).parent
SUFFIX = ".toml"
MOST_BYTES = 2**20
OWN = Data()  # made by the task from the seed
Label = Annotated[str, Field(min_length=1, max_length=60)]
Name = Annotated[str, Field(min_length=1, max_length=200)]
Settings = dict[Name, Any]
Strengths = Annotated[tuple[float, ...], Field(min_length=1, max_length=100)]


class Checked(BaseModel):
    """A table of a protocol's file; unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Times(Checked):
    """Seconds on one core, as ``python -m benchmarks suite_times`` measures them."""

    training: float = Field(ge=0.0, description="of one training with all parts that the methods need")
    job: float = Field(ge=0.0, description="of one job of the behaviour flow: both sets of episodes, and the measures")
    generate: float = Field(default=0.0, ge=0.0, description="to make the dataset")


class TaskEntry(Checked):
    """A task of a protocol, and what counts on it."""

    task: Name
    label: Label
    measure: Literal["return", "success"] = "return"
    low: float = Field(default=0.0, description="the measure that scores 0")
    high: float = Field(default=1.0, description="the measure that scores 1")
    rows: int | None = Field(
        default=None, ge=1, description="of a dataset that is generated; the usual size without it"
    )
    training: Settings = {}
    strengths: dict[Label, Strengths] = Field(default={}, description="by method: those of this task alone")
    settings: dict[Label, Settings] = Field(default={}, description="by method: its rule's, on this task, over its own")
    times: Times | None = None

    @model_validator(mode="after")
    def _apart(self) -> TaskEntry:
        if self.high <= self.low:
            raise UserError(f"task '{self.label}': high must be above low, got {self.low:g} and {self.high:g}")
        return self


class MethodEntry(Checked):
    """A method of a protocol: a rule, its settings, and the strengths to choose from."""

    rule: Name
    label: Label
    strengths: Strengths | None = Field(default=None, description="to choose from; without it the rule's own default")
    axis: Name | None = Field(
        default=None, description="what they are values of, such as fit.fql_alpha; else the strength"
    )
    settings: Settings = {}
    training: Settings = {}
    cost: float = Field(default=1.0, gt=0.0, description="a job's time, the behaviour flow's being 1")

    @property
    def strength(self) -> str:
        """The setting that is the strength, as a `Grid` names it."""
        if self.axis is not None:
            return self.axis if "." in self.axis else f"{self.rule}.{self.axis}"
        return f"{self.rule}.{find_rule(self.rule).strength}"


class Protocol(Checked):
    """Methods × tasks × seeds."""

    name: Name
    title: Label
    summary: Annotated[str, Field(max_length=1000)]
    seeds: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1)]
    episodes: int = Field(ge=1, description="to choose strengths on, and as many others to report on")
    reference: Label = Field(description="the method that the others are compared with")
    methods: Annotated[tuple[MethodEntry, ...], Field(min_length=1)]
    tasks: Annotated[tuple[TaskEntry, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _apart(self) -> Protocol:
        for kind, labels in (("method", self.labels), ("task", tuple(task.label for task in self.tasks))):
            if twice := next((label for label in labels if labels.count(label) > 1), None):
                raise UserError(
                    f"protocol '{self.name}' has two {kind}s labelled '{twice}'; give each a label of its own"
                )
        if self.reference not in self.labels:
            raise UserError(
                f"protocol '{self.name}' compares with '{self.reference}', which is none of its methods"
                f"{nearest(self.reference, list(self.labels))}"
            )
        for task in self.tasks:
            for what, by_method in (("strengths", task.strengths), ("settings", task.settings)):
                self._known(by_method, f"task '{task.label}' has {what} for", ", which is none of the methods")
        return self

    def _known(self, labels: Iterable[str], before: str, after: str = "") -> None:
        """Raise UserError about the first of ``labels`` that no method has, with words before and after it."""
        unknown = next((label for label in labels if label not in self.labels), None)
        if unknown is not None:
            raise UserError(f"{before} '{plain(unknown)}'{after}{nearest(unknown, list(self.labels))}")

    @property
    def labels(self) -> tuple[str, ...]:
        """Of the methods."""
        return tuple(method.label for method in self.methods)

    def only(self, labels: Collection[str]) -> Protocol:
        """The same with these methods alone; with all of them where none is named.

        Raises
        ------
        UserError
            A label that no method has.
        """
        self._known(labels, f"protocol '{self.name}' has no method")
        chosen = tuple(method for method in self.methods if not labels or method.label in labels)
        return self.model_copy(update={"methods": chosen})

    def grid(self, method: MethodEntry, task: TaskEntry, data: Data = OWN) -> Grid:
        """The sweep of one method on one task."""
        settings = method.settings | task.settings.get(method.label, {})
        axes: dict[str, tuple[Any, ...]] = {f"{method.rule}.{key}": (value,) for key, value in settings.items()}
        axes |= {f"{TRAINING}.{key}": (value,) for key, value in (task.training | method.training).items()}
        strengths = task.strengths.get(method.label, method.strengths)
        if strengths is not None:
            axes[method.strength] = tuple(int(value) if value.is_integer() else value for value in strengths)
        return make_grid(
            tasks=(task.task,), rules=(method.rule,), axes=axes, seeds=self.seeds, episodes=self.episodes, data=data
        )


def shipped_protocols() -> tuple[str, ...]:
    """Names of the protocols that come with the package."""
    return tuple(sorted(path.stem for path in SHIPPED.glob(f"*{SUFFIX}")))


def load_protocol(name: str) -> Protocol:
    """A protocol that comes with the package, or one in a file that ends in ``.toml``.

    Raises
    ------
    UserError
        No such protocol or file, or one that says what it cannot.
    """
    path = Path(name) if name.endswith(SUFFIX) else SHIPPED / f"{name}{SUFFIX}"
    if not name.endswith(SUFFIX) and name not in shipped_protocols():
        known = list(shipped_protocols())
        raise UserError(
            f"no protocol named '{name[:80]}'{nearest(name, known)} There are {', '.join(known)}, or a file of your own, "
            f"FILE{SUFFIX}"
        )
    return read_protocol(path.stem, _content(path))


def read_protocol(name: str, content: Mapping[str, Any]) -> Protocol:
    """The protocol that a file's ``content`` describes, under ``name``; UserError says which table and field is wrong.

    ``methods = "NAME"`` are the methods of that shipped protocol.
    """
    given = _tuples(dict(content))
    if isinstance(other := given.get("methods"), str):
        given["methods"] = _methods_of(other, name)
    for key, kind in (("methods", MethodEntry), ("tasks", TaskEntry)):
        entries = given.get(key, ())
        if not isinstance(entries, tuple) or not all(isinstance(entry, dict) for entry in entries):
            raise UserError(f"protocol '{name}': {key} are tables of their own: [[{key}]]")
        made = []
        for number, entry in enumerate(entries, 1):
            where = f"entry {number} of [[{key}]] in protocol '{plain(name)}'"
            made.append(make(kind, entry, where, f"'{{}}' of {where}"))
        given[key] = tuple(made)
    owner = f"protocol '{plain(name)}'"
    if "name" in given:
        raise UserError(f"{owner} has no setting 'name': its file's name is its own")
    return make(Protocol, given | {"name": name}, owner, f"'{{}}' of {owner}")


def _methods_of(other: str, name: str) -> tuple[dict[str, Any], ...]:
    """The [[methods]] of the shipped protocol ``other``, for the protocol ``name``."""
    written = [one for one in shipped_protocols() if isinstance(_content(SHIPPED / f"{one}{SUFFIX}")["methods"], list)]
    if other not in written:
        raise UserError(
            f"protocol '{plain(name)}' takes the methods of '{plain(other)[:80]}', which is no shipped protocol with "
            f"[[methods]] of its own{nearest(other, written)} There are {', '.join(written)}"
        )
    found: tuple[dict[str, Any], ...] = _tuples(_content(SHIPPED / f"{other}{SUFFIX}")["methods"])
    return found


def _content(path: Path) -> dict[str, Any]:
    """What a protocol's file says."""
    try:
        return tomllib.loads(read_regular(path, MOST_BYTES).decode())
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is no TOML: {error}") from None


def _tuples(value: Any) -> Any:
    """``value`` with its lists as tuples, which cannot change."""
    if isinstance(value, dict):
        return {name: _tuples(item) for name, item in value.items()}
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
