"""The bench of a lesson: presets set the controls and steer once, and a line of words follows the particles."""

from pathlib import Path

import nbformat
import pytest
import torch

import workbench as wb
from workbench.ui.notebook import Bench

PRESETS = {"far": {"steps": 7, "repulsion": "none"}, "near": {"steps": 1}}


@pytest.fixture
def bench():
    return Bench(
        "bandit2d", "vgf", ["steps", "repulsion"], shown=32, presets=PRESETS, say=lambda t: f"<{t.settings['steps']}>"
    )


def test_it_opens_on_the_first_preset(bench):
    assert bench.settings["steps"] == 7  # between two stops of the slider: it becomes one
    assert bench.settings["repulsion"] == "none"
    assert bench.said.object == "&lt;7&gt;"


def test_a_preset_sets_the_controls_and_steers_once(bench):
    version = bench._version
    bench.preset.value = "near"
    assert bench.settings["steps"] == 1
    assert bench.settings["repulsion"] == "none"  # what a preset does not name stays
    assert bench.controls["steps"].slider.value == bench.controls["steps"].stops.index(1)
    assert bench._version == version + 1
    assert bench.said.object == "&lt;1&gt;"


def test_a_control_still_works_after_a_preset(bench):
    bench.preset.value = "near"
    bench.controls["repulsion"].value = "published"
    assert bench.answer.traces[1].settings["repulsion"] == "published"


def test_the_words_are_on_paper_too(bench):
    plain = Bench("bandit2d", "vgf", ["steps", "repulsion"], shown=32, steps=7, repulsion="none")
    assert bench.still() != plain.still()


def test_a_preset_of_something_without_a_control_is_refused():
    with pytest.raises(ValueError, match="a preset sets 'alpha', which has no control here"):
        Bench("bandit2d", "vgf", ["steps"], presets={"x": {"alpha": 1.0}})
    with pytest.raises(ValueError, match="has no setting 'alfa'"):
        Bench("bandit2d", "vgf", ["steps"], presets={"x": {"alfa": 1.0}})


def test_the_bench_of_lesson_5_opens_where_its_text_is_true(root: Path):
    """Its own cells: settled, small α gathers; settled, large α is wide; without repulsion nothing is left of the spread."""
    cells = {cell.id: cell.source for cell in nbformat.read(root / "notebooks" / "05_vgf.ipynb", as_version=4).cells}
    names = {"wb": wb, "Bench": Bench, "torch": torch}
    for name in ("lesson05-31", "lesson05-35", "lesson05-11"):
        exec(cells[name], names)  # noqa: S102  (our own lesson)
    bench, found = names["bench"], {}
    for preset in bench.presets:
        bench.preset.value = preset
        found[preset] = names["spread"](bench.answer.traces[1].positions[-1])
    assert bench.settings["pick"] == "uniform"
    assert next(iter(found)) == "settled, small α"
    small, large, none = found["settled, small α"], found["settled, large α"], found["without repulsion"]
    assert small[1] < 0.2 < 0.5 < large[1]
    assert large[0] > small[0] + 0.3
    assert none[1] < 0.05
    once = [found[f"Adam, one step, {size} α"][0] for size in ("small", "large")]
    assert abs(once[0] - once[1]) < 0.1
    assert found["Adam, ten steps, large α"][0] > large[0] + 0.2
