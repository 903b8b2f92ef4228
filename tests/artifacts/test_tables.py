"""The CSV files of a run: columns, rows and numbers, read back as text."""

import csv
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.artifacts.tables import (
    write_history,
    write_memory,
    write_parity,
    write_predictions,
    write_seeds,
    write_series_scores,
)

PARTS = np.array(["train", "train", "validation", "test"])


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def predictions(tmp_path: Path) -> list[dict[str, str]]:
    """Two seeds, two targets, horizons 1 and 2; no forecast for row 0, nor for row 1 two steps ahead."""
    forecasts = np.arange(32.0).reshape(2, 4, 2, 2)  # (seeds, time, horizon_steps, targets)
    forecasts[:, 0] = np.nan
    forecasts[:, 1, 1] = np.nan
    actual = np.array([[0.0, 10.0], [1.0, 11.0], [2.0, np.nan], [3.0, 13.0]])  # (time, targets)
    path = tmp_path / "predictions.csv"
    months = pd.date_range("1949-01-01", periods=4, freq="MS", name="month")
    write_predictions(path, months, ["DAX", "SMI"], [1, 2], PARTS, actual, forecasts, [7, 8])
    return read(path)


def test_columns_of_predictions(predictions) -> None:
    """A script that reads predictions.csv would not find what docs/reference/artifacts.md promises."""
    assert list(predictions[0]) == [
        "timestamp",
        "target",
        "part",
        "horizon",
        "actual",
        "prediction",
        "seed_7",
        "seed_8",
    ]


def test_a_quantile_has_a_column_with_its_mean_over_the_seeds(tmp_path) -> None:
    """predictions.csv shows the quantile of another level, target or step, or that of one seed."""
    answers = np.arange(24.0).reshape(2, 2, 1, 2, 3)  # (seeds, time, horizon_steps, targets, levels)
    days, parts, actual = pd.RangeIndex(2), np.array(["test", "test"]), np.zeros((2, 2))
    path = tmp_path / "predictions.csv"
    write_predictions(
        path, days, ["a", "b"], [1], parts, actual, answers[..., 1], [1, 2], None, None, [0.05, 0.5, 0.95], answers
    )
    rows = read(path)
    names = ["quantile_0.05", "quantile_0.5", "quantile_0.95"]
    found = [[float(row[name]) for name in names] for row in rows]
    assert found == [
        [6, 7, 8],
        [12, 13, 14],
        [9, 10, 11],
        [15, 16, 17],
    ]
    assert [float(row["prediction"]) for row in rows] == [float(row["quantile_0.5"]) for row in rows]


def test_only_rows_with_a_forecast(predictions) -> None:
    """Empty predictions would look like forecasts, or the same timestamp would come twice."""
    keys = [(row["target"], row["horizon"], row["timestamp"]) for row in predictions]
    months = ["1949-02-01", "1949-03-01", "1949-04-01"]
    expected = [
        (target, str(ahead), month) for target in ("DAX", "SMI") for ahead in (1, 2) for month in months[ahead - 1 :]
    ]
    assert keys == expected
    assert all(row["prediction"] for row in predictions)


def test_numbers_stand_in_their_own_row(predictions) -> None:
    """A prediction would be compared with the actual value of another month, target or seed."""
    row = next(row for row in predictions if (row["target"], row["horizon"], row["part"]) == ("SMI", "2", "test"))
    # Row 3, horizon position 1, target 1: 3 * 4 + 3 = 15 of the first seed, 16 more of the second.
    assert (row["timestamp"], row["actual"], row["seed_7"], row["seed_8"]) == ("1949-04-01", "13.0", "15.0", "31.0")
    assert float(row["prediction"]) == 23  # the mean over seeds


def test_a_filled_value_is_not_shown_as_actual(predictions) -> None:
    """A value that nobody measured would be published as a measurement."""
    filled = [row for row in predictions if (row["target"], row["part"]) == ("SMI", "validation")]
    assert len(filled) == 2
    assert all(row["actual"] == "" and row["prediction"] for row in filled)


def test_numbered_rows_keep_their_numbers(tmp_path: Path) -> None:
    """A series without dates would get dates, or lose its step numbers."""
    write_predictions(
        tmp_path / "p.csv", pd.RangeIndex(4), ["a"], [1], PARTS, np.ones((4, 1)), np.ones((1, 4, 1, 1)), [1]
    )
    assert [row["timestamp"] for row in read(tmp_path / "p.csv")] == ["0", "1", "2", "3"]


def test_seeds_file(tmp_path: Path) -> None:
    """The spread in the table could not be traced back to its seeds."""
    write_seeds(tmp_path / "seeds.csv", [{"seed": 7, "test_rmse": 1.5}, {"seed": 8, "test_rmse": 2.5}])
    assert read(tmp_path / "seeds.csv") == [{"seed": "7", "test_rmse": "1.5"}, {"seed": "8", "test_rmse": "2.5"}]


def test_predictions_name_their_lane(tmp_path: Path) -> None:
    """Rows of several series with the same timestamp could not be told apart."""
    stocks, forecasts = np.array(["a", "a", "b", "b"]), np.arange(4.0).reshape(1, 4, 1, 1)
    days = pd.Index([1, 2, 1, 2])
    write_predictions(tmp_path / "p.csv", days, ["price"], [1], PARTS, np.ones((4, 1)), forecasts, [7], stocks)
    rows = [(row["lane"], row["timestamp"], row["seed_7"]) for row in read(tmp_path / "p.csv")]
    assert rows == [("a", "1", "0.0"), ("a", "2", "1.0"), ("b", "1", "2.0"), ("b", "2", "3.0")]
    assert next(iter(read(tmp_path / "p.csv")[0])) == "lane"


def test_lanes_file(tmp_path: Path) -> None:
    """A stock would get the scores of another, or one without test rows would get some."""
    write_series_scores(tmp_path / "lanes.csv", ["a", "b"], [{"test_rows": 0}, {"test_rows": 5, "test_rmse": 1.5}])
    assert read(tmp_path / "lanes.csv") == [
        {"lane": "a", "test_rows": "0", "test_rmse": ""},
        {"lane": "b", "test_rows": "5", "test_rmse": "1.5"},
    ]


def test_parity_and_memory_files(tmp_path: Path) -> None:
    """The certificate, or the curves of the memory, could not be read again: a way or a number of steps is missing."""
    write_parity(tmp_path / "parity.csv", {"chunks": 1e-7, "engine": 2e-7})
    assert read(tmp_path / "parity.csv") == [
        {"way": "chunks", "difference": "1e-07"},
        {"way": "engine", "difference": "2e-07"},
    ]
    write_memory(tmp_path / "memory.csv", "rmse", np.array([3.0, 2.0]), np.array([3.0, 2.5]))
    assert [tuple(row.values()) for row in read(tmp_path / "memory.csv")] == [("1", "3.0", "3.0"), ("2", "2.0", "2.5")]


def test_history_file(tmp_path: Path) -> None:
    """The learning curve could not be drawn again: an epoch or a seed is missing, or counted from 0."""
    write_history(tmp_path / "history.csv", {7: ([0.5, 0.25], [0.75, 0.5]), 8: ([1.0], [2.0])})
    rows = [tuple(row.values()) for row in read(tmp_path / "history.csv")]
    assert rows == [("7", "1", "0.5", "0.75"), ("7", "2", "0.25", "0.5"), ("8", "1", "1.0", "2.0")]
