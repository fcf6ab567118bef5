"""A participant's code stopped with an exception: where, and what it means, in words."""

from __future__ import annotations

import builtins
import linecache
import re
import sysconfig
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from torch import Tensor

_OURS = str(Path(__file__).resolve().parents[1])
_LIBRARIES = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")})
_SHAPES = re.compile(
    r"size of tensor|shapes? |size mismatch|expanded size|Dimension out of range|dimension|dims|broadcast|elements"
    r"|same size|operands|out of bounds|index .* size|matmul|squeez|einsum|view size|self must be|invalid for input"
)
_DTYPES = re.compile(r"dtype|Long|Double|Float|Half|Int\b|floating")
_PLAIN = {
    ZeroDivisionError: "it divides by 0",
    RecursionError: "it calls itself without end",
    KeyError: "a dictionary has no such key",
    OverflowError: "a number becomes too large",
    AssertionError: "an `assert` in it fails",
    MemoryError: "it asks for more memory than there is",
    StopIteration: "an iterator has nothing left",
    ImportError: "an import fails",
}


def why(error: Exception, inputs: Mapping[str, Any]) -> str:
    """Say where code stopped and what that means; never a library's own message alone.

    Parameters
    ----------
    error : Exception
        As it was caught, with its traceback.
    inputs : mapping of str to Any
        What the code was called with: their shapes are named where the shapes are at fault.
    """
    number, line = _line(error.__traceback__)
    place = f" in line {number}, `{line}`" if line else ""
    return f"stopped{place}: {_meaning(error, inputs, line)}."


def described(inputs: Mapping[str, Any]) -> str:
    """Each input with its shape or type: "x (6, 2), sigma a number"."""
    return ", ".join(f"{name} {_kind(value)}" for name, value in inputs.items())


def _kind(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"of shape {tuple(value.shape)}" if value.dim() else "a number"
    if isinstance(value, (int, float)):
        return "a number"
    return f"a list of {len(value)}" if isinstance(value, (list, tuple)) else f"a {type(value).__name__}"


def _line(traceback: TracebackType | None) -> tuple[int, str]:
    """The last line of the participant's own code, and its number there (in a notebook: in the cell)."""
    found = 0, ""
    while traceback is not None:
        file = traceback.tb_frame.f_code.co_filename
        if not file.startswith((_OURS, *_LIBRARIES)):
            line = linecache.getline(file, traceback.tb_lineno, traceback.tb_frame.f_globals).strip()
            found = traceback.tb_lineno, line or found[1]
        traceback = traceback.tb_next
    return found


def _meaning(error: Exception, inputs: Mapping[str, Any], line: str) -> str:
    text = str(error)
    if line.startswith("raise"):
        return f"it raises {type(error).__name__}" + (f" ({text})" if text else "")
    if "NoneType" in text or "ellipsis" in text:
        return "something in it is still `None` or `...`: a function without `return`, or a gap that is not filled"
    if isinstance(error, NameError):
        name = error.name or "a name"
        return f"`{name}` is not defined: look at its spelling, and run the cell that defines it"
    if isinstance(error, AttributeError):
        owner = type(error.obj).__name__ if error.obj is not None else "the object"
        return f"{owner} has no `{error.name}`: look at its spelling"
    if isinstance(error, IndexError) or _SHAPES.search(text):
        return f"shapes do not fit together. It was called with {described(inputs)}; print the `.shape` of each part of the line"
    if _DTYPES.search(text):
        return "kinds of numbers do not fit together: use float32 throughout (`.float()`, and 1.0 in place of 1)"
    if isinstance(error, TypeError):
        return f"an operation or a function gets something of the wrong kind. It was called with {described(inputs)}"
    for kind, words in _PLAIN.items():
        if isinstance(error, kind):
            return words
    if type(error).__name__ in vars(builtins):
        return f"an operation cannot work with what it gets. It was called with {described(inputs)}"
    return f"it raises {type(error).__name__}"
