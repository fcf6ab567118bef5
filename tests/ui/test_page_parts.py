"""What the page is made of, without a browser: fields, links, blocks of bytes, answers, worker, the server's door."""

import socket
import threading
import time
from concurrent.futures import Future
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from plain_rules import rules_without_parts

from workbench.engine.digits import figure
from workbench.engine.models.parts import Parts
from workbench.engine.steering.rules import RULES
from workbench.engine.tasks.registry import make_task
from workbench.ui.canvas.frames import pack, unpack
from workbench.ui.canvas.stage import frame_of, truth_of
from workbench.ui.controls.equations import equations_of
from workbench.ui.controls.rule import RuleControls
from workbench.ui.notebook import rule_controls
from workbench.ui.pages.particles.page import ParticlesPage
from workbench.ui.serve import check_free
from workbench.ui.server.parts_cache import Cache, Latest
from workbench.ui.shell.page import read_arguments, write_arguments
from workbench.views.caller import NOBODY, OvertakenError
from workbench.views.episodes import play
from workbench.views.fields import fields_of, log_stops
from workbench.views.links import read_link, write_link
from workbench.views.particles import check_size
from workbench.views.presets import PRESETS, tell
from workbench.views.question import Policy, Question, Scene, answer, landscape, shared_noise

ALL = [(rule, field) for rule in RULES.values() for field in fields_of(rule)]


@pytest.fixture(scope="module")
def bandit() -> tuple[object, Parts]:
    task = make_task("bandit2d")
    return task, task.parts()


