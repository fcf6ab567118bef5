"""What lessons 1 to 4 say, measured with the lessons' own cells over several seeds, each with its error.

What lesson 4 says about asking at the noise is in ``tests/statistics/test_wide_bandit.py``, the rise and fall of the
return on three exits in ``tests/statistics/test_story.py``.
"""

import ast
import math
from functools import cache
from pathlib import Path

import nbformat
import numpy as np
import pytest
import torch

import workbench as wb

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
T_FIVE = 2.57  # 95% of Student's t with 5 degrees of freedom, for six critics


@cache
def cells(name: str) -> dict[str, str]:
    notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    return {cell.id.partition("-")[2]: cell.source for cell in notebook.cells if cell.cell_type == "code"}


def definitions(code: str) -> str:
    """The cell without what it prints, shows and loops over: its definitions and assignments."""
    body = [node for node in ast.parse(code).body if not isinstance(node, (ast.Expr, ast.With, ast.For))]
    return ast.unparse(ast.Module(body, []))


def run(name: str, *keys: str, **known: object) -> dict:
    """The names that these cells of a lesson define, run in this order; of a key that ends in a, the definitions alone.

    ``known`` are names of cells before.
    """
    found: dict = {"np": np, "torch": torch, "wb": wb, "math": math, **known}
    source = "\n".join(line for line in cells(name)["01"].splitlines() if line.startswith(("import", "from")))
    codes = [definitions(cells(name)[key[:-1]]) if key.endswith("a") else cells(name)[key] for key in keys]
    for code in (source, *codes):
        exec(compile(code, f"{name}.ipynb", "exec"), found)  # noqa: S102 (a cell of the lesson)
    return found


def above(values: np.ndarray) -> float:
    """The lower end of the 95% interval of the mean of six values."""
    return float(values.mean() - T_FIVE * values.std(ddof=1) / math.sqrt(len(values)))


# --- 1: a small push helps, a hard one harms, and is promised more than it earns -----------------------------------------


def test_a_small_push_earns_more_a_hard_one_less_and_promises_more_than_it_earns():
    lesson = run("01_first_steps", "05")
    noise = wb.draw_noise(300, 1, 2, torch.Generator().manual_seed(0))
    truth, promised = np.zeros((6, 4)), np.zeros((6, 4))
    for seed in range(6):
        parts = lesson["task"].parts(seed)
        for i, weight in enumerate((0.0, 0.3, 3.0, 10.0)):
            trace = wb.steer(wb.make_rule("qgf", weight=weight), parts, torch.zeros(300, 1), noise)
            truth[seed, i], promised[seed, i] = lesson["task"].true_reward(trace.actions).mean(), trace.q.mean()
    assert above(truth[:, 1] - truth[:, 0]) > 0.05
    assert above(truth[:, 0] - truth[:, 2]) > 0.1
    assert above(promised[:, 2] - truth[:, 2]) > 0.3
    assert abs(promised[:, 0] - truth[:, 0]).max() < 0.05  # without a push the critic is right


def test_the_table_of_lesson_1_promises_too_much_from_weight_06_on(capsys):
    run("01_first_steps", "05", "07", "09")
    rows = [[float(word) for word in line.split()] for line in capsys.readouterr().out.splitlines()[1:]]
    assert all(promised - truth > 0.02 for weight, promised, truth in rows if weight >= 0.6)
    assert rows[-1][1] < rows[-2][1]  # in the last row even the promise falls


# --- 2: the mean velocity -------------------------------------------------------------------------------------------------


@cache
def flows() -> dict:
    return run("02_flows", "03", "28a")


@pytest.mark.parametrize(("place", "t"), [(0.05, 0.3), (-0.5, 0.5), (0.4, 0.7), (-0.1, 0.1)])
def test_the_mean_over_the_lines_through_a_place_is_the_exact_velocity_there(place, t):
    lesson = flows()
    _, x0, x1 = lesson["lines_through"](place, t)
    lines = x1 - x0
    error = lines.std(0) / math.sqrt(len(lines))
    through = torch.lerp(x0, x1, t)  # the lines pass near the centre, so the velocity is taken where each one passes
    exact = lesson["task"].behaviour(None, through, t).mean(0)
    assert (((lines.mean(0) - exact) / error).abs() < 4).all()


