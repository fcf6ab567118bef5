"""The same network of several seeds as one stack, evaluated under `torch.func.vmap` over the seeds.

A loss is written for one run: it calls networks on tensors with M rows. Under `vmap` every tensor of that code stands for
E of them, one per seed, and each call of a network leaves `vmap` for one hand-written pass over a stack of E·K members.
Seeds are independent, so the gradient of the sum of their losses holds each seed's own gradient.

Shapes: E seeds, K members, M rows, I inputs, O outputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from workbench.engine.models.fused.layers import FusedKept, fused_back, fused_run, may_fuse
from workbench.engine.models.mlp import (
    Kept,
    Layer,
    Mlp,
    MlpShape,
    Saved,
    backward_hidden,
    forward_hidden,
    layers_of,
    named_views,
    places,
)
from workbench.engine.models.native.operations import may_run, may_run_stacked, number_of, run, run_back
from workbench.engine.precision import same_products

THIN = 4  # outputs up to which products with the last layer are faster written the other way round


def stack_shape(shape: MlpShape, seeds: int) -> MlpShape:
    """The shape of ``seeds`` networks of ``shape`` in one stack."""
    return replace(shape, members=seeds * shape.members)


def stack_layers(flat: Tensor, stack: MlpShape) -> list[Layer]:
    """Cut the stack's ``flat`` (E·P,) into layers, with the leading axis even where it has one member."""
    return layers_of(named_views(flat, stack), len(stack.hidden) + 1)


def by_seed(flat: Tensor, shape: MlpShape, seeds: int) -> dict[str, Tensor]:
    """Name the arrays inside the stack's ``flat`` (E·P,), each (E, K, rows, columns), without copying."""
    views = named_views(flat, stack_shape(shape, seeds))
    return {name: view.unflatten(0, (seeds, shape.members)) for name, view in views.items()}


@torch.no_grad()
def join(into: Tensor, flats: Sequence[Tensor], shape: MlpShape) -> None:
    """Copy each seed's flat parameter (P,) into its places in the stack's, ``into`` (E·P,)."""
    stacked = by_seed(into, shape, len(flats))
    for seed, flat in enumerate(flats):
        for name, view in named_views(flat, shape).items():
            stacked[name][seed].copy_(view)


@torch.no_grad()
def part(flat: Tensor, into: Sequence[Tensor], shape: MlpShape) -> None:
    """Copy the stack's ``flat`` (E·P,) back into each seed's own flat parameter (P,): the reverse of `join`."""
    stacked = by_seed(flat, shape, len(into))
    for seed, own in enumerate(into):
        for name, view in named_views(own, shape).items():
            view.copy_(stacked[name][seed])


