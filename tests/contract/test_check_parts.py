"""`check_parts`: silent for parts that work, and one broken part for every message."""

import ast
import inspect
import sys
from dataclasses import replace
from types import FrameType
from typing import Any

import numpy as np
import pytest
import torch
from contract.scenes import analytic
from torch import Tensor, nn

import workbench
from workbench.engine.models import check, conventions, problems
from workbench.engine.models.check import check_parts
from workbench.engine.models.critic import CriticEnsemble
from workbench.engine.models.mixture import MixtureFlow
from workbench.engine.models.mlp import MlpShape
from workbench.engine.models.parts import Normalizer, Parts
from workbench.engine.tasks.registry import make_task

FLOW = MixtureFlow(torch.tensor([[-0.5, 0.3], [0.4, -0.2]]), torch.tensor([0.1, 0.1]), torch.ones(2))


def velocity(s: Tensor, a: Tensor, t: Tensor) -> Tensor:
    return FLOW(s, a, t)


def hill(s: Tensor, a: Tensor) -> Tensor:
    return -(a - 0.1 * s[:, :2]).square().sum(1)


def own(**changes: Any) -> Parts:
    return replace(Parts(4, 2, velocity, hill), **changes)


NARROW = MixtureFlow(torch.tensor([[0.4, -0.5]]), torch.tensor([0.2]), torch.ones(1))


def noise_in(a: Tensor, t: Tensor) -> Tensor:
    """E[noise | x_t = a], what a noise-prediction network learns."""
    return a - t[:, None] * NARROW(a, a, t)


def action_in(a: Tensor, t: Tensor) -> Tensor:
    """E[action | x_t = a]."""
    return a + (1 - t[:, None]) * NARROW(a, a, t)


class Net(nn.Module):
    """A critic with a layer that is often left in train mode."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(6, 16), layer, nn.Tanh(), nn.Linear(16, 1))

    def forward(self, s: Tensor, a: Tensor) -> Tensor:
        return self.net(torch.cat((s, a), 1))


class Counting(nn.Module):
    """A velocity field that keeps a running mean."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("seen", torch.zeros(2))

    def forward(self, s: Tensor, a: Tensor, t: Tensor) -> Tensor:
        self.seen += 1.0 + a.mean(0)
        return FLOW(s, a, t)


class SaysStraight(nn.Module):
    """A curved flow that says its lines are straight."""

    is_straight = True

    def forward(self, s: Tensor, a: Tensor, t: Tensor) -> Tensor:
        return FLOW(s, a, t)


class OwnGradient(CriticEnsemble):
    """A critic whose hand-written gradient is that of the mean over the batch."""

    def value_and_grad(self, observations: Tensor, actions: Tensor, how: Any) -> tuple[Tensor, Tensor]:
        value, grad = super().value_and_grad(observations, actions, how)
        return value, grad / len(value)


def in_place(s: Tensor, a: Tensor, t: Tensor) -> Tensor:
    return FLOW(s, a.clamp_(-0.5, 0.5), t)


def raises(s: Tensor, a: Tensor) -> Tensor:
    raise RuntimeError("Expected all tensors to be on the same device, but found at least two devices")


# --- silent -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "parts",
    [
        own(),
        own(critic=Net(nn.Identity())),
        own(critic=Net(nn.Dropout(0.5)).eval(), target_critic=Net(nn.BatchNorm1d(16)).eval()),
        own(critic=CriticEnsemble(4, 2, MlpShape(6, 1, (16, 16), members=3), torch.Generator().manual_seed(0))),
        own(critic=lambda s, a: torch.stack([hill(s, a)] * 7), value=lambda s: s.sum(1)),
        own(critic=None),
        own(normalizer=Normalizer(torch.zeros(4), torch.ones(4))),
        analytic(3),
    ],
    ids=lambda parts: type(parts.critic).__name__,
)
def test_parts_that_work(parts: Parts) -> None:
    report = check_parts(parts)
    assert not report, report
    assert str(report) == repr(report) == "These parts can be steered: no problem was found."


@pytest.mark.parametrize("name", ["bandit1d", "bandit2d"])
def test_the_tasks_own_parts(name: str) -> None:
    parts = make_task(name).parts()
    assert not check_parts(parts)
    assert not workbench.check_parts(parts, torch.zeros(3, parts.observation_dim))


def test_torch_s_generator_is_left_alone() -> None:
    parts = own(critic=Net(nn.Dropout(0.5)))
    before = torch.get_rng_state()
    assert check_parts(parts)
    assert torch.equal(torch.get_rng_state(), before)


def test_observations_of_another_width() -> None:
    with pytest.raises(ValueError, match=r"observations must be \(B, 4\)"):
        check_parts(own(), torch.zeros(3, 5))


