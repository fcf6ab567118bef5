"""What can be wrong with a part, in words: what was seen, the likely cause, and the cure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

APART = 1e-4  # results that differ by more, relative to their size, are different
BATCH_LAYERS = (nn.modules.batchnorm._BatchNorm,)


@dataclass(frozen=True)
class Problem:
    """Something that will not work.

    Attributes
    ----------
    part : str
        "reference", "critic", "target_critic", "value" or "normalizer".
    what, cause, cure : str
        What was seen, where it usually comes from, and what to do.
    """

    part: str
    what: str
    cause: str
    cure: str

    def __str__(self) -> str:
        """One paragraph."""
        return f"{self.part}: {self.what}.\n  Likely cause: {self.cause}.\n  Cure: {self.cure}."


class Report(tuple[Problem, ...]):
    """The problems that `check_parts` found; empty, and false, when there are none."""

    __slots__ = ()

    def __str__(self) -> str:
        """All of them, as text."""
        return "\n".join(map(str, self)) if self else "These parts can be steered: no problem was found."

    __repr__ = __str__


class ProblemError(Exception):
    """Ends the checks of a part: the later ones would only repeat the first problem in other words."""

    def __init__(self, what: str, cause: str, cure: str) -> None:
        super().__init__(what)
        self.told = what, cause, cure


def apart(one: Any, two: Any) -> bool:
    """Whether two results differ by more than rounding."""
    if one.shape != two.shape:
        return True
    gap = (one.double() - two.double()).abs().max() if one.numel() else torch.zeros(())
    return not bool(gap <= APART * (1.0 + two.double().abs().max() if two.numel() else 1.0))


def layers_in_train_mode(part: object, kinds: tuple[type, ...]) -> str:
    """Name of a layer of one of ``kinds`` that is in train mode; empty when there is none."""
    if not isinstance(part, nn.Module):
        return ""
    return next((type(m).__name__ for m in part.modules() if isinstance(m, kinds) and m.training), "")


def check_field_shape(v: Tensor, m: int, d: int) -> None:
    """Velocities have to be (M, D)."""
    if v.shape == (m, d):
        return
    transposed, chunks = v.shape == (d, m), "of action chunks (M, h, A) take wb.adapt.flat_chunks(v, h)"
    raise ProblemError(
        f"returns {tuple(v.shape)} for {m} rows, not (M, D) = ({m}, {d})",
        "its result is transposed" if transposed else "an output layer of another width, or an axis too many",
        "return one velocity a row" + (": v.T" if transposed else f", with {d} numbers each; {chunks}"),
    )


def check_critic_shape(q: Tensor, m: int) -> None:
    """Values have to be (M,), (M, 1) or (K, M)."""
    if q.shape in ((m,), (m, 1)) or (q.dim() == 2 and q.shape[1] == m):
        return
    transposed = q.dim() == 2 and q.shape[0] == m
    raise ProblemError(
        f"returns {tuple(q.shape)} for {m} rows, not (M,) or (K, M)",
        f"an ensemble of {q.shape[1]} as columns"
        if transposed
        else "a mean or sum over the batch, or an axis too many",
        "members come first: return q.T, or wb.adapt.ensemble_last(critic); of logits or quantiles take wb.adapt.categorical or "
        "wb.adapt.quantiles"
        if transposed or (q.dim() >= 2 and m in q.shape[:-1])
        else "return one number a row (M,), or a row per member (K, M)",
    )


def failure(error: Exception, inputs: dict[str, Tensor], part: object, note: str) -> Iterator[str]:
    """What to say of an exception: what, cause, cure."""
    text = str(error).strip().splitlines()[0] if str(error).strip() else ""
    shapes = ", ".join(f"{key} {tuple(x.shape)}" for key, x in inputs.items())
    yield f"cannot be called{' with ' + note if note else ''}: {type(error).__name__}: {text}"
    norm = layers_in_train_mode(part, BATCH_LAYERS)
    if norm and "more than 1 value" in text:
        yield f"{norm} is in train mode, where one row has no variance"
        yield "call .eval() on it before it goes into Parts"
    elif "device" in text:
        yield "the part and its inputs are on different devices"
        yield "move all parts to one device, the reference's: network.to(device)"
    elif "dtype" in text or "Double" in text:
        yield "weights in double precision; steering's noise, and so its actions, are float32"
        yield "network.float(), or wb.adapt.in_precision(network, torch.float64)"
    elif isinstance(error, TypeError):
        yield f"another signature; steering calls it with {shapes}, by position"
        yield "wrap it in a lambda that takes exactly these"
    else:
        yield f"it expects other shapes than {shapes}; a time of shape (M,) has to be t[:, None] to be concatenated"
        yield "compare the first layer's width with S + D (+ 1 for t), and give Parts the right observation_dim and action_dim"
