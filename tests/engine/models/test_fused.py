"""The GPU's kernels compute what PyTorch's operations do; played by Triton's interpreter, on the CPU."""

import importlib
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from contract.scenes import scene
from engine.small_runs import WAYS, small_config, small_data, small_trainer
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from workbench.engine.models.fused import operations
from workbench.engine.models.fused.layers import FusedKept, may_fuse
from workbench.engine.models.mlp import Mlp, MlpShape, Normed
from workbench.engine.models.native import operations as native
from workbench.engine.steering.rules import RULES, make_rule
from workbench.engine.steering.run import act
from workbench.engine.training.loop.together import TrainerGroup
from workbench.engine.training.loop.trainer import Trainer

KERNELS = "workbench.engine.models.fused.kernels"
REASON = operations.reason.__wrapped__  # without what it found before
Weights = tuple[Tensor, Tensor | None, Tensor | None]


@pytest.fixture(scope="module", autouse=True)
def _interpreted() -> Iterator[None]:
    """The kernels by Triton's interpreter, and as what the CPU does with the operations."""
    pytest.importorskip("triton", reason="Triton has no wheel for this system")
    with pytest.MonkeyPatch.context() as patch:
        patch.delitem(sys.modules, KERNELS, raising=False)
        found = importlib.import_module(KERNELS)
        patch.setattr(operations, "kernels", lambda: found)
        patch.setattr(operations, "reason", lambda: "")
        own = torch.library.Library("workbench", "IMPL")
        for name, work in operations.WORK.items():
            own.impl(name, work, "CPU")
        yield
        own._destroy()  # type: ignore[no-untyped-call] # torch types it not
    sys.modules.pop(KERNELS, None)


