"""The process's matrix-product setting comes back whatever threads do; reduced products are where they were asked for."""

import threading
import time
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from workbench.engine import precision
from workbench.engine.models.critic import CriticEnsemble
from workbench.engine.models.mlp import Mlp, MlpShape, named_views
from workbench.engine.precision import products
from workbench.engine.words import UserError

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
FINE = 1.0 + 2.0**-10  # has no bf16; rounds to 1


def test_threads_that_measure_at_once_leave_the_setting_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    set_precision = torch.set_float32_matmul_precision

    def slowly(name: str) -> None:
        set_precision(name)
        time.sleep(0.05)

    precision._measure.cache_clear()
    monkeypatch.setattr(torch, "set_float32_matmul_precision", slowly)
    threads = [threading.Timer(delay, precision.medium_is_fp32) for delay in (0.0, 0.02)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = torch.get_float32_matmul_precision()
    set_precision("highest")
    assert found == "highest"


def test_blocks_that_overlap_in_threads_compute_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first block to end leaves the fast path to the other: otherwise a run's bits would depend on its neighbour."""
    monkeypatch.setattr(precision, "_measure", lambda: True)
    first, second = (precision.fast_matmul(256, 512, torch.device("cpu")) for _ in range(2))
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert torch.get_float32_matmul_precision() == "medium"
    second.__exit__(None, None, None)
    assert torch.get_float32_matmul_precision() == "highest"


def test_bf16_rounds_the_factors_and_nothing_else() -> None:
    fine, ones = torch.full((2, 2), FINE), torch.ones(2, 2)
    stack, of_ones = fine.expand(3, 2, 2), ones.expand(3, 2, 2)
    with products("bf16", CPU):
        assert torch.equal(torch.mm(fine, ones), torch.full((2, 2), 2.0))
        assert torch.equal(torch.bmm(stack, of_ones), torch.full((3, 2, 2), 2.0))
        assert torch.equal(torch.addmm(fine, fine, ones), torch.full((2, 2), 2.0) + FINE)  # what is added stays
        assert torch.equal(torch.baddbmm(fine[None], stack, of_ones), torch.full((3, 2, 2), 2.0) + FINE)
        into = torch.zeros(2, 2)
        assert torch.mm(fine, ones, out=into) is into
        assert torch.equal(into, torch.full((2, 2), 2.0))
        assert torch.equal(fine * ones, fine)
        assert torch.mm(fine, ones).dtype == torch.float32
        assert torch.equal(torch.mm(fine.double(), ones.double()), torch.full((2, 2), 2.0 * FINE).double())
    assert torch.equal(torch.mm(fine, ones), torch.full((2, 2), 2.0 * FINE))


def test_highest_changes_nothing() -> None:
    fine = torch.full((2, 2), FINE)
    with products("highest", CPU):
        assert torch.equal(torch.mm(fine, torch.ones(2, 2)), torch.full((2, 2), 2.0 * FINE))


class Seen(TorchDispatchMode):
    """Notes the number formats of every matrix product."""

    def __init__(self) -> None:
        super().__init__()
        self.formats: list[torch.dtype] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func.overloadpacket.__name__ in ("mm", "bmm", "addmm", "baddbmm"):
            self.formats += [arg.dtype for arg in args if isinstance(arg, torch.Tensor)]
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("members", [1, 2])
def test_all_products_of_a_network_are_bf16_backward_too(members: int) -> None:
    shape = MlpShape(5, 1, (16, 16), "gelu", "all", members)
    critic = CriticEnsemble(3, 2, shape, torch.Generator().manual_seed(0))
    states, actions = torch.randn(7, 3), torch.randn(7, 2).requires_grad_()
    with products("bf16", CPU), Seen() as seen:
        torch.autograd.backward(critic(states, actions).sum())
        critic.value_and_grad(states, actions.detach(), "min")
    assert len(seen.formats) > 20
    assert set(seen.formats) == {torch.bfloat16}
    assert critic.net.theta.grad is not None
    assert critic.net.theta.grad.dtype == actions.grad.dtype == torch.float32  # type: ignore[union-attr]


def test_bf16_of_one_thread_is_not_that_of_another() -> None:
    found: list[torch.Tensor] = []
    fine = torch.full((2, 2), FINE)
    with products("bf16", CPU):
        thread = threading.Thread(target=lambda: found.append(torch.mm(fine, torch.ones(2, 2))))
        thread.start()
        thread.join()
    assert torch.equal(found[0], torch.full((2, 2), 2.0 * FINE))


def test_tf32_is_on_while_any_block_runs_and_off_again() -> None:
    def on() -> bool:
        return bool(torch.backends.cuda.matmul.allow_tf32)

    first, second = products("tf32", CUDA), products("tf32", CUDA)
    assert not on()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert on()
    second.__exit__(None, None, None)
    assert not on()


def test_tf32_is_refused_where_there_is_none() -> None:
    with pytest.raises(UserError, match=r"tf32 is a way of NVIDIA GPUs.*cpu.*precision=bf16"), products("tf32", CPU):
        raise AssertionError("not reached")


@pytest.mark.parametrize("members", [1, 2, 3])
@pytest.mark.parametrize("width", [96, 160])
def test_every_weight_has_its_gradient_on_the_fast_path(members: int, width: int) -> None:
    """torch.bmm with ``out`` left the last layer of an ensemble unwritten there: its gradient was what the memory held before."""
    shape = MlpShape(5, 1, (width, width), members=members)
    generator = torch.Generator().manual_seed(width)
    net, x = Mlp(shape, generator), torch.randn(224, 5, generator=generator)
    gradients = []
    before = torch.get_float32_matmul_precision()
    for how in ("highest", "medium"):
        torch.set_float32_matmul_precision(how)
        try:
            held = [torch.full((count,), torch.nan) for count in (width * members, net.theta.numel()) for _ in range(8)]
            del held  # what is allocated next begins with this
            net.theta.grad = None
            net(x).square().sum().backward()
            gradients.append(net.theta.grad.clone())
        finally:
            torch.set_float32_matmul_precision(before)
    assert bool(gradients[1].isfinite().all())
    for name, view in named_views(gradients[1], shape).items():
        wanted = named_views(gradients[0], shape)[name]
        torch.testing.assert_close(view, wanted, rtol=0.05, atol=0.02 * float(wanted.abs().max()) + 1e-6)
