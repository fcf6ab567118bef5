"""Pictures of a trace: every rule, every shape of action, both backends; and what the elements hold."""

import holoviews as hv
import numpy as np
import pytest
import torch
from matplotlib.colors import to_hex
from plots.conftest import SHAPES, steered

import workbench as wb
from workbench.engine.glossary import TERM
from workbench.engine.metrics.shift import draw_clouds
from workbench.engine.steering.rules import RULES
from workbench.engine.words import UserError
from workbench.plots.palette import LOOKS

BACKENDS = ("bokeh", "matplotlib")
pytestmark = pytest.mark.filterwarnings("error")


def drawn(picture: object) -> None:
    """It is drawn by both backends."""
    for backend in BACKENDS:  # not hv.render: of a HoloMap it makes an animation
        assert hv.renderer(backend).get_plot(picture).state is not None


def one_of(kind: type, picture: hv.Overlay) -> hv.Element:
    """The only element of that kind."""
    (found,) = [one for one in picture.values() if type(one) is kind]
    return found


@pytest.mark.parametrize("shape", SHAPES)
def test_every_rule_is_drawn(trained, shape: str) -> None:
    """All rules at once: each with several states and particles, and with one particle."""
    parts, plots = trained[shape].parts(), wb.plots
    dims = (0, 1) if parts.action_dim > 2 else None
    made = []
    for name in RULES:
        rule = wb.make_rule(name)
        for particles in (4, 1):
            trace = steered(rule, parts, particles=particles)
            picture = (
                plots.paths(trace, dims=dims) * plots.particles(trace, dims=dims) * plots.queries(trace, dims=dims)
            )
            made += [picture, plots.terms(trace, particles - 1, row=2, dims=dims), plots.transport(trace)]
            assert len(plots.particles(trace, dims=dims)) == 3 * particles
    ground = plots.landscape(parts, [0.0, 0.0, 0.0], dims=dims)
    drawn(ground * made[0])
    for one in made[
        :: 5 if shape == "two" else 17
    ]:  # 5 and 17 are prime to 6: each kind of picture comes, of many rules
        drawn(one)


@pytest.mark.parametrize("name", RULES)
def test_terms_add_up_to_the_step(trained, name: str) -> None:
    trace = steered(wb.make_rule(name), trained["three"].parts())
    overlay = wb.plots.terms(trace, 1, row=2, dims=(2, 0))
    lines = {curve.label: curve.array() for curve in overlay.values() if isinstance(curve, hv.Curve)}
    moved = np.zeros(2)
    for line in lines.values():
        assert np.isnan(line[2::3]).all()
        moved += (line[1::3] - line[0::3]).sum(0)
    way = trace.positions[:, 2, 1][:, [2, 0]].numpy()
    np.testing.assert_allclose(moved, way[-1] - way[0], atol=1e-5)
    assert set(lines) <= {*trace.terms, "clip", "ascent and clip"}
    np.testing.assert_allclose(one_of(hv.Points, overlay).array([0, 1]), way, atol=1e-6)


def test_a_plain_step_is_its_terms_at_its_length(trained) -> None:
    """Without Adam and the box the terms of a direction differ from those of the step by the step size alone."""
    rule = wb.VGF(particles=4, steps=2, step_size=1e-3, ascent="plain", alpha=1.0)
    trace = steered(rule, trained["two"].parts())
    lines = {one.label: one.array() for one in wb.plots.terms(trace, 0, row=1).values() if isinstance(one, hv.Curve)}
    assert set(lines) <= {"velocity", "attraction", "repulsion", "clip"}
    repulsion = (lines["repulsion"][1::3] - lines["repulsion"][0::3])[-2:]
    expected = 1e-3 * trace.terms["repulsion"][-2:, 1, 0].numpy()
    np.testing.assert_allclose(repulsion, expected, rtol=0.02, atol=1e-6)


def test_each_step_is_walked_head_to_tail(trained) -> None:
    """Of one coordinate too: the terms of a tick follow each other, and end where the next tick begins."""
    trace = steered(wb.VGF(flow_steps=3, steps=2, particles=4), trained["two"].parts())
    for dims in ((0, 1), (1,)):
        lines = [one.array() for one in wb.plots.terms(trace, 0, dims=dims).values() if isinstance(one, hv.Curve)]
        pieces = np.concatenate([line[~np.isnan(line[:, 0])].reshape(-1, 2, 2) for line in lines])
        heads = {tuple(np.round(piece[1], 4)) for piece in pieces}
        tails = {tuple(np.round(piece[0], 4)) for piece in pieces}
        assert len(tails - heads) <= (1 if len(dims) == 2 else len(pieces))
        assert len(pieces) > len(trace.pushes)


