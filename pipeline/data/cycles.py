"""dataset.calendar: where a timestamp lies in the year, the month, the week or the day, as inputs of the network.

Each cycle is a circle, so that December lies beside January; a place on it is a sine and a cosine:

    month       January     April      July    October
    month_sin         0         1         0         -1
    month_cos         1         0        -1          0

A public holiday, `holiday:DE`, is a column of its own: 1 on such a day, otherwise 0.

The columns depend on the timestamp of their own row alone. Training and every way of serving make them here.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from pipeline.base.errors import UserError
from pipeline.base.public_holidays import PREFIX, are_holidays, known_years
from pipeline.base.text import show_name
from pipeline.config.schema import Cycle, DatasetConfig
from pipeline.data.arrays import FloatArray
from pipeline.data.calendar import find_calendar, write_step
from pipeline.data.series import Series
from pipeline.data.split import Split

_YEAR, _MONTH, _WEEK, _DAY = (pd.Timedelta(days=days) for days in (365, 28, 7, 1))  # the shortest of each
_LENGTHS = {
    Cycle.quarter: _YEAR, Cycle.month: _YEAR, Cycle.day_of_year: _YEAR, Cycle.day_of_month: _MONTH,
    Cycle.day_of_week: _WEEK, Cycle.hour: _DAY,
}  # fmt: skip
_NAMES = {_YEAR: "year", _MONTH: "month", _WEEK: "week", _DAY: "day"}
_ROUNDING = 1e-9


def calendar_names(entries: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the columns.

    Example:
        >>> calendar_names(["month", "holiday:DE"])
        ('month_sin', 'month_cos', 'holiday:DE')
    """
    return tuple(name for entry in entries for name in _names(entry))


def _names(entry: str) -> tuple[str, ...]:
    return (entry,) if entry.startswith(PREFIX) else (f"{entry}_sin", f"{entry}_cos")


def calendar_entries(names: Sequence[str]) -> tuple[str, ...]:
    """Return the entries to which columns belong.

    Example:
        >>> calendar_entries(["day_of_week_sin", "day_of_week_cos", "holiday:DE"])
        ('day_of_week', 'holiday:DE')
    """
    return tuple(dict.fromkeys(name if name.startswith(PREFIX) else name.rpartition("_")[0] for name in names))


def calendar_values(times: pd.DatetimeIndex, entries: Sequence[str]) -> FloatArray:
    """Return the columns of dataset.calendar for some timestamps, by the clock of their own time zone.

    Args:
        times: Dates. Shape (rows,).
        entries: Cycles, and public holidays.

    Returns:
        From -1 to 1, without unit. Shape (rows, columns).

    Example:
        >>> calendar_values(pd.DatetimeIndex(["2024-04-01"]), ["month", "holiday:DE"]).round(3).tolist()  # Easter
        [[1.0, 0.0, 1.0]]
    """
    columns: list[FloatArray] = []
    for entry in entries:
        if entry.startswith(PREFIX):
            columns.append(are_holidays(entry, _local_days(times)).astype(float))
        else:
            angle = 2 * np.pi * _place(times, Cycle(entry))  # (rows,)
            columns += [np.sin(angle), np.cos(angle)]
    return np.stack(columns, axis=1) if columns else np.empty((len(times), 0))  # (rows, columns)


def _local_days(times: pd.DatetimeIndex) -> np.ndarray:
    wall = times if times.tz is None else times.tz_localize(None)
    return wall.to_numpy().astype("datetime64[D]")


def _place(times: pd.DatetimeIndex, cycle: Cycle) -> FloatArray:
    """Return the share of the cycle that has passed: from 0 to below 1. Shape (rows,)."""

    def numbers(index: pd.Index) -> FloatArray:
        return index.to_numpy(dtype=float)

    if cycle is Cycle.quarter:
        return (numbers(times.quarter) - 1) / 4
    if cycle is Cycle.month:
        return (numbers(times.month) - 1) / 12
    if cycle is Cycle.day_of_year:
        return (numbers(times.day_of_year) - 1) / (365 + np.asarray(times.is_leap_year, dtype=float))
    if cycle is Cycle.day_of_month:
        return (numbers(times.day) - 1) / numbers(times.days_in_month)
    if cycle is Cycle.day_of_week:
        return numbers(times.day_of_week) / 7
    return (numbers(times.hour) + numbers(times.minute) / 60 + numbers(times.second) / 3600) / 24


