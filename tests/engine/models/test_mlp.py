"""The hand-written passes of `Mlp` against an independent restatement with autograd."""

import copy
import itertools

import pytest
import torch
from torch import Tensor

from workbench.engine.models.critic import CriticEnsemble, StateValue, aggregate
from workbench.engine.models.mlp import Mlp, MlpShape, named_views
from workbench.engine.models.parts import q_gradient
from workbench.engine.models.velocity import VelocityField

HIDDEN = [(), (5,), (16, 16), (7, 33, 4)]
SHAPES = [
    MlpShape(inputs, outputs, hidden, activation, layer_norm, members)
    for (inputs, outputs), hidden, activation, layer_norm, members in itertools.product(
        [(3, 2), (17, 1)], HIDDEN, ["relu", "gelu"], ["all", "none", "all_but_last"], [1, 2, 5]
    )
]
AFTER = [
    MlpShape(3, 2, hidden, activation, layer_norm, members, norm_after=True)
    for hidden, activation, layer_norm, members in itertools.product(
        HIDDEN, ["relu", "gelu", "mish"], ["all", "all_but_last"], [1, 3]
    )
]
TOLERANCE = {torch.float64: 1e-12, torch.float32: 2e-5}


def name(shape: MlpShape) -> str:
    widths = "x".join(map(str, shape.hidden)) or "none"
    place = "after" if shape.norm_after else shape.layer_norm
    return f"{shape.inputs}-{widths}-{shape.outputs}-{shape.activation}-{place}-K{shape.members}"


def perturbed(shape: MlpShape, dtype: torch.dtype = torch.float32, seed: int = 0) -> Mlp:
    """An Mlp whose biases and LayerNorm weights are away from 0 and 1 too."""
    generator = torch.Generator().manual_seed(seed)
    mlp = Mlp(shape, generator)
    with torch.no_grad():
        for view in mlp.arrays().values():
            view.add_(0.3 * torch.randn(view.shape, generator=generator))
    return mlp.to(dtype)


def layer_norm(x: Tensor) -> Tensor:
    centred = x - x.mean(-1, keepdim=True)
    return centred / (centred.square().mean(-1, keepdim=True) + 1e-6).sqrt()


def gelu(x: Tensor) -> Tensor:
    return 0.5 * x * (1.0 + torch.tanh((2.0 / torch.pi) ** 0.5 * (x + 0.044715 * x**3)))


def restated(shape: MlpShape, arrays: dict[str, Tensor], x: Tensor) -> Tensor:
    """methods.md, section 1, member by member: (K, M, O)."""
    last = len(shape.hidden)
    outputs = []
    for k in range(shape.members):
        h = x if x.dim() == 2 else x[k]
        for i in range(last + 1):
            h = h @ arrays[f"{i}.weight"][k] + arrays[f"{i}.bias"][k]
            if i == last:
                break
            active = {"relu": torch.relu, "gelu": gelu, "mish": lambda u: u * torch.tanh(torch.log1p(u.exp()))}
            h = active[shape.activation](h) if shape.norm_after else h
            if shape.layer_norm == "all" or (shape.layer_norm == "all_but_last" and i < last - 1):
                h = layer_norm(h) * arrays[f"{i}.scale"][k] + arrays[f"{i}.shift"][k]
            h = h if shape.norm_after else active[shape.activation](h)
        outputs.append(h)
    return torch.stack(outputs)


def assert_close(ours: Tensor, theirs: Tensor) -> None:
    assert ours.shape == theirs.shape
    error = float((ours - theirs).detach().abs().max()) / max(1.0, float(theirs.detach().abs().max()))
    assert error <= TOLERANCE[theirs.dtype], f"error {error:.1e}"


@pytest.mark.parametrize("dtype", list(TOLERANCE), ids=str)
@pytest.mark.parametrize("shape", [*SHAPES, *AFTER], ids=name)
def test_forward_and_backward(shape: MlpShape, dtype: torch.dtype) -> None:
    mlp = perturbed(shape, dtype)
    x = torch.randn(11, shape.inputs, dtype=dtype, requires_grad=True)
    ours = mlp(x)
    pull = torch.randn_like(ours)
    d_x, d_theta = torch.autograd.grad(ours, (x, mlp.theta), pull)
    arrays = {key: array.clone().requires_grad_() for key, array in mlp.arrays().items()}
    theirs = restated(shape, arrays, x)
    d_all = torch.autograd.grad(theirs, [x, *arrays.values()], pull.reshape(theirs.shape))
    assert_close(ours, theirs[0] if shape.members == 1 else theirs)
    assert_close(d_x, d_all[0])
    d_arrays = named_views(d_theta, shape)
    for key, expected in zip(arrays, d_all[1:], strict=True):
        assert_close(d_arrays[key], expected)
    assert sum(array.numel() for array in arrays.values()) == mlp.theta.numel()  # no weight is left out
    with torch.no_grad():
        assert_close(mlp(x), ours.detach())