def test_the_loss_that_stays_is_the_spread_of_the_lines():
    _, x0, x1 = flows()["lines_through"](0.05, 0.3)
    lines, answer = (x1 - x0).double(), torch.tensor([0.3, -0.7], dtype=torch.float64)
    loss = (lines - answer).square().sum(1).mean()
    assert torch.isclose(loss, lines.var(0, correction=0).sum() + (lines.mean(0) - answer).square().sum())


@pytest.mark.parametrize("seed", range(3))
def test_followers_of_the_mean_velocity_are_spread_like_the_points_of_the_lines(seed):
    lesson, n = run("02_flows", "31a", **flows()), 2000
    begin = 2 * n * seed
    one, other = slice(begin, begin + n), slice(begin + n, begin + 2 * n)
    particles = lesson["begins"][other]
    for i in range(100):
        particles = particles + lesson["task"].behaviour(None, particles, i / 100) / 100
        if i in (24, 49, 74, 99):
            on_lines, again = (torch.lerp(lesson["begins"][k], lesson["ends"][k], (i + 1) / 100) for k in (one, other))
            floor, noise = lesson["apart"](again, on_lines), lesson["apart"](lesson["begins"][other], on_lines)
            assert (
                lesson["apart"](particles, on_lines) < floor + 0.0015
            )  # a V-statistic of 2000 points is 0.0005 ± 0.0004
            assert noise > 10 * floor  # clouds that differ are told apart


# --- 3: off the data, and round the loop -----------------------------------------------------------------------------------


def test_critics_err_most_off_the_data():
    task = wb.make_task("bandit2d")
    side = torch.linspace(-1.2, 1.2, 60)
    grid = torch.cartesian_prod(side, side)
    far = task.behaviour.nearest_component(grid)[1]
    inside, off = [], []
    for seed in range(6):
        error = (task.parts(seed).critic(torch.zeros(len(grid), 1), grid).mean(0) - task.true_reward(grid)).abs()
        inside.append(float(error[far < 2].mean()))
        off.append(float(error[far >= 2].mean()))
    assert above(np.array(off) - 4 * np.array(inside)) > 0.0


@pytest.mark.parametrize("seed", range(3))
def test_a_maximum_off_the_data_promises_the_impossible_and_an_expectile_does_not(seed):
    lesson = run("03_critics", "31", "32")
    grown, calm = (lesson["fit"](how, updates=800, seed=seed) for how in ("max", "expectile"))
    assert grown[-1] > 3.0  # no episode earns more than 1
    assert grown[-1] > 2 * grown[-3]  # and it goes on growing
    assert 0.1 < calm[-1] < 1.0


def test_an_expectile_climbs_from_the_mean_towards_the_best_value_and_never_past_it():
    lesson = run("03_critics", "05", "19")
    rewards = lesson["rewards"]
    climbed = [lesson["expectile_of"](rewards, tau) for tau in (0.5, 0.7, 0.9, 0.99, 0.9999)]
    assert climbed[0] == pytest.approx(rewards.mean(), abs=1e-4)
    assert (np.diff(climbed) > 0).all()
    assert rewards.max() - 0.1 < climbed[-1] < rewards.max()


# --- 4: the product and its slopes ----------------------------------------------------------------------------------------


@cache
def qgf() -> dict:
    return run("04_qgf", "27a", "32a")


@pytest.mark.parametrize("t", [0.1, 0.5, 0.9])
def test_a_velocity_contains_the_score(t):
    mu = qgf()["line"].behaviour
    x = torch.linspace(-2, 2, 41, dtype=torch.float64)[:, None].requires_grad_()
    means, scales = t * mu.means.double(), ((1 - t) ** 2 + (t * mu.scales.double()) ** 2).sqrt()
    parts = torch.distributions.Normal(means[:, 0], scales)
    log_density = (parts.log_prob(x) + mu.weights.double().log()).logsumexp(1)
    (score,) = torch.autograd.grad(log_density.sum(), x)
    with torch.no_grad():
        assert torch.allclose(mu.double()(None, x, t), x / t + (1 - t) / t * score, atol=1e-5)
        mu.float()


