"""A stack of K independent MLPs with hand-written forward and backward passes.

Every network of the workbench is one. Two things make it fast on small networks, where the cost is the number of calls: all
weights of the stack live in **one** flat parameter (so Adam and the target average are one call each), and autograd sees
**one** node per network. The gradient with respect to the input, all that steering needs, never builds a graph.

Shapes: K members, M rows, I inputs, O outputs.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

from workbench.engine.models.activation import ACTIVATIONS, is_traced
from workbench.engine.models.fused.layers import FusedKept, fused_back, fused_run, may_fuse
from workbench.engine.models.impala import Picture, first_bound
from workbench.engine.models.native.half import HalfWeights
from workbench.engine.models.native.operations import may_run, number_of, run, run_back, run_back_chosen
from workbench.engine.precision import same_products

Activation = Literal["relu", "gelu", "mish"]
Normed = Literal["all", "all_but_last", "none"]
EPS = 1e-6  # flax's LayerNorm epsilon, which both papers' code uses


@dataclass(frozen=True)
class MlpShape:
    """What a stack looks like: everything needed to rebuild it around saved weights.

    Parameters
    ----------
    inputs, outputs : int
        Widths I and O.
    hidden : tuple of int
        Widths of the hidden layers.
    activation : {"relu", "gelu", "mish"}
        GELU is the tanh approximation, as in JAX.
    layer_norm : {"all", "all_but_last", "none"}
        Which hidden layers have LayerNorm, before the activation. ``all_but_last`` is the published QGF flow.
    members : int
        K, the number of independent networks.
    norm_after : bool
        LayerNorm stands after the activation instead, as in the FQL code.
    picture : Picture, optional
        What the first of the inputs are: pixels, which `workbench.engine.models.picture_mlp` encodes.
    """

    inputs: int
    outputs: int
    hidden: tuple[int, ...]
    activation: Activation = "gelu"
    layer_norm: Normed = "all"
    members: int = 1
    norm_after: bool = False
    picture: Picture | None = None

    @property
    def behind(self) -> int:
        """Inputs of the first Dense layer: features stand in for a picture."""
        return self.inputs if self.picture is None else self.inputs - self.picture.size + self.picture.features

    def widths(self) -> list[tuple[int, int]]:
        """Return (in, out) of every Dense layer, first to last."""
        sizes = (self.behind, *self.hidden, self.outputs)
        return list(itertools.pairwise(sizes))

    def normed(self, layer: int) -> bool:
        """Say whether hidden layer ``layer`` has LayerNorm."""
        return self.layer_norm == "all" or (self.layer_norm == "all_but_last" and layer < len(self.hidden) - 1)


class Layer(NamedTuple):
    """Views of one layer's weights inside the flat parameter: (K, in, out), (K, 1, out), and LayerNorm's or None.

    With one member the leading axis is dropped, since plain 2-D products are faster than a batch of one.
    """

    weight: Tensor
    bias: Tensor
    scale: Tensor | None
    shift: Tensor | None


Normalised = tuple[Tensor, Tensor, Tensor, Tensor | None]  # before, mean, 1/std, normalised (stacks only)


class Saved(NamedTuple):
    """What the backward pass of one layer needs."""

    x: Tensor
    normed: Normalised | None
    active: tuple[Tensor, ...]


def layout(shape: MlpShape) -> dict[str, tuple[int, int, int]]:
    """Name and shape (K, rows, columns) of every array, in the order in which they lie in the flat parameter.

    Products come first: with hidden widths that are multiples of 16 each of them then starts on a cache line.
    """
    k, widths = shape.members, shape.widths()
    arrays = {f"{i}.weight": (k, n_in, n_out) for i, (n_in, n_out) in enumerate(widths)}
    for i, (_, n_out) in enumerate(widths):
        arrays[f"{i}.bias"] = (k, 1, n_out)
        if i < len(shape.hidden) and shape.normed(i):
            arrays[f"{i}.scale"] = arrays[f"{i}.shift"] = (k, 1, n_out)
    return arrays if shape.picture is None else arrays | shape.picture.layout()


def places(shape: MlpShape) -> dict[str, int]:
    """Name and beginning of every array in the flat parameter."""
    sizes = [k * r * c for k, r, c in layout(shape).values()]
    return dict(zip(layout(shape), itertools.accumulate(sizes, initial=0), strict=False))


def named_views(flat: Tensor, shape: MlpShape) -> dict[str, Tensor]:
    """Name the arrays inside ``flat`` (P,) without copying: each is (K, rows, columns) and contiguous."""
    arrays = layout(shape)
    pieces = flat.split([k * r * c for k, r, c in arrays.values()])
    return {name: piece.view(size) for (name, size), piece in zip(arrays.items(), pieces, strict=True)}


def split_layers(flat: Tensor, shape: MlpShape) -> list[Layer]:
    """Cut ``flat`` (P,) into the layers that `forward` and `backward` read."""
    v = named_views(flat, shape)
    if shape.members == 1:
        v = {name: array[0] for name, array in v.items()}
    return layers_of(v, len(shape.hidden) + 1)


def layers_of(v: dict[str, Tensor], count: int) -> list[Layer]:
    """Put named arrays together as ``count`` layers."""
    return [Layer(v[f"{i}.weight"], v[f"{i}.bias"], v.get(f"{i}.scale"), v.get(f"{i}.shift")) for i in range(count)]


def forward(x: Tensor, layers: list[Layer], shape: MlpShape, keep: bool) -> tuple[Tensor, list[Saved]]:
    """Evaluate the stack.

    Parameters
    ----------
    x : Tensor
        (M, I) for one member, (K, M, I) for a stack.
    layers : list of Layer
        From `split_layers`.
    shape : MlpShape
        Whose activation and place of LayerNorm count here.
    keep : bool
        Record what `backward` needs.

    Returns
    -------
    (Tensor, list of Saved)
        Outputs (M, O) or (K, M, O), and one record per layer (empty unless ``keep``).
    """
    x, saved = forward_hidden(x, layers, shape, keep)
    if keep:
        saved.append(Saved(x, None, ()))
    bias, weight = layers[-1].bias, layers[-1].weight
    if x.dim() == 2:
        return torch.addmm(bias, x, weight), saved
    if weight.shape[2] == 1 < x.shape[1]:  # a batch of products with one column is three to five times slower than this
        return torch.baddbmm(bias, weight.mT, x.mT).mT, saved
    return torch.baddbmm(bias, x, weight), saved


def forward_hidden(x: Tensor, layers: list[Layer], shape: MlpShape, keep: bool) -> tuple[Tensor, list[Saved]]:
    """As `forward`, up to the last layer: what enters that."""
    affine = torch.addmm if x.dim() == 2 else torch.baddbmm
    act = ACTIVATIONS[shape.activation]
    saved: list[Saved] = []
    for layer in layers[:-1]:
        y, normed = affine(layer.bias, x, layer.weight), None
        if not shape.norm_after:
            y, normed = _norm(y, layer)
        y, active = act.forward(y)
        if shape.norm_after:
            y, normed = _norm(y, layer)
        if keep:
            saved.append(Saved(x, normed, active))
        x = y
    return x, saved


def _norm(x: Tensor, layer: Layer) -> tuple[Tensor, Normalised | None]:
    """LayerNorm of ``x``, and what its backward pass needs; ``x`` itself where the layer has none."""
    if layer.scale is None or layer.shift is None:
        return x, None
    width = (x.shape[-1],)
    if x.dim() == 2:
        out, mean, rstd = torch.native_layer_norm(x, width, layer.scale[0], layer.shift[0], EPS)
        return out, (x, mean, rstd, None)
    # torch's LayerNorm takes one scale, a stack has K; without any it is twice as slow as with ones
    ones, zeros = x.new_ones(width), x.new_zeros(width)
    hat, mean, rstd = torch.native_layer_norm(x, width, ones, zeros, EPS)
    return torch.addcmul(layer.shift, hat, layer.scale), (x, mean, rstd, hat)


def backward(
    grad: Tensor,
    saved: list[Saved],
    layers: list[Layer],
    shape: MlpShape,
    into: list[Layer] | None,
    need_input: bool,
) -> Tensor | None:
    """Push ``grad``, (M, O) or (K, M, O), back through the stack.

    Writes the weights' gradients into the views ``into`` (skipped when None) and returns the gradient with respect to
    the input, (M, I) or (K, M, I) (None unless ``need_input``).
    """
    product = torch.mm if grad.dim() == 2 else torch.bmm
    weight = layers[-1].weight
    one = grad.dim() == 3 and weight.shape[2] == 1  # as in `forward`
    if into is not None:
        torch.sum(grad, -2, keepdim=True, out=into[-1].bias)
        if one:
            # not with out=: on the path of `fast_matmul` torch 2.13 may leave it as it was, whatever the memory held before
            into[-1].weight.copy_(torch.bmm(grad.mT, saved[-1].x).mT)
        else:
            product(saved[-1].x.mT, grad, out=into[-1].weight)
    if len(layers) == 1 and not need_input:
        return None
    grad = grad * weight.mT if one else product(grad, weight.mT)
    return backward_hidden(grad, saved, layers, shape, into, need_input)


def backward_hidden(
    grad: Tensor,
    saved: list[Saved],
    layers: list[Layer],
    shape: MlpShape,
    into: list[Layer] | None,
    need_input: bool,
) -> Tensor | None:
    """As `backward`, from the gradient with respect to what enters the last layer."""
    product = torch.mm if grad.dim() == 2 else torch.bmm
    act = ACTIVATIONS[shape.activation]
    for i in range(len(layers) - 2, -1, -1):
        layer, s = layers[i], saved[i]
        if not shape.norm_after:
            grad = act.backward(grad, s.active)
        if s.normed is not None:
            grad = _norm_backward(grad, s.normed, layer, None if into is None else into[i])
        if shape.norm_after:
            grad = act.backward(grad, s.active)
        if into is not None:
            torch.sum(grad, -2, keepdim=True, out=into[i].bias)
            product(s.x.mT, grad, out=into[i].weight)
        if i > 0 or need_input:
            grad = product(grad, layer.weight.mT)
    return grad if need_input else None


def _norm_backward(grad: Tensor, normed: Normalised, layer: Layer, into: Layer | None) -> Tensor:
    pre, mean, rstd, hat = normed
    assert layer.scale is not None
    assert layer.shift is not None
    width = [grad.shape[-1]]
    if hat is None:
        grad, d_scale, d_shift = torch.ops.aten.native_layer_norm_backward(
            grad, pre, width, mean, rstd, layer.scale[0], layer.shift[0], [True, into is not None, into is not None]
        )
        if into is not None and into.scale is not None and into.shift is not None:
            into.scale.copy_(d_scale)
            into.shift.copy_(d_shift)
        return grad
    if into is not None:
        torch.sum(grad * hat, 1, keepdim=True, out=into.scale)
        torch.sum(grad, 1, keepdim=True, out=into.shift)
    result: Tensor = torch.ops.aten.native_layer_norm_backward(
        grad * layer.scale, pre, width, mean, rstd, None, None, [True, False, False]
    )[0]
    return result


Kept = Tensor | FusedKept | list[Saved]  # what a forward pass keeps for the backward pass: in C one array


class _Pass(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, theta: Tensor, mlp: Mlp) -> Tensor:
        y, ctx.saved = mlp.run(x, keep=True)
        ctx.mlp, ctx.products = mlp, same_products()
        return y

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        mlp: Mlp = ctx.mlp
        with ctx.products:
            d_x, d_theta = mlp.run_back(
                grad, ctx.saved, weights=ctx.needs_input_grad[1], inputs=ctx.needs_input_grad[0]
            )
        return d_x, d_theta, None


class Mlp(nn.Module):
    """K independent MLPs: Dense, LayerNorm (where enabled), activation; the last Dense is plain (methods.md, section 1).

    Parameters
    ----------
    shape : MlpShape
        Widths, activation, LayerNorm and members K.
    generator : torch.Generator, optional
        Draws the weights, uniform variance scaling (fan average, scale 1); biases are 0. Without it all weights are
        0, for loading.
    """

    theta: Tensor
    packed: HalfWeights | None = None  # of a network with rounded weights
    sorts_rows = True  # `CriticEnsemble.value_and_grad` may sort rows by member

    def __init__(self, shape: MlpShape, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.shape = shape
        flat = torch.zeros(sum(k * r * c for k, r, c in layout(shape).values()))
        for name, view in named_views(flat, shape).items():
            if name.endswith(".scale"):
                view.fill_(1.0)
            elif name.endswith((".weight", ".kernel")) and generator is not None:
                bound = first_bound(name, *view.shape[1:])
                view.copy_(torch.empty(view.shape).uniform_(-bound, bound, generator=generator))
        self.theta = nn.Parameter(flat)
        self._cut: tuple[int, list[Layer]] | None = None

    def layers(self) -> list[Layer]:
        """Views of the weights, cut anew only when the parameter's memory has moved."""
        if is_traced():
            return split_layers(self.theta.detach(), self.shape)
        where = self.theta.data_ptr()
        if self._cut is None or self._cut[0] != where:
            self._cut = (where, split_layers(self.theta.detach(), self.shape))
        return self._cut[1]

    def run(self, x: Tensor, keep: bool) -> tuple[Tensor, Kept]:
        """As `forward`, without autograd; with ``keep`` also what `run_back` needs."""
        if may_run(self.shape, self.theta, x, keep):
            return run(number_of(self.shape, places), self.theta.detach(), x, keep)
        return (fused_run if may_fuse(self.shape, x) else forward)(x, self.layers(), self.shape, keep)

    def run_back(self, grad: Tensor, kept: Kept, weights: bool, inputs: bool) -> tuple[Tensor | None, Tensor | None]:
        """Push ``grad`` (M, O) or (K, M, O) back: gradients in the input, and in the weights (P,), where asked for."""
        if isinstance(kept, Tensor):
            d_x, d_theta = run_back(number_of(self.shape, places), self.theta.detach(), grad, kept, weights, inputs)
            return d_x if inputs else None, d_theta if weights else None
        into = torch.empty_like(self.theta, requires_grad=False) if weights else None
        views = None if into is None else split_layers(into, self.shape)
        if isinstance(kept, FusedKept):
            return fused_back(grad, kept, self.layers(), self.shape, views, inputs), into
        return backward(grad, kept, self.layers(), self.shape, views, inputs), into

    def run_back_chosen(self, member: Tensor, kept: Tensor) -> Tensor:
        """Gradient in the input (M, I) of the one output of each row's own ``member`` (M,)."""
        return run_back_chosen(number_of(self.shape, places), self.theta.detach(), member, kept)

    def arrays(self) -> dict[str, Tensor]:
        """Named views of all weights, each (K, rows, columns): what a checkpoint stores."""
        return named_views(self.theta.detach(), self.shape)

    def last_bias(self) -> Tensor:
        """The last layer's bias of the first member, (1, O), as a part of the weights that gradients reach."""
        if torch.is_grad_enabled() and self.theta.requires_grad:
            return named_views(self.theta, self.shape)[f"{len(self.shape.hidden)}.bias"][0]
        bias = self.layers()[-1].bias
        return bias if bias.dim() == 2 else bias[0]

    def forward(self, x: Tensor) -> Tensor:
        """Evaluate at ``x``, (M, I) or (K, M, I); returns (M, O) for one member, else (K, M, O)."""
        if self.shape.members > 1 and x.dim() == 2:
            x = x.expand(self.shape.members, *x.shape)
        if torch.compiler.is_compiling():  # the compiler differentiates and fuses the plain operations itself
            return forward(x, split_layers(self.theta, self.shape), self.shape, keep=False)[0]
        if torch.is_grad_enabled() and (self.theta.requires_grad or x.requires_grad):
            result: Tensor = _Pass.apply(x, self.theta, self)  # type: ignore[no-untyped-call] # torch types it not
            return result
        return self.run(x, keep=False)[0]

    def frozen(self, x: Tensor) -> Tensor:
        """As `forward`, but gradients flow to ``x`` alone: for losses that look through a network without training it."""
        if self.shape.members > 1 and x.dim() == 2:
            x = x.expand(self.shape.members, *x.shape)
        if torch.is_grad_enabled() and x.requires_grad and not torch.compiler.is_compiling():
            result: Tensor = _Pass.apply(x, self.theta.detach(), self)  # type: ignore[no-untyped-call] # torch types it not
            return result
        return self.run(x, keep=False)[0]

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_cut": None, "packed": None}  # this process's memory means nothing in another

    def __deepcopy__(self, memo: dict[int, Any]) -> Mlp:
        twin = Mlp(self.shape)
        twin.theta = nn.Parameter(self.theta.detach().clone(), requires_grad=self.theta.requires_grad)
        return twin
