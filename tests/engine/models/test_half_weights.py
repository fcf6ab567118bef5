"""Decisions that read bf16 weights are those of the same rounded weights in fp32, bit for bit, and see new weights at once."""

import copy
import io
from typing import Any
from unittest import mock

import pytest
import torch
from torch import Tensor, nn

from workbench.engine.models.critic import CriticEnsemble
from workbench.engine.models.mlp import Mlp, MlpShape
from workbench.engine.models.native import build, half
from workbench.engine.models.native import decision as decisions
from workbench.engine.models.parts import Parts
from workbench.engine.models.rounded import with_rounded_weights
from workbench.engine.models.velocity import VelocityField
from workbench.engine.steering.loop import in_one_call
from workbench.engine.steering.noise import draw_noise
from workbench.engine.steering.rules import make_rule
from workbench.engine.steering.run import act

needs_library = pytest.mark.skipif(build.library() is None, reason=build.reason())


def made(hidden: tuple[int, ...], members: int, layer_norm: Any = "all") -> Parts:
    generator = torch.Generator().manual_seed(len(hidden))
    flow = VelocityField(
        5, 2, MlpShape(VelocityField.inputs(5, 2, "raw"), 2, hidden, "gelu", layer_norm), "raw", generator
    )
    critic = CriticEnsemble(5, 2, MlpShape(7, 1, hidden, "gelu", layer_norm, members), generator)
    for net in (flow.net, critic.net):
        with torch.no_grad():
            net.theta.add_(0.1 * torch.randn(net.theta.shape, generator=generator))
    return Parts(5, 2, flow, critic, copy.deepcopy(critic))


def nets(parts: Parts) -> list[Mlp]:
    found = []
    for part in (parts.reference, parts.target_critic):
        assert isinstance(part, VelocityField | CriticEnsemble)
        found.append(part.net)
    return found


def decided(parts: Parts, states: int, aggregate: str = "min") -> tuple[Tensor, list[bool]]:
    """Actions in one call, and which of flow and critic were read as bf16 numbers."""
    generator = torch.Generator().manual_seed(7)
    observations = torch.randn(states, 5, generator=generator)
    noise = draw_noise(states, 1, 2, generator)
    rule, seen = make_rule("qgf", weight=0.5, aggregate=aggregate), []

    def look(flow: Any, *rest: Any) -> Any:
        seen.extend([flow.half is not None, rest[-1].net.half is not None])
        return decisions.run_decision(flow, *rest)

    with mock.patch("workbench.engine.steering.loop.run_decision", look):
        found = in_one_call(rule, parts, observations, noise.start)
    assert found is not None
    return found[0], seen


def in_fp32(parts: Parts) -> Parts:
    plain = copy.deepcopy(parts)  # the packed weights stay behind
    assert all(net.packed is None for net in nets(plain))
    return plain


@needs_library
@pytest.mark.parametrize("states", [1, 2, 3, 4, 5, 6, 7, 20])
@pytest.mark.parametrize("hidden", [(64, 64), (32,), (96, 40, 256), (512, 33), (17,), ()])
@pytest.mark.parametrize(("members", "aggregate"), [(1, "min"), (2, "min"), (3, "mean")])
def test_the_numbers_are_those_of_fp32_bitwise(
    hidden: tuple[int, ...], members: int, aggregate: str, states: int
) -> None:
    parts = with_rounded_weights(made(hidden, members, "none" if len(hidden) == 1 else "all"), "bf16")
    found, read = decided(parts, states, aggregate)
    plain, unread = decided(in_fp32(parts), states, aggregate)
    assert (read, unread) == ([True, True], [False, False])
    assert torch.equal(found, plain)


@needs_library
def test_it_is_the_packed_weights_that_are_read() -> None:
    parts = with_rounded_weights(made((64, 64), 2), "bf16")
    before = decided(parts, 1)[0]
    packed = nets(parts)[0].packed
    assert packed is not None
    packed.numbers.mul_(1.5)  # the fp32 ones stay
    assert not torch.equal(decided(parts, 1)[0], before)
    assert torch.equal(decided(parts, 7)[0], decided(in_fp32(parts), 7)[0])  # of many states nobody waits for weights


@needs_library
def test_new_weights_are_seen_at_once() -> None:
    parts = with_rounded_weights(made((64, 64), 2), "bf16")
    flow, other = nets(parts)[0], nets(made((64, 64), 2))[0]

    def look() -> None:
        found, read = decided(parts, 1)
        assert read == [False, True]
        assert torch.equal(found, decided(in_fp32(parts), 1)[0])
        seen.append(found)
        assert not torch.equal(seen[-1], seen[-2])

    seen = [decided(parts, 1)[0]]
    with torch.no_grad():
        flow.theta.mul_(1.5)
    look()
    flow.load_state_dict(other.state_dict())
    look()
    flow.theta = nn.Parameter(2.0 * flow.theta.detach())
    look()


@needs_library
def test_what_is_saved_or_made_for_inference_has_no_packed_weights() -> None:
    parts = with_rounded_weights(made((64,), 1), "bf16")
    flow = nets(parts)[0]
    file = io.BytesIO()
    torch.save(flow, file)
    file.seek(0)
    assert flow.packed is not None
    assert torch.load(file, weights_only=False).packed is None
    with torch.inference_mode():
        rounded = with_rounded_weights(made((64,), 1), "bf16")
        assert nets(rounded)[0].packed is None
        assert decided(rounded, 1)[0].isfinite().all()


def test_without_the_passes_the_numbers_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    exact = made((64, 64), 2)
    observations, noise = torch.ones(1, 5), draw_noise(1, 1, 2, torch.Generator().manual_seed(1))
    found = act(make_rule("qgf"), with_rounded_weights(exact, "bf16"), observations, noise)
    for module in ("half", "operations"):
        monkeypatch.setattr(f"workbench.engine.models.native.{module}.library", lambda: None)
    monkeypatch.setattr(half, "reason", lambda: "no C compiler was found")
    rounded = with_rounded_weights(exact, "bf16")
    assert nets(rounded)[0].packed is None
    torch.testing.assert_close(act(make_rule("qgf"), rounded, observations, noise), found, rtol=0.0, atol=1e-5)
    assert half.slow_because(torch.device("cpu")).endswith("no faster: no C compiler was found")
    assert "cuda" in half.slow_because(torch.device("cuda"))
