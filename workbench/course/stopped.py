"""A participant's function stopped with an exception: say in words what happened, and in which of its lines."""

from __future__ import annotations

import linecache
import re
import traceback
from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

SHAPES = re.compile(  # how torch and NumPy say that two arrays do not fit
    r"size of tensor|shapes cannot be multiplied|could not be broadcast|must match|not aligned|mismatch|"
    r"inconsistent tensor size|non-singleton|shape|dimension out of range|invalid for input of size|1D tensors? expected|"
    r"vector|matrix|same size|output with shape",
    re.IGNORECASE,
)
TYPES = re.compile(r"dtype|scalar type|must be (int|float|tensor)|result type", re.IGNORECASE)


def why_stopped(error: Exception, answer: Callable[..., Any], call: str, arguments: Sequence[Any]) -> str:
    """One or two sentences for the participant whose function ``answer`` raised ``error``.

    Parameters
    ----------
    error : Exception
        As it was caught, with its traceback.
    answer : callable
        The participant's.
    call : str
        How it is called, such as ``target(x0, x1)``.
    arguments : sequence
        What it was called with.
    """
    return f"{_place(error, answer)} {_what(error, call, arguments)}"


def described(arguments: Sequence[Any], call: str) -> str:
    """Name and shape of each argument: ``x0 of shape (5, 2), T = 4``."""
    names = [name.strip() for name in call.partition("(")[2].rstrip(")").split(",")]
    parts = []
    for name, value in zip(names, arguments, strict=False):
        if isinstance(value, Tensor):
            parts.append(f"{name} of shape {tuple(value.shape)}")
        elif not callable(value):
            parts.append(f"{name} = {value}")
    return ", ".join(parts)


def _place(error: Exception, answer: Callable[..., Any]) -> str:
    """Which line of the participant's code it was."""
    if isinstance(error, SyntaxError):
        return "Your function stopped."
    code = getattr(answer, "__code__", None)
    home = getattr(code, "co_filename", None)
    lines = [
        (frame.f_code, number)
        for frame, number in traceback.walk_tb(error.__traceback__)
        if frame.f_code.co_filename == home
    ]
    if code is None or not lines:
        return "Your function stopped."
    inner, number = lines[-1]
    text = linecache.getline(inner.co_filename, number).strip()
    where = f"in line {number - code.co_firstlineno + 1}" if inner is code else f"in `{inner.co_name}`"
    return f"Your function stopped {where}" + (f", `{text}`." if text else ".")


def _what(error: Exception, call: str, arguments: Sequence[Any]) -> str:
    said, given = str(error), described(arguments, call)
    if isinstance(error, NameError):
        name = getattr(error, "name", None) or "a name"
        return f"Nothing is called `{name}` there: a slip of the pen, or a cell further up that has not run."
    if isinstance(error, AttributeError):
        kind = type(error.obj).__name__ if error.obj is not None else "None"
        return f"A {kind} has nothing called `{error.name}`."
    if isinstance(error, ZeroDivisionError):
        return f"It divides by zero. It was called with {given}."
    if isinstance(error, RecursionError):
        return "It calls itself without end."
    if isinstance(error, IndexError):
        return f"It asks for a row or a dimension that is not there. It was called with {given}."
    if isinstance(error, TypeError):
        return _of_types(said, call, given)
    if isinstance(error, (RuntimeError, ValueError)):
        if "Boolean value" in said or "truth value" in said:
            return (
                "An `if`, `and` or `or` asks a whole tensor for one yes or no. Use `torch.where(condition, this, that)`, "
                "which decides for each number."
            )
        if "in-place" in said or "inplace" in said:
            return "It writes into a tensor that it was given. Make a new one: `a = a + …`, not `a += …`."
        if TYPES.search(said):
            return f"Whole numbers, yes/no and decimals are mixed there. It was called with {given}."
        if SHAPES.search(said):
            return f"The shapes of two tensors do not fit together there. It was called with {given}."
        return f"Torch cannot do this with what it was given. It was called with {given}."
    return f"It raised {type(error).__name__}. It was called with {given}."


def _of_types(said: str, call: str, given: str) -> str:
    missing = re.search(r"(\w+)\(\) (missing|takes|got an unexpected)", said)
    if missing:
        return f"`{missing[1]}` is called with too few, too many or wrongly named arguments: {_once(said)}."
    if "not callable" in said:
        return "Something that is no function is called there: are round brackets used for a product or an index?"
    if "Ellipsis" in said or "ellipsis" in said:
        return "A `...` is still in it: put your own code there."
    operands = re.search(r"unsupported operand type\(s\) for (\S+): '(\w+)' and '(\w+)'", said)
    if operands:
        return f"`{operands[1].rstrip(':')}` does not work between {operands[2]} and {operands[3]}."
    return f"A function or an operator gets something there that it cannot use. It is called as {call}, with {given}."


def _once(said: str) -> str:
    """Python's own words on arguments, in one line and without what stands before the function's name."""
    return said.rpartition(".<locals>.")[2].split("\n")[0].rstrip(".")
