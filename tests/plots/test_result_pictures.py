"""Pictures of landscapes, stores, episodes and trainings: what they hold is what was measured."""

import dataclasses
from pathlib import Path

import holoviews as hv
import numpy as np
import pytest
import torch
from experiments.made_up import made_up_store
from experiments.small import small_grid
from PIL import Image
from plots.test_trace_pictures import drawn

import workbench as wb
from workbench.cli import main
from workbench.engine.glossary import TERM
from workbench.engine.words import UserError
from workbench.experiments.job import Data
from workbench.views.rollouts import play


def measure(settings, seed):
    w = float(settings.get("weight", settings.get("steps", 0)))
    returns = np.linspace(0.0, 1.0, 5) + 0.01 * w + 0.1 * seed
    return returns, returns + 0.001, 0.1 * w, 0.5


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> wb.Store:
    axes = {"weight": (0.0, 1.0, 3.0), "steps": (0, 1, 3)}
    return made_up_store(
        tmp_path_factory.mktemp("frontier") / "store",
        small_grid(Data(), rules=("qgf", "grad_step"), axes=axes),
        measure,
    )


@pytest.fixture(scope="module")
def bandit():
    task = wb.make_task("bandit2d")
    return task, task.parts()


def test_the_landscape_holds_the_critic(bandit) -> None:
    task, parts = bandit
    ground = wb.plots.landscape(parts, [0.0])
    for place in ((0.496, -0.304), (-1.584, 1.584)):
        action = torch.tensor([place])
        q = parts.pick_critic("target")(torch.zeros(1, 1), action).min(0).values
        assert ground[place] == pytest.approx(float(q), abs=1e-5)
        assert wb.plots.landscape(parts, [0.0], aggregate="mean")[place] >= ground[place]
        truth = wb.plots.landscape(parts, [0.0], "true", task)[place]
        assert truth == pytest.approx(float(task.true_reward(action)), abs=1e-5)
        difference = wb.plots.landscape(parts, [0.0], "difference", task)
        assert difference[place] == pytest.approx(float(q) - truth, abs=1e-4)
        spread = wb.plots.landscape(parts, [0.0], "spread")[place]
        members = parts.pick_critic("target")(torch.zeros(1, 1), action)
        assert spread == pytest.approx(float(members.std(0, correction=0)), abs=1e-5)
    low, high = hv.Store.lookup_options("bokeh", difference, "plot").kwargs["clim"]
    assert low == -high
    for what in ("learned", "true", "difference", "spread"):
        drawn(wb.plots.landscape(parts, torch.zeros(1, 1), what, task))


def test_a_landscape_of_many_dimensions_goes_through_an_action(trained) -> None:
    parts = trained["three"].parts()
    state = [0.3, -0.2, 0.1]
    ground = wb.plots.landscape(parts, state, dims=(2, 0), through=[0.9, 0.4, 0.9])
    assert [axis.name for axis in ground.kdims] == ["a3", "a1"]
    action = torch.tensor([[-0.496, 0.4, 0.208]])  # the second coordinate is kept
    rows = parts.normalize(torch.tensor([state]))
    q = float(parts.pick_critic("target")(rows, action).min(0).values) / parts.reward_scale
    assert ground[0.208, -0.496] == pytest.approx(q, abs=1e-5)
    line = wb.plots.landscape(parts, state, dims=(1,), through=action[0])
    assert line[0.25, 0.4] == pytest.approx(line[0.75, 0.4])
    near = wb.plots.landscape(parts, state, dims=(0, 1))  # through the behaviour's mean
    assert np.isfinite(near.dimension_values(2)).all()
    with pytest.raises(UserError, match=r"3 dimensions.*dims=\(0, 1\)"):
        wb.plots.landscape(parts, state)


def test_a_scaled_critic_is_drawn_in_task_units(bandit) -> None:
    _, parts = bandit
    scaled = dataclasses.replace(parts, reward_scale=0.1)
    assert wb.plots.landscape(scaled, [0.0])[0.5, 0.5] == pytest.approx(10 * wb.plots.landscape(parts, [0.0])[0.5, 0.5])