# --- one broken part a message ----------------------------------------------------------------------------------

BROKEN: dict[str, tuple[dict[str, Any], str, str, str]] = {
    # what is broken: the change, the part that is named, and words of what was seen or the cause, and of the cure
    "velocity of one column": ({"reference": lambda s, a, t: a[:, :1]}, "reference", r"returns (7, 1)", "2 numbers each"),
    "velocity transposed": ({"reference": lambda s, a, t: FLOW(s, a, t).T}, "reference", "transposed", "v.T"),
    "ensemble transposed": ({"critic": lambda s, a: torch.stack([hill(s, a)] * 2, 1)}, "critic", "2 as columns", "q.T"),
    "ensemble of 7 transposed": (
        {"critic": lambda s, a: torch.stack([hill(s, a)] * 7, 1)},
        "critic",
        "7 as columns",
        "q.T",
    ),
    "broadcast table": ({"critic": lambda s, a: hill(s, a)[:, None] + hill(s, a)}, "critic", "M by M", "squeeze(-1)"),
    "mean over the batch": ({"critic": lambda s, a: hill(s, a).mean()}, "critic", "returns ()", "a row per member"),
    "value of two": ({"value": lambda s: s[:, :2]}, "value", "returns (7, 2)", "value[:, 0]"),
    "a tuple": ({"critic": lambda s, a: (hill(s, a), None)}, "critic", "a tuple, not a tensor", "return the one tensor"),
    "an array": ({"critic": lambda s, a: np.zeros(len(a))}, "critic", "a ndarray", "return the one tensor"),
    "double precision": ({"critic": lambda s, a: hill(s, a).double()}, "critic", "torch.float64", "network.float()"),
    "double weights": ({"critic": Net(nn.Identity()).double()}, "critic", "double precision", "network.float()"),
    "another device": ({"critic": lambda s, a: hill(s, a).to("meta")}, "critic", "on meta", "to one device"),
    "devices meet inside": ({"critic": raises}, "critic", "different devices", "to one device"),
    "NaN": ({"critic": lambda s, a: hill(s, a).log()}, "critic", "NaN or infinity", "detect_anomaly"),
    "batch norm": ({"critic": Net(nn.BatchNorm1d(16))}, "critic", "BatchNorm1d is in train mode", ".eval()"),
    "dropout": ({"critic": Net(nn.Dropout(0.5))}, "critic", "Dropout is active", "critic.eval()"),
    "own randomness": ({"reference": lambda s, a, t: FLOW(s, a, t) + torch.randn_like(a)}, "reference", "random", "draw_noise"),
    "neighbours": ({"critic": lambda s, a: hill(s, a) - hill(s, a).mean()}, "critic", "the other rows", "dim=-1"),
    "squeeze": ({"critic": lambda s, a: hill(s, a)[:, None].squeeze()}, "critic", "for one row", "squeeze(-1)"),
    "in place": ({"reference": in_place}, "reference", "changes its input 'actions'", "clone()"),
    "own buffers": ({"reference": Counting()}, "reference", "its own weights or buffers", ".eval()"),
    "straight by name": ({"reference": SaysStraight()}, "reference", "lines are curved", "leave out is_straight"),
    "detached": ({"critic": lambda s, a: hill(s, a).detach()}, "critic", "no gradient", "leave autograd alone"),
    "ignores the action": ({"critic": lambda s, a: s.sum(1)}, "critic", "ignores the action", "autograd"),
    "flat": ({"critic": lambda s, a: a.round().sum(1)}, "critic", "is 0 at all 7", "varies with the action"),
    "gradient NaN": ({"critic": lambda s, a: (a - a).square().sum(1).sqrt()}, "critic", "NaN or infinite", "1e-12"),
    "detached flow": ({"reference": lambda s, a, t: FLOW(s, a, t).detach()}, "reference", "qgf_jacobian, bptt", "autograd"),
    "wrong gradient": (
        {"critic": OwnGradient(4, 2, MlpShape(6, 1, (16,), members=2), torch.Generator().manual_seed(0))},
        "critic",
        "value_and_grad does not agree",
        "remove value_and_grad",
    ),
    "time of noise levels": ({"reference": lambda s, a, t: FLOW(s, a, 1 - t)}, "reference", "noise levels", "v(s, a, 1 - t)"),
    "time reversed": (
        {"reference": lambda s, a, t: -FLOW(s, a, 1 - t)},
        "reference",
        "t = 0 is the clean action",
        "-v(s, a, 1 - t)",
    ),
    "sign reversed": ({"reference": lambda s, a, t: -FLOW(s, a, t)}, "reference", "to the noise", "-v(s, a, t)"),
    "actions of another scale": (
        {"reference": MixtureFlow(torch.full((1, 2), 8.0), torch.ones(1), torch.ones(1))},
        "reference",
        "outside [-1, 1]",
        "scaled to [-1, 1]",
    ),
    "noise prediction": ({"reference": lambda s, a, t: noise_in(a, t)}, "reference", "the noise (epsilon)", "a0 - ε"),
    "noise prediction, t = 1 is noise": (
        {"reference": lambda s, a, t: noise_in(a, 1 - t)}, "reference", "the noise (epsilon)", "a0 - ε",
    ),
    "action prediction": ({"reference": lambda s, a, t: action_in(a, t)}, "reference", "clean action (x0)", "(1 - t)"),
    "action prediction, still": (
        {"reference": lambda s, a, t: 0.3 + 0.3 * t[:, None] * a}, "reference", "same for every noisy action", "x0(s, x, t)",
    ),
    "time in thousandths": (
        {"reference": lambda s, a, t: FLOW(s, a, t / 1000)}, "reference", "with 1000 t it does", "1000 * t",
    ),
    "no time": (
        {"reference": lambda s, a, t: 0.2 - a + 2.0 * torch.sin(t[:, None] / 100.0) * torch.cos(5.0 * a)},
        "reference", "next to no difference", "1000 * t",
    ),
    "no flow": (
        {"reference": lambda s, a, t: 3.0 * torch.cos(9.0 * a + 3.0 * t[:, None]) * (t[:, None] > 0.2) - a},
        "reference", "reproduce its own endpoints", "schedule",
    ),
    "time as a row": ({"reference": lambda s, a, t: torch.cat((s, a, t), 1)}, "reference", "t[:, None]", "S + D"),
    "signature": ({"critic": lambda s, a, t: hill(s, a)}, "critic", "another signature", "lambda"),
    "observation width": ({"critic": lambda s, a: s @ torch.ones(9)}, "critic", "cannot be called", "observation_dim"),
    "no spread": ({"normalizer": Normalizer(torch.zeros(4), torch.zeros(4))}, "normalizer", "std is 0", "clamp_min"),
    "statistics of the wrong axis": (
        {"normalizer": Normalizer(torch.zeros(1), torch.ones(1))},
        "normalizer",
        "not (S,)",
        "mean(0)",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "part", "seen", "cure"), BROKEN.values(), ids=BROKEN)
