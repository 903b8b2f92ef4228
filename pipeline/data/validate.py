"""Checks that a loaded table can be trained on: times sorted and unique, values numeric, finite and present."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from pipeline.base.errors import UserError
from pipeline.config.schema import Missing
from pipeline.data.arrays import BoolArray, FloatArray, IntArray
from pipeline.data.spelling import Spelling, propose_spelling

_EXACT = 2.0**53  # itself included: 2^53 + 1 is read as 2^53
LARGEST = 1e18  # its square still fits into a 32-bit float


def check_timestamps(timestamps: pd.Index, origin: str, rows: IntArray) -> None:
    """Raise a UserError unless the timestamps of a series are unique and ascending.

    Args:
        timestamps: Of one series.
        origin: The file, and the series of a panel, for error texts.
        rows: Where each of them stands in the file.
    """
    repeated = np.flatnonzero(timestamps.duplicated())
    if repeated.size:
        row = int(repeated[0])
        raise UserError(
            f"{origin}, data row {rows[row] + 1}: the timestamp {timestamps[row]} appears twice "
            f"({repeated.size} duplicates in all); keep one row per time step"
        )
    if not timestamps.is_monotonic_increasing:
        numbers = timestamps.to_numpy()
        row = int(np.flatnonzero(numbers[1:] < numbers[:-1])[0]) + 1
        raise UserError(
            f"{origin}, data row {rows[row] + 1}: the timestamp {timestamps[row]} comes after {timestamps[row - 1]}; "
            "sort the file by time"
        )


def numeric_values(frame: pd.DataFrame, columns: Sequence[str], origin: str, spelling: Spelling) -> FloatArray:
    """Return the columns as float64, shape (time, columns), NaN where a cell is empty.

    Raises:
        UserError: If a cell holds text or an infinite value.
    """
    numbers = np.empty((len(frame), len(columns)))
    for position, name in enumerate(columns):
        column = frame[name]
        if column.dtype.kind in "mM":
            raise UserError(f"{origin}: the column '{name}' holds dates, not numbers; is it the dataset.time_column?")
        parsed = spelling.parse(column)
        text = np.flatnonzero(np.isnan(parsed) & column.notna().to_numpy())
        if text.size:
            row = int(text[0])
            raise UserError(
                f"{origin}, data row {row + 1}: '{column.iloc[row]}' in the column '{name}' is not a number; "
                f"{propose_spelling(str(column.iloc[row]))}fix the file, or leave the column out of "
                "dataset.features, or name it in dataset.categories as well"
            )
        infinite = np.flatnonzero(np.isinf(parsed))
        if infinite.size:
            raise UserError(
                f"{origin}, data row {infinite[0] + 1}: the column '{name}' holds an infinite value; "
                "fix the file, or empty the cell and set dataset.missing"
            )
        numbers[:, position] = parsed
    return numbers


def describe_rounded(numbers: FloatArray, columns: Sequence[str], origin: str) -> list[str]:
    """Say which columns hold numbers so large that float64 rounds their last digits.

    Args:
        numbers: Shape (time, columns).
        columns: Name of each column.
        origin: The file.
    """
    told = []
    for position, name in enumerate(columns):
        large = np.flatnonzero(np.abs(numbers[:, position]) >= _EXACT)
        if large.size:
            told.append(
                f"{origin}, data row {large[0] + 1}: the column '{name}' holds {numbers[large[0], position]:.0f}; "
                "beyond 2^53 float64 rounds the last digits of whole numbers: subtract a constant in the file"
            )
    return told


def fill_missing(
    numbers: FloatArray, columns: Sequence[str], missing: Missing, origin: str, rows: IntArray
) -> tuple[FloatArray, BoolArray]:
    """Fill empty cells as `dataset.missing` says.

    Args:
        numbers: Shape (time, columns), NaN where a cell is empty.
        columns: Name of each column.
        missing: `error`, `forward_fill` (the last value before the gap) or `interpolate` (a straight line over it).
        origin: The file, and the series of a panel, for error texts.
        rows: Where each row stands in the file.

    Returns:
        The values without NaN, shape (time, columns), and where they were filled, same shape.

    Raises:
        UserError: If a cell is empty and `missing` is `error`, or nothing precedes (or ends) the gap.
    """
    empty = np.isnan(numbers)
    if not empty.any():
        return numbers, empty
    row, column = (int(axis[0]) for axis in np.nonzero(empty))
    if missing is Missing.error:
        raise UserError(
            f"{origin}, data row {rows[row] + 1}: the column '{columns[column]}' has no value ({empty.sum()} missing "
            "in all); set dataset.missing=forward_fill or interpolate, or fix the file"
        )
    frame = pd.DataFrame(numbers)
    filled = frame.ffill() if missing is Missing.forward_fill else frame.interpolate(limit_area="inside")
    left = np.argwhere(filled.isna().to_numpy())
    if left.size:
        row, column = (int(position) for position in left[0])
        raise UserError(
            f"{origin}, data row {rows[row] + 1}: the column '{columns[column]}' has no value, and "
            f"dataset.missing={missing.value} has nothing to fill it from; cut these rows off"
        )
    return filled.to_numpy(), empty
