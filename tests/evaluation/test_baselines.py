"""Baselines: what each forecast repeats, exact recovery by the linear fit, and where forecasts are placed."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.evaluation import baselines
from pipeline.evaluation.baselines import align_forecasts, linear_fit, persistence, seasonal_naive

ROWS = np.arange(30.0)[:, None]  # the value of a row is its number; (time, targets = 1)


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
    whole = baselines.linear_fit(inputs, targets, inputs)
    monkeypatch.setattr(baselines, "_WINDOWS_AT_ONCE", 4)
    np.testing.assert_allclose(baselines.linear_fit(inputs, targets, inputs), whole, rtol=1e-10)
