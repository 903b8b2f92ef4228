"""A DataFrame as a person has it in a notebook, turned into the table that a file would hold."""

import pandas as pd
from pandas.api.types import is_datetime64_any_dtype

from pipeline.base.errors import UserError

TIME = "time"  # what an index of dates without a name is called


def tidy_frame(frame: object, time: str | None = None) -> pd.DataFrame:
    """Return a copy in which everything is a column: an index of dates, or one with a name, becomes the first one.

    Args:
        frame: Any table with one row per time step; a Series is a table of one column.
        time: What an index of dates without a name is called, if there is no such column; None: `time`.

    Raises:
        UserError: If it is no table, or its columns have several levels.

    Example:
        >>> dates = pd.date_range("2024-01-01", periods=2, freq="MS")
        >>> tidy_frame(pd.DataFrame({"sales": [3.0, 4.0]}, index=dates)).columns.tolist()
        ['time', 'sales']
    """
    if isinstance(frame, pd.Series):
        frame = frame.to_frame("value" if frame.name is None else str(frame.name))
    if not isinstance(frame, pd.DataFrame):
        raise UserError(f"data must be a pandas DataFrame, but got {type(frame).__name__}")
    if frame.columns.nlevels > 1:
        raise UserError("data has columns of several levels; give each column one name")
    if isinstance(frame.index, pd.PeriodIndex):
        frame = frame.set_axis(frame.index.to_timestamp(), axis=0)
    if isinstance(frame.index, pd.DatetimeIndex) and frame.index.name is None:
        frame = frame.rename_axis(index=TIME if time is None or time in frame.columns else time)
    named = any(name is not None and name not in frame.columns for name in frame.index.names)
    tidy = frame.reset_index(drop=not named)
    return tidy.set_axis([str(name).strip() for name in tidy.columns], axis=1)


def find_time_column(tidy: pd.DataFrame) -> str | None:
    """Return the only column that holds dates; None if there is none, or the choice is a person's.

    Example:
        >>> find_time_column(pd.DataFrame({"day": pd.to_datetime(["2024-01-01"]), "sales": [3.0]}))
        'day'
    """
    dates = [str(name) for name in tidy.columns if is_datetime64_any_dtype(tidy[name])]
    return dates[0] if len(dates) == 1 else None
