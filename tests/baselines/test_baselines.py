"""Baselines: what each forecast repeats, exact recovery by the linear fit, and where forecasts are placed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.baselines import ridge
from pipeline.baselines.drift import forecast_drift
from pipeline.baselines.persistence import forecast_persistence
from pipeline.baselines.registry import BASELINES, name_baseline, phrase_baseline
from pipeline.baselines.ridge import fit_ridge
from pipeline.baselines.seasonal import forecast_seasonal
from pipeline.baselines.task import Task
from pipeline.evaluation.alignment import align_forecasts

ROWS = np.arange(30.0)[:, None]  # the value of a row is its number; (time, targets = 1)
ONE_LANE = (slice(None),)
LEAST_SQUARES = np.zeros(1)


def persistence(actual: np.ndarray, steps: list[int]) -> np.ndarray:
    return forecast_persistence(Task(actual, steps, ONE_LANE, period=1))


def seasonal_naive(actual: np.ndarray, steps: list[int], period: int) -> np.ndarray:
    return forecast_seasonal(Task(actual, steps, ONE_LANE, period))


def linear_fit(inputs: np.ndarray, targets: np.ndarray, probes: np.ndarray) -> np.ndarray:
    return fit_ridge(inputs, targets, inputs[:0], targets[:0], probes, LEAST_SQUARES)


@given(steps=st.lists(st.integers(1, 35), min_size=1, max_size=4, unique=True))
@settings(deadline=None, derandomize=True)
def test_persistence_repeats_the_value_at_the_origin(steps) -> None:
    """The baseline would know values after the origin, or be handicapped by older ones."""
    forecasts = persistence(ROWS, steps)
    assert forecasts.shape == (30, len(steps), 1)
    for position, ahead in enumerate(steps):
        expected = np.where(ahead <= ROWS, ROWS - ahead, np.nan)
        np.testing.assert_array_equal(forecasts[:, position], expected)


@given(period=st.integers(1, 8), ahead=st.integers(1, 20))
@settings(deadline=None, derandomize=True)
def test_seasonal_naive_repeats_the_latest_known_season(period, ahead) -> None:
    """The baseline would look ahead when the horizon is longer than a season, or repeat another month."""
    forecasts = seasonal_naive(ROWS, [ahead], period)[:, 0, 0]
    defined = np.flatnonzero(~np.isnan(forecasts))
    lags = defined - forecasts[defined]
    assert (lags % period == 0).all()  # same month
    assert (lags >= ahead).all()  # known at the origin
    assert (lags < ahead + period).all()  # no later season was known
    assert defined.tolist() == list(range(int(lags[0]), 30))


def test_seasonal_naive_known_numbers() -> None:
    """Twelve-month seasonality would be off by one: 12 steps ahead repeats one year, 13 steps ahead two."""
    forecasts = seasonal_naive(ROWS, [1, 12, 13], 12)[26, :, 0]
    assert forecasts.tolist() == [14, 14, 2]


def test_period_one_is_persistence() -> None:
    """A dataset without a season would be compared with something that is not a baseline."""
    np.testing.assert_array_equal(seasonal_naive(ROWS, [1, 3], 1), persistence(ROWS, [1, 3]))


def test_every_target_repeats_itself() -> None:
    """Two stocks predicted together would be compared with each other's past."""
    two = np.hstack([ROWS, 100 + ROWS])
    np.testing.assert_array_equal(persistence(two, [2])[5, 0], [3, 103])


def test_linear_fit_recovers_an_autoregression() -> None:
    """The strongest baseline would be weaker than it is: y[t] = 1.6 y[t-1] - y[t-2] + 2 is exactly linear."""
    series = [1.0, 5.0]
    for _ in range(30):
        series.append(1.6 * series[-1] - series[-2] + 2)
    values = np.array(series)
    samples = np.stack([values[:-2], values[1:-1]], axis=1)[:, :, None]  # (windows, look_back = 2, features)
    probes = np.array([[0, 0], [1, 0], [0, 1]])[:, :, None]
    answers = linear_fit(samples, values[2:, None], probes)
    np.testing.assert_allclose(answers, [[2], [1], [3.6]], atol=1e-9)


def test_linear_fit_of_several_outputs_and_features() -> None:
    """Several horizon steps or targets would share one line, or a feature would be left out."""
    random = np.random.default_rng(0)
    samples = random.normal(size=(40, 3, 2))  # (windows, look_back, features)
    weights, intercept = random.normal(size=(6, 4)), random.normal(size=4)
    targets = samples.reshape(40, 6) @ weights + intercept
    unseen = random.normal(size=(5, 3, 2))
    np.testing.assert_allclose(
        linear_fit(samples, targets, unseen), unseen.reshape(5, 6) @ weights + intercept, atol=1e-9
    )


@given(
    first=st.integers(0, 20),
    count=st.integers(1, 25),
    steps=st.lists(st.integers(1, 9), min_size=1, max_size=3, unique=True),
)
@settings(deadline=None, derandomize=True)
def test_forecasts_are_placed_at_the_row_they_predict(first, count, steps) -> None:
    """Every score would be computed against a neighbouring row."""
    origins, time = np.arange(first, first + count), 40
    forecasts = (origins[:, None] + np.array(steps))[:, :, None].astype(float)  # the row each one predicts
    aligned = align_forecasts(forecasts, origins, steps, time)
    assert aligned.shape == (time, len(steps), 1)
    for position, ahead in enumerate(steps):
        rows = np.flatnonzero(~np.isnan(aligned[:, position, 0]))
        np.testing.assert_array_equal(aligned[rows, position, 0], rows)
        assert rows.tolist() == [origin + ahead for origin in origins if origin + ahead < time]


