"""Diebold-Mariano and Holm against worked examples, statsmodels and scipy."""

import numpy as np
import pytest
from scipy import stats
from statsmodels.regression.linear_model import OLS

from pipeline.evaluation.significance import (
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

    d = 3, 1, 2, 0, -1: mean 1, deviations 2, 0, 1, -1, -2; gamma_0 = 10 / 5 = 2, gamma_1 = (0 + 0 - 1 + 2) / 5 = 0.2;
    variance of the mean (2 + 0.4) / 5 = 0.48, DM = 1 / sqrt(0.48) = 1.443376; correction sqrt((6 - 4 + 2 / 5) / 5)
    = 0.692820; product 1.
    """
    found = diebold_mariano(np.array([[3.0, 1.0, 2.0, 0.0, -1.0]]), 2)
    assert found.statistic == pytest.approx([1.0])
    assert found.p == pytest.approx([2 * stats.t.sf(1.0, 4)])


def test_one_step_ahead_it_is_students_t_test() -> None:
    """With one step ahead the corrected statistic must be that of the one-sample t test, exactly."""
    differences = np.random.default_rng(1).standard_normal((3, 48)) + 0.3
    found, expected = diebold_mariano(differences, 1), stats.ttest_1samp(differences, 0, axis=1)
    np.testing.assert_allclose(found.statistic, expected.statistic)
    np.testing.assert_allclose(found.p, expected.pvalue)


@pytest.mark.parametrize("horizon", [2, 3, 6])
def test_the_variance_is_that_of_statsmodels(horizon: int) -> None:
    """The long-run variance differs from a regression on a constant with the same (uniform) HAC kernel."""
    differences, time = autocorrelated(200), 200
    fit = OLS(differences, np.ones(time)).fit(
        cov_type="HAC", cov_kwds={"maxlags": horizon - 1, "kernel": "uniform", "use_correction": False}
    )
    correction = np.sqrt((time + 1 - 2 * horizon + horizon * (horizon - 1) / time) / time)
    found = diebold_mariano(differences[None], horizon)
    assert found.statistic[0] == pytest.approx(fit.tvalues[0] * correction)


def test_a_variance_that_is_not_positive_falls_back_to_no_lags() -> None:
    """Alternating differences give a negative variance, and with it no p value at all."""
    alternating = np.tile([1.0, -0.8], 10)[None]
    without_lags = alternating.mean() / np.sqrt(alternating.var() / 20)
    found = diebold_mariano(alternating, 2)
    assert found.statistic == pytest.approx([without_lags * np.sqrt((21 - 4 + 2 / 20) / 20)])


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


@pytest.mark.parametrize(("time", "horizon"), [(0, 1), (1, 1), (5, 5), (3, 4)])
def test_too_few_timestamps_have_no_p_value(time: int, horizon: int) -> None:
    """A handful of timestamps gives a p value out of nothing."""
    assert np.isnan(diebold_mariano(np.ones((2, time)), horizon).p).all()


def test_false_alarms_are_as_rare_as_promised() -> None:
    """Equal forecasts, 48 timestamps: about 5 % of tests may find a difference, one or three steps ahead."""
    random = np.random.default_rng(3)
    noise = random.standard_normal((4000, 50))
    overlapping = noise[:, 2:] + noise[:, 1:-1] + noise[:, :-2]  # errors three steps ahead
    assert (diebold_mariano(noise[:, :48], 1).p < 0.05).mean() == pytest.approx(0.05, abs=0.015)
    assert (diebold_mariano(overlapping, 3).p < 0.05).mean() == pytest.approx(0.05, abs=0.04)


def test_loss_is_the_squared_error_over_seeds_steps_and_targets() -> None:
    """The tests are about another loss than documented; a filled value counts as a perfect forecast."""
    errors = np.arange(24.0).reshape(2, 3, 2, 2)  # (seeds, time, horizon_steps, targets)
    errors[:, 2] = np.nan
    errors[:, 1, :, 1] = np.nan
    found = loss_series(errors)
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
