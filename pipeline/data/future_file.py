"""What is known ahead, given beside a run's data: a table of the rows after their end.

day         price      a time column and a lane column as the run's own file has them; other columns are not read
2024-01-05  1.99
2024-01-06  1.49
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.base.errors import UserError
from pipeline.base.text import show_names
from pipeline.config.schema import DatasetConfig
from pipeline.data.arrays import IntArray
from pipeline.data.categories import continue_codes
from pipeline.data.files import Table, read_table
from pipeline.data.frames import tidy_frame
from pipeline.data.known_ahead import lay_beyond
from pipeline.data.series import Series
from pipeline.data.sources import find_spelling, read_timestamps, split_panel
from pipeline.data.validate import check_timestamps, numeric_values


def add_beyond(series: Series, dataset: DatasetConfig, given: Path | pd.DataFrame) -> Series:
    """Say what is known of the rows after the end of each lane, in place of what the run's own file said.

    Args:
        series: The history of a run.
        dataset: Of the run.
        given: A file, or a table, of the rows ahead.

    Raises:
        UserError: If the run reads nothing ahead, or the table is not one of the rows that come next.
    """
    if not dataset.future_columns:
        raise UserError("future= is given, but the run's dataset.future names no column of a file: leave it out")
    if isinstance(given, pd.DataFrame):
        table, origin = Table(tidy_frame(given, dataset.time_column)), "future"
    else:
        table, origin = read_table(given, replace(dataset, path=str(given))), str(given)
    frame = table.frame
    named = [dataset.time_column, dataset.lane_column, *dataset.future_columns]
    missing = [name for name in named if name is not None and name not in frame.columns]
    if missing:
        raise UserError(
            f"{origin} lacks the column(s) {show_names(missing)}; it has: {show_names(list(map(str, frame.columns)))}"
        )
    if frame.empty:
        raise UserError(f"{origin} holds no rows; give one for each time step ahead")
    names, slices = split_panel(frame, dataset, origin)
    places = [f"{origin}, lane '{name}'" for name in names] or [origin]
    dated = isinstance(series.timestamps, pd.DatetimeIndex)
    written = series.reading.kind if dated else "number"  # a few rows leave open what the whole file has shown
    times, _, _ = read_timestamps(frame, replace(dataset, date_format=dataset.date_format or written), origin, slices)
    for rows, place in zip(slices, places, strict=True):
        check_timestamps(times[rows], place, rows)
    order = _find_lanes(series, names, origin)
    levels = dict(series.levels)
    plain = [name for name in dataset.future_columns if name not in levels]
    spelling, _ = find_spelling(table, frame[plain], dataset, origin)
    read = dict(zip(plain, numeric_values(frame, plain, origin, spelling).T, strict=True))
    for name in dataset.future_columns:
        if name in levels:
            read[name], levels[name] = continue_codes(frame[name], levels[name])
    values = np.stack([read[name] for name in dataset.future_columns], axis=1)  # (rows, future columns)
    ordered: list[IntArray] = [slices[number] for number in order]
    later = [times[rows] for rows in ordered]
    if dataset.time_column is None:  # rows are numbered: they go on where the history ends
        ends = [rows.stop - rows.start for rows in series.slices()]
        later = [pd.RangeIndex(end, end + len(rows)) for end, rows in zip(ends, ordered, strict=True)]
    beyond = lay_beyond(
        [series.timestamps[rows] for rows in series.slices()],
        later,
        [values[rows] for rows in ordered],
        [places[number] for number in order],
    )
    return replace(series, beyond=beyond, levels=tuple(levels.items()))


def _find_lanes(series: Series, names: tuple[str, ...], origin: str) -> list[int]:
    """Return the place of each lane of a series among those of a table."""
    if not series.series_ids:
        return [0]
    absent = [name for name in series.series_ids if name not in names]
    if absent:
        raise UserError(f"{origin} has no row of the lane(s) {show_names(absent)}; give those of every lane of the run")
    strange = [name for name in names if name not in (*series.series_ids, *series.short_lanes)]
    if strange:
        raise UserError(f"{origin} has the lane(s) {show_names(strange)}, which the run does not; leave them out")
    return [names.index(name) for name in series.series_ids]