def test_a_broken_part_is_told_in_words(changes: dict[str, Any], part: str, seen: str, cure: str) -> None:
    report = check_parts(own(**changes))
    mine = [problem for problem in report if problem.part == part]
    assert len(mine) == 1, report
    problem = mine[0]
    assert seen in problem.what + problem.cause, problem
    assert cure in problem.cure, problem
    text = str(report)
    assert f"{part}: " in text
    assert "Likely cause: " in text
    assert "Cure: " in text
    if part != "normalizer":  # which spoils what the others see
        assert len(report) == 1, report


def test_every_message_has_its_broken_part() -> None:
    """Each line that raises or yields a problem is reached by one of the cases."""
    reached: set[tuple[str, int]] = set()

    def watch(frame: FrameType, event: str, _: object) -> Any:
        if frame.f_code.co_filename in sources and event == "line":
            reached.add((frame.f_code.co_filename, frame.f_lineno))
        return watch

    sources = {module.__file__: inspect.getsource(module) for module in (check, conventions, problems)}
    before = sys.gettrace()
    sys.settrace(watch)
    try:
        for changes, *_ in BROKEN.values():
            check_parts(own(**changes))
    finally:
        sys.settrace(before)
    for file, source in sources.items():
        for node in ast.walk(ast.parse(source)):
            told = isinstance(node, ast.Raise) and "ProblemError" in ast.unparse(node)
            if told or isinstance(node, ast.Yield):
                assert any((file, line) in reached for line in range(node.lineno, node.end_lineno + 1)), ast.unparse(
                    node
                )


def test_several_problems_are_told_at_once() -> None:
    def bad(s: Tensor, a: Tensor) -> Tensor:
        return hill(s, a).detach()

    report = check_parts(own(reference=lambda s, a, t: a[:, 0], critic=bad, target_critic=bad))
    assert [problem.part for problem in report] == ["reference", "critic", "target_critic"]


def test_observations_with_the_parts_own_normalizer() -> None:
    seen: list[Tensor] = []

    def spy(s: Tensor, a: Tensor) -> Tensor:
        seen.append(s)
        return hill(s, a)

    parts = own(critic=spy, normalizer=Normalizer(torch.full((4,), 3.0), torch.full((4,), 2.0)))
    assert not check_parts(parts, torch.full((2, 4), 5.0, dtype=torch.float64))
    assert all(torch.equal(s, torch.ones_like(s)) for s in seen)
