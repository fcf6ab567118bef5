"""Reading answers: what a participant gives, in any of several forms, becomes one tensor or one word to compare."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

Read = Callable[[Any], Any]


class NothingYet(ValueError):
    """There is no answer to judge yet."""


def number(unit: str = "") -> Read:
    """A number: int, float, numpy or torch scalar, or text such as ``"8.1"``, ``"8,1"``, ``"81/10"`` or ``"85%"``."""

    def read(answer: Any) -> Tensor:
        if isinstance(answer, bool):
            raise ValueError(f"A number{_of(unit)} is wanted, got {answer}.")
        if isinstance(answer, str):
            answer = _number_in(answer, unit)
        try:
            value = torch.as_tensor(answer, dtype=torch.float64)
        except (TypeError, ValueError, RuntimeError):
            raise ValueError(f"A number{_of(unit)} is wanted, got {type(answer).__name__}.") from None
        if value.numel() != 1:
            raise ValueError(
                f"One number{_of(unit)} is wanted, got {value.numel()} of them: take a mean, or index one."
            )
        if not bool(torch.isfinite(value).all()):
            raise ValueError(f"A finite number{_of(unit)} is wanted, got {value.item()}.")
        return value.detach().reshape(())

    return read


def _of(unit: str) -> str:
    return f" ({unit})" if unit else ""


def _number_in(text: str, unit: str) -> float:
    words = text.strip().removesuffix(unit).strip().replace("−", "-")
    scale = 0.01 if words.endswith("%") else 1.0
    words = words.removesuffix("%").strip()
    if "." not in words and words.count(",") == 1:
        words = words.replace(",", ".")
    above, slash, below = words.partition("/")
    try:
        return scale * float(above) / (float(below) if slash else 1.0)
    except (ValueError, ZeroDivisionError):
        raise ValueError(f"A number{_of(unit)} is wanted; '{text}' cannot be read as one.") from None


def choice(options: Mapping[str, str]) -> Read:
    """One of ``options`` (key to text): its key in any case, with or without brackets, or its text."""

    def read(answer: Any) -> str:
        word = str(answer).strip().strip("()[].:\"'").lower()
        for key, text in options.items():
            if word in (key.lower(), text.lower().rstrip(".")):
                return key
        raise ValueError(f"Answer with one of {', '.join(repr(key) for key in options)}, got {answer!r}.")

    return read


def function(call: str, *probes: Sequence[Any]) -> Read:
    """A function, compared by what it returns at ``probes`` (one tuple of arguments each); ``call`` names its arguments.

    It may return torch tensors, numpy arrays, lists or numbers.
    """

    def read(answer: Any) -> Tensor:
        if not callable(answer):
            raise ValueError(f"A function is wanted, to be called as {call}; got {type(answer).__name__}.")
        return torch.cat([_result(answer, probe, call).reshape(-1) for probe in probes])

    return read


def _result(answer: Callable[..., Any], probe: Sequence[Any], call: str) -> Tensor:
    arguments = [item.clone() if isinstance(item, Tensor) else item for item in probe]
    try:
        found = answer(*arguments)
    except Exception as error:  # whatever a participant's code does, the lesson goes on
        raise ValueError(f"Called as {call}, your function stopped with {type(error).__name__}: {error}") from None
    if found is None or found is Ellipsis:
        raise NothingYet("Your function returns nothing yet: put your answer behind `return`.")
    try:
        return torch.as_tensor(found, dtype=torch.float64).detach()
    except (TypeError, ValueError, RuntimeError):
        raise ValueError(f"Your function should return numbers, it returned {type(found).__name__}.") from None