def test_particles_hold_the_trace(trained) -> None:
    trace = steered(wb.BestOfN(particles=4), trained["two"].parts())
    points = wb.plots.particles(trace)
    np.testing.assert_array_equal(points.array(["a1", "a2"]), trace.positions[-1].reshape(-1, 2).numpy())
    np.testing.assert_array_equal(points["Q"], trace.q.reshape(-1).numpy())
    np.testing.assert_array_equal(points["transport"], trace.transport.reshape(-1).numpy())
    assert points["picked"].sum() == 3
    assert points["state"].tolist() == np.repeat([0, 1, 2], 4).tolist()
    chosen = points.array(["a1", "a2"])[points["picked"].astype(bool)]
    np.testing.assert_array_equal(chosen, trace.actions.numpy())
    early, row = wb.plots.particles(trace, tick=0), wb.plots.particles(trace, row=1, dims=(1, 0))
    np.testing.assert_array_equal(early.array(["a1", "a2"]), trace.positions[0].reshape(-1, 2).numpy())
    assert np.isnan(early["Q"]).all()
    assert (early["transport"] == 0).all()
    np.testing.assert_array_equal(row.array(["a2", "a1"]), trace.positions[-1, 1][:, [1, 0]].numpy())
    assert (row["state"] == 1).all()
    sizes = hv.render(points, backend="bokeh").renderers[0].data_source.data["size"]
    assert sorted(set(sizes)) == [4.5, 8.0]


def test_paths_begin_in_the_noise_and_end_at_the_particles(trained) -> None:
    trace = steered(wb.QGF(flow_steps=5), trained["one"].parts())
    line = wb.plots.paths(trace).array().reshape(12, 7, 2)
    np.testing.assert_allclose(line[:, 0, 1], trace.positions[0].flatten().numpy())
    np.testing.assert_allclose(line[:, 5, 1], trace.positions[-1].flatten().numpy())
    np.testing.assert_allclose(line[:, :6, 0], np.tile(np.linspace(0, 1, 6), (12, 1)), atol=1e-6)
    assert np.isnan(line[:, 6]).all()


def test_queries_are_where_the_rule_asked(trained) -> None:
    parts = trained["two"].parts()
    trace = steered(wb.VGF(flow_steps=4, steps=2, particles=4), parts)
    points = wb.plots.queries(trace)
    asked = trace.queries[4:].reshape(-1, 2).numpy()  # the flow asks nothing
    np.testing.assert_allclose(points.array(["a1", "a2"]), asked)
    np.testing.assert_allclose(points["Q"], trace.q_along[4:].flatten().numpy())
    assert sorted(set(points["tick"])) == [4, 5]
    np.testing.assert_allclose(points["passed"], points["tick"] / 6)
    silent = wb.plots.queries(steered(wb.BC(), parts))
    assert len(silent) == 0
    drawn(silent)


@pytest.mark.parametrize("rule", [wb.QGF(weight=1.0), wb.VGF(particles=4), wb.BC()], ids=lambda rule: rule.name)
def test_transport_ends_where_evaluate_measures_it(rule) -> None:
    """At evaluate's own states and noise the curve's last value is its number."""
    task = wb.make_task("bandit2d")
    parts = task.parts()
    found = wb.evaluate(rule, parts, task, episodes=2, seed=3)
    states = torch.zeros(64, 1)
    clouds = draw_clouds(rule, parts, states, 32, torch.Generator().manual_seed(3))
    noise = wb.draw_noise(64 * 32, rule.particles, 2, torch.Generator().manual_seed(3))
    curve = wb.plots.transport(wb.steer(rule, parts, states.repeat_interleave(32, 0), noise))
    curve = one_of(hv.Curve, curve)
    assert curve["transport"][0] == 0.0
    assert curve["transport"][-1] == pytest.approx(clouds.transport, rel=1e-5, abs=1e-9)
    assert curve["transport"][-1] == pytest.approx(found.transport, rel=1e-5, abs=1e-9)


def test_the_band_holds_nine_tenths_of_the_particles(trained) -> None:
    trace = steered(wb.QGF(weight=3.0), trained["two"].parts(), states=50)
    area = one_of(hv.Area, wb.plots.transport(trace))
    low, high = area["transport"][-1], area["to"][-1]
    inside = (trace.transport >= low) & (trace.transport <= high)
    assert 0.88 <= float(inside.float().mean()) <= 0.92
    axes = hv.renderer("matplotlib").get_plot(area).state.axes[0]
    assert to_hex(axes.collections[0].get_facecolor()[0]) == LOOKS["qgf"].light


def test_labels_and_units_are_the_glossary_s(trained) -> None:
    parts, unit = trained["two"].parts(), TERM["transport"].unit
    trace = steered(wb.QGF(), parts)
    for element in (wb.plots.particles(trace), wb.plots.queries(trace), wb.plots.landscape(parts, [0, 0, 0])):
        assert [axis.pprint_label for axis in element.kdims] == [f"action 1 ({unit})", f"action 2 ({unit})"]
    curve = one_of(hv.Curve, wb.plots.transport(trace))
    assert curve.vdims[0].pprint_label == f"{TERM['state.transport'].short} ({unit})"
    assert wb.plots.landscape(parts, [0, 0, 0]).vdims[0].pprint_label == (
        f"{TERM['state.promised'].symbol} ({TERM['state.promised'].unit})"
    )
    assert wb.plots.particles(trace).label == RULES["qgf"].title


