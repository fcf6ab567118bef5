"""`check`, `hint` and `ask`: an exercise in a notebook."""

from __future__ import annotations

from dataclasses import dataclass

from workbench.course.answers import NothingYet
from workbench.course.exercise import Exercise
from workbench.course.exercises import EXERCISES
from workbench.course.record import read, write
from workbench.engine.settings import nearest
from workbench.engine.words import UserError
from workbench.plots.markup import Markup, html, joined

COLOURS = {"right": "#00805d", "wrong": "#d55e00", "open": "#5b6472", "hint": "#0072b2"}
HEADS = {"right": "Right.", "wrong": "Not yet.", "open": "Your turn.", "hint": "Hint"}


@dataclass(frozen=True)
class Note:
    """A few words in a box: green for right, orange for not yet, grey for still open, blue for a hint."""

    kind: str
    text: str
    head: str = ""

    @property
    def right(self) -> bool:
        """Whether the answer was right."""
        return self.kind == "right"

    def __repr__(self) -> str:
        return f"{self.head or HEADS[self.kind]} {self.text}"

    def _repr_html_(self) -> str:
        colour = COLOURS[self.kind]
        shown = html(
            '<div class="wb-note wb-{kind}" style="border-left:4px solid {colour};padding:6px 12px;margin:4px 0;'
            'max-width:70ch"><b style="color:{colour}">{head}</b> {text}</div>',
            kind=self.kind,
            colour=colour,
            head=self.head or HEADS[self.kind],
            text=in_html(self.text),
        )
        return str(shown)


def in_html(text: str) -> Markup:
    """Escape ``text``; words in backquotes become code."""
    pieces = enumerate(text.split("`"))
    return joined(html("<code>{}</code>", piece) if odd % 2 else piece for odd, piece in pieces)


def find(name: str) -> Exercise:
    """The exercise; UserError names the nearest one."""
    if name not in EXERCISES:
        raise UserError(f"no exercise named '{name}'{nearest(name, list(EXERCISES))} There are: {', '.join(EXERCISES)}")
    return EXERCISES[name]


def check(name: str, answer: object = ...) -> Note:
    """Check an answer and say what is wrong with it; the result is kept in ``course.json``.

    Parameters
    ----------
    name : str
        Of the exercise.
    answer : Any
        In any sensible form; ``...`` means that there is none yet.

    Raises
    ------
    UserError
        There is no such exercise.
    """
    exercise = find(name)
    if answer is ... or answer is None:
        return Note(
            "open", f'Replace the `...` by your answer and run the cell again. Stuck? `wb.course.hint("{name}")`'
        )
    try:
        fault = exercise.fault(answer)
    except NothingYet as open_still:
        return Note("open", f'{open_still} Stuck? `wb.course.hint("{name}")`')
    record = read()
    entry = record["exercises"].setdefault(name, {"solved": False, "tries": 0, "hints": 0})
    if not entry["solved"]:
        entry["tries"] += 1
    entry["solved"] = entry["solved"] or not fault
    write(record)
    return Note("wrong", fault) if fault else Note("right", exercise.well)


def hint(name: str) -> Note:
    """The first hint of an exercise; asked again, the second, which nearly gives the answer."""
    exercise, record = find(name), read()
    entry = record["exercises"].setdefault(name, {"solved": False, "tries": 0, "hints": 0})
    step = min(entry["hints"], len(exercise.hints) - 1)
    entry["hints"] = step + 1
    write(record)
    more = " (Ask again for one more.)" if step + 1 < len(exercise.hints) else ""
    return Note("hint", exercise.hints[step] + more, f"Hint {step + 1} of {len(exercise.hints)}.")


def ask(name: str) -> Note:
    """The question of an exercise."""
    return Note("open", find(name).ask, "Exercise.")
