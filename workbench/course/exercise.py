"""What an exercise is: it reads an answer and says what is wrong with it, or nothing."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from workbench.course.answers import NothingYet, Read


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
        Turns any accepted form into a tensor or a word; ValueError says what was expected.
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
            found = self.read(answer)
        except NothingYet:
            raise
        except ValueError as error:
            return str(error)
        wanted = self.read(self.right)
        if self._equal(found, wanted):
            return ""
        for mistake in self.mistakes:
            if self._equal(found, self.read(mistake.answer)):
                return mistake.why
        if isinstance(found, Tensor) and found.shape != wanted.shape:
            return f"{found.numel()} numbers came back where {wanted.numel()} are expected: check the shape. {self.otherwise}"
        if isinstance(found, Tensor) and not bool(torch.isfinite(found).all()):
            return f"Some of the numbers are not finite. {self.otherwise}"
        return self.otherwise

    def _equal(self, found: Any, other: Any) -> bool:
        if isinstance(found, Tensor):
            return found.shape == other.shape and bool(torch.allclose(found, other, rtol=self.close, atol=1e-6))
        return bool(found == other)


@dataclass(frozen=True, kw_only=True)
class Judged(Exercise):
    """An exercise with many right answers.

    Attributes
    ----------
    judge : callable
        What is wrong with an answer, "" when it is right; a ValueError counts as such a sentence.
    """

    judge: Callable[[Any], str]

    def fault(self, answer: Any) -> str:
        """Let the judge decide."""
        try:
            return self.judge(answer)
        except ValueError as error:
            return str(error)
