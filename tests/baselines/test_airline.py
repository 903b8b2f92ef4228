"""The airline numbers that everything else is measured by: computed once outside this project, RMSE in thousands.

All 48 test points with the true history; the linear fits are fitted on the 96 rows before them.
"""

import numpy as np
import pytest

from pipeline.baselines.persistence import forecast_persistence
from pipeline.baselines.ridge import fit_ridge
from pipeline.baselines.seasonal import forecast_seasonal
from pipeline.baselines.task import Task
from pipeline.config.schema import Config, DatasetConfig, Source
from pipeline.data.prepare import prepare_data
from pipeline.data.prepared import PreparedData
from pipeline.evaluation.alignment import align_forecasts
from pipeline.evaluation.metrics import rmse

TEST = slice(96, 144)


def prepare_airline(look_back: int) -> PreparedData:
    dataset = DatasetConfig(
        name="airline",
        source=Source.packaged,
        path="airline.csv",
        time_column="month",
        features=["passengers"],
        targets=["passengers"],
        period=12,
    )
    return prepare_data(Config(look_back=look_back, dataset=dataset))


def score(actual: np.ndarray, forecasts: np.ndarray, rows: slice) -> float:
    scored = np.zeros(actual.shape, dtype=bool)
    scored[rows] = True
    return rmse(actual, forecasts, scored)


def test_the_test_part_is_the_tutorials() -> None:
    """The airline scores could not be compared with any published one: the test part is another."""
    assert np.flatnonzero(prepare_airline(1).split.rows("test")).tolist() == list(range(96, 144))


@pytest.mark.parametrize(
    ("rows", "expected"), [(TEST, 48.04), (slice(97, 143), 48.66)], ids=["48 points", "46 points of the tutorial"]
)
def test_persistence(rows, expected) -> None:
    """The baseline that exposes the tutorial's networks would be wrong."""
    actual = prepare_airline(1).series.actual()
    forecasts = forecast_persistence(Task(actual, [1], (slice(None),), period=12))
    assert score(actual, forecasts, rows) == pytest.approx(expected, abs=0.005)


@pytest.mark.parametrize(
    ("rows", "expected"), [(TEST, 41.85), (slice(97, 143), 42.32)], ids=["48 points", "46 points of the tutorial"]
)
def test_seasonal_naive(rows, expected) -> None:
    """The seasonal baseline would repeat another month than the same one a year ago."""
    actual = prepare_airline(1).series.actual()
    forecasts = forecast_seasonal(Task(actual, [1], (slice(None),), period=12))
    assert score(actual, forecasts, rows) == pytest.approx(expected, abs=0.005)


@pytest.mark.parametrize(
    ("look_back", "rows", "expected"),
    [(12, TEST, 20.95), (13, TEST, 14.26), (1, slice(97, 143), 48.54), (3, slice(99, 143), 44.39)],
)
def test_linear_fit(look_back, rows, expected) -> None:
    """The windows, the scaler or the fit differ from ordinary least squares on the same lags."""
    data = prepare_airline(look_back)
    windows, actual = data.windows, data.series.actual()
    before_test = windows.starts[windows.spec.origins(windows.starts) + 1 < TEST.start]
    inputs, targets = windows.gather_inputs(before_test), windows.gather_last_targets(before_test)
    every = windows.gather_inputs(windows.starts)
    outputs = fit_ridge(inputs, targets, inputs[:0], targets[:0], every, np.zeros(1))  # without a penalty
    forecasts = data.in_units(outputs, windows.starts)
    aligned = align_forecasts(forecasts, windows.spec.origins(windows.starts), [1], len(actual))
    assert len(before_test) == 96 - look_back
    assert score(actual, aligned, rows) == pytest.approx(expected, abs=0.01)
