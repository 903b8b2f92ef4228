"""Diebold-Mariano and Holm against worked examples, statsmodels and scipy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import fft, stats

from pipeline.comparison.significance import (
    compare_seeds,
    compare_with_value,
    correct_holm,
    diebold_mariano,
    loss_series,
)


def autocorrelated(length: int, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).standard_normal(length + 2)
    return 0.4 + noise[2:] + 0.6 * noise[1:-1] + 0.3 * noise[:-2]


def test_a_worked_example_one_step_ahead() -> None:
    """The statistic is not that of the paper.

    d = 1, 2, 3, 4: mean 2.5, variance (dividing by 4) 1.25, so DM = 2.5 / sqrt(1.25 / 4) = 4.4721; the correction is
    sqrt((4 + 1 - 2 + 0) / 4) = 0.8660, which gives 3.8730.
    """
    found = diebold_mariano(np.array([[1.0, 2.0, 3.0, 4.0]]), 1)
    assert found.statistic == pytest.approx([3.872983], rel=1e-6)
    assert found.p == pytest.approx([2 * stats.t.sf(3.872983, 3)], rel=1e-6)


def test_a_worked_example_two_steps_ahead() -> None:
    """The overlap of forecasts several steps ahead is ignored, or corrected wrongly.

    The long-run variance is the mean of the squares of the first orthonormal cosine transforms (scipy's DCT-II); of 60
    timestamps 0.4 x 60^(2/3) = 6.1 of them, so the statistic is compared with t of 6 degrees of freedom.
    """
    differences = autocorrelated(60)
    variance = (fft.dct(differences, norm="ortho")[1:7] ** 2).mean()
    statistic = differences.mean() / np.sqrt(variance / 60)
    found = diebold_mariano(differences[None], 2)
    assert found.statistic == pytest.approx([statistic])
    assert found.p == pytest.approx([2 * stats.t.sf(abs(statistic), 6)])


def test_one_step_ahead_it_is_students_t_test() -> None:
    """With one step ahead the corrected statistic must be that of the one-sample t test, exactly."""
    differences = np.random.default_rng(1).standard_normal((3, 48)) + 0.3
    found, expected = diebold_mariano(differences, 1), stats.ttest_1samp(differences, 0, axis=1)
    np.testing.assert_allclose(found.statistic, expected.statistic)
    np.testing.assert_allclose(found.p, expected.pvalue)


def test_order_of_the_pair_changes_only_the_sign() -> None:
    """Who is named first would decide who is better."""
    differences = autocorrelated(60)[None]
    one, other = diebold_mariano(differences, 3), diebold_mariano(-differences, 3)
    assert one.statistic == pytest.approx(-other.statistic)
    assert one.p == pytest.approx(other.p)


def test_equal_and_constant_differences() -> None:
    """Two equal forecasts are called different, or a division by zero is printed."""
    found = diebold_mariano(np.array([np.zeros(10), np.full(10, 0.3), np.full(10, -0.3)]), 1)
    assert found.p.tolist() == [1.0, 0.0, 0.0]
    assert found.statistic.tolist() == [0.0, np.inf, -np.inf]


@pytest.mark.parametrize(("time", "horizon"), [(0, 1), (1, 1), (5, 5), (3, 4), (9, 5)])
def test_too_few_timestamps_have_no_p_value(time: int, horizon: int) -> None:
    """A handful of timestamps gives a p value out of nothing."""
    assert np.isnan(diebold_mariano(np.ones((2, time)), horizon).p).all()


@pytest.mark.parametrize(("horizon", "time"), [(1, 48), (3, 48), (6, 60), (12, 120)])
@pytest.mark.parametrize("lanes", [1, 8, 50])
def test_false_alarms_are_as_rare_as_promised(lanes: int, horizon: int, time: int) -> None:
    """Equally good forecasts are called different in more than 5 +- 2 % of cases: on panels, or several steps ahead.

    2,000 pairs of forecasts whose errors overlap for horizon - 1 steps, and which half of all lanes share.
    """
    random = np.random.default_rng([lanes, horizon])
    weight = np.sqrt(0.5) if lanes > 1 else 1.0
    squares = []
    for _ in range(2):
        shared = random.standard_normal((2000, 1, time + horizon - 1)).astype(np.float32)
        own = random.standard_normal((2000, lanes if lanes > 1 else 0, time + horizon - 1), dtype=np.float32)
        noise = weight * shared + (np.sqrt(0.5) * own if lanes > 1 else 0.0)
        summed = np.cumsum(np.pad(noise, ((0, 0), (0, 0), (1, 0))), axis=2)
        errors = summed[..., horizon:] - summed[..., :-horizon]  # (pairs, lanes, time)
        squares.append((errors**2).mean(axis=1))
    alarms = (diebold_mariano((squares[0] - squares[1]).astype(float), horizon).p < 0.05).mean()
    assert 0.03 <= alarms <= 0.07


@given(copies=st.integers(2, 9), horizon=st.integers(1, 4))
@settings(deadline=None, derandomize=True, max_examples=20)
def test_copies_of_a_lane_are_no_evidence(copies: int, horizon: int) -> None:
    """One series copied eight times makes a difference certain: every lane counts as timestamps of its own."""
    random = np.random.default_rng(copies)
    one, other = random.standard_normal((2, 1, 40, 1, 1))
    times = np.arange(40)

    def test(lanes: int) -> tuple[float, float]:
        losses = [loss_series(np.tile(each, (1, lanes, 1, 1)), np.tile(times, lanes)) for each in (one, 1.3 * other)]
        found = diebold_mariano((losses[0] - losses[1])[None], horizon)
        return float(found.statistic[0]), float(found.p[0])

    assert test(copies) == pytest.approx(test(1))


def test_lanes_share_their_timestamps_in_order_of_time() -> None:
    """A lane that begins later is matched with other days, or a day counts as often as it has lanes."""
    errors = np.array([1.0, 2.0, 3.0, 5.0, 7.0])[None, :, None, None]
    assert loss_series(errors, np.array([0, 1, 2, 1, 2])).tolist() == [1.0, (4 + 25) / 2, (9 + 49) / 2]


def test_targets_are_scaled_before_they_are_averaged() -> None:
    """The target with the larger unit decides alone."""
    errors = np.array([100.0, 1.0])[None, None, None, :]
    assert loss_series(errors, np.zeros(1, dtype=int), np.array([100.0, 1.0])).tolist() == [1.0]


def test_loss_is_the_squared_error_over_seeds_steps_and_targets() -> None:
    """The tests are about another loss than documented; a filled value counts as a perfect forecast."""
    errors = np.arange(24.0).reshape(2, 3, 2, 2)  # (seeds, time, horizon_steps, targets)
    errors[:, 2] = np.nan
    errors[:, 1, :, 1] = np.nan
    found = loss_series(errors, np.arange(3))
    assert found.shape == (2,)
    assert found[0] == pytest.approx(np.mean([each**2 for each in (0, 1, 2, 3, 12, 13, 14, 15)]))
    assert found[1] == pytest.approx(np.mean([each**2 for each in (4, 6, 16, 18)]))


def test_holm_on_a_worked_example() -> None:
    """Many comparisons would find something by chance.

    p = 0.01, 0.04, 0.03: sorted 0.01 x 3 = 0.03, 0.03 x 2 = 0.06, 0.04 x 1 = 0.04, which may not fall below 0.06.
    """
    assert correct_holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])


def test_what_cannot_be_tested_does_not_count_as_a_comparison() -> None:
    """One pair without a p value makes all the others less significant, or NaN."""
    found = correct_holm([0.01, float("nan"), 0.03])
    assert found == pytest.approx([0.02, float("nan"), 0.03], nan_ok=True)
    assert correct_holm([]).size == 0
    assert np.isnan(correct_holm([float("nan")])).all()


def test_seeds_are_compared_as_scipy_does() -> None:
    """Two lucky seeds are taken for a better configuration."""
    left = [np.array([1.0, 2.0]), np.array([1.0, 2.0, 4.0]), np.array([5.0, 5.5, 6.0, 5.2])]
    right = [np.array([2.5, 4.0]), np.array([9.0, 9.5]), np.array([5.1, 5.4, 6.1, 5.3])]
    expected = [stats.ttest_ind(*pair, equal_var=False).pvalue for pair in zip(left, right, strict=True)]
    assert compare_seeds(left, right) == pytest.approx(expected)
    assert compare_with_value(left[1], 2.0) == pytest.approx(stats.ttest_1samp(left[1], 2.0).pvalue)


def test_one_seed_and_seeds_that_agree() -> None:
    """One training decides between configurations, or equal scores end in a warning."""
    same = np.array([3.0, 3.0])
    found = compare_seeds([np.array([1.0]), same, same], [same, same, same + 1])
    assert np.isnan(found[0]) and not found[1] < 0.05 and found[2] == 0
    assert np.isnan(compare_with_value(np.array([1.0]), 2.0))
    assert (compare_with_value(same, 3.0), compare_with_value(same, 4.0)) == (1.0, 0.0)
