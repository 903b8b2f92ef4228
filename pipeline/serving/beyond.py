"""What a served network reads of the rows beyond the end of its data: known ahead, or made from their timestamps."""

import numpy as np
import pandas as pd

from pipeline.base.errors import UserError
from pipeline.base.text import show_names
from pipeline.data.arrays import FloatArray, IntArray
from pipeline.data.cycles import calendar_values
from pipeline.data.known_ahead import carry_known
from pipeline.serving.clock import Clock
from pipeline.serving.model import ServedModel


def known_rows(model: ServedModel, clock: Clock, firsts: IntArray, count: int) -> FloatArray:
    """Return what is known of rows without any forecast, also of rows beyond the end.

    Args:
        model: A served model.
        clock: Of its series.
        firsts: The first row, of each lane; at most its end.
        count: How many rows.

    Returns:
        The columns of `Series.untransformed`, then what the rows carry of those after them. Shape (count, lanes,
        columns); NaN where nobody knows.
    """
    series, steps = model.data.series, len(model.data.windows.spec.future_steps)
    names = series.untransformed
    own = series.column_numbers(names)
    told = [names.index(name) for name in series.future_told]
    rows = np.full((count, len(firsts), len(names) + steps * len(series.future)), np.nan)
    if not names:
        return rows
    for lane, (first, each) in enumerate(zip(firsts, series.slices(), strict=True)):
        beyond = max(int(first) + count + steps - each.stop, 0)
        known = np.concatenate([series.values[first : each.stop, own], _rows_beyond(model, clock, lane, beyond)])
        times = series.timestamps[first : each.stop]
        if beyond:
            times = times.append(clock.go_on(series.timestamps[each.stop - 1], beyond))
        carried = carry_known(series, known[:, told], times[:count], steps)
        rows[:, lane] = np.concatenate([known[:count], carried], axis=1)
    return rows


def check_known(model: ServedModel, clock: Clock, count: int, why: str) -> None:
    """Check that what is known ahead is known of the rows beyond the end.

    Args:
        model: A served model.
        clock: Of its series.
        count: How many of these rows are read.
        why: Who reads them, for the message.

    Raises:
        UserError: Naming the first column and timestamp that is missing.
    """
    series = model.data.series
    told = series.future_told
    for lane, rows in enumerate(series.slices()) if told else ():
        known = _rows_beyond(model, clock, lane, count)[:, [series.untransformed.index(name) for name in told]]
        unknown = np.argwhere(np.isnan(known))
        if len(unknown):
            row, column = unknown[0].tolist()
            time = clock.go_on(series.timestamps[rows.stop - 1], count)[row]
            shown = str(time).removesuffix(" 00:00:00")
            raise UserError(
                f"nobody knows '{told[column]}' at {shown}{series.describe_series(lane)}, but {why}: "
                f"{show_names(told)} of dataset.future must be known {count} row(s) beyond the end; put these "
                f"rows into {series.origin} behind the others, their targets empty, or give them: future=FILE.csv"
            )


def _rows_beyond(model: ServedModel, clock: Clock, lane: int, count: int) -> FloatArray:
    """Return the columns of `Series.untransformed` of the rows after the end of a lane. Shape (count, columns)."""
    series = model.data.series
    names = series.untransformed
    found = np.full((count, len(names)), np.nan)
    known = series.known_beyond(lane)[:count]
    found[: len(known), [names.index(name) for name in series.future_told]] = known
    last = series.slices()[lane].stop - 1
    found[:, [names.index(name) for name in series.static]] = series.values[last, series.column_numbers(series.static)]
    if series.computed and clock.has_calendar:
        times = pd.DatetimeIndex(clock.go_on(series.timestamps[last], count))
        found[:, len(names) - len(series.computed) :] = calendar_values(times, model.config.dataset.calendar)
    return found
