"""Load a dataset: a packaged CSV, the user's own file, or a computed one. Nothing read is executed."""

from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.base.errors import UserError
from pipeline.base.paths import data_dir
from pipeline.base.text import show_names
from pipeline.config.schema import COMPUTED, DatasetConfig, Source
from pipeline.data.arrays import FloatArray, IntArray
from pipeline.data.columns import choose_columns
from pipeline.data.computed import compute_table
from pipeline.data.cycles import add_cycles
from pipeline.data.dates import TimeReading, read_times
from pipeline.data.files import Table, read_table
from pipeline.data.folder import name_lanes, order_lanes
from pipeline.data.frames import tidy_frame
from pipeline.data.gaps import treat_gaps
from pipeline.data.known_ahead import count_history, lay_beyond
from pipeline.data.series import Series
from pipeline.data.spelling import Spelling, guess_spelling
from pipeline.data.text_series import load_text
from pipeline.data.validate import check_timestamps, describe_rounded, fill_missing, numeric_values

_NO_FRAME = (
    "dataset=frame is a table that only Python can give: sweep(..., data=frame), train(..., data=frame); a "
    "command reads a file: dataset=csv dataset.path=FILE"
)
_NOT_READ = "data=frame is given, but dataset={dataset} reads no table; leave one of them out"


def load_series(dataset: DatasetConfig, first_rows: int | None = None, data: pd.DataFrame | None = None) -> Series:
    """Load and validate the series that a configuration names.

    Args:
        dataset: The `dataset` node of the configuration.
        first_rows: How many rows of the file, or tokens of a text, are read, so that a file which has grown gives what
            it held before; None: all.
        data: The table itself, with dataset.source=frame; it is not changed.

    Returns:
        The series, with missing values filled if `dataset.missing` says so.

    Raises:
        UserError: If the file cannot be read or holds something that cannot be trained on; the text names the
            column, the row and the remedy. Also if there is no table where one is needed, or one where none is read.
    """
    if (data is not None) != (dataset.source is Source.frame):
        raise UserError(_NO_FRAME if data is None else _NOT_READ.format(dataset=dataset.name))
    if dataset.source is Source.text:
        return load_text(dataset, first_rows)
    if data is not None:
        table, origin = Table(tidy_frame(data)), f"dataset '{dataset.name}'"
    elif dataset.source in COMPUTED:
        table, origin = Table(compute_table(dataset)), dataset.source.value
    else:
        assert dataset.path is not None
        path = data_dir() / dataset.path if dataset.source is Source.packaged else Path(dataset.path).expanduser()
        table, origin = read_table(path, dataset), str(path)
    frame = table.frame if first_rows is None or dataset.future else table.frame.iloc[:first_rows]
    if frame.empty:
        raise UserError(f"{origin} holds no rows; a dataset is a table with a header and one row per time step")
    features, targets, left_out = choose_columns(frame, dataset, origin)
    names, slices = split_panel(frame, dataset, origin)
    timestamps, reading, told = read_timestamps(frame, dataset, origin, slices)
    if table.folder is not None:
        names, slices = order_lanes(names, slices, timestamps, table.folder)
    future = tuple(dataset.future)
    columns = (*dict.fromkeys(name for name in (*features, *targets) if name not in future), *future)
    spelling, spelled = find_spelling(table, frame[list(columns)], dataset, origin)
    numbers = numeric_values(frame, columns, origin, spelling)  # (time, columns)
    rounded = describe_rounded(numbers, columns, origin)
    places = [f"{origin}, lane '{name}'" for name in names] or [origin]
    for rows, place in zip(slices, places, strict=True):
        check_timestamps(timestamps[rows], place, rows)
    names, slices, later = _cut_ahead(numbers, columns, targets, future, names, slices, origin, first_rows)
    places = [f"{origin}, lane '{name}'" for name in names] or [origin]
    beyond = lay_beyond(
        [timestamps[rows] for rows in slices],
        [timestamps[rows] for rows in later],
        [numbers[rows, len(columns) - len(future) :] for rows in later],
        places,
    )
    treated, gaps = treat_gaps([(timestamps[rows], numbers[rows], rows) for rows in slices], places, dataset)
    filled = [
        fill_missing(values, columns, dataset.missing, place, rows)
        for (_, values, rows), place in zip(treated, places, strict=True)
    ]  # of each series the values, and where they were filled
    times = [series_times for series_times, _, _ in treated]
    series = Series(
        timestamps=times[0].append(times[1:]) if names else times[0],
        values=np.concatenate([values for values, _ in filled]),
        columns=columns,
        features=features,
        targets=targets,
        filled=np.concatenate([where for _, where in filled]),
        origin=origin,
        series_ids=names,
        series_ends=tuple(int(end) for end in np.cumsum([len(each) for each in times])) if names else (),
        notes=(*table.notes, *spelled, *left_out, *told, *rounded, *gaps),
        future=future,
        beyond=beyond,
        rows_read=max(int(rows.max()) for rows in slices) + 1 if future else len(frame),
        spelling=spelling,
        reading=reading,
    )
    return add_cycles(series, dataset)


