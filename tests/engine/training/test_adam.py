"""The slim Adam against torch's."""

import pytest
import torch

from workbench.engine.training.fast.adam import Adam


def test_it_equals_torch() -> None:
    generator = torch.Generator().manual_seed(0)
    start = {name: torch.randn(size, generator=generator) for name, size in (("flow", 50), ("critic", 7))}
    ours = {name: theta.clone().requires_grad_() for name, theta in start.items()}
    theirs = {name: theta.clone().requires_grad_() for name, theta in start.items()}
    adam, reference = Adam(ours), torch.optim.Adam(theirs.values(), lr=0.0)
    for step in range(12):
        rate = 1e-2 / (step + 1)
        for name in start:
            if name == "critic" and step % 3 == 0:
                continue  # a parameter without a gradient stays as it is, its step count too
            grad = torch.randn(start[name].shape, generator=generator) * 10.0 ** (step - 6)
            ours[name].grad, theirs[name].grad = grad.clone(), grad.clone()
        adam.step(rate)
        reference.param_groups[0]["lr"] = rate
        reference.step()
        reference.zero_grad()
        for name in start:
            torch.testing.assert_close(ours[name], theirs[name], rtol=1e-6, atol=1e-7)
            assert ours[name].grad is None
    assert float(adam.count["flow"]) == 12
    assert float(adam.count["critic"]) == 8


def test_its_arrays_are_all_of_its_state() -> None:
    theta = torch.ones(5, requires_grad=True)
    adam = Adam({"net": theta})
    theta.grad = torch.full((5,), 0.5)
    adam.step(0.1)
    copy = theta.detach().clone().requires_grad_()
    restored = Adam({"net": copy})
    restored.load({name: array.clone() for name, array in adam.arrays().items()})
    for weight, optimiser in ((theta, adam), (copy, restored)):
        weight.grad = torch.linspace(-1, 1, 5)
        optimiser.step(0.1)
    assert torch.equal(theta, copy)
    with pytest.raises(KeyError, match="net"):
        restored.load({})