def test_what_cannot_be_drawn_is_refused_in_words(bandit) -> None:
    _, parts = bandit
    single = wb.Parts(1, 2, parts.reference, lambda s, a: a.sum(1))
    for call, words in (
        (lambda: wb.plots.landscape(parts, [0.0], "truth"), "what is one of learned, true, difference, spread"),
        (lambda: wb.plots.landscape(parts, [0.0], "true"), "no task was given: pass task="),
        (lambda: wb.plots.landscape(parts, [0.0], "true", wb.make_task("three_exits")), "does not know its own"),
        (lambda: wb.plots.landscape(parts, [0.0, 1.0]), r"state is the observation, 1 finite numbers; got the shape"),
        (lambda: wb.plots.landscape(parts, ["x"]), "state is the observation, 1 numbers"),
        (lambda: wb.plots.landscape(parts, [float("nan")]), "1 finite numbers; got"),
        (lambda: wb.plots.landscape(single, [0.0], "spread"), "a critic with several members"),
        (lambda: wb.plots.landscape(wb.Parts(1, 2, parts.reference), [0.0]), "needs part 'critic'"),
        (lambda: wb.plots.frontier([]), "nothing is measured yet"),
    ):
        with pytest.raises(UserError, match=words):
            call()


def test_the_frontier_is_the_store_s_rows(store) -> None:
    picture = wb.plots.frontier(store)
    for curve in wb.curves(store):
        dots = [one for one in picture.values() if isinstance(one, hv.Scatter) and one.label == curve.name]
        np.testing.assert_allclose(dots[0].dimension_values(0), curve.column("shift.w2"))
        means = [point.returns.mean for point in curve.points]
        np.testing.assert_allclose(dots[0].dimension_values(1), means)
    rows = {row.key: row for row in store.rows()}
    points = {key: point for curve in wb.curves(store) for point in curve.points for key in point.keys}
    assert rows.keys() == points.keys()
    bars = [one for one in picture.values() if isinstance(one, hv.ErrorBars)]
    curve = wb.curves(store)[0]
    np.testing.assert_allclose(bars[0]["y"] - bars[0]["below"], [point.returns.low for point in curve.points])
    np.testing.assert_allclose(bars[0]["y"] + bars[0]["above"], [point.returns.high for point in curve.points])
    thin = [one for one in picture.values() if type(one) is hv.Curve and not one.label]
    assert len(thin) == 2 * len(wb.curves(store)), "a line a seed"
    first = sorted(float(line.dimension_values(1)[0]) for line in thin)
    weakest = [curve.points[0].per_seed["return"] for curve in wb.curves(store)]
    np.testing.assert_allclose(first, np.sort(np.concatenate(weakest)))
    drawn(picture)
    overlay = hv.Store.lookup_options("bokeh", picture, "plot").kwargs
    assert (overlay["xlabel"], overlay["ylabel"]) == (TERM["shift.w2"].head, TERM["return"].head)


def test_other_numbers_of_the_frontier(store) -> None:
    drawn(wb.plots.frontier(wb.curves(store), y="promised"))
    assert len(wb.plots.frontier(wb.curves(store)[:1])) < len(wb.plots.frontier(store))
    with pytest.raises(UserError, match=r"'w2' is no number of a curve; there are return, gain, transport, shift.w2"):
        wb.plots.frontier(store, x="w2")
    with pytest.raises(UserError, match="no curve has both"):
        wb.plots.frontier(store, y="mmd_bound.bound")
    with pytest.raises(UserError, match="no curve of task 'cube' to draw; there are those of three_exits"):
        wb.plots.frontier(store, task="cube")
    other = [dataclasses.replace(wb.curves(store)[0], task="another"), *wb.curves(store)]
    with pytest.raises(UserError, match="curves of another, three_exits: choose one with task='another'"):
        wb.plots.frontier(other)


def test_episodes_are_points_of_promise_and_keeping(bandit) -> None:
    task, parts = bandit
    found = wb.evaluate(wb.QGF(weight=3.0), parts, task, 40, 0)
    for record in (found, found.record):
        picture = wb.plots.rollouts(record)
        points = [one for one in picture.values() if isinstance(one, hv.Points)]
        assert sum(map(len, points)) == 40
        earned = np.concatenate([one["earned"] for one in points])
        np.testing.assert_allclose(np.sort(earned), np.sort(found.record.discounted))
        assert earned.mean() == pytest.approx(found.earned.mean)
        assert np.concatenate([one["promised"] for one in points]).mean() == pytest.approx(
            found.promised.mean, rel=1e-5
        )
        drawn(picture)
    assert points[0].kdims[0].pprint_label == TERM["earned"].head
    assert points[0].kdims[1].pprint_label == TERM["promised"].head
    drawn(wb.plots.rollouts(found, x="length", y="return"))
    with pytest.raises(UserError, match="'reward' is no column of episodes"):
        wb.plots.rollouts(found, y="reward")


