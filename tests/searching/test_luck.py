"""How good the best of many looks by luck: zero skill is recognised as such, and skill is not."""

import math

import numpy as np

from pipeline.searching.luck import expect_best


def test_without_skill_the_best_is_what_luck_expects() -> None:
    """The expected best is too low or too high, so that luck passes for skill or skill for luck."""
    noise = np.random.default_rng(1).normal(0, 0.1, (200, 60, 3))
    folds = np.exp(noise) * [10.0, 50.0, 30.0]  # a harder fold is no noise
    best = np.mean([np.sqrt((scores**2).mean(1)).min() for scores in folds])  # what trials are chosen by
    expected = np.mean([expect_best(scores.tolist(), 60) for scores in folds])
    assert abs(best / expected - 1) < 0.01


def test_skill_is_more_than_luck() -> None:
    """A trial that is half as wrong on every fold is taken for luck."""
    scores = np.exp(np.random.default_rng(1).normal(0, 0.02, (20, 3)))
    scores[3] /= 2
    assert scores[3].mean() < 0.6 < expect_best(scores.tolist(), 100)


def test_too_little_to_tell_is_no_number() -> None:
    """Two trials are turned into a statement about luck."""
    assert math.isnan(expect_best([[1.0, 2.0], [2.0, 1.0]], 2))
    assert math.isnan(expect_best([], 0))
