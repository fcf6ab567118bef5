"""Networks that see pictures: an IMPALA encoder in front of an `Mlp`, both in one flat parameter.

The pixels of a row stand first in its input, flattened (height, width, channel). So every network takes observations of pixels
where it takes others, and training, targets and checkpoints see one array of weights. Steering asks for the features of a state
once a decision (`workbench.engine.models.encoded`), however many particles and steps the decision has.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from workbench.engine.models.impala import encode
from workbench.engine.models.mlp import Kept, Mlp, MlpShape, layout, named_views


def make_net(shape: MlpShape, generator: torch.Generator | None = None) -> Mlp:
    """The network of this shape: behind an encoder where the shape has a picture."""
    return Mlp(shape, generator) if shape.picture is None else PictureMlp(shape, generator)


class Piece(Mlp):
    """An `Mlp` whose weights are a piece of another network's.

    Parameters
    ----------
    shape : MlpShape
    theta : Tensor
        (P,), its weights.
    """

    def __init__(self, shape: MlpShape, theta: Tensor) -> None:
        nn.Module.__init__(self)
        self.shape, self.theta, self._cut = shape, theta, None


class Fronted(Mlp, ABC):
    """A network with something in front that replaces the first columns of its input and gives them no gradient."""

    sorts_rows = False

    @abstractmethod
    def inner(self, train: bool = True) -> Piece:
        """What comes behind; ``train``: with gradients to its weights."""

    @abstractmethod
    def front(self, x: Tensor, train: bool = True) -> Tensor:
        """The input of `inner`, (…, M, F + rest), from that of the whole, (…, M, S + rest)."""

    @property
    @abstractmethod
    def replaced(self) -> int:
        """How many columns the front replaces."""

    def forward(self, x: Tensor) -> Tensor:
        """Evaluate at ``x`` (M, S + rest); returns (M, O) for one member, else (K, M, O)."""
        result: Tensor = self.inner()(self.front(x))
        return result

    def frozen(self, x: Tensor) -> Tensor:
        """As `forward`, but gradients flow to the columns behind the replaced ones alone."""
        return self.inner(train=False).frozen(self.front(x, train=False))

    def last_bias(self) -> Tensor:
        """As `Mlp.last_bias`."""
        return self.inner().last_bias()

    def run(self, x: Tensor, keep: bool) -> tuple[Tensor, Kept]:
        """As `Mlp.run`."""
        return self.inner(train=False).run(self.front(x, train=False), keep)

    def run_back(self, grad: Tensor, kept: Kept, weights: bool, inputs: bool) -> tuple[Tensor | None, Tensor | None]:
        """As `Mlp.run_back`, of the input alone; the columns that the front replaces have gradient 0."""
        back, _ = self.inner(train=False).run_back(grad, kept, weights=False, inputs=inputs)
        if back is None:
            return None, None
        features = self.inner(train=False).shape.inputs - (self.shape.inputs - self.replaced)
        nothing = back.new_zeros(()).expand(*back.shape[:-1], self.replaced)
        return torch.cat((nothing, back[..., features:]), -1), None


class PictureMlp(Fronted):
    """An encoder, and an `Mlp` on its features and whatever else the input holds.

    Parameters
    ----------
    shape : MlpShape
        With a picture of S numbers; its inputs are S and the rest.
    generator : torch.Generator, optional
        Draws the weights. Without it all weights are 0, for loading.
    """

    def __init__(self, shape: MlpShape, generator: torch.Generator | None = None) -> None:
        super().__init__(shape, generator)
        assert shape.picture is not None
        self.picture = shape.picture
        self.behind = replace(shape, picture=None, inputs=shape.behind)
        self._size = sum(k * r * c for k, r, c in layout(self.behind).values())
        self.encoded = 0  # rows of pictures so far

    @property
    def replaced(self) -> int:
        """S."""
        return self.picture.size

    def inner(self, train: bool = True) -> Piece:
        """The `Mlp` behind the encoder."""
        return Piece(self.behind, self._weights(train)[: self._size])

    def front(self, x: Tensor, train: bool = True) -> Tensor:
        """Pixels replaced by features; an input that all members share is encoded once."""
        if x.dim() == 3 and x.stride(0) == 0:
            return self.front(x[0], train).expand(x.shape[0], -1, -1)
        size = self.picture.size
        return torch.cat(
            (self.encode(x[..., :size].flatten(0, -2), train).unflatten(0, x.shape[:-1]), x[..., size:]), -1
        )

    def encode(self, pixels: Tensor, train: bool = False) -> Tensor:
        """Features (M, F) of ``pixels`` (M, S), 0 to 255."""
        self.encoded += len(pixels)
        views = named_views(self._weights(train), self.shape)
        return encode(pixels, self.picture, {name: view[0] for name, view in views.items()})

    def _weights(self, train: bool) -> Tensor:
        return self.theta if train else self.theta.detach()

    def __deepcopy__(self, memo: dict[int, Any]) -> PictureMlp:
        twin = PictureMlp(self.shape)
        twin.theta = nn.Parameter(self.theta.detach().clone(), requires_grad=self.theta.requires_grad)
        return twin


class Looked(Fronted):
    """A `PictureMlp` at B known states: its input begins with the number of one, and each is encoded once, when first asked.

    Parameters
    ----------
    net : PictureMlp
    pixels : Tensor
        (B, S).
    """

    def __init__(self, net: PictureMlp, pixels: Tensor) -> None:
        nn.Module.__init__(self)
        self._whole, self._pixels, self._features = [net], pixels, None  # in a list: no part of this module's weights
        self.shape = replace(net.shape, picture=None, inputs=net.shape.inputs - net.picture.size + 1)
        self.theta = net.theta.detach()

    _features: Tensor | None

    @property
    def replaced(self) -> int:
        """One: the number of the state."""
        return 1

    def inner(self, train: bool = True) -> Piece:
        """The `Mlp` behind the encoder."""
        return self._whole[0].inner(train)

    def front(self, x: Tensor, train: bool = True) -> Tensor:
        """Numbers replaced by the features of their states."""
        if x.dim() == 3 and x.stride(0) == 0:
            return self.front(x[0], train).expand(x.shape[0], -1, -1)
        if self._features is None:
            with torch.no_grad():
                self._features = self._whole[0].encode(self._pixels)
        return torch.cat((self._features[x[..., 0].round().long()].to(x.dtype), x[..., 1:]), -1)