def test_episodes_without_a_critic_have_no_promise(bandit) -> None:
    task, parts = bandit
    record = wb.rollout(wb.BC(), wb.Parts(1, 2, parts.reference), task, 10, 0)
    picture = wb.plots.rollouts(record)
    assert [axis.name for axis in next(iter(picture.values())).kdims] == ["length", "return"]
    drawn(picture)
    with pytest.raises(UserError, match="nothing was promised"):
        wb.plots.rollouts(record, y="promised")


def test_the_ways_of_episodes(trained) -> None:
    task = wb.make_task("three_exits")
    parts = wb.Parts(task.info.observation_dim, 2, lambda s, a, t: -a, lambda s, a: a.sum(1))
    played = play(wb.BC(), parts, task, 12, 0)
    picture = wb.plots.episodes(played, task)
    curves = [one for one in picture.values() if type(one) is hv.Curve]
    ends = [one for one in picture.values() if isinstance(one, hv.Points)]
    assert {one.label for one in ends} == {played.names[kind] for kind in set(played.kinds)}
    assert sum(map(len, ends)) == 12
    lines = np.concatenate([line.array() for line in curves])
    assert np.isnan(lines[:, 0]).sum() == 12, "a gap after every episode"
    assert [axis.label for axis in ends[0].kdims] == list(task.floor.axes[:2])
    drawn(picture)
    drawn(wb.plots.episodes(played))
    with pytest.raises(UserError, match="two different numbers of the observation, 0 to"):
        wb.plots.episodes(played, axes=(0, 9))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("course") / "run"
    command = "fit bandit2d --steps 40 --hidden 8 8 --batch-size 16 --snapshots 2 --out"
    assert main([*command.split(), str(folder)]) in (0, None)
    return folder


def test_the_course_of_a_training(run: Path) -> None:
    found = wb.load_run(run)
    for source in (found, run, str(run)):
        picture = wb.plots.training(source)
        assert len(picture) > 1
    assert hv.Store.lookup_options("bokeh", next(iter(picture.values())), "plot").kwargs["logy"]
    drawn(picture)
    values = wb.plots.values(found)
    labels = [one.label for one in values.values()]
    assert labels[:2] == ["Q, behaviour", "Q, QGF"]
    assert next(iter(values.values())).dimension_values(0).tolist() == [0, 20, 40]
    drawn(values)


def test_a_folder_without_a_course_is_refused(tmp_path: Path, trained) -> None:
    with pytest.raises(UserError, match=r"has no progress.jsonl with losses"):
        wb.plots.training(tmp_path)
    with pytest.raises(UserError, match="has no snapshots; take some"):
        wb.plots.values(trained["two"])


@pytest.mark.parametrize("ending", ["pdf", "svg", "png"])
def test_pictures_are_saved_for_papers(bandit, tmp_path: Path, ending: str) -> None:
    _, parts = bandit
    picture = wb.plots.landscape(parts, [0.0])
    path = wb.plots.save(picture, tmp_path / f"ground.{ending}", width=3.35)
    content = path.read_bytes()
    if ending == "pdf":
        assert content.startswith(b"%PDF")
        assert b"/TrueType" in content or b"/Type0" in content or b"CIDFontType2" in content
    elif ending == "svg":
        assert b"action 1" in content, "text stays text"
    else:
        with Image.open(path) as image:
            assert 2.5 < image.size[0] / 300 < 4.2


def test_saving_is_refused_in_words(bandit, tmp_path: Path) -> None:
    picture = wb.plots.landscape(bandit[1], [0.0])
    for call, words in (
        (lambda: wb.plots.save(picture, tmp_path / "ground.jpeg"), "saved as .pdf, .svg, .png; got 'ground.jpeg'"),
        (lambda: wb.plots.save(picture, tmp_path / "a.pdf", width=0.0), "width is in inches"),
        (lambda: wb.plots.save(hv.HoloMap({0: picture}), tmp_path / "a.pdf"), "what moves cannot be printed"),
        (lambda: wb.plots.save(picture + hv.HoloMap({0: picture}), tmp_path / "a.pdf"), "what moves cannot be printed"),
        (lambda: wb.plots.save(None, tmp_path / "a.pdf"), "takes a picture of workbench.plots"),
    ):
        with pytest.raises(UserError, match=words):
            call()
    assert list(tmp_path.iterdir()) == []
