"""Lesson 10, sentences: how alike they become, and who can tell that a sentence was made for the proxy."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from workbench.course.answers import choice, function
from workbench.course.exercise import Compared, Mistake

Sentences = Sequence[Sequence[str]]
WITNESSES = {
    "a": "The proxy's promise: it falls where the sentence is bad.",
    "b": "A language model that had no part in the steering: it finds the sentence strange.",
    "c": "The decoder: it refuses to spell such a latent.",
    "d": "The proxy once more, trained on the same labels with another seed.",
    "e": "The length of the sentence.",
    "f": "The behaviour flow: its sentences become worse as well.",
}
_FIRST = [["it", "was", "so", "good"], ["she", "was", "so", "good", "indeed"]]
_SECOND = [["so", "good", "so", "good"], ["good", "so"]]
_THIRD = [["he", "will", "be", "happy"], ["i", "am", "very", "happy", "now"], ["be", "happy"], ["be", "happy"]]


def _distinct(sentences: Sentences) -> float:
    pairs = [pair for words in sentences for pair in pairwise(words)]
    return len(set(pairs)) / len(pairs)


def _single(sentences: Sentences) -> float:
    words = [word for sentence in sentences for word in sentence]
    return len(set(words)) / len(words)


def _across(sentences: Sentences) -> float:
    pairs = list(pairwise([word for sentence in sentences for word in sentence]))
    return len(set(pairs)) / len(pairs)


def _each(sentences: Sentences) -> float:
    shares = [len(set(pairwise(words))) / (len(words) - 1) for words in sentences]
    return sum(shares) / len(shares)


def _by_words(sentences: Sentences) -> float:
    return len({pair for words in sentences for pair in pairwise(words)}) / sum(map(len, sentences))


def _unordered(sentences: Sentences) -> float:
    pairs = [frozenset(pair) for words in sentences for pair in pairwise(words)]
    return len(set(pairs)) / len(pairs)


def _whole(sentences: Sentences) -> float:
    return len({tuple(words) for words in sentences}) / len(sentences)


def _all_pairs(sentences: Sentences) -> float:
    pairs = [(one, two) for words in sentences for at, one in enumerate(words) for two in words[at + 1 :]]
    return len(set(pairs)) / len(pairs)


EXERCISES = (
    Compared(
        name="language.distinct",
        ask="Write `distinct(sentences)`: of all pairs of neighbouring words in all sentences, the share that are different. A "
        "sentence is a list of words. Pairs do not reach from one sentence to the next.",
        hints=(
            "Make one list of all pairs first: `zip(words, words[1:])` gives those of one sentence.",
            "`len(set(pairs)) / len(pairs)`, with the pairs of all sentences in one list.",
        ),
        well="It is called distinct-2. Sentences that are all made of the same three words score low, however well each is paid.",
        read=function("distinct(sentences)", (_FIRST,), (_SECOND,), (_THIRD,)),
        right=_distinct,
        mistakes=(
            Mistake(
                _single, "Those are different words. Take pairs of neighbours: they tell 'so good' from 'good so'."
            ),
            Mistake(
                _across,
                "Some of your pairs reach from the end of a sentence to the beginning of the next. Pair within.",
            ),
            Mistake(
                _each,
                "A mean over sentences does not see that two sentences are alike. Put all pairs into one list first.",
            ),
            Mistake(_by_words, "The different pairs are counted rightly. Divide by the number of pairs, not of words."),
            Mistake(_unordered, "'so good' and 'good so' are two pairs: keep the order."),
            Mistake(
                _whole, "Those are different sentences. Two sentences with one word changed share most of their pairs."
            ),
            Mistake(_all_pairs, "Neighbours only: your pairs have other words between them."),
            Mistake(lambda sentences: 1 - _distinct(sentences), "That is the share of repeats. Take one minus it."),
        ),
        otherwise="Try two equal sentences on paper: half of their pairs are different.",
    ),
    Compared(
        name="language.witness",
        ask="At work there is no judge at hand: it is slow, or people. Who can still tell that sentences were pushed too far? "
        + " ".join(f"({key}) {text}" for key, text in WITNESSES.items()),
        hints=(
            "Look at the columns that were printed: which number changes most between the best weight and the last one?",
            "A good witness shares nothing with what was pushed: neither its weights nor its labels.",
        ),
        well="It has never seen a label, and nothing was climbed on it. Climb on it too, and it is no witness any more.",
        read=choice(WITNESSES),
        right="b",
        mistakes=(
            Mistake("a", "Look again: the promise was high to the end. It is what was climbed."),
            Mistake("c", "The decoder spells whatever it is given: every latent becomes some words."),
            Mistake("d", "It has seen the same labels, and knows as little of such sentences."),
            Mistake("e", "All sentences here have four to six words, the worst ones too."),
            Mistake("f", "The behaviour flow is not changed by steering: its own sentences stay as they were."),
        ),
        otherwise="Answer with one letter.",
    ),
)
