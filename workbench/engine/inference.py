"""Steering inside ``torch.inference_mode()``: tensors made there have no gradient, and rules need one."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import torch
from torch import Tensor
from torch.utils import _pytree

P = ParamSpec("P")
R = TypeVar("R")


def outside_inference_mode(function: Callable[P, R]) -> Callable[P, R]:
    """Run ``function`` as if the mode were not on around the call, on copies of the tensors that were made inside it."""

    @functools.wraps(function)
    def ordinary(*args: P.args, **kwargs: P.kwargs) -> R:
        if not torch.is_inference_mode_enabled() and not any(map(_inside, (*args, *kwargs.values()))):
            return function(*args, **kwargs)
        with torch.inference_mode(False):
            copied, named = _pytree.tree_map_only(
                Tensor, lambda x: x.clone() if x.is_inference() else x, (args, kwargs)
            )
            return function(*copied, **named)

    return ordinary


def _inside(argument: object) -> bool:
    if isinstance(argument, Tensor):
        return argument.is_inference()
    return isinstance(argument, tuple) and any(map(_inside, argument))
