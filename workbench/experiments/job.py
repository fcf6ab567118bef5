"""A job: task × rule and its settings × training × evaluation × seed. Its key is the hash of its canonical JSON."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from workbench.engine.settings import make
from workbench.engine.steering.protocol import Rule
from workbench.engine.steering.rules import find_rule, make_rule
from workbench.engine.tasks.registry import make_task
from workbench.engine.training.config import config_class, make_config
from workbench.engine.training.plan import extra_parts
from workbench.engine.training.written import ALWAYS_WRITTEN, written
from workbench.engine.words import UserError
from workbench.experiments.canonical import key_of

# Evaluation seeds of the two disjoint sets. A budget is chosen on the first and reported on the second, always.
SETS = {"choose": 1_000_000_000, "report": 1_500_000_000}
IMPORTED = "imported"  # the training setting of jobs on a run that was imported: which one, and nothing else of it
SEEDS = 500_000_000  # of training; fewer than what lies between the two sets


class Data(BaseModel):
    """What a job trains on: the task's own data made from the job's seed, or a dataset in a folder.

    The fingerprint says which data, the folder where they lie; only the fingerprint is part of the key.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    fingerprint: str | None = Field(default=None, description="SHA-256 of the arrays; None: made by the task")
    folder: str | None = Field(default=None, description="where to find them")
    clip_actions: bool = Field(default=False, description="clip actions to [-1, 1] instead of refusing them")


class Job(BaseModel):
    """One training, one rule with its settings, evaluated on two sets of episodes.

    Settings that are left out are filled in with their defaults, so that a job spelled in another way is the same job.

    Attributes
    ----------
    task, rule : str
    settings : dict
        All settings of the rule.
    training : dict
        All training settings but the seed.
    data : Data
    episodes : int
        In each of the two sets.
    seed : int
        Of data, training and, through fixed offsets, the two sets of episodes: jobs with the same seed meet the same
        starts and the same noise.

    Raises
    ------
    UserError
        Unknown task, rule or setting, or a value out of bounds.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    task: str
    rule: str
    settings: dict[str, Any] = {}
    training: dict[str, Any] = {}
    data: Data = Data()
    episodes: int = Field(default=500, ge=1)
    seed: int = Field(default=0, ge=0, lt=SEEDS)

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, given: Any) -> Any:
        """Replace settings by all settings, in the types that the rule and the training declare."""
        if not isinstance(given, dict) or not {"task", "rule"} <= given.keys():
            return given
        task, rule = make_task(given["task"]), make_rule(given["rule"], **given.get("settings", {}))
        training = given.get("training", {})
        if "seed" in training:
            raise UserError("training setting 'seed' cannot be given here: the seed is the job's own")
        parts = {"parts": list(extra_parts(rule.needs))}
        if IMPORTED in training:
            if others := sorted(set(training) - {IMPORTED, "parts"}):
                raise UserError(
                    f"an imported run is not trained here, so 'fit.{others[0]}' means nothing; leave it out"
                )
            filled = {IMPORTED: str(training[IMPORTED])} | parts
            return given | {"settings": rule.written(), "training": filled}
        defaults = task.training_defaults(str(training.get("critic", "iql")))
        filled = written(make_config(**(defaults | training | parts)))
        filled.pop("seed")
        return given | {"settings": rule.written(), "training": filled}

    @cached_property
    def key(self) -> str:
        """Name of the job: the hash of what it is, wherever its data lie."""
        return key_of(self.model_dump(mode="json", exclude={"data": {"folder"}}))

    @cached_property
    def training_key(self) -> str:
        """Name of the training that the job needs, shared by all jobs of the same task, data, settings and seed.

        Parts beyond flow and critic are left out: training them changes nothing of the others. So are the settings that are
        written because such a part is trained (`written`), where they stand at their defaults.
        """
        if IMPORTED in self.training:
            return key_of({"task": self.task, IMPORTED: self.training[IMPORTED]})
        fields = config_class().model_fields
        training = {
            name: value
            for name, value in self.training.items()
            if name != "parts" and (name in ALWAYS_WRITTEN or value != fields[name].get_default())
        }
        data = self.data.model_dump(exclude={"folder"})
        return key_of({"task": self.task, "training": training, "data": data, "seed": self.seed})

    def family_key(self, parts: list[str]) -> str:
        """One name for all trainings that differ from the job's own, with ``parts``, in the seed alone."""
        training = self.training | {"parts": parts}
        return key_of({"task": self.task, "training": training, "data": self.data.model_dump(exclude={"folder"})})

    @property
    def parts(self) -> tuple[str, ...]:
        """Trained parts that the rule needs beyond flow and critic."""
        return tuple(self.training["parts"])

    def make_rule(self) -> Rule:
        """The rule, ready to steer."""
        return make_rule(self.rule, **self.settings)

    def evaluation_seeds(self) -> dict[str, int]:
        """The seeds of the two disjoint sets of episodes, by name."""
        return {name: base + self.seed for name, base in SETS.items()}

    def changed(self) -> dict[str, dict[str, Any]]:
        """Settings that differ from the rule's and the task's defaults, and the strength: what a list of runs shows."""
        kind = find_rule(self.rule)
        method = self.training.get("critic", "iql")
        critic = {} if method == "iql" else {"critic": method}
        usual = Job(task=self.task, rule=self.rule, training=critic)
        rule = {
            name: value
            for name, value in self.settings.items()
            if value != usual.settings.get(name) or (name == kind.strength and kind.bc_at != {})
        }
        training = {name: value for name, value in self.training.items() if value != usual.training.get(name)}
        return {"settings": rule, "training": critic | training}


def make_job(**given: Any) -> Job:
    """Build a `Job`; UserError says what is wrong, with the bounds or the nearest name."""
    return make(Job, given, "a job", "'{}' of a job")


def job_of(record: dict[str, Any]) -> Job:
    """The job that a store wrote down.

    Raises
    ------
    UserError
        It was written by a version whose settings this one does not know.
    """
    job = make_job(**record["job"])
    if job.key != record["key"]:
        raise UserError(
            f"job {record['key']} means something else in this version of the workbench (it would be {job.key}): "
            "run the sweep's command again, which makes new jobs"
        )
    return job