def add_cycles(series: Series, dataset: DatasetConfig) -> Series:
    """Put the columns of dataset.calendar behind the others, as features.

    Raises:
        UserError: If the timestamps are no dates, nobody said which clock counts, or a column has such a name.
    """
    names = calendar_names(dataset.calendar)
    if not names:
        return series
    if not isinstance(series.timestamps, pd.DatetimeIndex):
        given = f"'{dataset.time_column}' holds numbers" if dataset.time_column else "there is none"
        raise UserError(f"dataset.calendar needs a time column with dates, but {given}; set dataset.calendar=[]")
    if series.timestamps.tz is not None and dataset.time_zone is None:  # the zone of a few rows may be another one
        raise UserError(
            f"dataset.calendar needs the clock that counts, because the times of {series.origin} are UTC, or have an "
            "offset from it; set dataset.time_zone, e.g. Europe/Berlin, or UTC"
        )
    taken = next((name for name in names if name in series.columns), None)
    if taken is not None:
        raise UserError(
            f"{series.origin} has a column {show_name(taken)}, as dataset.calendar names one of its own; leave it out "
            "of dataset.features, or rename it"
        )
    values = calendar_values(series.timestamps, dataset.calendar)
    return replace(
        series,
        values=np.concatenate([series.values, values], axis=1),
        columns=(*series.columns, *names),
        features=(*series.features, *names),
        filled=np.concatenate([series.filled, np.zeros(values.shape, dtype=bool)], axis=1),
        computed=names,
        future=(*series.future, *calendar_names(dataset.calendar_ahead)),
        step=_find_step(series) if dataset.calendar_ahead else "",
    )


def _find_step(series: Series) -> str:
    """Return how the timestamps of the longest lane go on; "" where nobody knows."""
    longest = max(series.slices(), key=lambda rows: rows.stop - rows.start)
    calendar = find_calendar(series.timestamps[longest])
    return "" if calendar is None else write_step(calendar.step)


def check_cycles(dataset: DatasetConfig, series: Series, split: Split) -> None:
    """Check that each entry says something: steps are not too long for it, and the training part sees some of it.

    Raises:
        UserError: Naming the first that does not.
    """
    for complaint in _complaints(dataset, series, split):
        raise UserError(f"dataset '{dataset.name}': {complaint}")


def _complaints(dataset: DatasetConfig, series: Series, split: Split) -> Iterator[str]:
    if not dataset.calendar:
        return
    assert isinstance(series.timestamps, pd.DatetimeIndex)
    longest = max(series.slices(), key=lambda rows: rows.stop - rows.start)
    step = pd.Series(series.timestamps[longest]).diff().median()
    in_train = split.rows("train")
    for entry in dataset.calendar:
        remedy = f"leave {entry} out of dataset.calendar"
        if entry.startswith(PREFIX):
            yield from _holiday_complaints(entry, series.timestamps, step, remedy)
        elif step >= _LENGTHS[Cycle(entry)]:
            yield (
                f"{entry} says where in the {_NAMES[_LENGTHS[Cycle(entry)]]} a row lies, but its rows lie "
                f"{_describe(step)} apart; {remedy}"
            )
        train = series.values[in_train][:, series.column_numbers(_names(entry))]  # (rows, columns)
        if (np.ptp(train, axis=0) <= _ROUNDING).all():
            yield f"{entry} is the same in every row of the training part; {remedy}"


def _holiday_complaints(entry: str, times: pd.DatetimeIndex, step: pd.Timedelta, remedy: str) -> Iterator[str]:
    if step > _DAY:
        yield f"{entry} says whether a day is a public holiday, but its rows lie {_describe(step)} apart; {remedy}"
    years, (first, last) = _local_days(times).astype("datetime64[Y]").astype(int) + 1970, known_years(entry)
    if years.min() < first or years.max() > last:
        yield (
            f"the days of {entry} are known from {first} to {last}, but its rows lie from {years.min()} to "
            f"{years.max()}; {remedy}, or cut the file"
        )


def _describe(step: pd.Timedelta) -> str:
    days = step / pd.Timedelta(days=1)
    return f"{days:g} day{'s' if days != 1 else ''}"
