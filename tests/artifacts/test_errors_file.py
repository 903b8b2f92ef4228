"""test_errors.npz holds what predictions.csv holds, and names the scored rows in the same way."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.artifacts.errors_file import (
    FALLBACK,
    NAME,
    measure_test_errors,
    read_scored_rows,
    read_test_errors,
    write_test_errors,
)
from pipeline.artifacts.tables import write_predictions
from pipeline.base.record import TestErrors

TIME, TEST = 10, slice(6, 10)
SCALE = np.array([2.0, 3.0])
PARTS = np.repeat(["train", "validation", "test"], [3, 3, 4])
TIMES = {
    "months": pd.date_range("1949-01-01", periods=TIME, freq="MS", name="month"),
    "hours": pd.date_range("2020-01-01", periods=TIME, freq="h", tz="Europe/Berlin"),
    "steps": pd.RangeIndex(TIME),
    "halves": pd.Index(np.arange(TIME) / 2),
}


def write(folder: Path, times: pd.Index, steps: list[int], actual: np.ndarray, name: str | None = None) -> np.ndarray:
    """Write one of both files, or both; return the forecasts. Shape (seeds, time, horizon_steps, targets)."""
    random = np.random.default_rng(0)
    forecasts = 100 + random.standard_normal((2, TIME, len(steps), 2))
    baselines = {"persistence": np.zeros((TIME, len(steps), 2)), "linear": np.ones((TIME, len(steps), 2))}
    targets, seeds = ["DAX", "NA"], [7, 8]
    filled = np.where(np.isnan(actual), np.nan, actual)
    scores = [float(np.sqrt(np.nanmean((forecasts[seed, 3:6] - filled[3:6, None]) ** 2))) for seed in range(2)]
    if name in (None, NAME):
        write_test_errors(
            folder / NAME,
            measure_test_errors(times, targets, steps, TEST, actual, forecasts, baselines, seeds, scores, SCALE),
        )
    if name in (None, FALLBACK):
        write_predictions(folder / FALLBACK, times, targets, steps, PARTS, actual, forecasts, seeds)
    return forecasts


@pytest.fixture
def actual() -> np.ndarray:
    values = np.arange(20.0).reshape(TIME, 2)  # (time, targets)
    values[8, 1] = np.nan
    return values


def read(folder: Path) -> TestErrors:
    found = read_test_errors(folder)
    assert read_scored_rows(folder) == (found.rows, found.span)
    return found


def test_errors_are_forecast_minus_actual_of_the_test_part(tmp_path: Path, actual: np.ndarray) -> None:
    """A comparison judges other rows, other seeds or the wrong sign; or a filled value is scored."""
    forecasts = write(tmp_path, TIMES["months"], [1, 2], actual, NAME)
    found = read(tmp_path)
    np.testing.assert_allclose(found.errors, forecasts[:, TEST] - actual[TEST, None], rtol=1e-6)
    assert found.errors.shape == (2, 4, 2, 2)
    assert np.isnan(found.errors[:, 2, :, 1]).all() and np.isnan(found.errors).sum() == 4
    assert (found.seeds, found.horizon, list(found.baselines)) == ((7, 8), 2, ["persistence", "linear"])
    np.testing.assert_allclose(found.baselines["linear"], 1 - np.stack([actual[TEST]] * 2, axis=1), rtol=1e-6)
    assert found.span == "4 timestamps from 1949-07-01 to 1949-10-01, DAX, NA, 1 to 2 ahead"


@pytest.mark.parametrize("times", TIMES)
@pytest.mark.parametrize("steps", [[1], [3], [1, 2, 3]])
def test_older_runs_say_the_same_by_predictions_csv(
    tmp_path: Path, actual: np.ndarray, times: str, steps: list[int]
) -> None:
    """Runs from before and after test_errors.npz are refused as scored on different timestamps, or scored apart."""
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir(), new.mkdir()
    write(new, TIMES[times], steps, actual, NAME)
    write(old, TIMES[times], steps, actual, FALLBACK)
    before, after = read(old), read(new)
    assert (before.rows, before.span, before.seeds) == (after.rows, after.span, after.seeds)
    assert before.horizon == after.horizon
    assert before.times.tolist() == after.times.tolist() == [0, 1, 2, 3]
    np.testing.assert_allclose(before.errors, after.errors, rtol=1e-5)
    np.testing.assert_allclose(before.validation_rmse, after.validation_rmse)


def test_other_rows_have_another_digest(tmp_path: Path, actual: np.ndarray) -> None:
    """Runs that were scored on different values are compared as if they were paired."""
    gap = actual.copy()
    gap[7, 0] = np.nan
    cases = [
        (TIMES["months"], [1], actual),
        (TIMES["months"] + pd.DateOffset(months=1), [1], actual),
        (TIMES["months"], [2], actual),
        (TIMES["months"], [1, 2], actual),
        (TIMES["months"], [1], gap),
        (TIMES["months"], [1], np.where(actual == 12, 12.5, actual)),  # another value in a row that is scored
    ]
    digests = set()
    for case in cases:
        write(tmp_path, *case, NAME)
        digests.add(read(tmp_path).rows)
    assert len(digests) == len(cases)


def test_a_folder_without_either_file(tmp_path: Path) -> None:
    """A run without its files ends in an error about something else."""
    with pytest.raises(FileNotFoundError, match=r"predictions\.csv"):
        read_test_errors(tmp_path)
