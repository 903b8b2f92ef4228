"""Entries of dataset.calendar that dataset.future names: what is known of the timestamps that come next.

A timestamp is known before its row comes, because a series follows a calendar. It is read from that calendar, never
from the next row, so that a row says the same when nothing has come after it:

row             Thu 4   Fri 5   Mon 8           Wed 10
next, by B      Fri 5   Mon 8   Tue 9 (missing) Thu 11
"""

from typing import Any

import numpy as np
import pandas as pd

from pipeline.base.errors import UserError
from pipeline.base.text import show_names
from pipeline.config.schema import DatasetConfig
from pipeline.data.arrays import FloatArray
from pipeline.data.calendar import next_times, read_step
from pipeline.data.cycles import calendar_entries, calendar_values
from pipeline.data.series import Series


def values_ahead(times: pd.DatetimeIndex, step: str, names: tuple[str, ...], count: int) -> FloatArray:
    """Return what the calendar says of the timestamps after each one.

    Args:
        times: Ascending. Shape (rows,).
        step: Of the series; "": nobody knows what comes next.
        names: Columns that are made from timestamps.
        count: Timestamps after each.

    Returns:
        Shape (rows, count, columns); NaN where nobody knows.

    Example:
        >>> values_ahead(pd.DatetimeIndex(["2024-04-30"]), "D", ("holiday:DE",), 2).tolist()
        [[[1.0], [0.0]]]
    """
    if not step or not len(times):
        return np.full((len(times), count, len(names)), np.nan)
    rule = read_step(step)
    dates = _follow(times, rule).append(next_times(times[-1], rule, count))
    values = calendar_values(pd.DatetimeIndex(dates), calendar_entries(names))  # (dates, columns)
    return values[dates.searchsorted(times, side="right")[:, None] + np.arange(count)]


def check_ahead(dataset: DatasetConfig, series: Series) -> None:
    """Check that the next timestamps are known.

    Raises:
        UserError: If the timestamps follow no calendar, or those of a lane not that of the longest one.
    """
    named = show_names(dataset.calendar_ahead)
    remedy = f"leave {named} out of dataset.future; dataset.calendar alone reads a row's own timestamp"
    for lane, rows in enumerate(series.slices()) if series.future_computed else ():
        times = series.timestamps[rows]
        assert isinstance(times, pd.DatetimeIndex)
        if not series.step:
            raise UserError(
                f"dataset.future={dataset.future} reads {named} of timestamps that come next, but those of "
                f"{series.origin} follow no calendar, so nobody knows them; {remedy}"
            )
        if not times.isin(_follow(times, read_step(series.step))).all():
            raise UserError(
                f"dataset.future={dataset.future} reads {named} of timestamps that come next, but those of "
                f"{series.origin}{series.describe_series(lane)} do not follow the calendar of the longest lane "
                f"({series.step}); {remedy}"
            )


def _follow(times: pd.DatetimeIndex, rule: Any) -> pd.DatetimeIndex:
    """Return the dates of a calendar from the first to the last timestamp."""
    return pd.date_range(times[0], times[-1], freq=rule)