@pytest.mark.parametrize("layer_norm", ["all", "none", "all_but_last"])
@pytest.mark.parametrize("activation", ["relu", "gelu"])
@pytest.mark.parametrize("how", ["min", "mean"])
@pytest.mark.parametrize("members", [1, 2, 5])
def test_critic_gradient_without_a_graph(members: int, how: str, activation: str, layer_norm: str) -> None:
    critic = CriticEnsemble(4, 3, MlpShape(7, 1, (16, 16), activation, layer_norm, members))
    critic.net = perturbed(critic.net.shape, torch.float64)
    s, a = torch.randn(13, 4, dtype=torch.float64), torch.randn(13, 3, dtype=torch.float64, requires_grad=True)
    q = restated(critic.net.shape, critic.net.arrays(), torch.cat((s, a), 1))[..., 0]
    assert_close(critic(s, a).detach(), q.detach())
    expected = aggregate(q, how)
    value, grad = q_gradient(critic, s, a.detach(), how)
    assert_close(value, expected.detach())
    assert_close(grad, torch.autograd.grad(expected.sum(), a)[0])
    assert not value.requires_grad
    assert not grad.requires_grad


def test_stack_takes_a_batch_per_member() -> None:
    shape = MlpShape(3, 2, (8,), "gelu", "all", 2)
    mlp, x = perturbed(shape, torch.float64), torch.randn(2, 5, 3, dtype=torch.float64)
    assert_close(mlp(x).detach(), restated(shape, mlp.arrays(), x))


def test_gradients_accumulate() -> None:
    mlp = perturbed(MlpShape(3, 1, (8, 8), "gelu", "all", 2), torch.float64)
    x, y = torch.randn(2, 5, 3, dtype=torch.float64)
    separate = [torch.autograd.grad(mlp(batch).sum(), mlp.theta)[0] for batch in (x, y)]
    (mlp(x).sum() + mlp(y).sum()).backward()  # two nodes in one graph
    assert_close(mlp.theta.grad, separate[0] + separate[1])
    mlp(x).sum().backward()  # a second backward adds
    assert_close(mlp.theta.grad, 2.0 * separate[0] + separate[1])


def test_backward_twice_through_a_retained_graph() -> None:
    mlp, x = perturbed(MlpShape(3, 1, (8, 8), "gelu", "all", 2)), torch.randn(5, 3)
    out = mlp(x).sum()
    first = torch.autograd.grad(out, mlp.theta, retain_graph=True)[0]
    assert torch.equal(torch.autograd.grad(out, mlp.theta)[0], first)


def test_frozen_weights_still_pass_gradients_to_the_input() -> None:
    mlp = perturbed(MlpShape(3, 1, (8,), "relu", "all", 1)).requires_grad_(False)
    x = torch.randn(5, 3, requires_grad=True)
    mlp(x).sum().backward()
    assert x.grad is not None
    assert mlp.theta.grad is None
    with torch.no_grad():
        assert mlp(x).grad_fn is None


def test_a_gradient_that_is_not_contiguous() -> None:
    mlp, x = perturbed(MlpShape(3, 4, (8,), "gelu", "all", 1)), torch.randn(5, 3)
    by_column = torch.autograd.grad(mlp(x).mT.contiguous()[1].sum(), mlp.theta)[0]
    one_hot = torch.zeros(5, 4)
    one_hot[:, 1] = 1.0
    assert_close(by_column, torch.autograd.grad(mlp(x), mlp.theta, one_hot)[0])


def test_deepcopy_is_independent_and_keeps_requires_grad() -> None:
    for frozen in (False, True):
        mlp = perturbed(MlpShape(3, 1, (8, 8), members=2)).requires_grad_(not frozen)
        x = torch.randn(5, 3)
        before = mlp(x).detach()
        twin = copy.deepcopy(mlp)
        assert twin.theta.requires_grad is not frozen
        with torch.no_grad():
            mlp.theta.add_(1.0)
        assert torch.equal(twin(x), before)
        assert not torch.equal(mlp(x), before)


@pytest.mark.parametrize("dtype", list(TOLERANCE), ids=str)
def test_deepcopy_keeps_the_dtype(dtype: torch.dtype) -> None:
    twin = copy.deepcopy(perturbed(MlpShape(3, 1, (8,)), dtype))
    assert twin.theta.dtype is dtype
    assert twin(torch.zeros(1, 3, dtype=dtype)).dtype is dtype


def test_a_copy_for_another_process_brings_no_old_views() -> None:
    """There the weights may lie at the very address of ours: the views must be cut from them anew."""
    mlp, x = perturbed(MlpShape(3, 1, (8, 8), members=2)), torch.randn(5, 3)
    before = mlp(x).detach()
    assert mlp.__reduce_ex__(4)[2]["_cut"] is None
    other = Mlp.__new__(Mlp)
    other.__setstate__(mlp.__reduce_ex__(4)[2])
    assert torch.equal(other(x), before)
    assert torch.equal(mlp(x), before)


