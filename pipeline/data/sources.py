"""Load a dataset: a packaged CSV, the user's own file, or a computed one. Nothing read is executed."""

from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.base.errors import UserError
from pipeline.base.paths import data_dir
from pipeline.config.schema import COMPUTED, DatasetConfig, Source
from pipeline.data.arrays import IntArray
from pipeline.data.assembly import Rows, assemble_series
from pipeline.data.categories import read_codes
from pipeline.data.columns import choose_columns, known_columns, order_columns
from pipeline.data.computed import compute_table
from pipeline.data.dates import TimeReading, read_times
from pipeline.data.files import Table, read_table
from pipeline.data.folder import name_lanes, order_lanes
from pipeline.data.frames import tidy_frame
from pipeline.data.panel import cut_panel
from pipeline.data.panel_folder import stage_folder
from pipeline.data.series import Series
from pipeline.data.spelling import Spelling, guess_spelling
from pipeline.data.text_series import load_text
from pipeline.data.validate import describe_rounded, numeric_values

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
        The series, with missing values filled if `dataset.missing` says so; with dataset.lane_block a sample of the
        panel, which is on disk then.

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
        if dataset.lane_block is not None and path.is_dir():
            return stage_folder(path, dataset)
        table, origin = read_table(path, dataset), str(path)
    frame = table.frame if first_rows is None or dataset.future_columns else table.frame.iloc[:first_rows]
    if frame.empty:
        raise UserError(f"{origin} holds no rows; a dataset is a table with a header and one row per time step")
    features, targets, left_out = choose_columns(frame, dataset, origin)
    names, slices = split_panel(frame, dataset, origin)
    timestamps, reading, told = read_timestamps(frame, dataset, origin, slices)
    if table.folder is not None:
        names, slices = order_lanes(names, slices, timestamps, table.folder)
    future, static = tuple(dataset.future_columns), tuple(dataset.static)
    coded = {name: read_codes(frame[name]) for name in dataset.categories}
    levels = tuple((name, values) for name, (_, values) in coded.items())
    columns = order_columns(features, targets, known_columns(future, static, levels))
    plain = [name for name in columns if name not in coded]
    spelling, spelled = find_spelling(table, frame[plain], dataset, origin)
    read = dict(zip(plain, numeric_values(frame, plain, origin, spelling).T, strict=True))
    read |= {name: codes for name, (codes, _) in coded.items()}
    numbers = np.stack([read[name] for name in columns], axis=1)  # (time, columns)
    rounded = describe_rounded(numbers, columns, origin)
    notes = (*table.notes, *spelled, *left_out, *told, *rounded)
    rows = Rows(
        origin, names, slices, timestamps, reading, numbers, features, targets, future, static, levels, notes, spelling
    )
    series = assemble_series(rows, dataset, first_rows)
    return series if dataset.lane_block is None else cut_panel(series, dataset.lane_block)


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