@pytest.mark.parametrize("name", ["particles", "paths", "queries", "terms", "over_time"])
@pytest.mark.parametrize("shape", ["three", "chunk"])
def test_too_many_dimensions_are_refused_with_the_choice(trained, name: str, shape: str) -> None:
    trace = steered(wb.QGF(), trained[shape].parts())
    size = trace.positions.shape[-1]
    with pytest.raises(UserError, match=rf"these actions have {size} dimensions.*dims=\(0, 1\).*0 to {size - 1}"):
        getattr(wb.plots, name)(trace)
    for wrong in ((0, 0), (0, size), (0, 1, 2), (), "01", (True, 0), (0.5,), (-1, 0)):
        with pytest.raises(UserError, match="dims names one or two different coordinates"):
            getattr(wb.plots, name)(trace, dims=wrong)


def test_what_a_trace_does_not_have_is_refused_in_words(trained) -> None:
    trace = steered(wb.QGF(flow_steps=5), trained["two"].parts())
    with pytest.raises(UserError, match=r"ticks 0 \(the noise\) to 5.*tick=6"):
        wb.plots.particles(trace, tick=6)
    for name in ("particles", "paths", "queries", "transport", "terms"):
        with pytest.raises(UserError, match="0 to 2, got 3"):
            getattr(wb.plots, name)(trace, row=3)
    with pytest.raises(UserError, match="particle must be 0 to 3, got 4"):
        wb.plots.terms(trace, 4)


def test_pictures_compose(trained) -> None:
    parts = trained["two"].parts()
    traces = [steered(wb.QGF(weight=weight), parts) for weight in (0.0, 1.0, 10.0)]
    ground = wb.plots.landscape(parts, [0, 0, 0])
    over = wb.plots.over_strength(traces)
    assert over.kdims[0].name == "weight"
    assert over.keys() == [0.0, 1.0, 10.0]
    time = wb.plots.over_time(traces[1])
    assert list(time.keys()) == list(range(11))
    assert time.kdims[0].pprint_value(0) == "t = 0.00"
    late = wb.plots.over_time(steered(wb.VGF(steps=3, particles=4), parts))
    assert late.kdims[0].pprint_value(12) == "t = 1.00, 2 steps after the flow"
    for picture in (
        ground * over,
        ground * time,
        ground * wb.plots.particles(traces[0]) + wb.plots.transport(traces[0]),
    ):
        drawn(picture)
    other = wb.plots.particles(traces[0]).opts(color="Q", backend="bokeh")
    assert hv.render(other, backend="bokeh").renderers
    with pytest.raises(UserError, match="one rule at several strengths, got bc, qgf"):
        wb.plots.over_strength([traces[0], steered(wb.BC(), parts)])
    with pytest.raises(UserError, match="got none"):
        wb.plots.over_strength([])
    with pytest.raises(UserError, match="the same weight"):
        wb.plots.over_strength([traces[0], traces[0]])


def test_dragged_noise_is_carried_as_steer_carries_it(trained) -> None:
    for name in RULES:
        rule, parts = wb.make_rule(name), trained["two"].parts()
        picture = wb.plots.drag(rule, parts, [0.1, 0.2, 0.3])
        (stream,) = picture.callback.inputs[0].streams
        stream.event(data={"a1": [0.5], "a2": [-1.0]})
        element = picture[()]
        start = torch.tensor([[[0.5, -1.0]]])
        extra = torch.zeros(1, 1, rule.extra_draws(), 2) if rule.extra_draws() else None
        noise = wb.Noise(start, torch.zeros(1, 1), extra)
        trace = wb.steer(rule, parts, torch.tensor([[0.1, 0.2, 0.3]]), noise)
        ends = [one for one in element.traverse(lambda one: one, [hv.Points]) if one.label == RULES[name].title]
        np.testing.assert_allclose(ends[0].array(["a1", "a2"]), trace.positions[-1, 0].numpy(), atol=1e-6)
    hv.render(picture, backend="bokeh")
    with pytest.raises(UserError, match="drag needs a plane"):
        wb.plots.drag(wb.QGF(), trained["one"].parts(), [0, 0, 0])


def test_a_selection_marks_the_same_particles_everywhere(trained) -> None:
    trace = steered(wb.QGF(weight=3.0), trained["two"].parts(), states=20)
    before, after = wb.plots.particles(trace, tick=0), wb.plots.particles(trace)
    both = wb.plots.linked(before + after)
    hv.render(both, backend="bokeh")
    with pytest.raises(UserError, match="linked needs pictures of particles"):
        wb.plots.linked(wb.plots.transport(trace) + wb.plots.transport(trace))
