"""What quantiles are worth: shares by hand, a test that knows right from wrong, and the sentence."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm, poisson

from pipeline.evaluation.calibration import (
    Calibration,
    calibration_metrics,
    describe_calibration,
    measure_calibration,
)
from pipeline.evaluation.scores import Truth
from pipeline.models.heads.families import Free
from pipeline.models.heads.quantile import QuantileHead

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
HEAD = QuantileHead(LEVELS, Free(LEVELS))


def make_truth(actual: np.ndarray) -> Truth:
    """Everything is the test part; of actual, (time, targets)."""
    every, none = np.ones(len(actual), bool), np.zeros(len(actual), bool)
    parts = {"train": none, "validation": none, "test": every}
    return Truth(actual, np.ones(actual.shape, bool), parts, list("abc"[: actual.shape[1]]), head=HEAD)


def measure(scale: float, shift: float = 0.0, count: int = 200) -> Calibration:
    """Quantiles of a normal distribution, of values that are normal with scale 1 around 0."""
    actual = np.random.default_rng(2).normal(size=(count, 1))
    answers = np.broadcast_to(shift + scale * norm.ppf(LEVELS), (count, 1, 1, 5))
    return measure_calibration(make_truth(actual), pd.RangeIndex(count), answers)


def test_shares_and_losses_by_hand() -> None:
    """A value counts below the quantile of another level, or losses are divided by something else."""
    actual = np.array([[0.0], [1.5], [2.5], [10.0]])
    answers = np.broadcast_to([1.0, 2.0, 3.0, 4.0, 5.0], (4, 1, 1, 5))
    found = measure_calibration(make_truth(actual), pd.RangeIndex(4), answers)
    assert found.below == pytest.approx([0.25, 0.5, 0.75, 0.75, 0.75])
    assert dict(found.centres()) == pytest.approx({0.9: 0.5, 0.5: 0.25})
    above = answers[:, 0, 0] - actual
    pinball = np.where(above > 0, (1 - np.array(LEVELS)) * above, -np.array(LEVELS) * above)
    assert found.wql == pytest.approx(2 * pinball.mean(axis=1).sum() / actual.sum())
    metrics = calibration_metrics(found, {"drift": found})
    assert metrics["baseline_drift_wql"] == metrics["test_wql"] == found.wql
    assert metrics["quantile_coverage_90"] == 0.5
    assert metrics["quantile_coverage_90_low"] < 0.5 < metrics["quantile_coverage_90_high"]


def test_right_quantiles_are_told_from_wrong_ones() -> None:
    """The verdict calls quantiles right that are too close to each other, too wide, or all too low."""
    right, narrow, wide = (describe_calibration(measure(scale)) for scale in (1.0, 0.5, 3.0))
    assert "as it should; the quantiles have the shares of the test part below them that they should" in right
    assert ": too narrow; the quantiles are not what they should be (PIT, p=0.0001 or less): " in narrow
    assert "covers 100 % of the test part (98 to 100): too wide; " in wide
    assert measure(1.0, shift=-0.5).p_value < 0.001 < 0.05 < measure(1.0).p_value
    assert measure(0.5, count=8).p_value > 0.01  # eight values prove little


def test_right_quantiles_are_rarely_called_wrong() -> None:
    """Of a hundred runs with right quantiles many more than five would be told that theirs are wrong."""
    random, answers = np.random.default_rng(6), np.broadcast_to(np.arange(5.0), (40, 1, 1, 5))
    found = [
        measure_calibration(
            make_truth(np.searchsorted(LEVELS, random.uniform(size=(40, 1))) - 0.5), pd.RangeIndex(40), answers
        ).p_value
        for _ in range(60)
    ]
    assert 0.02 <= np.mean(np.array(found) < 0.1) <= 0.2


def test_a_count_on_a_quantile_counts_as_far_as_it_is_needed() -> None:
    """Right quantiles of counts would be called too wide: most values lie on one of them."""
    random = np.random.default_rng(7)
    actual = random.poisson(1.5, size=(300, 1)) + 0.0
    found = [
        measure_calibration(make_truth(actual), pd.RangeIndex(300), np.broadcast_to(each, (300, 1, 1, 5)))
        for each in (poisson(1.5).ppf(LEVELS), poisson(4).ppf(LEVELS))
    ]
    assert found[0].p_value > 0.2 > 0.001 > found[1].p_value
