"""Protocols and suites: every field is checked, what is done is never done again, and the tables come of the results alone."""

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from experiments.tiny_suite import tiny_suite

from workbench.engine.steering.rules import RULES
from workbench.engine.training.losses import BEHAVIOURS
from workbench.engine.words import UserError
from workbench.experiments.place import never
from workbench.experiments.serial import Serial
from workbench.experiments.store import Store
from workbench.experiments.suites.protocol import SHIPPED, Protocol, load_protocol, read_protocol, shipped_protocols
from workbench.experiments.suites.run import (
    board_of_suite,
    estimate_of,
    generate_data,
    plan_of,
    run_suite,
    summary_of,
)
from workbench.experiments.sweep import record_of
from workbench.report.suite import write_suite_markdown, write_suite_page

TINY = tiny_suite()


def tiny() -> Protocol:
    return read_protocol("tiny", tomllib.loads(TINY))


@pytest.mark.parametrize("name", shipped_protocols())
def test_every_shipped_protocol_can_be_planned(name: str) -> None:
    pytest.importorskip("ogbench")
    pytest.importorskip("gymnasium_robotics")
    protocol = load_protocol(name)
    plan = plan_of(protocol.model_copy(update={"seeds": protocol.seeds[:1]}))
    assert len(plan) == len(protocol.methods) * len(protocol.tasks)
    for (method, task), jobs in plan.items():
        assert {job.seed for job in jobs} == {protocol.seeds[0]}, (method, task)
        assert len({job.key for job in jobs}) == len(jobs)


def test_the_laptop_protocol_is_as_large_as_it_says_and_takes_an_hour() -> None:
    pytest.importorskip("ogbench")
    protocol = load_protocol("laptop")
    assert len(protocol.tasks) >= 6
    assert len(protocol.methods) >= 10
    assert len(protocol.seeds) >= 3
    seconds = estimate_of(protocol).seconds
    assert seconds is not None
    assert seconds / 2 <= 3600  # on two cores
    assert len({jobs[0].rule for jobs in plan_of(protocol).values()}) >= 10


def test_the_protocol_of_all_methods_has_every_rule_and_critic() -> None:
    methods = load_protocol("methods").methods
    assert {method.rule for method in methods} == set(RULES)
    assert {method.training.get("critic", "iql") for method in methods} >= {"iql", "td_actor", "floq"}
    assert {method.training.get("behaviour", "flow_matching") for method in methods} == set(BEHAVIOURS)


@pytest.mark.parametrize("name", ["methods", "methods-larger"])
def test_every_method_that_steers_has_strengths_to_choose_from(name: str) -> None:
    """At one strength nobody can tell a method that does not learn from a strength that does not suit the task. Two of the
    dearest to play have one all the same: they learn it at that.
    """
    protocol = load_protocol(name)
    steered = [one.label for one in protocol.methods if one.rule not in ("bc", "bptt", "qpilots_m")]
    for (method, _), jobs in plan_of(protocol.only(steered)).items():
        seeds = [job.seed for job in jobs]
        assert all(seeds.count(seed) > 1 for seed in protocol.seeds), method


def test_the_larger_protocol_shares_what_it_can_with_the_one_of_all_methods() -> None:
    whole, larger = plan_of(load_protocol("methods")), plan_of(load_protocol("methods-larger"))
    same = {
        labels for labels in larger if {job.key for job in larger[labels]} == {job.key for job in whole.get(labels, [])}
    }
    assert {method for method, _ in same} == {"BC", "QGF", "Q-chunking", "Q-chunking with FQL", "floq, FQL"}


def test_how_much_it_is() -> None:
    found = estimate_of(tiny())
    # plane: flow 2 jobs, QGF 2 × 2 of twice the time; line: 2, and 2 of twice the time; a training a task and seed
    assert (found.jobs, found.trainings) == (2 + 4 + 2 + 2, 4)
    assert found.seconds == pytest.approx(2 * 3.0 + 0.5 * (2 + 2 * 4) + 7.0 + 2 * 1.0 + 0.25 * (2 + 2 * 2))
    assert summary_of(tiny())["core_seconds"] == found.seconds


