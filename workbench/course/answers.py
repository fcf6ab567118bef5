"""Reading answers: what a participant gives, in any of several forms, becomes one tensor or one word to compare."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from workbench.course.stopped import described, why_stopped
from workbench.engine.words import UserError

Read = Callable[[Any], Any]


class NothingYet(UserError):
    """There is no answer to judge yet."""


def number(unit: str = "") -> Read:
    """A number: int, float, numpy or torch scalar, or text such as ``"8.1"``, ``"8,1"``, ``"81/10"`` or ``"85%"``."""

    def read(answer: object) -> Tensor:
        if isinstance(answer, bool):
            raise UserError(f"A number{_of(unit)} is wanted, got {answer}.")
        if isinstance(answer, str):
            answer = _number_in(answer, unit)
        try:
            value = torch.as_tensor(answer)
            if value.is_complex() or value.dtype == torch.bool:
                raise TypeError
            value = value.to(device="cpu", dtype=torch.float64)
        except (TypeError, ValueError, RuntimeError, OverflowError):
            called = ": call it, with its arguments in brackets" if callable(answer) else ""
            raise UserError(f"A number{_of(unit)} is wanted, got {_kind(answer)}{called}.") from None
        if value.numel() != 1:
            raise UserError(f"One number{_of(unit)} is wanted, got {value.numel()} of them: take a mean, or index one.")
        if not bool(torch.isfinite(value).all()):
            raise UserError(f"A finite number{_of(unit)} is wanted, got {value.item()}.")
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
        raise UserError(f"A number{_of(unit)} is wanted; '{text}' cannot be read as one.") from None


def choice(options: Mapping[str, str]) -> Read:
    """One of ``options`` (key to text): its key in any case, with or without brackets, or its text."""

    def read(answer: object) -> str:
        word = str(answer).strip().strip("()[].:\"'").lower()
        for key, text in options.items():
            if word in (key.lower(), text.lower().rstrip(".")):
                return key
        raise UserError(f"Answer with one of {', '.join(repr(key) for key in options)}, got {answer!r}.")

    return read


def function(call: str, *probes: Sequence[Any]) -> Read:
    """A function, compared by what it returns at ``probes`` (one tuple of arguments each); ``call`` names its arguments.

    It may return torch tensors, numpy arrays, lists or numbers; each becomes one tensor, in the order of the probes.
    """

    def read(answer: object) -> list[Tensor]:
        if not callable(answer) or isinstance(answer, type):
            raise UserError(f"A function is wanted, to be called as {call}; got {_kind(answer)}.")
        _takes(answer, len(probes[0]), call)
        values = [_returned(answer, probe, call) for probe in probes]
        empty = [one is None or one is Ellipsis for one in values]
        if all(empty):
            raise NothingYet("Your function returns nothing yet: put your answer behind `return`.")
        if any(empty):
            given = described(probes[empty.index(True)], call)
            raise UserError(
                f"Your function returns nothing when it is called with {given}: is there a way round `return`?"
            )
        return [_tensor(one) for one in values]

    return read


def _kind(thing: object) -> str:
    return f"the class {thing.__name__}" if isinstance(thing, type) else f"a {type(thing).__name__}"


def _takes(answer: Callable[..., Any], count: int, call: str) -> None:
    """Refuse a function that cannot be called with ``count`` arguments."""
    try:
        signature = inspect.signature(answer)
    except (TypeError, ValueError):  # some built-in functions have none
        return
    try:
        signature.bind(*[None] * count)
    except TypeError:
        name = getattr(answer, "__name__", "it")
        raise UserError(
            f"The function is called as {call}, with {count} arguments; yours is {name}{signature}."
        ) from None


def _returned(answer: Callable[..., Any], probe: Sequence[Any], call: str) -> Any:
    arguments = [item.clone() if isinstance(item, Tensor) else item for item in probe]
    try:
        value = answer(*arguments)
    except Exception as error:  # whatever a participant's code does, the lesson goes on
        raise UserError(why_stopped(error, answer, call, probe)) from None
    for before, after in zip(probe, arguments, strict=True):
        if isinstance(before, Tensor) and not (before.shape == after.shape and torch.equal(before, after)):
            raise UserError(
                "Your function writes into a tensor that it was given, and whoever called it would find it changed. Make a new "
                "one: `a = a + …` instead of `a += …` or `a[…] = …`."
            )
    return value


def _tensor(value: object) -> Tensor:
    if isinstance(value, str) or callable(value):
        raise UserError(f"Your function should return numbers, it returned {_kind(value)}.")
    if isinstance(value, (tuple, list)) and any(isinstance(item, Tensor) and item.numel() != 1 for item in value):
        try:
            value = torch.stack([torch.as_tensor(item) for item in value])
        except (TypeError, ValueError, RuntimeError):
            raise UserError(
                f"Your function should return one tensor, it returned {len(value)} of different shapes."
            ) from None
    try:
        read = torch.as_tensor(value)
        if read.is_complex():
            raise TypeError
        return read.detach().to(device="cpu", dtype=torch.float64)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        raise UserError(f"Your function should return numbers, it returned {_kind(value)}.") from None
