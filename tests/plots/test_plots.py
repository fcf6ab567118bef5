"""Pictures are tested by what they hold, without a browser."""

import io
import itertools

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image

from workbench.engine.models.landscapes import Bumps
from workbench.engine.models.mixture import MixtureFlow
from workbench.engine.models.parts import Parts
from workbench.engine.steering.noise import draw_noise
from workbench.engine.steering.rules import RULES, make_rule
from workbench.engine.steering.run import steer
from workbench.engine.steering.trace import Trace
from workbench.plots import still
from workbench.plots.lines import joined, positions_of
from workbench.plots.live import LivePicture
from workbench.plots.palette import LOOKS, MATPLOTLIB_MARKERS, SPARE, VALUE_RAMP, look

VALUES = np.arange(12.0).reshape(3, 4)
EXTENT = (-1.0, -1.0, 1.0, 1.0)


def trace_of(dim: int = 2, states: int = 3, particles: int = 4) -> Trace:
    flow = MixtureFlow(
        torch.full((2, dim), 0.3) * torch.tensor([[1.0], [-1.0]]), torch.tensor([0.1, 0.1]), torch.tensor([0.5, 0.5])
    )
    critic = Bumps(torch.full((1, dim), 0.5), torch.tensor([0.4]), torch.tensor([1.0]))
    noise = draw_noise(states, particles, dim, torch.Generator().manual_seed(0))
    return steer(make_rule("vgf", flow_steps=4, steps=2), Parts(1, dim, flow, critic), torch.zeros(states, 1), noise)


def lightness(colour: str) -> float:
    red, green, blue = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return 0.2126 * red**2.2 + 0.7152 * green**2.2 + 0.0722 * blue**2.2


def test_every_registered_rule_has_its_own_colour_and_shape() -> None:
    looks = [look(name) for name in RULES]
    assert set(RULES) == set(LOOKS), "give each registered rule a look in plots/palette.py"
    assert len({(known.light, known.shape) for known in looks}) == len(RULES)
    assert {known.shape for known in (*LOOKS.values(), *SPARE)} <= set(MATPLOTLIB_MARKERS)


def as_deuteranopes_see(colour: str) -> np.ndarray:
    """Linear RGB of a colour for an eye without green cones (Machado, Oliveira and Fernandes, 2009, severity 1)."""
    linear = np.array([(int(colour[i : i + 2], 16) / 255) ** 2.2 for i in (1, 3, 5)])
    return np.array([[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]]) @ linear


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_rules_of_one_shape_differ_in_colour_for_every_eye(theme: str) -> None:
    for (name, one), (other, two) in itertools.combinations(LOOKS.items(), 2):
        if one.shape == two.shape:
            seen = [np.clip(as_deuteranopes_see(each.colour(theme)), 0, 1) ** (1 / 2.2) for each in (one, two)]
            assert np.linalg.norm(seen[0] - seen[1]) > 0.2, (name, other)


def test_an_unknown_rule_always_looks_the_same() -> None:
    assert look("my_rule") == look("my_rule")
    assert look("my_rule") in SPARE


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_value_ramp_is_monotone_in_lightness(theme: str) -> None:
    steps = np.diff([lightness(colour) for colour in VALUE_RAMP[theme]])
    assert (steps < 0).all() if theme == "light" else (steps > 0).all()


def test_marks_contrast_with_their_ground() -> None:
    for known in (*LOOKS.values(), *SPARE):
        assert (1.05) / (lightness(known.light) + 0.05) >= 3.0
        assert (lightness(known.dark) + 0.05) / (lightness(VALUE_RAMP["dark"][0]) + 0.05) >= 3.0


def test_positions_lie_side_by_side_and_say_which_were_picked() -> None:
    trace = trace_of()
    positions, picked = positions_of(trace)
    assert positions.shape == (7, 12, 2)
    assert positions.dtype == np.float32
    assert picked.reshape(3, 4).sum(1).tolist() == [1, 1, 1]
    np.testing.assert_array_equal(positions[-1, picked], trace.actions.numpy())
    one, _ = positions_of(trace, state=1)
    np.testing.assert_array_equal(one, positions[:, 4:8])
    with pytest.raises(ValueError, match="0 to 2, got 3"):
        positions_of(trace, state=3)


def test_joined_paths_are_one_line_with_gaps() -> None:
    paths = np.arange(12, dtype=np.float32).reshape(3, 2, 2)
    line = joined(paths)
    assert line.shape == (8, 2)
    np.testing.assert_array_equal(line[:3], paths[:, 0])
    assert np.isnan(line[[3, 7]]).all()
    with pytest.raises(ValueError, match="plane"):
        joined(paths[..., :1])


def test_the_one_dimensional_still_has_a_line_a_particle() -> None:
    axes = Figure().subplots()
    assert len(still.one_dimension(axes, trace_of(dim=1)).get_segments()) == 12


def test_stills_hold_the_trace() -> None:
    trace = trace_of()
    figure = still.stages([trace, trace], VALUES, EXTENT)
    axes = figure.axes[0]
    assert len(figure.axes) == 2
    assert len(axes.collections[-2].get_segments()) == 12
    np.testing.assert_allclose(axes.collections[-1].get_offsets(), positions_of(trace)[0][-1])
    assert axes.images[0].get_array()[0, 0] == VALUES[0, 0]
    assert axes.images[0].origin == "lower"
    with pytest.raises(ValueError, match="at least one trace"):
        still.stages([])


def test_a_live_picture_shows_what_changed() -> None:
    trace = trace_of()
    live = LivePicture(["one"], VALUES, 1.0)
    first, again = live.png([trace]), live.png([trace])
    assert first == again
    moved = trace_of(states=5)
    assert live.png([moved]) != first
    assert Image.open(io.BytesIO(first)).size == (360, 380)
