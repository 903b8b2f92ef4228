"""The chronological split into train, validation and test."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.base.errors import UserError
from pipeline.config.schema import DatasetConfig, Source
from pipeline.data.series import Series
from pipeline.data.split import Split, split_series


def split(timestamps: pd.Index, **dataset: Any) -> Split:
    values = np.zeros((len(timestamps), 1))
    series = Series(timestamps, values, ("a",), ("a",), ("a",), np.zeros(values.shape, dtype=bool), "test")
    return split_series(series, DatasetConfig(name="test", source=Source.sine, **dataset))


def borders(found: Split) -> tuple[int, int]:
    """Return the first row of the validation part and of the test part."""
    assert (np.diff(found.parts) >= 0).all()
    return found.count("train"), found.count("train") + found.count("validation")


def rows(length: int) -> pd.Index:
    return pd.RangeIndex(length)


MONTHS = pd.date_range("1949-01-01", periods=144, freq="MS")
DAYS = pd.bdate_range("2024-01-01", periods=100)  # Monday to Friday


def test_airline_default() -> None:
    """Breaks every published comparison: 144 months are 72 for training, 24 for validation, the tutorial's 48 test."""
    found = split(MONTHS)
    assert borders(found) == (72, 96)
    assert found.count("test") == 48


@pytest.mark.parametrize(
    ("length", "validation", "test", "expected"),
    [
        (100, 0.05, 0.9, (5, 10)),  # 100 * (1 - 0.9) is 9.999999999999998
        (100, 0.29, 0.1, (61, 90)),  # 100 * 0.29 is 28.999999999999996
        (10, 0.3, 0.1, (6, 9)),
        (10, 0.1, 0.7, (2, 3)),
        (1000, 0.001, 0.001, (998, 999)),
        (7, 0.17, 0.33, (3, 4)),  # rounds down: 7 * 0.67 = 4.69, 7 * 0.17 = 1.19
    ],
)
def test_fractions(length: int, validation: float, test: float, expected: tuple[int, int]) -> None:
    """Breaks the split by fraction: a fraction that floats cannot hold exactly must not cost a row."""
    found = split(rows(length), validation_fraction=validation, test_fraction=test)
    assert borders(found) == expected


@given(
    length=st.integers(1, 400),
    validation=st.integers(1, 98).map(lambda percent: percent / 100),
    test=st.integers(1, 98).map(lambda percent: percent / 100),
)
def test_parts_cover_the_series_once(length: int, validation: float, test: float) -> None:
    """Breaks the split: a row in two parts, in none, or out of time order."""
    try:
        found = split(rows(length), validation_fraction=validation, test_fraction=test)
    except UserError as error:
        assert f"{length} time steps leaves no " in str(error)
        return
    names = found.part_names()
    assert len(names) == length
    for part in ("train", "validation", "test"):
        assert (names[found.rows(part)] == part).all()
        assert (names == part).sum() == found.rows(part).sum() == found.count(part) > 0
    order = ["train", "validation", "test"]
    assert [order.index(name) for name in names] == sorted(order.index(name) for name in names)


@given(
    length=st.integers(20, 1000),
    parts=st.tuples(st.integers(1, 20), st.integers(1, 20), st.integers(1, 20)),
)
def test_whole_shares_are_met_exactly(length: int, parts: tuple[int, int, int]) -> None:
    """Breaks exact fractions: when both shares are whole numbers of rows, the parts have exactly those sizes."""
    unit = length // sum(parts)
    if unit == 0:
        return
    total = unit * sum(parts)
    found = split(rows(total), validation_fraction=parts[1] / sum(parts), test_fraction=parts[2] / sum(parts))
    assert borders(found) == (unit * parts[0], unit * (parts[0] + parts[1]))


@pytest.mark.parametrize(
    ("timestamps", "validation", "test", "expected"),
    [
        (MONTHS, "1957-01-01", "1959-01-01", (96, 120)),
        (MONTHS, "1957", "1959", (96, 120)),
        (MONTHS, "1956-12-15", "1959-01-01", (96, 120)),  # between two months: the next one
        (DAYS, "2024-02-03", "2024-03-02", (25, 45)),  # Saturdays: the Monday after
        (rows(100), "50", "70", (50, 70)),
        (rows(100), "49.5", "69.5", (50, 70)),
        (pd.Index(np.arange(100) / 10), "5", "7", (50, 70)),
        (DAYS.tz_localize("Europe/Berlin"), "2024-02-05T00:00+01:00", "2024-03-04T00:00+01:00", (25, 45)),
    ],
)
def test_dates(timestamps: pd.Index, validation: str, test: str, expected: tuple[int, int]) -> None:
    """Breaks the split by date: each part starts at the first row at or after its date."""
    found = split(timestamps, validation_start=validation, test_start=test)
    assert borders(found) == expected


@pytest.mark.parametrize(
    ("timestamps", "validation", "test", "complaint"),
    [
        (MONTHS, "1957-01-01", "1961-01-01", "dataset.test_start=1961-01-01 must lie inside .* 1949-01-01.*1960-12-01"),
        (MONTHS, "1949-01-01", "1959-01-01", "dataset.validation_start=1949-01-01 must lie inside the series"),
        (MONTHS, "soon", "1959-01-01", r"dataset.validation_start must be a date \(YYYY-MM-DD\).*got .*=soon"),
        (MONTHS, "1957-01-01", "NaT", r"dataset.test_start must be a date \(YYYY-MM-DD\).*got .*=NaT"),
        (MONTHS, "1957-01-01", "1959-01-01T00:00+02:00", "dataset.test_start must be a date"),
        (rows(100), "50", "1959-01-01", "dataset.test_start must be a number .*got dataset.test_start=1959-01-01"),
        (rows(100), "50", "nan", "dataset.test_start must be a number .*got dataset.test_start=nan"),
        (MONTHS, "1959-01-01", "1957-01-01", "leaves no validation part; change .*test_start"),
        (MONTHS, "1957-01-01", "1957-01-01", "leaves no validation part"),
    ],
)
def test_dates_refused(timestamps: pd.Index, validation: str, test: str, complaint: str) -> None:
    """Breaks the third gate: a date outside the series, or no date at all, must be refused and named."""
    with pytest.raises(UserError, match=complaint):
        split(timestamps, validation_start=validation, test_start=test)


@pytest.mark.parametrize(
    ("length", "fractions", "part"),
    [
        (5, {"validation_fraction": 0.17, "test_fraction": 0.33}, "validation"),
        (10, {"validation_fraction": 0.1, "test_fraction": 0.9}, "train"),
        (144, {"validation_fraction": 0.001, "test_fraction": 0.33}, "validation"),
    ],
)
def test_too_short_for_three_parts(length: int, fractions: dict[str, float], part: str) -> None:
    """Breaks the third gate: a part without rows is refused, with the length and the keys to change."""
    complaint = f"{length} time steps leaves no {part} part; change dataset.validation_fraction"
    with pytest.raises(UserError, match=complaint):
        split(rows(length), **fractions)
