import importlib
import re
from pathlib import Path

import pytest
import torch

from workbench.engine.tasks.abilities import ABILITIES, HasParts, HasPeak, HasTruth, KnowsSupport, abilities_of
from workbench.engine.tasks.film import HasRenderer
from workbench.engine.tasks.floor import HasFloor, floor_of
from workbench.engine.tasks.gym import GymTask, MinariTask
from workbench.engine.tasks.outcomes import USUAL, HasOutcomes, names_of_outcomes
from workbench.engine.tasks.recorded import RecordedTask
from workbench.engine.tasks.registry import FAMILIES, TASKS, Family, make_task
from workbench.engine.tasks.storage import OwnDataTask

ROOT = Path(__file__).resolve().parents[3]
# One of each class of task that a family opens; Minari's needs a dataset on disk and has its own tests.
OPENED = {
    "ogbench/pointmaze-…": "ogbench/pointmaze-medium-navigate-singletask-v0",
    "ogbench/cube-…": "ogbench/cube-single-play-singletask-v0",
    "gym/…": "gym/Pendulum-v1",
    "d4rl/…": "d4rl/hopper-medium-v2",
    "language/…": "language/200",
    "pictures/…": "pictures/marks",
}
SEEN = {name: name for name in TASKS} | OPENED


def opened(name):
    if name.startswith("ogbench/"):
        pytest.importorskip("ogbench")
    if name.startswith(("gym/", "d4rl/")):
        pytest.importorskip("gymnasium")
    return make_task(name)


def documented() -> dict[str, dict[str, bool]]:
    """The table of docs/tasks.md: task -> ability -> whether it has it."""
    lines = (ROOT / "docs" / "tasks.md").read_text(encoding="utf-8").splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("| ability |"))
    rows = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    names = [re.sub("`", "", name) for name in rows[0][2:]]
    marks = {row[0].strip("`"): row[2:] for row in rows[2:]}
    return {name: {ability: cells[i] == "yes" for ability, cells in marks.items()} for i, name in enumerate(names)}


@pytest.mark.parametrize("column", SEEN)
def test_the_table_of_abilities_is_true(column):
    name = SEEN[column]
    found = {ability.__name__: ability.__name__ in abilities_of(opened(name)) for ability in ABILITIES}
    print(f"{name}: {', '.join(ability for ability, has in found.items() if has)}")
    assert documented()[column] == found


@pytest.mark.parametrize("prefix", FAMILIES)
def test_every_family_opens_names_and_refuses_strange_ones(prefix):
    module, name = FAMILIES[prefix]
    assert isinstance(vars(importlib.import_module(module))[name], Family)


def test_every_family_stands_in_the_table_or_below_it():
    assert {name.partition("/")[0] for name in OPENED} | {"minari", "data"} == set(FAMILIES)
    assert set(documented()) == set(SEEN)
    assert issubclass(MinariTask, GymTask)
    assert issubclass(MinariTask, OwnDataTask)
    assert issubclass(RecordedTask, OwnDataTask)


@pytest.mark.parametrize("name", TASKS)
def test_abilities_do_what_they_say(name):
    task = make_task(name)
    dims = task.info.action_dim
    actions = torch.linspace(-1.0, 1.0, 7 * dims).reshape(7, dims)
    if isinstance(task, HasParts):
        assert task.parts().action_dim == dims
    if isinstance(task, HasTruth):
        assert torch.as_tensor(task.true_reward(actions)).shape == (7,)
    if isinstance(task, KnowsSupport):
        assert task.on_support(actions).dtype is torch.bool
        assert task.on_support(task.behaviour.means).all()
    if isinstance(task, HasPeak):
        assert isinstance(task, HasParts)
        moved, _ = task.move_peak((0.1,) * dims, task.parts())
        assert isinstance(moved, HasPeak)
        assert moved.peak == pytest.approx((0.1,) * dims)
        assert task.peak != pytest.approx((0.1,) * dims)  # this one stays as it was
    if isinstance(task, HasFloor):
        assert floor_of(task) is task.floor
        assert task.environments_at(task.floor.start, 2, 0).reset()[1] == pytest.approx(task.floor.start)
    assert names_of_outcomes(task) == (task.outcome_names if isinstance(task, HasOutcomes) else USUAL)


def test_a_renderer_shows_the_first_episode():
    task = opened("gym/Pendulum-v1")
    assert isinstance(task, HasRenderer)
    pytest.importorskip("pygame")
    seen, plain = task.pictured(5), task.environments(3, 5)
    assert (seen.reset()[0] == plain.reset()[0]).all()
    assert seen.picture(0).shape[-1] == 3
    seen.close()
    plain.close()


def test_what_is_only_a_bit_like_it_is_not_it():
    class Titled:
        """Has a name that a bandit has, and none of its methods."""

        peak = (0.5,)

    assert not isinstance(Titled(), HasPeak)
    assert not isinstance(Titled(), HasTruth)
