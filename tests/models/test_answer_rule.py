"""What makes answers of the numbers of the last dense layer."""

import keras
import numpy as np
import pytest

from pipeline.config.schema import Normalise
from pipeline.models.answer_rule import SMALLEST, AnswerRule
from pipeline.models.numpy_network import denormalise
from pipeline.models.window_rule import WindowRule

RULE = AnswerRule(numbers=5, below=2)


def test_known_quantiles() -> None:
    """A quantile is read as that of another level, or lies elsewhere than its numbers say."""
    away = np.log(np.expm1([1.0, 2.0, 3.0, 4.0]))  # of which the softplus is 1, 2, 3, 4
    answers = RULE.apply(np.array([[10.0, *away, -10.0, *away]]), np)
    assert answers == pytest.approx(np.array([[7, 9, 10, 13, 17, -13, -11, -10, -7, -3]]))


@pytest.mark.parametrize("size", [0.1, 10.0, 1e4])
def test_quantiles_never_cross(size: float) -> None:
    """A value would be more likely to lie below 10 than below 11."""
    numbers = np.random.default_rng(1).normal(0, size, (4, 7, 3 * 5)).astype(np.float32)
    answers = RULE.apply(numbers, np)
    assert answers.dtype == np.float32
    assert (np.diff(answers.reshape(4, 7, 3, 5), axis=-1) >= 0).all()
    assert answers.reshape(4, 7, 3, 5)[..., 2] == pytest.approx(numbers.reshape(4, 7, 3, 5)[..., 0])
    assert np.asarray(RULE.apply(numbers, keras.ops)) == pytest.approx(answers, rel=1e-5, abs=1e-5)


def test_a_scale_is_above_zero_and_is_stretched_but_not_shifted() -> None:
    """A standard deviation is negative or zero, or as large as the level of its window."""
    rule = AnswerRule(numbers=3)
    answers = rule.apply(np.array([[-5.0, -200.0, 0.0, 7.0, 3.0, 200.0]], np.float32), np).reshape(2, 3)
    assert answers == pytest.approx(np.array([[-5, SMALLEST, np.log(2)], [7, np.log1p(np.exp(3)), 200]]), abs=2e-4)
    window = WindowRule(Normalise.window_standard, 1, (0,) * 6, moves=rule.moves * 2)
    samples = np.array([[[10.0], [30.0]]], np.float32)  # mean 20, standard deviation 10
    back = denormalise(window, samples, np.array([[1.0, 2.0, 3.0, -1.0, 0.5, 4.0]], np.float32))
    assert back == pytest.approx(np.array([[30, 20, 3, 10, 5, 4]]))
