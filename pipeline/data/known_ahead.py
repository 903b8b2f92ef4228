"""dataset.future: columns whose next values are known ahead. Each row carries those of the rows after it.

steps=2      sales  promo  promo+1  promo+2
Monday       10     0      0        1
Tuesday      12     0      1        1
Wednesday    9      1      1        NaN      nobody knows what lies so far beyond the end
Thursday            1                        a row ahead: its targets are empty, and it is no row of the series
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from pipeline.base.errors import UserError
from pipeline.data.arrays import BoolArray, FloatArray, IntArray
from pipeline.data.calendar import find_calendar, next_times
from pipeline.data.calendar_ahead import values_ahead
from pipeline.data.series import Series


def carry_ahead(series: Series, steps: int) -> FloatArray:
    """Return what each row carries of the rows after it, in the data's own units.

    Args:
        series: One or a panel: nothing is carried over a border.
        steps: Rows after each.

    Returns:
        By step, then column. Shape (time, steps x future columns); NaN where nobody knows.
    """
    told = series.values[:, series.column_numbers(series.future_told)]  # (time, columns)
    carried = np.empty((len(series), steps * len(series.future)))
    for lane, rows in enumerate(series.slices()):
        whole = np.concatenate([told[rows], series.known_beyond(lane)])
        carried[rows] = carry_known(series, whole, series.timestamps[rows], steps)
    return carried


def carry_known(series: Series, told: FloatArray, times: pd.Index, steps: int) -> FloatArray:
    """Return what some rows of a series carry: what the data tell, and what their timestamps say of the next ones.

    Args:
        series: Names the columns, and says how timestamps go on.
        told: Of these rows and the rows after them. Shape (rows and more, columns of `future_told`).
        times: Of these rows. Shape (rows,).
        steps: Rows after each.

    Returns:
        By step, then column. Shape (rows, steps x future columns); NaN where nobody knows.
    """
    carried = carry_rows(told, steps)[: len(times)]  # (rows, steps x told columns)
    if not series.future_computed:
        return carried
    assert isinstance(times, pd.DatetimeIndex)
    made = values_ahead(times, series.step, series.future_computed, steps)  # (rows, steps, computed columns)
    return np.concatenate([carried.reshape(*made.shape[:2], told.shape[1]), made], axis=2).reshape(len(times), -1)


def carry_rows(known: FloatArray, steps: int) -> FloatArray:
    """Return what each of consecutive rows carries of those after it.

    Args:
        known: Shape (rows, future columns).
        steps: Rows after each.

    Returns:
        By step, then column. Shape (rows, steps x future columns); NaN beyond the last row.

    Example:
        >>> carry_rows(np.array([[0.0], [1.0], [2.0]]), 2).tolist()
        [[1.0, 2.0], [2.0, nan], [nan, nan]]
    """
    carried = np.full((len(known), steps, known.shape[1]), np.nan)
    for step in range(1, steps + 1):
        later = known[step:]
        carried[: len(later), step - 1] = later
    return carried.reshape(len(known), -1)


def count_history(values: FloatArray, rows: IntArray, limit: int | None) -> int:
    """Return how many rows of a lane are its history: those up to its last one that holds a value.

    Args:
        values: Of the targets. Shape (rows, targets); NaN where a cell is empty.
        rows: Where each row stands in the file, in time order. Shape (rows,).
        limit: Rows of the file from this one on were no history when a run read it; None: all may be.
    """
    there = ~np.isnan(values).all(axis=1)
    if limit is not None:
        there &= rows < limit
    return int(np.flatnonzero(there)[-1]) + 1 if there.any() else 0


def lay_beyond(
    histories: Sequence[pd.Index], later: Sequence[pd.Index], known: Sequence[FloatArray], places: Sequence[str]
) -> FloatArray:
    """Lay what is known of the rows beyond the end of each lane side by side.

    Args:
        histories: Timestamps of each lane.
        later: Timestamps of the rows after them, ascending.
        known: Of these rows the columns that are known ahead. Each (rows, future columns).
        places: What error texts call each lane.

    Returns:
        Shape (lanes, rows, future columns); NaN where nobody knows.

    Raises:
        UserError: If a row ahead is missing: lanes go on in the calendar of the longest history.
    """
    calendar = find_calendar(max(histories, key=len)) if any(map(len, later)) else None
    for history, times, place in zip(histories, later, places, strict=True):
        if len(times) and times[0] <= history[-1]:
            raise UserError(
                f"{place}: {times[0]} is no time ahead, because the series ends at {history[-1]}; leave out the rows "
                "up to there"
            )
        expected = times if calendar is None else next_times(history[-1], calendar.step, len(times))
        wrong = np.flatnonzero(_differ(times, expected))
        if wrong.size:
            raise UserError(
                f"{place}: the rows ahead have {times[wrong[0]]} where {expected[wrong[0]]} comes next; what is known "
                "ahead needs one row for each time step"
            )
    beyond = np.full((len(known), max(map(len, known)), known[0].shape[1]), np.nan)
    for lane, values in enumerate(known):
        beyond[lane, : len(values)] = values
    return beyond


def _differ(times: pd.Index, expected: pd.Index) -> BoolArray:
    if isinstance(times, pd.DatetimeIndex):
        return np.asarray(times != expected)
    return ~np.isclose(times.to_numpy(float), expected.to_numpy(float), rtol=1e-9)
