"""The passes in C against PyTorch's operations in double precision, and where they must stand aside."""

import copy
import subprocess
from dataclasses import replace
from pathlib import Path
from unittest import mock

import pytest
import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.fx.experimental.proxy_tensor import make_fx

from workbench.engine.models import mlp as mlps
from workbench.engine.models.critic import CriticEnsemble
from workbench.engine.models.mlp import Mlp, MlpShape, Normed
from workbench.engine.models.native import build
from workbench.engine.models.native.operations import may_run
from workbench.engine.models.native.passes import NativePasses
from workbench.engine.models.norm_after import DenseStack

needs_library = pytest.mark.skipif(build.library() is None, reason=build.reason())
# Below 7 four go together; above there are registers of 16, and panels of 64.
ROWS = (1, 2, 3, 4, 5, 6, 7, 16, 17, 33, 49, 64, 65, 90, 200)
SHAPES = [
    MlpShape(3, 2, (), "gelu", "all", 1),
    MlpShape(3, 1, (5,), "relu", "all", 3),
    MlpShape(17, 1, (16, 16), "gelu", "all", 2),
    MlpShape(6, 3, (7, 33, 4), "relu", "none", 1),
    MlpShape(6, 70, (7, 33, 4), "gelu", "all_but_last", 2),
    MlpShape(40, 8, (64, 130), "gelu", "all", 5),
    MlpShape(200, 20, (290, 135), "gelu", "all", 2),
    MlpShape(90, 61, (), "gelu", "all", 1),
    MlpShape(5, 1, (520, 24), "gelu", "all", 1),  # 200 rows of 520 numbers do not stay in the second cache
]


def perturbed(shape: MlpShape) -> Mlp:
    generator = torch.Generator().manual_seed(0)
    mlp = Mlp(shape, generator)
    with torch.no_grad():
        mlp.theta.add_(0.3 * torch.randn(mlp.theta.shape, generator=generator))
    return mlp


def inputs(shape: MlpShape, rows: int) -> Tensor:
    return torch.randn(rows, shape.inputs, generator=torch.Generator().manual_seed(1))


def everything(mlp: Mlp, x: Tensor) -> list[Tensor]:
    x = x.clone().requires_grad_()
    y = mlp(x)
    pull = torch.randn(y.shape, generator=torch.Generator().manual_seed(2)).to(y.dtype)
    return [y.detach(), *torch.autograd.grad(y, (x, mlp.theta), pull)]


@needs_library
@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_agrees_with_pytorch_in_double_precision(shape: MlpShape, rows: int) -> None:
    mlp, x = perturbed(shape), inputs(shape, rows)
    with mock.patch.object(NativePasses, "forward", autospec=True, side_effect=NativePasses.forward) as asked:
        found = everything(mlp, x)
    assert asked.called
    for ours, exact in zip(found, everything(copy.deepcopy(mlp).double(), x.double()), strict=True):
        error = (ours.double() - exact).abs().max() / exact.abs().max().clamp_min(1.0)
        assert error < 2e-6 * max(1, rows / 64), f"{error:.1e}"


@needs_library
def test_numbers_do_not_depend_on_the_number_of_threads() -> None:
    shape = SHAPES[5]
    mlp, x, found = perturbed(shape), inputs(shape, 200), []
    before = torch.get_num_threads()
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            found.append(everything(mlp, x))
    finally:
        torch.set_num_threads(before)
    for other in found[1:]:
        assert all(torch.equal(a, b) for a, b in zip(found[0], other, strict=True))