@pytest.fixture(autouse=True)
def on(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a GPU: no passes in C, and fp32 numbers go through the kernels."""
    monkeypatch.setattr(native, "library", lambda: None)
    monkeypatch.setattr(operations, "is_ours", lambda x: x.dtype is torch.float32)


def plain(product: Tensor, weights: Weights, activation: str) -> Tensor:
    bias, scale, shift = weights
    x = product + bias
    if scale is not None and shift is not None:
        x = torch.nn.functional.layer_norm(x, x.shape[-1:], eps=1e-6) * scale + shift
    return torch.relu(x) if activation == "relu" else torch.nn.functional.gelu(x, approximate="tanh")


def drawn(shape: tuple[int, ...], normed: bool, seed: int) -> tuple[Tensor, Tensor, Weights]:
    """A product, a gradient, and weights."""
    generator = torch.Generator().manual_seed(seed)
    draw = lambda *size: torch.randn(size, generator=generator)  # noqa: E731
    head = (1,) if len(shape) == 2 else (shape[0], 1)
    bias, scale, shift = (draw(*head, shape[-1]) for _ in range(3))
    return 2.0 * draw(*shape), draw(*shape), (bias, scale, shift) if normed else (bias, None, None)


def check(product: Tensor, grad: Tensor, weights: Weights, activation: str) -> None:
    out, mean, rstd = operations.finish(product, *weights, activation)
    exact = product.double().requires_grad_()
    given = tuple(None if w is None else w.double().requires_grad_() for w in weights)
    expected = plain(exact, given, activation)  # type: ignore[arg-type]
    expected.backward(grad.double())  # type: ignore[no-untyped-call] # torch types it not
    into = tuple(None if w is None else torch.full_like(w, torch.nan) for w in weights)
    back = operations.finish_back(grad, product, weights, (mean, rstd), activation, into)  # type: ignore[arg-type]
    torch.testing.assert_close(out.double(), expected, atol=2e-6, rtol=2e-6)
    assert exact.grad is not None
    torch.testing.assert_close(back.double(), exact.grad, atol=2e-5, rtol=2e-5)
    for found, weight in zip(into, given, strict=True):
        if found is not None and weight is not None:
            assert weight.grad is not None
            torch.testing.assert_close(found.double(), weight.grad, atol=1e-4, rtol=1e-4)
    assert torch.equal(operations.finish_back(grad, product, weights, (mean, rstd), activation, None), back)


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from([(1, 1), (7, 3), (5, 64), (300, 17), (1, 200)]),
    st.sampled_from([0, 1, 2, 5]),
    st.sampled_from(operations.KNOWN),
    st.booleans(),
    st.integers(0, 1000),
)
def test_a_layer_is_that_of_pytorch(
    size: tuple[int, int], members: int, activation: str, normed: bool, seed: int
) -> None:
    check(*drawn((members, *size) if members else size, normed, seed), activation)


@pytest.mark.parametrize("parts", [1, 2, 7])
def test_rows_of_many_rounds_and_parts_are_added_up(monkeypatch: pytest.MonkeyPatch, parts: int) -> None:
    monkeypatch.setattr(operations, "PARTS", parts)
    monkeypatch.setattr(operations, "TILE", 64)
    check(*drawn((2, 61, 20), True, 0), "gelu")
    check(*drawn((61, 20), False, 1), "relu")


def test_rows_that_do_not_lie_in_a_row_in_memory() -> None:
    product, grad, weights = drawn((6, 8), True, 0)
    turned = [x.mT.contiguous().mT for x in (product, grad)]
    assert not turned[0].is_contiguous()
    check(*turned, weights, "gelu")
    check(product, torch.ones(1, 1).expand(6, 8), weights, "relu")


def test_weights_that_do_not_lie_in_a_row_in_memory() -> None:
    product, grad, weights = drawn((2, 6, 8), True, 0)
    strided = tuple(None if w is None else torch.stack((w, w), -1)[..., 0] for w in weights)
    assert all(w is not None and not w.is_contiguous() for w in strided)
    found = operations.finish(product, *strided, "gelu")  # type: ignore[arg-type]
    assert all(torch.equal(*pair) for pair in zip(found, operations.finish(product, *weights, "gelu"), strict=True))
    with pytest.raises(ValueError, match="lie in a row in memory"):
        operations.finish_back(grad, product, weights, found[1:], "gelu", strided)  # type: ignore[arg-type]


def test_no_rows_and_huge_numbers() -> None:
    product, grad, weights = drawn((2, 0, 8), True, 0)
    check(product, grad, weights, "gelu")
    far = torch.tensor([[-1e30, -1e4, -60.0, 60.0, 1e4, 1e30]])
    none = torch.zeros(1, 6), None, None
    out, *rows = operations.finish(far, *none, "gelu")
    back = operations.finish_back(torch.ones(1, 6), far, none, (rows[0], rows[1]), "gelu", None)
    torch.testing.assert_close(out, far.clamp_min(0.0))
    torch.testing.assert_close(back, (far > 0.0).float())


def test_adam_is_torchs() -> None:
    generator = torch.Generator().manual_seed(0)
    mine = torch.randn(3001, generator=generator)
    theirs = torch.nn.Parameter(mine.clone())
    adam = torch.optim.Adam([theirs], lr=3e-3, fused=True)
    first, second, count = torch.zeros(3001), torch.zeros(3001), torch.zeros(())
    for _ in range(20):
        grad = torch.randn(3001, generator=generator)
        count += 1.0
        operations.adam_step(mine, grad, first, second, count, torch.tensor(3e-3), (0.9, 0.999), 1e-8)
        theirs.grad = grad
        adam.step()
    torch.testing.assert_close(mine, theirs.detach(), atol=1e-7, rtol=1e-6)


@pytest.mark.parametrize("layer_norm", ["all", "all_but_last", "none"])
@pytest.mark.parametrize("members", [1, 3])
@pytest.mark.parametrize("outputs", [1, 4])
@pytest.mark.parametrize("hidden", [(), (16,), (16, 24)], ids=str)
def test_a_network_is_the_same(layer_norm: Normed, members: int, outputs: int, hidden: tuple[int, ...]) -> None:
    shape = MlpShape(5, outputs, hidden, "gelu", layer_norm, members)
    net = Mlp(shape, torch.Generator().manual_seed(1))
    exact = Mlp(shape)
    exact.theta = torch.nn.Parameter(net.theta.detach().double())
    x = torch.randn(*((members,) if members > 1 else ()), 9, 5, generator=torch.Generator().manual_seed(2))
    results = []
    for one, inputs in ((net, x.clone().requires_grad_()), (exact, x.double().requires_grad_())):
        out, kept = one.run(inputs.detach(), keep=True)
        assert isinstance(kept, FusedKept) == (one is net)
        one(inputs).square().sum().backward()
        assert inputs.grad is not None
        assert one.theta.grad is not None
        results.append((out, inputs.grad, one.theta.grad))
    for found, expected in zip(*results, strict=True):
        torch.testing.assert_close(found.double(), expected, atol=1e-4, rtol=1e-4)


def without(monkeypatch: pytest.MonkeyPatch, call: Any) -> Any:
    with monkeypatch.context() as patch:
        patch.setattr(operations, "is_ours", lambda x: False)
        return call()


@pytest.mark.parametrize("way", ["iql", "td_vgf, joint", "td_actor, fql"])
def test_training_is_the_same(monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    def trained() -> Trainer:
        trainer = small_trainer(**({"steps": 4} | WAYS[way]))
        for _ in range(3):
            trainer.step()
        return trainer

    found, expected = trained(), without(monkeypatch, trained)
    for name, theta in expected.weights.items():
        torch.testing.assert_close(found.weights[name], theta, atol=1e-5, rtol=1e-5)


def test_several_seeds_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def trained() -> list[Trainer]:
        group = TrainerGroup([Trainer(small_data(60, s), small_config(seed=s, steps=4)) for s in (3, 7)])
        for _ in range(3):
            group.step()
        return group.hand_back()

    for found, expected in zip(trained(), without(monkeypatch, trained), strict=True):
        for name, theta in expected.weights.items():
            torch.testing.assert_close(found.weights[name], theta, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", RULES)
def test_every_rule_acts_the_same(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    parts, observations, noise = scene((2, 2, 2, 4))
    found = act(make_rule(name), parts, observations, noise)
    expected = without(monkeypatch, lambda: act(make_rule(name), parts, observations, noise))
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("members", [1, 2])
def test_what_the_kernels_cannot_do_is_done_by_pytorch(members: int) -> None:
    x = torch.zeros(3, 5)
    shape = MlpShape(5, 1, (16,), members=members)
    assert may_fuse(shape, x)
    for other in ({"activation": "mish"}, {"norm_after": True}, {"hidden": (operations.WIDEST + 1,)}):
        assert not may_fuse(MlpShape(**(vars(shape) | other)), x)
    assert not may_fuse(shape, x.double())
    seen = []
    torch.func.vmap(lambda row: seen.append(may_fuse(shape, x)) or row)(x)  # type: ignore[func-returns-value]
    with torch.autograd.forward_ad.dual_level():
        seen.append(may_fuse(shape, x))
    assert seen == [False, False]


def test_a_gpu_whose_compiler_fails_is_told_once_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*given: Any) -> None:
        raise RuntimeError("Failed to find C compiler.\nPlease specify via CC")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch, "zeros", lambda *size, device: torch.ones(*size))
    monkeypatch.setattr(operations, "_finish", fails)
    with pytest.warns(
        UserWarning, match=r"by PyTorch's kernels.*Triton cannot be used: RuntimeError: Failed to find C compiler\.$"
    ):
        assert REASON() == "RuntimeError: Failed to find C compiler."
    monkeypatch.setattr(operations, "_finish", lambda *given: None)
    assert REASON() == ""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert REASON() == "there is no CUDA device"
    monkeypatch.setattr(operations, "kernels", lambda: None)
    assert REASON() == "Triton is missing"


def test_where_they_cannot_be_used_pytorch_does_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operations, "reason", lambda: "Triton is missing")
    x = torch.zeros(3, 5)
    assert not may_fuse(MlpShape(5, 1, (16,)), x)
    assert not operations.may_fuse_adam(x)
