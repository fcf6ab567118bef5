"""What the pages on deployment and the gallery say of an effect is so: each claim is played, not only typed."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from contract.scenes import make_parts

import workbench as wb
from workbench.engine.metrics.cost import evaluations_by_part, network_evaluations
from workbench.engine.steering.inpaint import act_on, held_parts
from workbench.engine.steering.noise import draw_noise
from workbench.engine.steering.protocol import OneJump
from workbench.engine.steering.rules import RULES, make_rule
from workbench.engine.steering.run import act, steer
from workbench.engine.tasks.bandits import Bandit2D

ROOT = Path(__file__).parents[2]
DEPLOY = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")


def test_one_jump_rules_cost_the_least() -> None:
    """In evaluations of networks, at the settings that a rule has by itself."""
    parts = make_parts(4, 2)
    cost = {name: network_evaluations(kind(), parts, torch.zeros(4)) for name, kind in RULES.items()}
    jumps = {name for name, kind in RULES.items() if issubclass(kind, OneJump)}
    named = re.search(r"one-jump rules \((.*?)\) cost the least", DEPLOY)
    assert named is not None
    assert set(re.findall(r"`(\w+)`", named[1])) <= jumps
    assert max(cost[name] for name in jumps) < min(cost[name] for name in cost.keys() - jumps)
    assert evaluations_by_part(make_rule("fql"), parts, torch.zeros(4)) == {"one_step": 1}


@pytest.mark.parametrize("name", ["qgf", "vgf", "qpilots_m"])
def test_with_the_same_noise_the_action_is_the_same(name: str) -> None:
    parts, rule = make_parts(4, 2), make_rule(name)
    noise = draw_noise(5, rule.particles, 2, torch.Generator().manual_seed(1), rule.extra_draws())
    seen = torch.randn(5, 4, generator=torch.Generator().manual_seed(2))
    first = act(rule, parts, seen, noise)
    assert torch.equal(first, act(rule, parts, seen, noise))
    assert bool((first.abs() <= 1.0).all())
    other = draw_noise(5, rule.particles, 2, torch.Generator().manual_seed(3), rule.extra_draws())
    assert not torch.equal(first, act(rule, parts, seen, other))


def test_the_lines_of_the_page_run_an_exported_policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As they stand there, on a folder that the command's own function writes."""
    monkeypatch.chdir(tmp_path)
    parts, rule = make_parts(4, 2), make_rule("qgf", weight=0.3, flow_steps=2)
    wb.export_policy(rule, parts, "policy", formats=["onnx"])
    (lines,) = re.findall(r"```python\n(import numpy.*?)```", DEPLOY, re.S)
    space = {"observation": np.array([0.1, -0.2, 0.3, 0.4])}
    exec(compile(lines, "deploy.md", "exec"), space)  # noqa: S102 -- the page's own lines
    random = np.random.default_rng(0)
    start = torch.from_numpy(random.standard_normal((1, 1, 2), dtype=np.float32))
    noise = wb.Noise(start, torch.from_numpy(random.random((1, 1), dtype=np.float32)))
    wanted = act(rule, parts, torch.tensor([[0.1, -0.2, 0.3, 0.4]]), noise)
    np.testing.assert_allclose(space["actions"], wanted.numpy(), atol=1e-5)
    assert np.isfinite(space["check"])


def test_a_rule_that_works_in_pieces_names_its_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workbench.engine.steering.rules.bptt.ROWS", 64)
    wb.export_policy(make_rule("bptt", flow_steps=2), make_parts(4, 2), tmp_path / "policy", formats=["pt2"])
    assert json.loads((tmp_path / "policy" / "policy.json").read_text())["states_at_most"] == 64


def test_real_time_chunking_costs_one_vector_jacobian_product_a_flow_step() -> None:
    asked = {"velocity": 0, "pull": 0}

    class Field:
        def __call__(self, observations: torch.Tensor, actions: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
            raise AssertionError("no further evaluation")

        def value_and_pull(self, observations: torch.Tensor, actions: torch.Tensor, t: float) -> Any:
            asked["velocity"] += 1

            def pull(u: torch.Tensor) -> torch.Tensor:
                asked["pull"] += 1
                return -u

            return -actions, pull

    parts, rule = wb.Parts(1, 6, Field(), chunk=3), make_rule("bc", flow_steps=7)
    noise = draw_noise(4, 1, 6, torch.Generator().manual_seed(0))
    act_on(rule, held_parts(rule, parts, 1, 2), torch.zeros(4, 1), torch.zeros(4, 6), 1, noise)
    assert asked == {"velocity": 7, "pull": 7}


def test_the_strengths_of_the_gallery_are_nothing_better_exploited() -> None:
    """What is really paid rises and falls; what the critic promises beyond it only grows."""
    task = Bandit2D()
    parts, noise = task.parts(), draw_noise(512, 1, 2, torch.Generator().manual_seed(0))
    traces = [steer(make_rule("qgf", weight=weight), parts, torch.zeros(512, 1), noise) for weight in (0.0, 1.0, 10.0)]
    paid = [float(task.true_reward(trace.actions).mean()) for trace in traces]
    beyond = [float(trace.q.mean()) - real for trace, real in zip(traces, paid, strict=True) if trace.q is not None]
    assert paid[0] < paid[1] > paid[2]
    assert abs(beyond[0]) < 0.02 < beyond[1] < beyond[2]


def test_the_critic_of_the_gallery_is_right_near_the_data_and_far_too_high_in_a_corner() -> None:
    task = Bandit2D()
    parts, side = task.parts(), torch.linspace(-1.0, 1.0, 41)
    grid = torch.cartesian_prod(side, side)
    data = torch.from_numpy(np.array(task.generate(500, 0).actions)).float()
    assert parts.critic is not None

    def wrong(actions: torch.Tensor) -> torch.Tensor:
        q = torch.as_tensor(parts.critic(torch.zeros(len(actions), 1), actions))  # type: ignore[misc]
        return (q.reshape(-1, len(actions)).amin(0) / parts.reward_scale - task.true_reward(actions)).detach()

    worst = grid[wrong(grid).argmax()]
    assert bool((worst.abs() > 0.7).all())  # a corner
    assert float(wrong(grid).max()) > 3.0 * float(wrong(data).abs().median())
