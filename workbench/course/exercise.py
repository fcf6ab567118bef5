"""What an exercise is: it reads an answer and says what is wrong with it, or nothing."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from workbench.course.answers import NothingYet, Read
from workbench.engine.words import UserError


@dataclass(frozen=True)
class Mistake:
    """A typical wrong answer, as a participant would give it, and why it is wrong."""

    answer: Any
    why: str


@dataclass(frozen=True, kw_only=True)
class Exercise(ABC):
    """One exercise.

    Attributes
    ----------
    name : str
        ``lesson.word``.
    ask : str
        The question, Markdown.
    hints : tuple of two str
        The first points the way, the second nearly tells.
    well : str
        What a right answer is told.
    mistakes : tuple of Mistake
        At least five.
    """

    name: str
    ask: str
    hints: tuple[str, str]
    well: str
    mistakes: tuple[Mistake, ...]

    @abstractmethod
    def fault(self, answer: Any) -> str:
        """What is wrong with ``answer``; "" when it is right. Raises `NothingYet` where there is none."""


@dataclass(frozen=True, kw_only=True)
class Compared(Exercise):
    """An exercise with one right answer: other answers are compared with the typical mistakes.

    Attributes
    ----------
    read : callable
        Turns any accepted form into a tensor, a list of tensors (a function at its probes) or a word; UserError says what
        was expected.
    right : Any
        A right answer.
    otherwise : str
        What an answer that is neither right nor typical is told.
    close : float
        Relative difference that still counts as equal.
    """

    read: Read
    right: Any
    otherwise: str
    close: float = 1e-3

    def fault(self, answer: Any) -> str:
        """Compare with the right answer, then with each mistake."""
        try:
            value = self.read(answer)
        except NothingYet:
            raise
        except UserError as error:
            return str(error)
        wanted = self.read(self.right)
        if self._equal(value, wanted):
            return ""
        for mistake in self.mistakes:
            if self._equal(value, self.read(mistake.answer)):
                return mistake.why
        return f"{_of_results(value, wanted)} {self.otherwise}".strip()

    def _equal(self, value: Any, other: Any) -> bool:
        if isinstance(value, list):
            return len(value) == len(other) and all(map(self._equal, value, other))
        if not isinstance(value, Tensor):
            return bool(value == other)
        value, other = value.squeeze(), other.squeeze()  # (M, 1) for (M,), or (1,) for a number, is no mistake
        return value.shape == other.shape and bool(torch.allclose(value, other, rtol=self.close, atol=1e-6))


def _of_results(value: Any, wanted: Any) -> str:
    """What can be said of wrong results of a function without knowing the exercise: "" when nothing."""
    if not isinstance(value, list):
        return ""
    for one, other in zip(value, wanted, strict=True):
        a, b = tuple(one.shape), tuple(other.shape)
        if one.squeeze().shape == other.squeeze().shape:
            continue
        right = "one number" if b == () else f"shape {b}"
        turned = " It lies on its side: rows and columns are swapped." if a == b[::-1] else ""
        return f"Your result has shape {a} where {right} is expected: check the shape.{turned}"
    if not all(bool(torch.isfinite(one).all()) for one in value):
        return "Some of your numbers are not finite (infinite, or not a number at all)."
    if all(bool(torch.equal(one, one.trunc())) for one in value) and not all(torch.equal(b, b.trunc()) for b in wanted):
        return "All your numbers are whole: they seem to have been rounded, or to count something."
    if all(_alike(one, -other) for one, other in zip(value, wanted, strict=True)):
        return "The size is right, the sign is turned."
    ratios = [(one / other).flatten() for one, other in zip(value, wanted, strict=True) if bool((other != 0).all())]
    if ratios and _alike(torch.cat(ratios), torch.cat(ratios)[0].expand(sum(map(torch.numel, ratios)))):
        return f"Your numbers are {torch.cat(ratios)[0].item():.3g} times the right ones, in every case that was tried."
    return ""


def _alike(one: Tensor, other: Tensor) -> bool:
    one, other = one.squeeze(), other.squeeze()
    return one.shape == other.shape and bool(torch.allclose(one, other, rtol=1e-3, atol=1e-6))


@dataclass(frozen=True, kw_only=True)
class Judged(Exercise):
    """An exercise with many right answers.

    Attributes
    ----------
    judge : callable
        What is wrong with an answer, "" when it is right; a UserError counts as such a sentence.
    """

    judge: Callable[[Any], str]

    def fault(self, answer: Any) -> str:
        """Let the judge decide."""
        try:
            return self.judge(answer)
        except UserError as error:
            return str(error)