def borrowing(text: str, name: str) -> str:
    """The protocol ``text`` with the methods of another one."""
    head, _, rest = text.partition("[[methods]]")
    return f"methods = '{name}'\n{head}[[tasks]]{rest.partition('[[tasks]]')[2]}"


def test_a_protocol_takes_the_methods_of_another_and_changes_what_its_task_needs() -> None:
    text = borrowing(TINY, "methods").replace('"flow"', '"BC"')
    text = text.replace(
        "{ QGF = [0.5] }", "{ QGF = [0.5] }\nsettings = { VGF = { ascent = 'adam' }, QGF = { particles = 2 } }"
    )
    protocol, lender = read_protocol("x", tomllib.loads(text)), load_protocol("methods")
    assert protocol.methods == lender.methods
    plan = plan_of(protocol.only(("VGF", "QGF")))
    assert set(plan) == {(method, task) for method in ("QGF", "VGF") for task in ("plane", "line")}
    assert {job.settings["particles"] for job in plan["QGF", "line"]} == {2}
    assert {job.settings["particles"] for job in plan["QGF", "plane"]} == {1}
    assert [job.settings["ascent"] for job in plan["VGF", "line"]] == ["adam"] * len(plan["VGF", "line"])
    (ascent,) = {job.settings["ascent"] for job in plan["VGF", "plane"]}
    assert ascent == "plain", "elsewhere the method's own"
    assert {job.settings["step_size"] for (method, _), jobs in plan.items() if method == "VGF" for job in jobs} == {
        0.002
    }


def test_some_methods_alone() -> None:
    protocol = tiny()
    assert protocol.only(()) == protocol
    assert protocol.only(["QGF"]).labels == ("QGF",)
    with pytest.raises(UserError, match="protocol 'tiny' has no method 'qgf'; did you mean 'QGF'"):
        protocol.only(["flow", "qgf"])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda text: text.replace("episodes = 4", "episodes = 0"), "'episodes' of protocol 'x'"),
        (lambda text: text.replace("episodes = 4", 'episodes = "4"'), "'episodes' of protocol 'x'"),
        (lambda text: text.replace("seeds = [0, 1]", "seeds = []"), "'seeds' of protocol 'x'"),
        (lambda text: text.replace("seeds = [0, 1]", "seeds = [0.5]"), "'seeds' of protocol 'x'"),
        (lambda text: "seeeds = [1]\n" + text, "has no setting 'seeeds'; did you mean 'seeds'?"),
        (lambda text: 'name = "y"\n' + text, "its file's name is its own"),
        (lambda text: text.replace('rule = "qgf"', 'rule = "qfg"'), "no rule named 'qfg'; did you mean 'qgf'?"),
        (lambda text: text.replace('rule = "qgf"', 'rulle = "qgf"'), "entry 2 of [[methods]]"),
        (lambda text: text.replace("[0.1, 1]", "[0.1, true]"), "'strengths' of entry 2 of [[methods]]"),
        (lambda text: text.replace("[0.1, 1]", "[]"), "'strengths' of entry 2 of [[methods]]"),
        (lambda text: text.replace("[0.1, 1]", "[0.1, -1]"), "weight"),
        (lambda text: text.replace('task = "bandit2d"', 'task = "bandit3d"'), "no task named 'bandit3d'"),
        (lambda text: text.replace("steps = 20", "stepps = 20"), "no setting 'stepps'"),
        (lambda text: text.replace('label = "QGF"', 'label = "flow"'), "two methods labelled 'flow'"),
        (lambda text: text.replace('label = "line"', 'label = "plane"'), "two tasks labelled 'plane'"),
        (lambda text: text.replace('reference = "flow"', 'reference = "flo"'), "did you mean 'flow'?"),
        (lambda text: text.replace("low = -1.0", "low = 1.0"), "high must be above low"),
        (lambda text: text.replace("{ QGF =", "{ QFG ="), "strengths for 'QFG'"),
        (
            lambda text: text + "settings = { QFG = { pick = 'greedy' } }",
            "settings for 'QFG', which is none of the methods",
        ),
        (lambda text: text + "settings = { QGF = { pikc = 'greedy' } }", "no setting 'pikc'; did you mean 'pick'?"),
        (lambda text: text + "settings = { QGF = 3 }", "'settings' of entry 2 of [[tasks]]"),
        (
            lambda text: borrowing(text, "methds"),
            "no shipped protocol with [[methods]] of its own; did you mean 'methods'?",
        ),
        (lambda text: borrowing(text, "methods-maze"), "no shipped protocol with [[methods]] of its own"),
        (
            lambda text: text.replace("[[methods]]", "[methods]", 1).replace("[[methods]]", "[other]"),
            "tables of their own",
        ),
        (lambda text: text.replace("job = 0.5", "job = -0.5"), "'times' of entry 1 of [[tasks]]"),
    ],
)
def test_what_a_protocol_cannot_say(change: Callable[[str], str], words: str) -> None:
    changed = change(TINY)
    assert changed != TINY
    with pytest.raises(UserError) as refused:
        plan_of(read_protocol("x", tomllib.loads(changed)))
    assert words in str(refused.value)