@needs_library
@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("layer_norm", ["all", "none"])
def test_gradient_of_the_lowest_critic(layer_norm: Normed, rows: int) -> None:
    critic = CriticEnsemble(3, 4, MlpShape(7, 1, (70, 33), "gelu", layer_norm, 3), torch.Generator().manual_seed(0))
    s, a = inputs(MlpShape(3, 1, ()), rows), inputs(MlpShape(4, 1, ()), rows)
    with mock.patch.object(
        NativePasses, "backward_chosen", autospec=True, side_effect=NativePasses.backward_chosen
    ) as asked:
        value, found = critic.value_and_grad(s, a, "min")
    assert asked.called
    leaf, exact = a.double().requires_grad_(), copy.deepcopy(critic).double()
    lowest = exact(s.double(), leaf).amin(0)
    torch.testing.assert_close(value.double(), lowest.detach(), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(found.double(), torch.autograd.grad(lowest.sum(), leaf)[0], rtol=1e-5, atol=1e-5)


@needs_library
def test_takes_rows_of_any_layout() -> None:
    shape = SHAPES[5]
    mlp, x = perturbed(shape), inputs(shape, 64)
    with torch.no_grad():
        plain = mlp(x)
        assert torch.equal(mlp(x.T.contiguous().T), plain)  # columns side by side
        assert torch.equal(mlp(torch.cat((x, x), 1)[:, : shape.inputs]), plain)  # rows apart
        each = torch.stack([x + k for k in range(shape.members)])
        moved = mlp(each)
        for k in range(shape.members):
            torch.testing.assert_close(moved[k], mlp(x + k)[k], rtol=0, atol=0)


@needs_library
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("shape", [SHAPES[1], SHAPES[2], SHAPES[3]], ids=str)
def test_numbers_that_are_not_finite_stay_so_in_their_row_alone(shape: MlpShape, bad: float) -> None:
    mlp, x = perturbed(shape), inputs(shape, 64)
    spoilt = x.clone()
    spoilt[3, 1] = bad
    with torch.no_grad():
        found, before = mlp(spoilt).reshape(shape.members, 64, -1), mlp(x).reshape(shape.members, 64, -1)
        with mock.patch.object(mlps, "may_run", return_value=False):
            torchs = mlp(spoilt).reshape(shape.members, 64, -1)
    assert torch.equal(found[:, 3].isfinite(), torchs[:, 3].isfinite())
    rest = torch.arange(64) != 3
    assert torch.equal(found[:, rest], before[:, rest])


@needs_library
@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("scale", [1e15, 1e25, 1e38])
def test_what_overflows_in_a_layer_norm_is_not_passed_off_as_a_number(scale: float, rows: int) -> None:
    mlp, x = perturbed(SHAPES[2]), inputs(SHAPES[2], rows)
    x[0] *= scale
    with torch.no_grad():
        found, exact = mlp(x), copy.deepcopy(mlp).double()(x.double())
        with mock.patch.object(mlps, "may_run", return_value=False):
            torchs = mlp(x)
    assert torch.equal(found.isfinite(), torchs.isfinite())
    assert found[:, 1:].isfinite().all()
    right = found.isfinite()
    torch.testing.assert_close(found[right].double(), exact[right], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 30.0, 1e4])
def test_activations_far_from_zero(scale: float) -> None:
    for activation in ("gelu", "relu"):
        shape = MlpShape(4, 2, (32, 32), activation, "none")
        mlp, x = perturbed(shape), scale * inputs(shape, 64)
        for ours, exact in zip(everything(mlp, x), everything(copy.deepcopy(mlp).double(), x.double()), strict=True):
            torch.testing.assert_close(ours.double(), exact, rtol=1e-4, atol=2e-5 * max(1.0, float(exact.abs().max())))


@pytest.mark.filterwarnings("ignore:`torch.jit.script`:DeprecationWarning")  # of torch's own forward-mode autograd
def test_stands_aside_for_whoever_watches_the_operations() -> None:
    mlp, x = perturbed(SHAPES[2]), inputs(SHAPES[2], 64)
    with torch.no_grad():
        plain = mlp(x)
        tangent = torch.ones_like(x)
        _, moved = torch.func.jvp(lambda rows: mlp.run(rows.expand(2, 64, 17), keep=False)[0], (x,), (tangent,))
        with forward_ad.dual_level():
            dual = forward_ad.make_dual(x, tangent)
            assert not may_run(mlp.shape, mlp.theta, dual, False)
        torch.testing.assert_close(
            moved, (mlp(x + 1e-3 * tangent) - mlp(x - 1e-3 * tangent)) / 2e-3, rtol=1e-2, atol=1e-2
        )
        graph = make_fx(lambda rows: mlp(rows))(x)
        torch.testing.assert_close(graph(x + 1.0), mlp(x + 1.0))
        rows = torch.func.vmap(lambda row: mlp.run(row.expand(2, 1, 17), keep=False)[0][:, 0])(x)
        torch.testing.assert_close(rows.movedim(0, 1), plain)
    assert not may_run(mlp.shape, mlp.theta.double(), x.double(), False)
    assert not may_run(replace(mlp.shape, activation="mish"), mlp.theta, x, False)