class StackedMlp(Mlp):
    """E seeds' networks of one shape, called under `vmap` like the `Mlp` of one seed.

    Parameters
    ----------
    nets : sequence of Mlp
        One per seed, of the same shape; their weights are copied.
    """

    sorts_rows = False  # sorting needs to look at numbers, which vmap does not let one do

    def __init__(self, nets: Sequence[Mlp]) -> None:
        nn.Module.__init__(self)
        first = nets[0]
        self.shape, self.seeds = first.shape, len(nets)
        self.stack = stack_shape(first.shape, self.seeds)
        flat = first.theta.new_zeros(self.seeds * first.theta.numel())
        join(flat, [net.theta.detach() for net in nets], first.shape)
        self.theta = nn.Parameter(flat, requires_grad=first.theta.requires_grad)
        self.pieces = stack_layers(self.theta.detach(), self.stack)
        self.inside: dict[str, Tensor] = {}

    def seed_arrays(self) -> dict[str, Tensor]:
        """What `vmap` takes apart: all arrays, each (E, K, rows, columns)."""
        return by_seed(self.theta.detach(), self.shape, self.seeds)

    def layers(self) -> list[Layer]:
        """The layers of the seed that `vmap` stands for, from ``inside``."""
        one = self.shape.members == 1
        arrays = {name: array[0] if one else array for name, array in self.inside.items()}
        return layers_of(arrays, len(self.shape.hidden) + 1)

    def arrays(self) -> dict[str, Tensor]:
        """Named views of the whole stack, each (E·K, rows, columns)."""
        return named_views(self.theta.detach(), self.stack)

    def forward(self, x: Tensor) -> Tensor:
        """Evaluate at ``x``, (M, I) or (K, M, I) for each seed."""
        result: Tensor = _LeaveVmap.apply(x, self.inside["0.bias"], self, True)  # type: ignore[no-untyped-call] # torch types it not
        return result

    def frozen(self, x: Tensor) -> Tensor:
        """As `forward`, but gradients flow to ``x`` alone."""
        result: Tensor = _LeaveVmap.apply(x, self.inside["0.bias"], self, False)  # type: ignore[no-untyped-call] # torch types it not
        return result

    def last_bias(self) -> Tensor:
        """As `Mlp.last_bias`, of the seed that `vmap` stands for."""
        name = f"{len(self.shape.hidden)}.bias"
        result: Tensor = _LastBias.apply(self.inside[name], self.inside["0.bias"], self, True)  # type: ignore[no-untyped-call] # torch types it not
        return result

    def last_biases(self, flat: Tensor) -> Tensor:
        """Those of every seed's first member, (E, 1, O), inside ``flat`` (E·P,)."""
        return by_seed(flat, self.shape, self.seeds)[f"{len(self.shape.hidden)}.bias"][:, 0]

    def run(self, x: Tensor, keep: bool) -> tuple[Tensor, Kept]:
        """As `Mlp.run`, of the seed that `vmap` stands for."""
        if not may_run_stacked(self.stack, self.theta, x, keep):
            return super().run(x, keep)
        result: tuple[Tensor, Tensor] = _Run.apply(x, self.inside["0.bias"], self, keep)  # type: ignore[no-untyped-call] # torch types it not
        return result

    def run_back(self, grad: Tensor, kept: Kept, weights: bool, inputs: bool) -> tuple[Tensor | None, Tensor | None]:
        """As `Mlp.run_back`, of the seed that `vmap` stands for."""
        if weights or not isinstance(kept, Tensor):
            return super().run_back(grad, kept, weights, inputs)
        d_x: Tensor = _RunBack.apply(grad, self.inside["0.bias"], self, kept)  # type: ignore[no-untyped-call] # torch types it not
        return d_x, None

    def joined(self, x: Tensor, dim: int | None) -> Tensor:
        """All seeds' ``x``, of which each has (M, I) or (K, M, I) along the axis ``dim``, as the stack's (E·K, M, I)."""
        e, k = self.seeds, self.shape.members
        x = x.expand(e, *x.shape) if dim is None else x.movedim(dim, 0)
        if k == 1:
            return x
        return (x[:, None].expand(e, k, *x.shape[1:]) if x.dim() == 3 else x).flatten(0, 1)

    def apart(self, y: Tensor) -> Tensor:
        """The stack's ``y`` (E·K, M, O) with each seed's own (M, O) or (K, M, O) along the first axis."""
        return y.unflatten(0, (self.seeds, self.shape.members)) if self.shape.members > 1 else y

    def evaluate(self, x: Tensor, train: bool) -> Tensor:
        """Evaluate the stack at ``x`` (E·K, M, I), outside `vmap`."""
        theta = self.theta if train else self.theta.detach()
        if torch.is_grad_enabled() and (theta.requires_grad or x.requires_grad):
            result: Tensor = _StackPass.apply(x, theta, self)  # type: ignore[no-untyped-call] # torch types it not
            return result
        return self.run_stack(x, keep=False)[0]

    def run_stack(self, x: Tensor, keep: bool) -> tuple[Tensor, Kept]:
        """The forward pass, (E·K, M, O), outside `vmap`, and what the backward pass needs."""
        if may_run(self.stack, self.theta, x, keep):
            return run(number_of(self.stack, places), self.theta.detach(), x, keep)
        if may_fuse(self.stack, x):
            return fused_run(x, self.pieces, self.stack, keep)
        h, saved = forward_hidden(x, self.pieces, self.shape, keep)
        last = self.pieces[-1]
        if keep:
            saved.append(Saved(h, None, ()))
        if self.shape.outputs <= THIN:
            return torch.baddbmm(last.bias.mT, last.weight.mT, h.mT).mT, saved
        return torch.baddbmm(last.bias, h, last.weight), saved

    def run_stack_back(
        self, grad: Tensor, kept: Kept, weights: bool, inputs: bool
    ) -> tuple[Tensor | None, Tensor | None]:
        """The backward pass: gradients in the input and in the weights (E·P,), where asked for."""
        if isinstance(kept, Tensor):
            d_x, d_theta = run_back(number_of(self.stack, places), self.theta.detach(), grad, kept, weights, inputs)
            return d_x if inputs else None, d_theta if weights else None
        d_theta = torch.empty_like(self.theta, requires_grad=False)
        into = stack_layers(d_theta, self.stack) if weights else None
        if isinstance(kept, FusedKept):
            return fused_back(grad, kept, self.pieces, self.stack, into, inputs), d_theta if weights else None
        weight, h = self.pieces[-1].weight, kept[-1].x
        if into is not None:
            torch.sum(grad, -2, keepdim=True, out=into[-1].bias)
            if self.shape.outputs <= THIN:
                into[-1].weight.copy_(torch.bmm(grad.mT, h).mT)
            else:
                torch.bmm(h.mT, grad, out=into[-1].weight)
        if len(self.pieces) == 1 and not inputs:
            return None, d_theta
        grad = grad * weight.mT if self.shape.outputs == 1 else torch.bmm(grad, weight.mT)
        back = backward_hidden(grad, kept, self.pieces, self.shape, into, inputs)
        return back, d_theta if weights else None


