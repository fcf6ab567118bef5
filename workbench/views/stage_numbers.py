"""The numbers under a stage, in the order of their weight: two large ones, one warning, and the rest."""

from __future__ import annotations

import math
from dataclasses import dataclass

from workbench.engine.digits import figure
from workbench.engine.glossary import TERM
from workbench.views.episodes import Play
from workbench.views.numbers import COMPARED, Numbers

Row = list[str]  # name, value, meaning
FOLLOW = "Episodes follow when you let go"
EXACT = 0.005  # a smaller gap reads 0.00


@dataclass(frozen=True)
class StageNumbers:
    """What stands under a stage.

    Attributes
    ----------
    heads : list of Row
        What the actions earn, and how far they are from the data's.
    warning : Row
        By how much the critic is wrong: words, the sum that they come from, and its meaning.
    wrong : bool
        The gap is beyond its interval.
    rest : list of Row
    """

    heads: list[Row]
    warning: Row
    wrong: bool
    rest: list[Row]

    @property
    def rows(self) -> list[Row]:
        """All numbers, the large ones first."""
        return [*self.heads, *self.rest]


def stage_numbers(numbers: Numbers, play: Play | None, ending: str, groups: int, held: bool = False) -> StageNumbers:
    """The numbers of one stage.

    Parameters
    ----------
    numbers : Numbers
    play : Play or None
        Episodes from the state that is shown, once they are played.
    ending : str
        The kind of episodes that are counted; "" for a task without any.
    groups : int
        Independent groups of particles.
    held : bool
        A hand moves what is shown, and the episodes are played once it lets go.
    """
    shift = _row("state.shift", figure(numbers.shift), f"; of the first {COMPARED} chosen actions at most")
    promised = _row("state.promised", figure(numbers.promised))
    rest = _others(numbers, groups)
    if numbers.earned is not None:
        warning, wrong = _warning(numbers.promised, numbers.earned, numbers.gap_error)
        gap = _row("state.gap", figure(numbers.promised - numbers.earned))
        return StageNumbers(
            [_row("state.earned", figure(numbers.earned)), shift], warning, wrong, [promised, gap, *rest]
        )
    if not ending:
        warning = [
            "What it earns is not measured here",
            "",
            "the task does not say what an action earns, and no episodes are played",
        ]
        return StageNumbers([promised, shift], warning, False, rest)
    more = "; here of episodes that begin at the state that is shown, with its 95% interval"
    if play is None:
        warning = [
            FOLLOW if held else "Episodes are being played…",
            "",
            "what the actions earn is known once the episodes from this state are over",
        ]
        played = [_row("state.return", "…"), promised, [ending.capitalize(), "…", _share(ending)]]
        return StageNumbers([_row("earned", "…", more), shift], warning, False, [*played, *rest])
    earned, error = play.earned
    promise, gap_error = play.promised, play.gap_error
    warning, wrong = _warning(promise, earned, gap_error)
    digits = 2 if abs(play.mean) < 100 else 0
    played = [
        _row("state.return", f"{figure(play.mean, digits)} ± {figure(play.error, digits)}"),
        promised,
        _row("state.gap", figure(promise - earned)),
        [ending.capitalize(), f"{play.share:.0%}", _share(ending)],
    ]
    digits = 2 if abs(earned) < 100 else 0
    large = _row("earned", f"{figure(earned, digits)} ± {figure(error, digits)}", more)
    return StageNumbers([large, shift], warning, wrong, [*played, *rest])


def _row(key: str, value: str, more: str = "") -> Row:
    return [TERM[key].short, value, f"{TERM[key].hint}{more}"]


def _share(ending: str) -> str:
    return f"share of the episodes from the state that is shown with this ending: {ending}"


def _warning(promised: float, earned: float, error: float | None) -> tuple[Row, bool]:
    """The warning, and whether the gap is beyond its interval."""
    if not math.isfinite(promised):
        return ["There is no critic to be wrong", "", "this policy has no critic"], False
    gap = promised - earned
    sure = error is not None and math.isfinite(error)
    wrong = abs(gap) > max(error if sure and error is not None else 0.0, EXACT)
    term = TERM["state.gap"].hint
    half = figure(error) if sure and error is not None else ""
    around = f" ± {half}" if half else ""
    total = f"promised {figure(promised)} − earned {figure(earned)} = {figure(gap)}{around}"
    right = f"The critic is right within {half}" if half else "The critic is right"
    words = f"The critic is wrong by {figure(gap)}" if wrong else right
    return [words, total, f"{total}: {term}"], wrong


def _others(numbers: Numbers, groups: int) -> list[Row]:
    sure = (
        f"; ±{figure(numbers.displacement_error, 3)} is its standard error over the {groups} draws of this noise seed"
    )
    if groups < 2:
        sure = "; one group of particles: draw more of them to see how far another noise seed would be"
    support = "–" if numbers.support is None else f"{numbers.support:.0%}"
    kept = f"{numbers.covered:.0%}" if numbers.modes is None else f"{numbers.covered:.0f} of {numbers.modes}"
    return [
        _row("state.transport", figure(numbers.transport)),
        _row("state.displacement", figure(numbers.displacement), sure),
        _row("state.support", support, "" if numbers.support is not None else "; the data are not at hand here"),
        _row("state.coverage" if numbers.modes is None else "state.modes", kept),
    ]
