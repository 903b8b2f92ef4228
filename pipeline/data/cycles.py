"""dataset.calendar: where a timestamp lies in the year, the month, the week or the day, as inputs of the network.

Each cycle is a circle, so that December lies beside January; a place on it is a sine and a cosine:

    month       January     April      July    October
    month_sin         0         1         0         -1
    month_cos         1         0        -1          0

The columns depend on the timestamp of their own row alone. Training and every way of serving make them here.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from pipeline.base.errors import UserError
from pipeline.base.text import show_name
from pipeline.config.schema import Cycle, DatasetConfig
from pipeline.data.arrays import FloatArray
from pipeline.data.series import Series
from pipeline.data.split import Split

_YEAR, _MONTH, _WEEK, _DAY = (pd.Timedelta(days=days) for days in (365, 28, 7, 1))  # the shortest of each
_LENGTHS = {
    Cycle.quarter: _YEAR, Cycle.month: _YEAR, Cycle.day_of_year: _YEAR, Cycle.day_of_month: _MONTH,
    Cycle.day_of_week: _WEEK, Cycle.hour: _DAY,
}  # fmt: skip
_NAMES = {_YEAR: "year", _MONTH: "month", _WEEK: "week", _DAY: "day"}
_ROUNDING = 1e-9


def cycle_names(cycles: Sequence[Cycle]) -> tuple[str, ...]:
    """Return the names of the columns.

    Example:
        >>> cycle_names([Cycle.month])
        ('month_sin', 'month_cos')
    """
    return tuple(f"{cycle.value}_{wave}" for cycle in cycles for wave in ("sin", "cos"))


def cycle_values(times: pd.DatetimeIndex, cycles: Sequence[Cycle]) -> FloatArray:
    """Return the sine and the cosine of each cycle for some timestamps, by the clock of their own time zone.

    Args:
        times: Dates. Shape (rows,).
        cycles: Which cycles.

    Returns:
        From -1 to 1, without unit. Shape (rows, 2 x cycles).

    Example:
        >>> cycle_values(pd.DatetimeIndex(["2024-04-01"]), [Cycle.month]).round(3).tolist()
        [[1.0, 0.0]]
    """
    waves = []
    for cycle in cycles:
        angle = 2 * np.pi * _place(times, cycle)  # (rows,)
        waves += [np.sin(angle), np.cos(angle)]
    return np.stack(waves, axis=1) if waves else np.empty((len(times), 0))  # (rows, 2 x cycles)


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
    names = cycle_names(dataset.calendar)
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
    values = cycle_values(series.timestamps, dataset.calendar)
    return replace(
        series,
        values=np.concatenate([series.values, values], axis=1),
        columns=(*series.columns, *names),
        features=(*series.features, *names),
        filled=np.concatenate([series.filled, np.zeros(values.shape, dtype=bool)], axis=1),
        computed=names,
    )


def check_cycles(dataset: DatasetConfig, series: Series, split: Split) -> None:
    """Check that each cycle says something: it is longer than a step, and the training part sees some of it.

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
    first = len(series.columns) - len(series.computed)
    train = series.values[split.rows("train"), first:]  # (rows, 2 x cycles)
    for position, cycle in enumerate(dataset.calendar):
        remedy = f"leave {cycle.value} out of dataset.calendar"
        if step >= _LENGTHS[cycle]:
            yield (
                f"{cycle.value} says where in the {_NAMES[_LENGTHS[cycle]]} a row lies, but its rows lie "
                f"{_describe(step)} apart; {remedy}"
            )
        if (np.ptp(train[:, 2 * position : 2 * position + 2], axis=0) <= _ROUNDING).all():
            yield f"{cycle.value} is the same in every row of the training part; {remedy}"


def _describe(step: pd.Timedelta) -> str:
    days = step / pd.Timedelta(days=1)
    return f"{days:g} day{'s' if days != 1 else ''}"
