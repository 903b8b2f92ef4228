"""Error measures: known numbers by hand, and how they follow a shift and a scale of the data."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.evaluation.metrics import errors, mae, mase, naive_scale, rmse, skill, smape

ACTUAL = np.array([[10.0], [20.0], [30.0], [40.0]])  # (time, targets = 1)
FORECASTS = np.array([[[np.nan]], [[21.0]], [[30.0]], [[37.0]]])  # (time, horizon_steps = 1, targets)
SCORED = np.array([[False], [True], [False], [True]])
EVERY_ROW = np.ones((4, 1), dtype=bool)


def test_known_numbers() -> None:
    """A metric in the table would not be what its name says: errors 1 and -3, at 20 and 40."""
    assert rmse(ACTUAL, FORECASTS, SCORED) == pytest.approx(np.sqrt((1 + 9) / 2))
    assert mae(ACTUAL, FORECASTS, SCORED) == pytest.approx(2)
    assert smape(ACTUAL, FORECASTS, SCORED) == pytest.approx((200 * 1 / 41 + 200 * 3 / 77) / 2)


def test_mase_is_scaled_by_persistence_on_the_training_part() -> None:
    """MASE would be scaled by the test part, and a volatile test part would make every network look good."""
    actual = np.array([0.0, 4.0, 0.0, 4.0, 20.0, 40.0])[:, None]  # repeating the last value errs by 4, then by more
    forecasts = actual[:, None] + np.array([np.nan, 9, 9, 9, 1, -3])[:, None, None]
    train = np.array([True, True, True, True, False, False])[:, None]
    assert mase(actual, forecasts, ~train, train) == pytest.approx(2 / 4)


def test_mase_of_several_targets_is_the_mean_of_each() -> None:
    """A target with large numbers would drown the others: their errors are averaged before they are scaled."""
    actual = np.array([[0.0, 0.0], [2.0, 100.0], [0.0, 0.0], [0.0, 0.0]])  # scales 2 and 100
    forecasts = np.array([[[0.0, 0.0]], [[0.0, 0.0]], [[1.0, 100.0]], [[1.0, 300.0]]])
    train = np.repeat([True, True, False, False], 2).reshape(4, 2)
    assert mase(actual, forecasts, ~train, train) == pytest.approx((1 / 2 + 200 / 100) / 2)


def test_mase_of_lanes_is_the_mean_of_each() -> None:
    """A step from one stock to the next would count as a change, or one that never moves make MASE infinite."""
    lanes = [slice(0, 3), slice(3, 6), slice(6, 9), slice(9, 11)]
    actual = np.array([0.0, 2.0, 0.0, 100.0, 150.0, 150.0, 7.0, 7.0, 7.0, 1.0, 5.0])[:, None]  # scales 2, 50, none
    forecasts = actual[:, None] + np.array([0, 0, 1.0, 0, 0, 25.0, 0, 0, 9.0, 0, 0])[:, None, None]
    test = np.zeros((11, 1), dtype=bool)
    test[[2, 5, 8]] = True  # the last lane has no test row
    train = ~test
    assert mase(actual, forecasts, test, train, lanes) == pytest.approx((1 / 2 + 25 / 50) / 2)


def test_errors_average_over_horizon_steps_and_targets() -> None:
    """With several horizon steps and targets some errors would count twice or not at all."""
    actual = np.array([[1.0, 2.0], [3.0, 4.0]])  # (time, targets)
    forecasts = actual[:, None] + np.array(
        [[[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0], [7.0, 80.0]]]
    )  # (time, steps, targets)
    scored = np.array([[True, True], [True, False]])
    assert mae(actual, forecasts, scored) == pytest.approx((1 + 2 + 3 + 4 + 5 + 7) / 6)
    assert rmse(actual, forecasts, scored) == pytest.approx(np.sqrt((1 + 4 + 9 + 16 + 25 + 49) / 6))


@pytest.mark.parametrize("metric", [errors, rmse, mae, smape])
def test_a_scored_row_without_forecast_is_refused(metric) -> None:
    """Two configurations would be scored on different rows and still be compared."""
    with pytest.raises(ValueError, match="row 0 is scored but has no forecast"):
        metric(ACTUAL, FORECASTS, EVERY_ROW)


def test_rows_that_do_not_count_have_no_influence() -> None:
    """A filled value, or a row of another part, would change the score."""
    forecasts = FORECASTS.copy()
    forecasts[2] = 1e9
    assert rmse(ACTUAL, forecasts, SCORED) == rmse(ACTUAL, FORECASTS, SCORED)
    assert np.isnan(errors(ACTUAL, forecasts, SCORED)[2]).all()


def test_smape_of_zeros_is_zero_and_at_most_200() -> None:
    """A correct forecast of zero would be NaN, or a wrong sign would count more than 200 %."""
    zeros, scored = np.zeros((2, 1)), np.ones((2, 1), dtype=bool)
    assert smape(zeros, np.zeros((2, 1, 1)), scored) == 0
    assert smape(zeros, np.ones((2, 1, 1)), scored) == pytest.approx(200)
    assert smape(zeros + 1, -np.ones((2, 1, 1)), scored) == pytest.approx(200)


@pytest.mark.parametrize(
    ("error", "baseline", "expected"), [(50, 100, 0.5), (100, 100, 0), (150, 100, -0.5), (0, 2, 1)]
)
def test_skill(error, baseline, expected) -> None:
    """A network that is worse than the baseline would show a positive skill."""
    assert skill(error, baseline) == pytest.approx(expected)


def test_skill_against_a_perfect_baseline_is_undefined() -> None:
    """A division by zero would end the run, or show an infinite skill."""
    assert np.isnan(skill(0.0, 0.0))
    assert np.isnan(skill(1.0, 0.0))


@given(scale=st.floats(0.01, 100), shift=st.floats(-100, 100))
@settings(deadline=None, derandomize=True)
def test_scores_follow_a_change_of_unit(scale, shift) -> None:
    """Scores in metres and in feet would tell different stories: RMSE and MAE scale, MASE and skill stay."""
    train = np.array([[True], [False], [True], [True]])

    def scores(factor: float, offset: float) -> tuple[float, float, float, float]:
        actual, forecasts = ACTUAL * factor + offset, FORECASTS * factor + offset
        error = rmse(actual, forecasts, SCORED)
        baseline = rmse(actual, actual[:, None] + 5 * factor, SCORED)
        return (
            error / factor,
            mae(actual, forecasts, SCORED) / factor,
            mase(actual, forecasts, SCORED, train),
            skill(error, baseline),
        )

    assert scores(scale, shift) == pytest.approx(scores(1.0, 0.0), rel=1e-6)


@pytest.mark.parametrize("unit", [1e-200, 1e-9, 1.0, 1e15, 1e150])
def test_rmse_follows_the_unit(unit: float) -> None:
    """Squares of small or large errors vanish or overflow: a wrong forecast has an RMSE of 0, or of infinity."""
    actual, scored = np.zeros((4, 1)), np.ones((4, 1), dtype=bool)
    forecasts = unit * np.array([1.0, -2.0, 2.0, -4.0])[:, None, None]  # (time, horizon_steps, targets)
    assert rmse(actual, forecasts, scored) == pytest.approx(2.5 * unit, rel=1e-12)
    assert naive_scale(unit * np.array([[0.0], [3.0], [-1.0]]), np.ones((3, 1), dtype=bool)) == pytest.approx(
        unit * np.sqrt(12.5)
    )


@given(
    unit=st.floats(-300, 300).map(lambda power: 10.0**power),
    sizes=st.lists(st.just(0.0) | st.floats(1e-6, 1e6) | st.floats(-1e6, -1e-6), min_size=1, max_size=8),
)
def test_rmse_of_any_errors_in_any_unit(unit: float, sizes: list[float]) -> None:
    """A score of 0 for a wrong forecast, or of infinity for a finite error, would choose the wrong configuration."""
    actual, scored = np.zeros((len(sizes), 1)), np.ones((len(sizes), 1), dtype=bool)
    forecasts = np.array(sizes)[:, None, None]  # (time, horizon_steps, targets)
    found = rmse(actual, unit * forecasts, scored)
    assert found == pytest.approx(unit * rmse(actual, forecasts, scored), rel=1e-12, abs=0)
    assert np.isfinite(found) and found >= mae(actual, unit * forecasts, scored) * (1 - 1e-12)
    assert (found > 0) == any(sizes)