class _LeaveVmap(torch.autograd.Function):
    """Hands the tensors of all seeds to `StackedMlp.evaluate`; the second argument only says that the call is batched."""

    @staticmethod
    def forward(x: Tensor, batched: Tensor, mlp: StackedMlp, train: bool) -> Tensor:
        raise RuntimeError("a StackedMlp is called inside torch.func.vmap over its seeds")

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        pass

    @staticmethod
    def vmap(
        info: Any, in_dims: tuple[int | None, ...], x: Tensor, batched: Tensor, mlp: StackedMlp, train: bool
    ) -> tuple[Tensor, int]:
        return mlp.apart(mlp.evaluate(mlp.joined(x, in_dims[0]), train)), 0


class _LastBias(_LeaveVmap):
    """Hands out each seed's own piece of the stack's weights."""

    @staticmethod
    def vmap(
        info: Any, in_dims: tuple[int | None, ...], x: Tensor, batched: Tensor, mlp: StackedMlp, train: bool
    ) -> tuple[Tensor, int]:
        found: Tensor = _Biases.apply(mlp.theta, mlp)  # type: ignore[no-untyped-call] # torch types it not
        return found, 0


class _Biases(torch.autograd.Function):
    """The last biases of all seeds, (E, 1, O), of each seed's first member."""

    @staticmethod
    def forward(ctx: Any, theta: Tensor, mlp: StackedMlp) -> Tensor:
        ctx.mlp = mlp
        return mlp.last_biases(theta.detach()).clone()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        mlp: StackedMlp = ctx.mlp
        d_theta = torch.zeros_like(mlp.theta, requires_grad=False)
        mlp.last_biases(d_theta).copy_(grad)
        return d_theta, None


class _Run(_LeaveVmap):
    """Hands them to `StackedMlp.run_stack`; what that keeps belongs to all seeds."""

    @staticmethod
    def vmap(  # type: ignore[override] # two results
        info: Any, in_dims: tuple[int | None, ...], x: Tensor, batched: Tensor, mlp: StackedMlp, keep: bool
    ) -> tuple[tuple[Tensor, Tensor], tuple[int, None]]:
        y, kept = mlp.run_stack(mlp.joined(x, in_dims[0]), keep)
        assert isinstance(kept, Tensor)
        return (mlp.apart(y), kept), (0, None)


class _RunBack(_LeaveVmap):
    """Hands them to `StackedMlp.run_stack_back`."""

    @staticmethod
    def vmap(  # type: ignore[override] # another last argument
        info: Any, in_dims: tuple[int | None, ...], grad: Tensor, batched: Tensor, mlp: StackedMlp, kept: Tensor
    ) -> tuple[Tensor, int]:
        d_x, _ = mlp.run_stack_back(mlp.joined(grad, in_dims[0]), kept, weights=False, inputs=True)
        assert d_x is not None
        return mlp.apart(d_x), 0


class _StackPass(torch.autograd.Function):
    """The whole stack as one autograd node."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, theta: Tensor, mlp: StackedMlp) -> Tensor:
        y, ctx.saved = mlp.run_stack(x, keep=True)
        ctx.mlp, ctx.products = mlp, same_products()
        return y

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        mlp: StackedMlp = ctx.mlp
        with ctx.products:
            d_x, d_theta = mlp.run_stack_back(grad, ctx.saved, ctx.needs_input_grad[1], ctx.needs_input_grad[0])
        return d_x, d_theta, None
