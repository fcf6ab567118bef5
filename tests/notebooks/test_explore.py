"""`workbench.explore`: every rule has all of its controls, and the picture and its numbers follow them."""

import pytest
import torch
from plots.conftest import trained
from plots.test_result_pictures import run

import workbench as wb
from workbench.engine.steering.rules import RULES
from workbench.engine.training.loop.checkpoint import Run
from workbench.engine.words import UserError
from workbench.ui.notebook import rule_controls
from workbench.ui.notebook.widgets import PAPER

__all__ = ["run", "trained"]  # fixtures


@pytest.fixture(scope="module")
def bandit():
    task = wb.make_task("bandit2d")
    return task, task.parts()


def test_it_follows_its_controls(bandit) -> None:
    task, parts = bandit
    explorer = wb.explore(parts, rule="qgf", task=task, shown=64)
    words, image = explorer.numbers.value, bytes(explorer._image.value)
    assert image.startswith(b"\x89PNG")
    weight = explorer.controls["weight"]
    weight.value = weight.options[-1][1]
    assert explorer.numbers.value != words
    assert bytes(explorer._image.value) != image
    assert explorer.answer.traces[1].settings["weight"] == weight.value
    assert "Earned here" in explorer.numbers.value
    explorer.seed.value = 7
    assert explorer.answer.traces[1].seed == 7


@pytest.mark.parametrize("name", [name for name in RULES if name != "bc"])
def test_every_rule_has_all_its_controls(trained, name: str) -> None:
    parts = trained["two"].parts()
    explorer = wb.explore(parts, rule=name, shown=16)
    assert set(explorer.controls) == set(RULES[name].model_fields) == set(rule_controls(name))
    assert next(iter(explorer.controls)) == RULES[name].strength
    assert explorer.answer.traces[1].settings == RULES[name]().model_dump()
    explorer.rule.value = "best_of_n" if name != "best_of_n" else "qgf"
    assert explorer.answer.traces[1].rule == explorer.rule.value
    assert set(explorer.controls) == set(RULES[explorer.rule.value].model_fields)


@pytest.mark.parametrize("shape", ["one", "two", "three", "chunk"])
def test_actions_of_every_shape(trained, shape: str) -> None:
    source = trained[shape]
    explorer = wb.explore(source, shown=16)
    assert len(explorer.state.options) == 60, "all different states of the data"
    before = explorer._image.value
    explorer.state.index = 5
    assert explorer._image.value != before
    shown = explorer.answer.traces[1].observations[0]
    torch.testing.assert_close(shown, torch.tensor(explorer.state.value))
    size = source.parts().action_dim
    assert len(explorer.dims) == (2 if size > 2 else 0)
    if size > 2:
        before = explorer._image.value
        explorer.dims[1].value = 2
        assert explorer._image.value != before
        explorer.dims[1].value = explorer.dims[0].value
        assert "two different coordinates" in explorer.numbers.value
        assert explorer.answer is None
        explorer.dims[1].value = 1
        assert explorer.answer is not None


def test_a_run_brings_its_task(run) -> None:
    explorer = wb.explore(wb.load_run(run), shown=16)
    assert "Earned here" in explorer.numbers.value


def test_a_critic_that_is_chosen_is_drawn(trained) -> None:
    explorer = wb.explore(trained["two"], shown=16)
    before = explorer._made[0]
    explorer.controls["critic"].value = "online"
    assert explorer._made[0] != before


def test_settings_states_and_coordinates_can_be_given(bandit, trained) -> None:
    _, parts = bandit
    explorer = wb.explore(parts, "vgf", state=[0.0], shown=16, steps=7, particles=4)
    assert explorer.controls["steps"].value == 7
    assert explorer.state.value == (0.0,)
    assert explorer.state not in explorer.children, "there is nothing to choose"
    assert [one.value for one in wb.explore(trained["three"], dims=(2, 0), shown=16).dims] == [2, 0]


def test_what_cannot_be_explored_is_refused_in_words(bandit) -> None:
    _, parts = bandit
    for call, words in (
        (lambda: wb.explore("bandit2d"), "takes a run or parts, got str: wb.explore"),
        (lambda: wb.explore(parts, "qfg"), "no rule named 'qfg'"),
        (lambda: wb.explore(parts, "bc"), "the behaviour flow is always shown"),
        (lambda: wb.explore(parts, "fql"), "part 'one_step' is missing"),
        (lambda: wb.explore(parts, wieght=1.0), "no setting 'wieght'"),
        (lambda: wb.explore(parts, weight=-1.0), "weight"),
        (lambda: wb.explore(parts, task="no_task"), "no_task"),
        (lambda: wb.explore(parts, state=[0.0, 0.0]), "state is the observation, 1 finite numbers"),
        (lambda: wb.explore(parts, dims=(0, 2)), "dims names one or two different coordinates"),
        (lambda: wb.explore(parts, shown=0), "1 to 4096; got 0"),
        (lambda: wb.explore(wb.Parts(1, 2, parts.reference)), "part 'critic' is missing"),
    ):
        with pytest.raises(UserError, match=words):
            call()


def test_on_paper_it_is_a_picture(bandit, monkeypatch: pytest.MonkeyPatch) -> None:
    explorer = wb.explore(bandit[1], shown=16)
    monkeypatch.setenv(PAPER, "1")
    assert explorer._repr_mimebundle_()["image/png"] == bytes(explorer._image.value)


def test_a_run_is_what_load_run_returns(trained) -> None:
    assert all(isinstance(run, Run) for run in trained.values())