def test_where_a_wrong_setting_stands() -> None:
    with pytest.raises(UserError) as refused:
        plan_of(read_protocol("x", tomllib.loads(TINY.replace("stepps", "steps").replace("hidden", "hiden", 1))))
    assert refused.value.__notes__ == ["in protocol 'x', method 'flow' on task 'plane'"]


def test_files(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="did you mean 'smoke'"):
        load_protocol("smok")
    with pytest.raises(UserError, match="no such file"):
        load_protocol(str(tmp_path / "x.toml"))
    file = tmp_path / "mine.toml"
    file.write_text("title = ", encoding="utf-8")
    with pytest.raises(UserError, match="is no TOML"):
        load_protocol(str(file))
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match="is no TOML"):
        load_protocol(str(file))
    file.write_text(TINY, encoding="utf-8")
    assert load_protocol(str(file)).name == "mine"
    assert set(shipped_protocols()) == {path.stem for path in SHIPPED.glob("*.toml")} >= {"smoke", "laptop"}


MAZE = """
title = "Maze"
summary = "Data that are made once."
seeds = [0]
episodes = 1
reference = "flow"

[[methods]]
label = "flow"
rule = "bc"

[[tasks]]
label = "one"
task = "ogbench/pointmaze-medium-navigate-singletask-task1-v0"
measure = "success"
rows = 300

[[tasks]]
label = "two"
task = "ogbench/pointmaze-medium-navigate-singletask-task2-v0"
measure = "success"
rows = 300
"""


def test_data_are_made_once_and_named_by_what_they_hold(tmp_path: Path) -> None:
    pytest.importorskip("ogbench")
    protocol = read_protocol("maze", tomllib.loads(MAZE))
    heard = []
    data = generate_data(protocol, tmp_path / "data", lambda task, done, rows: heard.append((task.label, done, rows)))
    assert heard[-1] == ("one", 330, 330)  # a tenth more, to validate on; the second task has the same dataset
    (folder,) = (tmp_path / "data").iterdir()
    assert folder.name == "pointmaze-medium-navigate-v0-300"
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert generate_data(protocol, tmp_path / "data") == data
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before
    assert data["one"].folder == data["two"].folder == str(folder)
    ((job,), (other,)) = (jobs for jobs in plan_of(protocol, data).values())
    assert job.data == data["one"]
    assert job.training_key != other.training_key
    walked = MAZE.replace("pointmaze-medium-navigate-singletask-task1", "antmaze-medium-navigate-singletask-task1")
    with pytest.raises(UserError, match="walk with policies that OGBench trained") as refused:
        generate_data(read_protocol("ants", tomllib.loads(walked)), tmp_path / "ants")
    assert "data of your own go to" in refused.value.__notes__[0]


def finish(protocol: Protocol, plan: Any, store: Store, should_stop: Callable[[], bool] = never) -> Any:
    *_, last = run_suite(protocol, plan, store, Serial(), "workbench suite tiny", should_stop)
    assert last.errors == {}
    return last


