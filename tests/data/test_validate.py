"""Checks of a loaded table: times, numbers, missing values."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.base.errors import UserError
from pipeline.config.schema import Missing
from pipeline.data.spelling import Spelling
from pipeline.data.validate import check_timestamps, fill_missing, numeric_values

NAN = float("nan")


def fill(values: list[float], missing: Missing) -> tuple[list[float], list[bool]]:
    filled, where = fill_missing(np.array(values)[:, None], ["a"], missing, "f.csv", np.arange(len(values)))
    return filled.ravel().tolist(), where.ravel().tolist()


# -------------------------------------------------------------------------------------------------- missing values


@pytest.mark.parametrize(
    ("missing", "expected"),
    [
        (Missing.forward_fill, [1, 2, 2, 2, 8, 9, 9]),
        (Missing.interpolate, [1, 2, 4, 6, 8, 9, 10]),
    ],
)
def test_filled_values(missing: Missing, expected: list[float]) -> None:
    """Breaks dataset.missing: the last value before a gap, or a straight line over it; every cell is marked."""
    values = [1, 2, NAN, NAN, 8, 9, NAN if missing is Missing.forward_fill else 10]
    filled, where = fill(values, missing)
    assert filled == expected
    assert where == np.isnan(values).tolist()


def test_columns_are_filled_on_their_own() -> None:
    """Breaks several features: a gap must be filled from its own column, and only that cell is marked."""
    values = np.array([[1.0, 10.0], [NAN, 20.0], [3.0, NAN], [5.0, 40.0]])
    filled, where = fill_missing(values, ["a", "b"], Missing.interpolate, "f.csv", np.arange(4))
    assert filled.tolist() == [[1, 10], [2, 20], [3, 30], [5, 40]]
    assert np.argwhere(where).tolist() == [[1, 0], [2, 1]]
    assert np.isnan(values).sum() == 2  # the argument is untouched


def test_nothing_missing() -> None:
    """Breaks complete files: nothing is changed or marked, whatever dataset.missing says."""
    for missing in Missing:
        assert fill([3, 1, 2], missing) == ([3, 1, 2], [False, False, False])


@pytest.mark.parametrize(
    ("values", "missing", "complaint"),
    [
        ([1, NAN, 3, NAN], Missing.error, r"f.csv, data row 2: the column 'a' has no value \(2 missing .*forward_fill"),
        ([NAN, 2, 3], Missing.forward_fill, "f.csv, data row 1: the column 'a' .*forward_fill has nothing .*cut these"),
        ([NAN, 2, 3], Missing.interpolate, "f.csv, data row 1: the column 'a' .*interpolate has nothing .*cut these"),
        ([1, 2, NAN], Missing.interpolate, "f.csv, data row 3: the column 'a' .*interpolate has nothing .*cut these"),
        ([NAN, NAN], Missing.forward_fill, "f.csv, data row 1: the column 'a'"),
    ],
)
def test_missing_refused(values: list[float], missing: Missing, complaint: str) -> None:
    """Breaks honesty about gaps: a value would be made up, or the text does not say where the gap is."""
    with pytest.raises(UserError, match=complaint):
        fill(values, missing)


@given(st.lists(st.booleans(), min_size=2, max_size=30), st.sampled_from([Missing.forward_fill, Missing.interpolate]))
def test_measured_values_stay(gaps: list[bool], missing: Missing) -> None:
    """Breaks measured values: filling gaps must not touch them, and must leave none empty."""
    gaps[0] = gaps[-1] = False
    truth = np.random.default_rng(len(gaps)).normal(size=len(gaps))
    filled, where = fill(np.where(gaps, NAN, truth).tolist(), missing)
    assert where == gaps
    np.testing.assert_array_equal(np.array(filled)[~np.array(gaps)], truth[~np.array(gaps)])
    assert truth.min() <= min(filled) <= max(filled) <= truth.max()


# --------------------------------------------------------------------------------------------------------- numbers


def test_numbers_of_every_kind() -> None:
    """Breaks files with integers, numbers as text, or nullable columns: all are float64, empty cells are NaN."""
    frame = pd.DataFrame({"i": [1, 2], "t": ["3", " 4.5"], "n": pd.array([None, 7], dtype="Int64"), "f": [NAN, -1e-3]})
    numbers = numeric_values(frame, ["f", "i", "t", "n"], "f.csv", Spelling())
    assert numbers.dtype == np.float64
    np.testing.assert_array_equal(numbers, [[NAN, 1, 3, NAN], [-1e-3, 2, 4.5, 7]])


@pytest.mark.parametrize(
    ("column", "complaint"),
    [
        ([1, "two", "three"], "f.csv, data row 2: 'two' in the column 'a' is not a number; fix the file, or leave"),
        ([1, 2, "1,000"], "f.csv, data row 3: '1,000' in the column 'a' is not a number"),
        (
            [1, np.inf, 3],
            "f.csv, data row 2: the column 'a' holds an infinite value; fix the file, or empty the cell",
        ),
        ([-np.inf, 2, 3], "f.csv, data row 1: the column 'a' holds an infinite value"),
        (["1", "inf", "3"], "f.csv, data row 2: the column 'a' holds an infinite value"),
        (pd.date_range("2024", periods=3), "f.csv: the column 'a' holds dates, not numbers; .*dataset.time_column"),
    ],
)
def test_not_a_number(column: object, complaint: str) -> None:
    """Breaks the third gate: text, dates or infinity would reach training, or the text does not name the row."""
    with pytest.raises(UserError, match=complaint):
        numeric_values(pd.DataFrame({"a": column}), ["a"], "f.csv", Spelling())


# ----------------------------------------------------------------------------------------------------- timestamps


def test_gaps_in_time_are_allowed() -> None:
    """Breaks business days: timestamps must ascend, not be evenly spaced."""
    check_timestamps(pd.DatetimeIndex(["2024-01-05", "2024-01-08", "2024-01-09"]), "f.csv", np.arange(3))
    check_timestamps(pd.Index([1, 2.5, 100]), "f.csv", np.arange(3))


@pytest.mark.parametrize(
    ("timestamps", "complaint"),
    [
        (pd.Index([1, 2, 2, 3, 3]), r"f.csv, data row 3: the timestamp 2 appears twice \(2 duplicates .*keep one row"),
        (pd.Index([1, 3, 2]), "f.csv, data row 3: the timestamp 2 comes after 3; sort the file by time"),
        (
            pd.DatetimeIndex(["2024-01-02", "2024-01-01"]),
            "data row 2: the timestamp 2024-01-01.* after 2024-01-02",
        ),
        (pd.DatetimeIndex(["2024-01-02", "2024-01-02"]), "data row 2: the timestamp 2024-01-02.* appears twice"),
        (pd.DatetimeIndex(["2024-01-02", "2024-01-01"]).tz_localize("UTC"), "data row 2: the timestamp 2024-01-01"),
    ],
)
def test_timestamps_refused(timestamps: pd.Index, complaint: str) -> None:
    """Breaks the order of time: duplicate or unsorted rows must be refused, with the row and the remedy."""
    with pytest.raises(UserError, match=complaint):
        check_timestamps(timestamps, "f.csv", np.arange(len(timestamps)))