def test_state_dict_round_trip() -> None:
    shape = MlpShape(3, 2, (8, 8), members=2)
    mlp, other, x = perturbed(shape, seed=1), perturbed(shape, seed=2), torch.randn(5, 3)
    assert not torch.equal(mlp(x), other(x))  # `other` has cut its views before the weights change
    other.load_state_dict(mlp.state_dict())
    assert torch.equal(mlp(x), other(x))
    wrapped = VelocityField(2, 2, MlpShape(VelocityField.inputs(2, 2, "sinusoidal"), 2, (8,)), "sinusoidal")
    assert set(wrapped.state_dict()) == {"net.theta", "frequencies"}


def test_moving_and_assigning_weights_is_seen() -> None:
    mlp, x = perturbed(MlpShape(3, 2, (8, 8), members=2)), torch.randn(5, 3)
    single = mlp(x).detach()
    mlp.double()
    double = mlp(x.double()).detach()
    assert double.dtype is torch.float64
    assert torch.allclose(double.float(), single, atol=1e-5)
    mlp.float()
    assert torch.equal(mlp(x), single)
    with torch.no_grad():
        mlp.theta.data = torch.zeros_like(mlp.theta)
        assert (mlp(x) == 0.0).all()
        mlp.theta.copy_(perturbed(mlp.shape).theta)
    assert torch.equal(mlp(x), single)


def test_an_optimizer_step_is_seen() -> None:
    mlp, x = perturbed(MlpShape(3, 1, (8, 8))), torch.randn(50, 3)
    optimizer = torch.optim.Adam(mlp.parameters(), lr=1e-2)
    losses = []
    for _ in range(100):
        loss = (mlp(x)[:, 0] - x.sum(1)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.2 * losses[0]


def test_initial_weights() -> None:
    """Uniform variance scaling, fan average, scale 1: variance 2 / (in + out); members differ; biases 0; seeded."""
    shape = MlpShape(200, 300, (400,), "gelu", "all", 2)
    arrays = Mlp(shape, torch.Generator().manual_seed(0)).arrays()
    for key, fan in (("0.weight", 600), ("1.weight", 700)):
        weight, bound = arrays[key], (6.0 / fan) ** 0.5
        assert float(weight.abs().max()) <= bound
        # the variance of n uniform squares has relative standard error sqrt(0.8 / n): 0.2% here
        assert abs(float(weight.var()) / (2.0 / fan) - 1.0) < 4.0 * (0.8 / weight.numel()) ** 0.5
        assert not torch.equal(weight[0], weight[1])
    assert all((arrays[f"{i}.bias"] == 0.0).all() for i in (0, 1))
    assert (arrays["0.scale"] == 1.0).all()
    assert (arrays["0.shift"] == 0.0).all()
    again = Mlp(shape, torch.Generator().manual_seed(0)).arrays()
    assert all(torch.equal(arrays[key], again[key]) for key in arrays)
    assert (Mlp(shape)(torch.randn(3, 200)) == 0.0).all()  # without a generator: zeros, to be loaded


def test_state_value_is_one_number_per_row() -> None:
    value = StateValue(3, MlpShape(3, 1, (8,)), torch.Generator().manual_seed(0))
    assert value(torch.zeros(5, 3)).shape == (5,)


@pytest.mark.parametrize("time", ["raw", "sinusoidal"])
def test_velocity_takes_one_time_or_one_per_row(time: str) -> None:
    shape = MlpShape(VelocityField.inputs(3, 2, time), 2, (16,))
    field = VelocityField(3, 2, shape, time, torch.Generator().manual_seed(0))
    s, a = torch.randn(5, 3), torch.randn(5, 2)
    with torch.no_grad():
        one = field(s, a, 0.3)
        assert torch.equal(one, field(s, a, torch.tensor(0.3)))
        assert torch.equal(one, field(s, a, torch.full((5,), 0.3)))
        assert not torch.equal(one, field(s, a, 0.4))


@pytest.mark.parametrize("members", [1, 2])
def test_a_frozen_pass_trains_nothing_and_has_the_same_input_gradient(members: int) -> None:
    mlp = Mlp(MlpShape(3, 2, (8, 8), members=members), torch.Generator().manual_seed(0))
    x = torch.randn(5, 3, generator=torch.Generator().manual_seed(1)).requires_grad_()
    y = mlp.frozen(x)
    (through,) = torch.autograd.grad(y.square().sum(), x, retain_graph=False)
    assert torch.equal(y, mlp(x))
    (usual,) = torch.autograd.grad(mlp(x).square().sum(), x)
    assert torch.equal(through, usual)
    mlp.frozen(x).sum().backward()
    assert mlp.theta.grad is None
