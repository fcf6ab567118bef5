"""A job's key: the same job in another spelling has the same key, another job another one."""

import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.engine.steering.rules import RULES
from workbench.experiments.canonical import canonical_json, key_of
from workbench.experiments.job import SETS, Data, Job, job_of, make_job
from workbench.experiments.sweep import record_of


def test_defaults_are_filled_in() -> None:
    bare = make_job(task="three_exits", rule="qgf")
    assert bare.settings["weight"] == 0.3
    assert bare.training["hidden"] == [64, 64]  # the task's own default
    full = make_job(task="three_exits", rule="qgf", settings=bare.settings, training=bare.training)
    assert full == bare
    assert full.key == bare.key
    assert bare.key == make_job(task="three_exits", rule="qgf", settings={"weight": 0.3, "pick": "greedy"}).key


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_makes_a_job_that_survives_json(rule: str) -> None:
    job = make_job(task="three_exits", rule=rule, seed=3)
    record = json.loads(json.dumps(record_of(job)))
    assert job_of(record) == job
    assert job_of(record).key == job.key == record["key"]


def test_numbers_have_one_spelling() -> None:
    keys = {make_job(task="three_exits", rule="qgf", settings={"weight": w}).key for w in (1, 1.0, "1", 1.0e0)}
    assert len(keys) == 1
    zero = {make_job(task="three_exits", rule="qgf", settings={"weight": w}).key for w in (0, 0.0, -0.0)}
    assert len(zero) == 1


CHANGES: list[dict[str, Any]] = [
    {"task": "bandit2d"},
    {"rule": "noisy"},
    {"settings": {"weight": 0.31}},
    {"training": {"steps": 3999}},
    {"training": {"critic": "td_vgf"}},
    {"seed": 1},
    {"episodes": 501},
    {"data": Data(fingerprint="f" * 64)},
]


def test_every_difference_makes_another_key() -> None:
    base = {"task": "three_exits", "rule": "qgf"}
    jobs = [make_job(**base), *(make_job(**base | change) for change in CHANGES)]
    assert len({job.key for job in jobs}) == len(jobs)


def test_where_the_data_lie_does_not_matter() -> None:
    jobs = [make_job(task="three_exits", rule="qgf", data=Data(fingerprint="f" * 64, folder=place)) for place in "ab"]
    assert jobs[0].key == jobs[1].key
    assert jobs[0].training_key == jobs[1].training_key


def test_training_is_shared_by_rules_and_settings() -> None:
    jobs = [make_job(task="three_exits", rule=rule) for rule in RULES]
    jobs += [make_job(task="three_exits", rule="qgf", settings={"weight": 3.0}, episodes=7)]
    assert len({job.training_key for job in jobs}) == 1
    others = [{"seed": 1}, {"training": {"tau": 0.1}}, {"task": "bandit2d"}, {"data": Data(fingerprint="0")}]
    keys = {make_job(**{"task": "three_exits", "rule": "qgf"} | other).training_key for other in others}
    assert len(keys | {jobs[0].training_key}) == 5


def test_choosing_and_reporting_never_share_a_seed() -> None:
    seeds = [make_job(task="three_exits", rule="bc", seed=seed).evaluation_seeds() for seed in (0, 1, 499_999_999)]
    chosen, reported = {s["choose"] for s in seeds}, {s["report"] for s in seeds}
    assert not chosen & reported
    assert max(chosen) < min(reported)
    assert set(SETS) == {"choose", "report"}


@pytest.mark.parametrize(
    ("given_", "words"),
    [
        ({"task": "three_exitz"}, "did you mean 'three_exits'"),
        ({"rule": "qfg"}, "did you mean 'qgf'"),
        ({"settings": {"wieght": 1}}, "did you mean 'weight'"),
        ({"settings": {"weight": -1}}, "allowed: 0 to 10000"),
        ({"training": {"stepz": 1}}, "did you mean 'steps'"),
        ({"training": {"seed": 1}}, "the seed is the job's own"),
        ({"episodes": 0}, "'episodes' of a job"),
        ({"seed": -1}, "'seed' of a job"),
    ],
)
def test_wrong_jobs_are_refused_in_words(given_: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError) as caught:
        make_job(**{"task": "three_exits", "rule": "qgf"} | given_)
    assert words in str(caught.value)
    assert "pydantic" not in str(caught.value)


def test_a_record_of_another_version_is_refused() -> None:
    record = record_of(make_job(task="three_exits", rule="qgf"))
    with pytest.raises(ValueError, match="run the sweep's command again"):
        job_of(record | {"key": "0" * 20})


def test_changed_settings_and_the_strength_are_what_a_list_shows() -> None:
    job = make_job(task="three_exits", rule="qgf", settings={"particles": 4}, training={"critic": "td_vgf", "tau": 0.1})
    assert job.changed() == {
        "settings": {"particles": 4, "weight": 0.3},
        "training": {"critic": "td_vgf", "tau": 0.1},
    }
    assert make_job(task="three_exits", rule="bc").changed() == {"settings": {}, "training": {}}


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-9, 9)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)


@given(JSON, st.integers(0, 2**16))
def test_canonical_json_ignores_the_order_of_names_and_nothing_else(value: Any, seed: int) -> None:
    def shuffled(item: Any) -> Any:
        if isinstance(item, dict):
            names = list(item)
            random.Random(seed).shuffle(names)
            return {name: shuffled(item[name]) for name in names}
        return [shuffled(part) for part in item] if isinstance(item, list) else item

    assert canonical_json(shuffled(value)) == canonical_json(value)
    assert json.loads(canonical_json(value)) == value
    assert key_of([value]) != key_of([value, 0])


def test_what_json_cannot_say_has_no_key() -> None:
    with pytest.raises(ValueError, match="JSON"):
        key_of(float("nan"))


def test_a_job_is_frozen() -> None:
    job = make_job(task="three_exits", rule="qgf")
    with pytest.raises(ValueError, match="frozen"):
        job.seed = 3  # type: ignore[misc]
    assert isinstance(job, Job)
