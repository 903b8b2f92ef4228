"""The chronological split, made on the raw series so that every configuration is scored on the same timestamps.

|-------- train --------|-- validation --|-- test --|
0                  train_end      validation_end   length
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.config import DatasetConfig
from pipeline.data.series import Series
from pipeline.errors import UserError

PARTS = ("train", "validation", "test")


@dataclass(frozen=True)
class Split:
    """Borders of the three parts, as row numbers."""

    train_end: int
    validation_end: int
    length: int

    def rows(self, part: str) -> slice:
        """Return the rows of `train`, `validation` or `test`."""
        borders = (0, self.train_end, self.validation_end, self.length)
        position = PARTS.index(part)
        return slice(borders[position], borders[position + 1])

    def part_names(self) -> np.ndarray:
        """Return the part of every row. Shape (time,)."""
        sizes = np.diff((0, self.train_end, self.validation_end, self.length))
        return np.repeat(np.array(PARTS), sizes)  # (time,)


def split_series(series: Series, dataset: DatasetConfig) -> Split:
    """Cut the series by date if dates are given, otherwise by fraction.

    A fraction is taken as the tutorial takes it: the part before the test has int(length * (1 - test_fraction)) rows,
    so airline with 0.33 has 96 rows before the test and 48 test rows.

    Raises:
        UserError: If a date lies outside the series, or a part is empty.
    """
    length = len(series)
    if dataset.test_start is not None and dataset.validation_start is not None:
        validation_end = _row_of(series.timestamps, dataset.test_start, "test_start")
        train_end = _row_of(series.timestamps, dataset.validation_start, "validation_start")
    else:
        validation_end = _floor(length * (1 - dataset.test_fraction))
        train_end = validation_end - _floor(length * dataset.validation_fraction)
    split = Split(train_end, validation_end, length)
    for part in PARTS:
        rows = split.rows(part)
        if rows.stop <= rows.start:
            raise UserError(
                f"dataset '{dataset.name}' with {length} time steps leaves no {part} part; change "
                "dataset.validation_fraction and dataset.test_fraction, or the dates validation_start and test_start"
            )
    return split


def _floor(number: float) -> int:
    """Round down, but take 0.9999999999 for the 1 that was meant: 10 * (1 - 0.9) is not quite 1."""
    return int(number + 1e-9)


def _row_of(timestamps: pd.Index, text: str, key: str) -> int:
    dates = isinstance(timestamps, pd.DatetimeIndex)
    try:
        first = pd.Timestamp(text) if dates else float(text)
        if first != first:  # not a time, not a number
            raise ValueError
        row = int(timestamps.searchsorted(first))
    except (ValueError, TypeError):  # TypeError: a time zone on one side only
        kind = "a date (YYYY-MM-DD), with a time zone if the time column has one," if dates else "a number"
        raise UserError(f"dataset.{key} must be {kind} like the time column, but got dataset.{key}={text}") from None
    if not 0 < row < len(timestamps):
        raise UserError(
            f"dataset.{key}={text} must lie inside the series, which goes from {timestamps[0]} to {timestamps[-1]}"
        )
    return row