def exact_push(lesson: dict, beta: float, x: torch.Tensor, t: float) -> torch.Tensor:
    """(1 - t) / t · ∇ log E[exp(Q(x1) / β) | x_t = x], the mean by a grid of 201 actions."""
    grid, mu = lesson["x"][::2, 0], lesson["mu"][::2]
    weight = mu * torch.exp(lesson["q"][::2] / beta)

    def log_mean(at: torch.Tensor) -> torch.Tensor:
        near = -((at - t * grid) ** 2) / (2 * (1 - t) ** 2)
        return torch.logsumexp(near + weight.log(), 1) - torch.logsumexp(near + mu.log(), 1)

    leaf = x.clone().requires_grad_()
    (slope,) = torch.autograd.grad(log_mean(leaf).sum(), leaf)
    return (1 - t) / t * slope


@pytest.mark.parametrize("beta", [1.0, 0.3])
def test_the_exact_push_leads_to_the_product(beta):
    lesson = qgf()
    x, steps = torch.randn(2000, 1, generator=torch.Generator().manual_seed(5)), 100
    for i in range(steps):
        t = i / steps
        push = exact_push(lesson, beta, x, t) if t > 0 else torch.zeros_like(x)
        x = x + (lesson["line"].behaviour(None, x, t) + push) / steps
    aimed = shares_of(lesson, lesson["x"], lesson["product"](beta) * 0.005)
    found = shares_of(lesson, x.clamp(-1, 1), torch.full((2000,), 1 / 2000))
    # four standard errors of a share of 2000, and 0.02 for 100 steps
    assert np.abs(aimed - found).max() < 4 * 0.5 / math.sqrt(2000) + 0.02


def shares_of(lesson: dict, actions: torch.Tensor, weight: torch.Tensor) -> np.ndarray:
    place = actions[:, 0]
    return np.array([float(weight[(place > low) & (place <= high)].sum()) for low, high in lesson["zones"].values()])


@pytest.mark.parametrize("beta", [3.0, 1.0, 0.3])
def test_choosing_gives_the_product_and_pushing_goes_further(beta):
    lesson = qgf()
    own, each = lesson["own"], torch.full((4000,), 1 / 4000)
    value = lesson["on_line"].critic(lesson["one_state"], own).mean(0)
    kept = own[torch.multinomial(torch.softmax(value / beta, 0), 4000, replacement=True)]
    aimed = shares_of(lesson, lesson["x"], lesson["product"](beta) * 0.005)
    # a share of 4000 draws, drawn again with unequal weights: four standard errors, doubled
    assert np.abs(shares_of(lesson, kept, each) - aimed).max() < 8 * 0.5 / math.sqrt(4000)
    rule = wb.make_rule("qgf", weight=1 / beta, flow_steps=50)
    pushed = wb.steer(rule, lesson["on_line"], lesson["one_state"], lesson["draw"]).actions
    past = shares_of(lesson, pushed, each)
    assert past[2] + past[3] > aimed[2] + aimed[3] + 0.05
    assert past[1] < aimed[1] - 0.05


def test_where_each_push_points_in_the_plane_and_among_32_numbers():
    bandit = wb.make_task("bandit2d")
    lesson = run("04_qgf", "40a", tasks={}, names=())
    plane, wide = (
        {name: np.array(lesson["uphill"](one, name)) for name in ("noisy", "qgf", "bptt")}
        for one in (bandit, lesson["WideBandit"]())
    )
    # a mean cosine of 500 particles has a standard error of at most 1/√500 = 0.045; paired differences less
    assert plane["noisy"].min() > 0.6
    assert (plane["noisy"][:8] - wide["noisy"][:8]).min() > 0.05
    assert plane["qgf"][0] < 0.2
    assert wide["qgf"][0] < 0.2
    assert (wide["qgf"][5:] > wide["noisy"][5:]).all()
    assert (plane["qgf"][:7] < plane["noisy"][:7]).all()
    assert (plane["qgf"][8:] > plane["noisy"][8:]).all()
    assert (plane["bptt"] + 0.02 > np.maximum(plane["qgf"], plane["noisy"])).all()


def test_at_the_start_qgf_asks_at_the_same_place_for_all_particles():
    task = wb.make_task("bandit2d")
    noise = torch.randn(200, 2, generator=torch.Generator().manual_seed(0))
    guess = noise + task.behaviour(None, noise, 0.0)
    assert float(guess.std(0).max()) < 1e-5
    assert torch.allclose(guess.mean(0), task.behaviour.mean(), atol=1e-5)
