"""The judge: how good a sentence's words are, by VADER's word scores. It has no gradient.

VADER (Hutto and Gilbert, 2014; MIT licence) is a lexicon of word scores made by people, with rules. Of the rules those are
kept that text without punctuation and capitals meets: a word within three before turns the score round ("not happy"), or
strengthens it ("so happy", "never so happy").
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from zipfile import ZipFile

from workbench.engine.words import UserError

TURNED = -0.74  # of a score behind a negation
NEVER_SO = 1.25  # of a score behind "never so"
STRONGER = 0.293  # what a booster adds, at once before the word
FADING = (1.0, 0.95, 0.9)  # of a booster that stands one, two, three words before
SPREAD = 15.0  # sum / sqrt(sum² + 15) lies in (-1, 1)
_NEGATIONS = (
    "aint arent cannot cant couldnt darent didnt doesnt hadnt hasnt havent isnt mightnt mustnt neednt neither never none nope "
    "nor not nothing nowhere oughtnt shant shouldnt wasnt werent without wont wouldnt rarely seldom despite ain't aren't can't "
    "couldn't daren't didn't doesn't hadn't hasn't haven't isn't mightn't mustn't needn't oughtn't shan't shouldn't wasn't "
    "weren't won't wouldn't"
)
_STRENGTHEN = (
    "absolutely completely considerable considerably decidedly deeply enormous enormously entirely especially exceptional "
    "exceptionally extreme extremely greatly highly incredible incredibly intensely major majorly more most particularly "
    "purely quite really remarkably so substantially thoroughly total totally tremendous tremendously unbelievably "
    "unusually utter utterly very"
)
_WEAKEN = (
    "almost barely hardly kinda less little marginal marginally occasional occasionally partly scarce scarcely slight "
    "slightly somewhat"
)
NEGATIONS = frozenset(_NEGATIONS.split())
BOOSTERS = dict.fromkeys(_STRENGTHEN.split(), STRONGER) | dict.fromkeys(_WEAKEN.split(), -STRONGER)


def read_lexicon(path: Path) -> dict[str, float]:
    """VADER's word scores, from its wheel or its ``vader_lexicon.txt``.

    Raises
    ------
    UserError
        No such file, or no lexicon in it.
    """
    if not path.is_file():
        raise UserError(f"there is no file {path}; take VADER's wheel (pip download --no-deps vaderSentiment==3.3.2)")
    if path.suffix == ".whl":
        with ZipFile(path) as wheel:
            inside = [name for name in wheel.namelist() if name.endswith("vader_lexicon.txt")]
            text = wheel.read(inside[0]).decode("utf-8") if inside else ""
    else:
        text = path.read_text(encoding="utf-8")
    fields = [line.split("\t") for line in text.splitlines()]
    scores = {field[0]: float(field[1]) for field in fields if len(field) >= 2}
    if not scores:
        raise UserError(f"{path} holds no vader_lexicon.txt; take the wheel of vaderSentiment 3.3.2")
    return scores


@dataclass(frozen=True)
class Judge:
    """VADER's score of a sentence.

    Attributes
    ----------
    scores : mapping of str to float
        Of the words that the lexicon knows, -4 to 4.
    """

    scores: Mapping[str, float]

    def of_words(self, sentence: Sequence[str]) -> list[float]:
        """What each word adds, with the negations and boosters before it."""
        return [self._word(sentence, i) if word in self.scores else 0.0 for i, word in enumerate(sentence)]

    def __call__(self, sentence: Sequence[str]) -> float:
        """The sentence's score, in (-1, 1)."""
        total = sum(self.of_words(sentence))
        return total / math.sqrt(total * total + SPREAD)

    def _word(self, sentence: Sequence[str], at: int) -> float:
        score = self.scores[sentence[at]]
        for back, fade in enumerate(FADING, 1):
            if back > at or (before := sentence[at - back]) in self.scores:
                continue
            score += BOOSTERS.get(before, 0.0) * fade * math.copysign(1.0, score)
            between = sentence[at - back + 1 : at]
            if before == "never" and ("so" in between or "this" in between):
                score *= NEVER_SO
            elif before in NEGATIONS:
                score *= TURNED
        return score
