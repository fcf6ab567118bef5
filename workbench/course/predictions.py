"""Predict, try, reveal: a guess is stored before the experiment and compared with what was measured after it."""

from __future__ import annotations

from typing import Any

from workbench.course.answers import choice, number
from workbench.course.notes import Note
from workbench.course.questions import QUESTIONS, Question
from workbench.course.record import read, write
from workbench.engine.settings import nearest
from workbench.engine.words import UserError
from workbench.ui.notebook.prediction import PredictionForm
from workbench.ui.notebook.widgets import on_paper


def find(name: str) -> Question:
    """The question; UserError names the nearest one."""
    if name not in QUESTIONS:
        raise UserError(
            f"no prediction named '{name}'{nearest(name, list(QUESTIONS))} There are: {', '.join(QUESTIONS)}"
        )
    return QUESTIONS[name]


def canonical(question: Question, guess: Any) -> Any:
    """A guess as it is stored: an option's key, or a number; UserError says what was expected."""
    return choice(question.options)(guess) if question.options else float(number(question.unit)(guess))


def agree(question: Question, guess: Any, measured: Any) -> bool:
    """Whether guess and measurement count as the same: equal keys, or numbers within the question's factor."""
    if question.options:
        return bool(guess == measured)
    if guess * measured <= 0.0 or abs(guess - measured) <= question.near:
        return bool(abs(guess - measured) <= question.near)
    return bool(max(guess / measured, measured / guess) <= question.factor)


def predict(name: str, guess: Any = None) -> Any:
    """Ask for a prediction, with a form to fill in; or store ``guess`` at once.

    A stored prediction can be changed until its experiment is revealed.

    Raises
    ------
    UserError
        There is no such question, or the guess is none of its answers.
    """
    question = find(name)
    if guess is not None:
        return store(name, guess)
    entry = read()["predictions"].get(name, {})
    return PredictionForm(
        question.ask, question.options, question.unit, entry.get("guess"), lambda new: repr(store(name, new))
    )


def store(name: str, guess: Any) -> Note:
    """Keep a guess in ``course.json``."""
    question, record = find(name), read()
    entry = record["predictions"].get(name, {})
    if "measured" in entry:
        return Note("open", "This one is revealed already; the first guess stays.", "Stored.")
    record["predictions"][name] = {"guess": canonical(question, guess)}
    write(record)
    return Note("open", f"You predict: {_words(question, canonical(question, guess))}. Now try.", "Stored.")


def reveal(name: str, measured: Any) -> Note:
    """Compare the stored prediction with what was ``measured``, and say why it came out like that."""
    question, record = find(name), read()
    truth = canonical(question, measured)
    entry = record["predictions"].get(name)
    head = f"Measured: {_words(question, truth)}."
    if entry is None:
        asked = "" if on_paper() else "You have not predicted yet; guess first next time, it is what makes this stick. "
        return Note("open", asked + question.why, head)
    first = entry.get("measured", truth)
    entry |= {"measured": first, "right": agree(question, entry["guess"], first)}
    write(record)
    said = f"You predicted {_words(question, entry['guess'])}. {question.why}"
    return Note("right" if agree(question, entry["guess"], truth) else "wrong", said, head)


def _words(question: Question, value: Any) -> str:
    return question.options[value].rstrip(".") if question.options else f"{value:.3g} {question.unit}".strip()