@pytest.mark.parametrize(("rule", "field"), ALL, ids=[f"{rule.name}-{field.name}" for rule, field in ALL])
def test_a_field_s_stops_are_valid_settings(rule, field) -> None:
    assert field.default in field.stops
    assert field.meaning
    assert list(dict.fromkeys(field.stops)) == list(field.stops)
    for stop in (field.stops[0], field.stops[len(field.stops) // 2], field.stops[-1]):
        assert getattr(rule(**{field.name: stop}), field.name) == stop
        assert field.read(str(stop)) == stop


def test_a_rule_s_strength_comes_first() -> None:
    for rule in RULES.values():
        assert fields_of(rule)[0].name == rule.strength


def test_log_stops_keep_zero_exactly_and_grow_by_ratios() -> None:
    stops = np.array(log_stops(0.0, 1e4, 0.3))
    assert stops[0] == 0.0
    assert stops[-1] == 1e4
    assert 0.3 in stops
    assert (stops[2:] / stops[1:-1]).max() < 1.4


@pytest.mark.parametrize("text", ["nan", "inf", "-1", "1e9", "", "0x", "true"])
def test_a_field_refuses_what_it_cannot_hold(text: str) -> None:
    weight = fields_of(RULES["qgf"])[0]
    with pytest.raises(ValueError, match="weight"):
        weight.read(text)


def test_links_round_trip() -> None:
    vgf, qgf = Policy("vgf", {"steps": 7, "ascent": "plain", "alpha": 0.07}), Policy("qgf", {"weight": 2.0})
    for question in (
        Question("three_exits", (vgf, qgf), 3, 512, (0.5, -0.25, 0.1, -0.2)),
        Question("bandit2d", (vgf, Policy("vgf", {"steps": 30})), 3, 512, (0.0,), (0.25, -0.5)),
        Question("bandit1d", (qgf,), 0, 32, (0.0,), (-1.0,)),
    ):
        link = write_arguments(write_link(question))
        assert read_link(read_arguments(link)) == (question, [])


@given(
    st.dictionaries(
        st.sampled_from(["task", "rule", "rule2", "seed", "shown", "weight", "x", "vy", "pick", "steps2", "peak"]),
        st.text(max_size=8),
    )
)
def test_no_link_is_too_broken(arguments: dict[str, str]) -> None:
    question, problems = read_link(arguments)
    assert [policy.make().name for policy in question.policies] == [policy.rule for policy in question.policies]
    assert all(isinstance(problem, str) for problem in problems)
    assert np.isfinite(question.state).all()


def test_a_broken_link_says_what_it_could_not_read() -> None:
    question, problems = read_link({"task": "maze", "rule": "qgf", "weight": "lots", "seed": "-4"})
    assert (question.task, question.seed, question.policies) == ("bandit2d", 0, (Policy("qgf"),))
    assert len(problems) == 3
    assert "weight is a number, got 'lots'" in problems


def test_blocks_round_trip() -> None:
    arrays = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "empty": np.zeros((0, 2), np.float32)}
    header, back = unpack(pack({"name": "δ", "list": [1, None]}, arrays))
    assert header == {"name": "δ", "list": [1, None]}
    for name, array in arrays.items():
        np.testing.assert_array_equal(back[name], array)


def test_numbers_read_well() -> None:
    assert [figure(value) for value in (-0.001, -1.5, 12345.0, float("nan"))] == [
        "0.00",
        "−1.50",
        "12,345",
        "not finite",
    ]


def test_more_particles_keep_those_that_were_there() -> None:
    few, many = shared_noise(5, 4, 8, 2), shared_noise(5, 64, 4, 2)
    torch.testing.assert_close(few.start.flatten(0, 1), many.start.flatten(0, 1)[:32], rtol=0, atol=0)
    torch.testing.assert_close(few.choice.flatten(), many.choice.flatten()[:32], rtol=0, atol=0)


@pytest.mark.parametrize("rule", rules_without_parts())
def test_an_answer_measures_every_rule_against_the_same_noise(bandit, rule: str) -> None:
    task, parts = bandit
    found = answer(Question("bandit2d", (Policy(rule), Policy("vgf")), 0, 64), parts, task)
    behaviour, steered, _ = found.numbers
    assert (behaviour.shift, behaviour.displacement, behaviour.transport) == (0.0, 0.0, 0.0)
    assert found.displacement[1][0] == 0.0
    assert found.displacement[1][-1] == pytest.approx(steered.displacement, abs=1e-6)
    # The header and the arrays of the frame say the same as the traces; the terms of a particle add up to its way.
    header, arrays = unpack(frame_of(found, None, 1, selected=5))
    assert [spec["name"] for spec in header["stages"]] == ["bc", rule, "vgf"]
    assert arrays["positions1"].shape == (found.traces[1].positions.shape[0], header["stages"][1]["count"], 2)
    velocity = header["stages"][0]["terms"].index("velocity")
    way = np.diff(arrays["positions0"][:, 5], axis=0)[:-1]  # the last step is clipped
    np.testing.assert_allclose(arrays["terms0"][:-1, velocity], way, atol=1e-6)
    assert unpack(truth_of(landscape(parts, (0.0,)), found))[0]["kind"] == "truth"


@pytest.mark.parametrize("rule", rules_without_parts())
def test_at_zero_strength_nothing_moves(bandit, rule: str) -> None:
    task, parts = bandit
    found = answer(Question("bandit2d", (Policy(rule, dict(RULES[rule].bc_at)),), 0, 64), parts, task)
    assert found.numbers[1].shift == 0.0
    assert found.numbers[1].displacement == 0.0


def test_a_scene_keeps_the_behaviour_flow_while_only_a_setting_changes(bandit) -> None:
    task, parts = bandit
    scene = Scene()

    def ask(weight: float, seed: int = 0):
        policies = (Policy("qgf", {"weight": weight}), Policy("vgf"))
        return scene.answer(Question("bandit2d", policies, seed, 64), parts, task)

    first, second, other = ask(0.1), ask(3.0), ask(3.0, 1)
    assert second.traces[0] is first.traces[0]
    assert other.traces[0] is not first.traces[0]
    fresh = answer(second.question, parts, task)
    assert [numbers.shift for numbers in fresh.numbers] == [numbers.shift for numbers in second.numbers]
    elsewhere = replace(other.question, peak=(-0.5, 0.2))
    moved, fresh = (one.answer(elsewhere, *elsewhere.posed(parts, task)) for one in (scene, Scene()))
    assert moved.traces[0].positions is other.traces[0].positions
    assert moved.numbers == fresh.numbers
    assert moved.numbers[0].promised != other.numbers[0].promised
    for kept, made in zip(moved.promised, fresh.promised, strict=True):
        np.testing.assert_array_equal(kept, made)


def test_the_displacement_s_standard_error_is_that_of_other_noise_seeds(bandit) -> None:
    task, parts = bandit
    for policy in (Policy("qgf"), Policy("vgf", {"particles": 8})):
        found = [answer(Question("bandit2d", (policy,), seed, 256), parts, task).numbers[1] for seed in range(16)]
        spread = np.std([numbers.displacement for numbers in found], ddof=1)
        told = np.mean([numbers.displacement_error for numbers in found])
        assert 0.55 < told / spread < 1.8  # a standard deviation of 16 draws is known to 18%
    alone = answer(Question("bandit2d", (Policy("vgf", {"particles": 32}),), 0, 32), parts, task).numbers[1]
    assert np.isnan(alone.displacement_error)


def test_lost_modes_are_counted(bandit) -> None:
    """Best of 256 always takes the better lobe: all in support, one of two modes; a room's coverage falls alike."""
    task, parts = bandit
    policies = (Policy("best_of_n", {"particles": 64}), Policy("qgf", {"weight": 0.1}))
    best, gentle = answer(Question("bandit2d", policies, 0, 1024), parts, task).numbers[1:]
    assert (best.covered, best.modes) == (1, 2)
    assert (gentle.covered, gentle.modes) == (2, 2)

    class Unknown:  # a task that says nothing about its support
        pass

    best, gentle = answer(Question("bandit2d", policies, 0, 1024), parts, Unknown()).numbers[1:]
    assert best.modes is None
    assert best.covered < 0.6 < gentle.covered


def test_a_picture_that_would_take_minutes_is_refused_with_the_cure() -> None:
    settings = {"particles": 1024, "steps": 200, "flow_steps": 100}
    with pytest.raises(ValueError, match=r"1024 particles.*take at most \d+ particles"):
        check_size(Question("bandit2d", (Policy("vgf", settings),), shown=1024))
    check_size(Question("bandit2d", (Policy("vgf"), Policy("best_of_n", {"particles": 256})), shown=1024))


@pytest.mark.parametrize("rule", [name for name in rules_without_parts() if name != "bc"])
def test_presets_set_any_rule_to_the_same_distance(bandit, rule: str) -> None:
    task, parts = bandit
    question = Question("bandit2d", (Policy(rule),), 0, 128)
    shifts = {}
    for name in ("cautious", "too_far"):
        numbers = answer(tell((name, question), parts, task, NOBODY), parts, task).numbers[1]
        shifts[name] = max(numbers.displacement, numbers.shift)
    assert shifts["too_far"] > shifts["cautious"]


def test_presets_tell_their_story_with_qgf(bandit) -> None:
    task, parts = bandit
    question = Question("bandit2d", (Policy("qgf"),), 0, 512)
    found = {
        name: answer(tell((name, question), parts, task, NOBODY), parts, task).numbers for name in list(PRESETS)[:3]
    }
    behaviour = found["cautious"][0].earned
    rewards = {name: numbers[1].earned for name, numbers in found.items()}
    promises = {name: numbers[1].promised for name, numbers in found.items()}
    assert behaviour < rewards["cautious"] < rewards["balanced"]
    assert rewards["too_far"] < behaviour  # the critic is exploited: it promises more than ever
    assert promises["too_far"] > promises["balanced"]


def test_a_symbol_is_marked_in_its_equation() -> None:
    plain, marked = "".join(equations_of(RULES["vgf"])), "".join(equations_of(RULES["vgf"], "α"))
    assert plain.count('class="on"') == 0
    assert marked.count('class="on"') == 1
    assert "".join(equations_of(RULES["qgf"], "w")).count('class="on"') == 1
    assert equations_of(RULES["qgf"], "Z") == equations_of(RULES["qgf"])


def test_a_rule_without_its_part_fails_in_words(bandit) -> None:
    task, parts = bandit
    with pytest.raises(ValueError, match="needs part 'critic'"):
        answer(Question("bandit2d", (Policy("qgf"),)), Parts(1, 2, parts.reference), task)


def test_standing_in_lava_is_moved_out() -> None:
    stand = make_task("three_exits").stand
    assert stand((0.0, 0.2, 5.0, -5.0)) == (0.0, 0.25, 2.0, -2.0)
    assert stand((9.0, -9.0, 0.0, 0.0)) == (0.97, -0.97, 0.0, 0.0)


def test_episodes_end_when_they_are_overtaken(bandit) -> None:
    _, parts = bandit
    with pytest.raises(OvertakenError):
        play(RULES["bc"](), parts, make_task("three_exits"), (0.0, -0.8, 0.0, 0.0), 0, 4, lambda: True)


def test_only_the_newest_question_is_answered() -> None:
    gate, answers = threading.Event(), []

    def work(question: int) -> int:
        gate.wait(5)
        return question

    latest: Latest[int, int] = Latest(work, lambda question, result, error: answers.append(result))
    for question in range(5):
        latest.ask(question)
    gate.set()
    while latest.busy:
        time.sleep(0.01)
    assert answers == [0, 4]


def test_a_failing_answer_is_delivered_and_the_next_one_comes() -> None:
    results: list[object] = []
    done = Future()

    def deliver(question, result, error) -> None:
        results.append(error or result)
        if question == 2:
            done.set_result(None)

    latest: Latest[int, float] = Latest(lambda question: 1 / (question - 1), deliver)
    latest.ask(1)
    while latest.busy:
        time.sleep(0.01)
    latest.ask(2)
    done.result(5)
    assert isinstance(results[0], ZeroDivisionError)
    assert results[1] == 1.0


def test_parts_are_made_once_and_a_failure_is_told() -> None:
    calls, made = [], Parts(4, 2, reference=lambda s, a, t: -a)

    def build(task, report):
        calls.append(task.info.name)
        if len(calls) == 1:
            raise OSError("disk full")
        report(0.5)
        return made

    cache = Cache(build)
    with pytest.raises(RuntimeError, match=r"^disk full"):
        cache.wait("three_exits")
    cache.retry("three_exits")
    found = cache.wait("three_exits")
    assert found is cache.wait("three_exits")
    assert found.reference is made.reference
    assert found.data is not None  # so that support can be measured
    assert calls == ["three_exits", "three_exits"]
    with pytest.raises(ValueError, match="did you mean 'bandit2d'"):
        cache.status("bandit2")


@pytest.mark.parametrize("rule", RULES)
def test_controls_report_every_setting(rule: str) -> None:
    controls = RuleControls(RULES[rule], {})
    assert RULES[rule](**controls.values) == RULES[rule]()
    strength = controls.widgets[RULES[rule].strength]
    strength.slider.value += 1
    assert (
        controls.values[RULES[rule].strength]
        == strength.value
        != RULES[rule].model_fields[RULES[rule].strength].default
    )
    for name in (field.name for field in fields_of(RULES[rule])):
        assert set(rule_controls(rule)) == set(controls.widgets), name


def test_a_page_shows_a_failing_rule_as_words(bandit) -> None:
    _, parts = bandit
    page = ParticlesPage({"rule": "qgf"}, Cache(lambda task, report: Parts(1, 2, parts.reference)))
    # bandit2d has parts of its own; the stand-in cache builds through `build` all the same.
    deadline = time.monotonic() + 20
    while not page.stages.notice and time.monotonic() < deadline:
        time.sleep(0.02)
    assert page.stages.notice["kind"] == "error"
    assert "needs part 'critic'" in page.stages.notice["text"]


def test_a_used_port_is_refused_with_the_cure() -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        with pytest.raises(OSError, match=f"port {port} is in use.*--port {port + 1}"):
            check_free("127.0.0.1", port)


def test_what_is_being_made_stops_when_the_server_does() -> None:
    begun = threading.Event()

    def build(task: object, report: object) -> Parts:
        while True:
            begun.set()
            report(0.5)
            time.sleep(0.01)

    cache = Cache(build)
    status = cache.status("three_exits")
    assert begun.wait(5)
    cache.close()
    assert not any(thread.is_alive() for thread in cache._threads)
    assert status.error == "the server is stopping"