def test_linear_fit_in_blocks_is_one_fit(monkeypatch) -> None:
    """A long series would be compared with another linear fit than a short one: it is read in blocks."""
    random = np.random.default_rng(6)
    inputs, targets = random.normal(size=(50, 3)), random.normal(size=(50, 2))
    whole = fit_ridge(inputs, targets, inputs[:9], targets[:9], inputs)
    monkeypatch.setattr(ridge, "_WINDOWS_AT_ONCE", 4)
    np.testing.assert_allclose(fit_ridge(inputs, targets, inputs[:9], targets[:9], inputs), whole, rtol=1e-9)


@pytest.mark.parametrize("penalty", [1e-3, 1.0])
def test_a_penalty_does_what_ridge_regression_does(penalty: float) -> None:
    """The coefficients are not those of the textbook: standardised lags, an intercept that is not penalised."""
    random = np.random.default_rng(1)
    lags, targets = random.normal(3, [1, 5, 0.2], size=(60, 3)), random.normal(size=(60, 2))
    scaled = (lags - lags.mean(axis=0)) / lags.std(axis=0)
    slopes = np.linalg.solve(scaled.T @ scaled + penalty * 60 * np.eye(3), scaled.T @ (targets - targets.mean(axis=0)))
    found = fit_ridge(lags, targets, lags[:0], targets[:0], lags, np.array([penalty]))
    np.testing.assert_allclose(found, targets.mean(axis=0) + scaled @ slopes, atol=1e-9)


def test_more_lags_than_windows_still_make_a_baseline() -> None:
    """With many lags and few windows the fit learns noise, and any network beats it: 97 coefficients, 104 windows."""
    random = np.random.default_rng(2)
    walk = np.zeros(300)
    for row in range(1, 300):
        walk[row] = 0.95 * walk[row - 1] + random.normal()
    lags = np.stack([walk[start : start + 12] for start in range(288)])
    inputs = np.hstack([lags, random.normal(size=(288, 84))])  # 84 lags that tell nothing
    targets = walk[12:, None]
    train, validation, test = slice(0, 104), slice(104, 160), slice(160, 288)
    parts = inputs[train], targets[train], inputs[validation], targets[validation], inputs[test]

    def error(forecasts: np.ndarray) -> float:
        return float(np.sqrt(np.mean((forecasts - targets[test]) ** 2)))

    repeated = error(lags[test, -1:])
    least_squares = error(fit_ridge(*parts, LEAST_SQUARES))
    assert least_squares > 2 * repeated
    assert error(fit_ridge(*parts)) < min(0.7 * least_squares, 2 * repeated)


def test_lags_that_never_change_or_repeat_each_other() -> None:
    """A constant or doubled feature ends in a singular matrix, or in coefficients of 1e16."""
    random = np.random.default_rng(3)
    lag = random.normal(size=(40, 1))
    inputs = np.hstack([lag, lag, np.full((40, 1), 7.0)])
    for penalties in (LEAST_SQUARES, ridge.PENALTIES):
        found = fit_ridge(inputs, 2 * lag + 1, inputs[:5], 2 * lag[:5] + 1, inputs[:8], penalties)
        np.testing.assert_allclose(found, 2 * lag[:8] + 1, atol=1e-4)


@given(
    values=st.lists(st.integers(-50, 50), min_size=3, max_size=12),
    steps=st.lists(st.integers(1, 5), min_size=1, max_size=3, unique=True),
)
@settings(deadline=None, derandomize=True)
def test_drift_goes_on_along_the_line_from_the_first_value(values, steps) -> None:
    """The slope is that of another stretch, or knows a value after the origin."""
    actual = np.array(values, dtype=float)[:, None]
    forecasts = forecast_drift(Task(actual, steps, ONE_LANE, period=1))
    for position, ahead in enumerate(steps):
        for row in range(len(values)):
            origin = row - ahead
            if origin < 0:
                assert np.isnan(forecasts[row, position, 0])
                continue
            slope = (values[origin] - values[0]) / origin if origin else 0.0
            assert np.isclose(forecasts[row, position, 0], values[origin] + ahead * slope)


def test_no_baseline_reaches_from_one_lane_into_another() -> None:
    """The first forecasts of a stock are made from the last values of the one before it."""
    lanes = (slice(0, 10), slice(10, 30))
    for forecast in (forecast_persistence, forecast_seasonal, forecast_drift):
        both = forecast(Task(ROWS, [1, 2], lanes, period=3))
        alone = forecast(Task(ROWS[10:], [1, 2], ONE_LANE, period=3))
        np.testing.assert_array_equal(both[10:], alone)


def test_what_another_version_logged_keeps_its_name() -> None:
    """A run with a baseline that is gone cannot be shown any more."""
    assert (name_baseline("theta"), phrase_baseline("theta", 3)) == ("theta", "theta")
    assert list(BASELINES) == ["persistence", "seasonal", "drift", "linear"]