@pytest.mark.parametrize("rows", ROWS)
def test_inputs_of_another_width_are_refused(rows: int) -> None:
    for shape in (SHAPES[1], SHAPES[3]):
        mlp = perturbed(shape)
        for width in (shape.inputs - 1, shape.inputs + 1):
            with pytest.raises(RuntimeError), torch.no_grad():
                mlp(torch.zeros(rows, width))


@needs_library
def test_what_would_not_stay_in_the_heap_is_left_to_pytorch() -> None:
    shape = MlpShape(4, 1, (512, 512), "gelu", "all", 2)
    mlp, many = Mlp(shape), torch.zeros(2, 2000, 4)
    assert may_run(shape, mlp.theta, many, keep=False)
    assert may_run(shape, mlp.theta, many[:, :1000], keep=True)
    assert not may_run(shape, mlp.theta, many, keep=True)


def test_without_a_compiler_nothing_changes_but_the_speed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CC", str(tmp_path / "none"))
    assert build.find_compiler() is None
    monkeypatch.setattr("workbench.engine.models.native.operations.library", lambda: None)
    mlp, x = perturbed(SHAPES[2]), inputs(SHAPES[2], 64)
    for ours, exact in zip(everything(mlp, x), everything(copy.deepcopy(mlp).double(), x.double()), strict=True):
        torch.testing.assert_close(ours.double(), exact, rtol=1e-4, atol=1e-4)


@needs_library
def test_is_compiled_once_and_a_compiler_that_fails_is_told_of(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(build, "user_cache_path", lambda _: tmp_path)
    compiler = build.find_compiler()
    assert compiler is not None
    made = build.built(compiler)
    with mock.patch.object(subprocess, "run", side_effect=AssertionError("compiled again")):
        assert build.built(compiler) == made
    broken = tmp_path / "cc"
    broken.write_text("#!/bin/sh\necho 'no such processor' >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("CC", str(broken))
    found, why = build.load()
    assert found is None
    assert "no such processor" in why


@needs_library
def test_a_file_that_others_may_write_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "user_cache_path", lambda _: tmp_path)
    compiler = build.find_compiler()
    assert compiler is not None
    target = build.built(compiler)
    assert target.stat().st_mode & 0o077 == 0
    assert build.load()[1] == ""
    target.chmod(0o722)
    found, reason = build.load()
    assert found is None
    assert "is not yours alone" in reason


@needs_library
@pytest.mark.parametrize("rows", ROWS)
def test_layer_norm_after_the_activation_is_left_to_pytorch(rows: int) -> None:
    """The passes in C know it before the activation alone; critic values and gradients are right in any case."""
    shape = MlpShape(7, 1, (70, 33), "gelu", "all", 3, norm_after=True)
    critic = CriticEnsemble(3, 4, shape, torch.Generator().manual_seed(0))
    s, a = inputs(MlpShape(3, 1, ()), rows), inputs(MlpShape(4, 1, ()), rows)
    assert may_run(
        replace(shape, norm_after=False), critic.net.theta, torch.cat((s, a), 1).expand(3, -1, -1), keep=True
    )
    with mock.patch.object(NativePasses, "forward", autospec=True, side_effect=NativePasses.forward) as asked:
        value, found = critic.value_and_grad(s, a, "min")
        everything(critic.net, torch.cat((s, a), 1))
    assert not asked.called
    leaf, exact = a.double().requires_grad_(), copy.deepcopy(critic).double()
    lowest = exact(s.double(), leaf).amin(0)
    torch.testing.assert_close(value.double(), lowest.detach(), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(found.double(), torch.autograd.grad(lowest.sum(), leaf)[0], rtol=1e-5, atol=1e-5)
    stack = DenseStack({k: v.clone() for k, v in critic.net.arrays().items()}, "gelu", after=True)
    torch.testing.assert_close(stack(torch.cat((s, a), 1)), critic.net(torch.cat((s, a), 1)), rtol=1e-5, atol=1e-5)