def _cut_ahead(
    numbers: FloatArray,
    columns: tuple[str, ...],
    targets: tuple[str, ...],
    future: tuple[str, ...],
    names: tuple[str, ...],
    slices: list[IntArray],
    origin: str,
    first_rows: int | None,
) -> tuple[tuple[str, ...], list[IntArray], list[IntArray]]:
    """Cut off the rows at the end of each lane that hold nothing but what is known ahead.

    Returns:
        The lanes with a history, its rows in the file, and the rows after it.
    """
    if not future:
        return names, slices, [rows[:0] for rows in slices]
    told = [columns.index(name) for name in targets or columns[: len(columns) - len(future)] or columns]
    counts = [count_history(numbers[rows][:, told], rows, first_rows) for rows in slices]
    empty = [number for number, count in enumerate(counts) if not count]
    if len(empty) == len(counts) or (empty and first_rows is None):
        lane = f", lane '{names[empty[0]]}'" if names else ""
        raise UserError(f"{origin}{lane}: no row holds a value of {show_names(targets)}; give at least one past row")
    kept = [number for number, count in enumerate(counts) if count]
    cut = [(slices[number][: counts[number]], slices[number][counts[number] :]) for number in kept]
    return tuple(names[number] for number in kept if names), [rows for rows, _ in cut], [rows for _, rows in cut]


def split_panel(frame: pd.DataFrame, dataset: DatasetConfig, origin: str) -> tuple[tuple[str, ...], list[IntArray]]:
    """Return the name of each series, in order of appearance, and its rows in the file; for a single series no name."""
    if dataset.lane_column is None:
        return (), [np.arange(len(frame))]
    codes, names = pd.factorize(name_lanes(frame[dataset.lane_column], origin, dataset.lane_column))
    in_order = np.argsort(codes, kind="stable")
    return tuple(map(str, names)), list(np.split(in_order, np.cumsum(np.bincount(codes))[:-1]))


def find_spelling(
    table: Table, cells: pd.DataFrame, dataset: DatasetConfig, origin: str
) -> tuple[Spelling, tuple[str, ...]]:
    """Return how numbers are written, and what a person should know of it."""
    if dataset.decimal is not None or dataset.thousands is not None or table.separator == ",":
        return Spelling(table.separator, dataset.decimal or ".", dataset.thousands or ""), ()
    found = guess_spelling((cell for name in cells for cell in cells[name].dropna().unique()), table.separator, origin)
    if found.is_plain:
        return found, ()
    grouped = f", with '{found.thousands}' between thousands" if found.thousands else ""
    return found, (f"numbers are read with the decimal mark '{found.decimal}'{grouped}, as the cells show",)


def read_timestamps(
    frame: pd.DataFrame, dataset: DatasetConfig, origin: str, slices: list[IntArray]
) -> tuple[pd.Index, TimeReading, tuple[str, ...]]:
    """Return the timestamp of each row, how times are written, and what a person should know of it."""
    if dataset.time_column is None:
        numbers = np.empty(len(frame), dtype=int)
        for rows in slices:
            numbers[rows] = np.arange(len(rows))
        index = pd.RangeIndex(len(frame), name="row") if len(slices) == 1 else pd.Index(numbers, name="row")
        return index, TimeReading("number"), ()
    place = f"{origin}: the time column '{dataset.time_column}'"
    times, reading, notes = read_times(
        frame[dataset.time_column], dataset.date_format, dataset.time_zone, slices, place
    )
    return times.rename(dataset.time_column), reading, notes
