"""Exercises of lesson 10: right answers of another make pass, slips are told apart and answered in words."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
import torch

from workbench.course.exercises import EXERCISES, language

DISTINCT = EXERCISES["language.distinct"]


def with_numpy(sentences):
    pairs = np.array([(a, b) for words in sentences for a, b in pairwise(words)])
    return len(np.unique(pairs, axis=0)) / len(pairs)


def with_counter(sentences):
    pairs = Counter(" ".join(words[i : i + 2]) for words in sentences for i in range(len(words) - 1))
    return torch.tensor(len(pairs) / sum(pairs.values()))


@pytest.mark.parametrize("answer", [with_numpy, with_counter])
def test_a_right_answer_of_another_make_passes(answer):
    assert DISTINCT.fault(answer) == ""


@pytest.mark.parametrize(
    ("slip", "words"),
    [
        (
            lambda sentences: len({w for s in sentences for w in s}) / len([w for s in sentences for w in s]),
            "different words",
        ),
        (lambda sentences: len({p for s in sentences for p in pairwise(s)}), "whole"),
        (lambda sentences: 1.0, "Try two equal sentences"),
        (lambda sentences: len(set(sentences)), "stops"),
        (lambda sentences: None, "returns nothing yet"),
        ("0.5", "A function is wanted"),
        (lambda: 1.0, "with 1 arguments"),
    ],
)
def test_a_slip_is_told_apart(slip, words):
    try:
        said = DISTINCT.fault(slip)
    except ValueError as error:
        said = str(error)
    assert words in said


def test_no_two_mistakes_are_one():
    """Each is told from the right answer and from the others by the sentences that are tried."""
    found = [
        tuple(float(x) for x in DISTINCT.read(one)) for one in (DISTINCT.right, *(m.answer for m in DISTINCT.mistakes))
    ]
    assert len(set(found)) == len(found)


def test_every_wrong_witness_is_answered():
    witness = EXERCISES["language.witness"]
    assert {mistake.answer for mistake in witness.mistakes} | {witness.right} == language.WITNESSES.keys()
    assert witness.fault("(B)") == ""
    assert "Answer with one of" in witness.fault("nobody")
