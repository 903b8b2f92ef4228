"""The next token is chosen by the probabilities that were asked for."""

import re
from typing import Any

import numpy as np
import pytest

from pipeline.base.errors import UserError
from pipeline.serving.sampling import Dice, Sampling

SHARES = np.array([[0.5, 0.1, 0.25, 0.15], [0.1, 0.2, 0.3, 0.4]])
LOGITS = (np.log(SHARES) + 3).astype(np.float32)


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ({}, [[0.5, 0.1, 0.25, 0.15], [0.1, 0.2, 0.3, 0.4]]),
        ({"temperature": 0.5}, SHARES**2 / (SHARES**2).sum(1, keepdims=True)),
        ({"temperature": 0}, [[1, 0, 0, 0], [0, 0, 0, 1]]),
        ({"top_k": 2}, [[2 / 3, 0, 1 / 3, 0], [0, 0, 3 / 7, 4 / 7]]),
        ({"top_k": 9}, SHARES),
        ({"top_p": 0.72}, [[2 / 3, 0, 1 / 3, 0], [0, 2 / 9, 3 / 9, 4 / 9]]),
        ({"top_p": 1e-9}, [[1, 0, 0, 0], [0, 0, 0, 1]]),
        ({"never": 3, "temperature": 0}, [[1, 0, 0, 0], [0, 0, 1, 0]]),
        ({"never": 0, "top_p": 1.0}, [[0, 0.2, 0.5, 0.3], [0, 2 / 9, 3 / 9, 4 / 9]]),
    ],
)
def test_probabilities_are_those_of_the_definition(how: dict[str, Any], expected: Any) -> None:
    """Breaks temperature, top_k, top_p, or the promise that <unk> is never written."""
    np.testing.assert_allclose(Sampling(**how).probabilities(LOGITS), expected, atol=1e-6)


def test_tokens_come_as_often_as_they_are_probable() -> None:
    """Breaks every text: tokens would be drawn from another distribution than the network's."""
    dice, sampling = Dice(np.array([1, 1])), Sampling()
    drawn = np.stack([sampling.choose(LOGITS, dice.roll()) for _ in range(4000)])  # (rolls, rows)
    for row in range(2):
        np.testing.assert_allclose(np.bincount(drawn[:, row], minlength=4) / 4000, SHARES[row], atol=0.03)
    assert (drawn[:, 0] != drawn[:, 1]).any()
    edges = sampling.choose(np.repeat(LOGITS[:1], 3, 0), np.array([0.0, 0.5, np.nextafter(1, 0)]))
    assert edges.tolist() == [0, 1, 3]


def test_a_text_has_random_numbers_of_its_own() -> None:
    """Breaks repeating a text: its numbers would depend on what is written beside it, or on a stop."""
    alone, beside = Dice(np.array([5])), Dice(np.array([5, 5, 5]))
    numbers = np.array([alone.roll()[0] for _ in range(600)])
    np.testing.assert_array_equal(numbers, [beside.roll()[0] for _ in range(600)])
    assert ((numbers >= 0) & (numbers < 1)).all() and alone.rolled == 600
    np.testing.assert_array_equal(Dice(np.array([5]), 300).roll(), numbers[300])


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ({"temperature": -1.0}, "temperature must be at least 0, but got temperature=-1"),
        ({"temperature": float("nan")}, "temperature must be at least 0"),
        ({"top_k": 0}, "top_k must be at least 1, but got top_k=0"),
        ({"top_p": 0.0}, "top_p must be above 0 and at most 1, but got top_p=0"),
    ],
)
def test_what_is_out_of_range_is_named(how: dict[str, Any], told: str) -> None:
    """Breaks the way out of a mistyped key: a text of something else, or a traceback."""
    with pytest.raises(UserError, match=re.escape(told)):
        Sampling(**how).check()
