"""How good the best of many looks by luck: zero skill is recognised as such, and skill is not."""

import math

import numpy as np

from pipeline.searching.luck import expect_best


def test_without_skill_the_best_is_what_luck_expects() -> None:
    """The expected best is too low or too high, so that luck passes for skill or skill for luck."""
    noise = np.random.default_rng(1).normal(0, 0.1, (200, 60, 3))
    fold = np.array([0.0, 0.3, -0.2])  # a harder fold is no noise
    found = [(np.exp((draw + fold).mean(1)).min(), expect_best(np.exp(draw + fold).tolist(), 60)) for draw in noise]
    best, expected = np.mean(found, axis=0)
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