def test_a_suite_goes_on_where_it_was_and_writes_its_tables(tmp_path: Path) -> None:
    protocol, store = tiny(), Store(tmp_path / "store", create=True)
    data = generate_data(protocol, tmp_path / "store" / "data")
    assert data == {}  # the bandits make theirs from the seed
    plan = plan_of(protocol, data)
    results = tmp_path / "store" / "runs"
    stopped = finish(protocol, plan, store, lambda: len(list(results.glob("*/result.json"))) >= 3)
    assert stopped.stopped
    assert stopped.done == 3
    before = {
        path.name: path.stat().st_mtime_ns
        for path in (tmp_path / "store" / "runs").iterdir()
        if (path / "result.json").is_file()
    }
    last = finish(protocol, plan, store)
    assert (last.done, last.total) == (10, 10)
    after = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "store" / "runs").iterdir()}
    assert {name: after[name] for name in before} == before
    finish(protocol, plan, store)
    assert {path.name: path.stat().st_mtime_ns for path in (tmp_path / "store" / "runs").iterdir()} == after

    board = board_of_suite(protocol, plan, store)
    assert (board.methods, board.tasks, board.reference) == (("flow", "QGF"), ("plane", "line"), "flow")
    assert {key: cell.chosen_from for key, cell in board.cells.items()} == {
        ("flow", "plane"): 1, ("QGF", "plane"): 2, ("flow", "line"): 1, ("QGF", "line"): 1,
    }  # fmt: skip
    cell = board.cells["flow", "line"]
    assert cell.scores == pytest.approx((cell.values + 1.0) / 2.0)
    assert cell.costs["training_seconds"] > 0.0
    page, text = tmp_path / "report.html", tmp_path / "tables.md"
    write_suite_page(protocol, board, ["workbench suite tiny --store S"], page)
    write_suite_markdown(protocol, board, ["workbench suite tiny --store S"], text)
    for content in (page.read_text(encoding="utf-8"), text.read_text(encoding="utf-8")):
        for words in (
            "Tiny",
            "All tasks together",
            "Task by task",
            "workbench suite tiny",
            f"{cell.value.mean:.2f}",
            "2 methods on 2 tasks",
        ):
            assert words in content, words
    assert "Performance profiles" in page.read_text(encoding="utf-8")


def test_a_table_of_half_a_suite_says_so(tmp_path: Path) -> None:
    protocol, store = tiny(), Store(tmp_path / "store", create=True)
    plan = plan_of(protocol)
    with pytest.raises(UserError, match="nothing of this has been measured"):
        board_of_suite(protocol, plan, store)
    half = {labels: jobs for labels, jobs in plan.items() if labels[1] == "plane"}
    finish(protocol, half, store)
    board = board_of_suite(protocol, plan, store)
    assert board.tasks == ("plane",)
    text = tmp_path / "tables.md"
    write_suite_markdown(protocol, board, ["x"], text)
    assert "not whole yet: 2 of 4 cells" in text.read_text(encoding="utf-8")


def test_a_method_of_which_a_strength_or_a_seed_is_still_to_be_played_is_not_in_the_table(tmp_path: Path) -> None:
    protocol, store = tiny(), Store(tmp_path / "store", create=True)
    plan = plan_of(protocol)
    begun = plan["QGF", "plane"]
    assert len({str(job.settings) for job in begun}) == 2
    finish(protocol, {("flow", "plane"): plan["flow", "plane"], ("QGF", "plane"): begun[:-1]}, store)
    assert list(board_of_suite(protocol, plan, store).cells) == [("flow", "plane")]
    store.fail(record_of(begun[-1]), "it diverged")
    board = board_of_suite(protocol, plan, store)  # nobody waits for what failed
    assert list(board.cells) == [("flow", "plane"), ("QGF", "plane")]


@pytest.mark.parametrize("name", ["{x}", "{}", "{0.__class__}", "{"])
def test_braces_in_a_name_are_part_of_the_name(name: str) -> None:
    content = tomllib.loads(TINY)
    with pytest.raises(UserError) as refused:
        read_protocol(name, content).only(["nobody"])
    assert f"protocol '{name}' has no method 'nobody'" in str(refused.value)
    with pytest.raises(UserError, match="'seeds' of protocol ") as refused:
        read_protocol(name, content | {"seeds": ["no number"]})
    assert f"'{name}'" in str(refused.value)
    content["tasks"][0] |= {"label": name, "strengths": {"nobody": [1.0]}}
    with pytest.raises(UserError) as refused:
        read_protocol("tiny", content)
    assert f"task '{name}' has strengths for 'nobody', which is none of the methods" in str(refused.value)
