"""Read a folder of parquet files as one table. A lane may lie in one file or in many; names of folders give columns.

    panel/part-0.parquet     panel/part-1.parquet           rows of any lanes
    panel/a.parquet          panel/b.parquet                a file for each lane
    panel/lane=a/0.parquet   panel/lane=b/0.parquet         hive partitions: the column `lane`, always text

A folder has no order of rows: lanes are put in order by name, the rows of a lane by time. So the same rows are the same
series however they are spread over files.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.base.errors import UserError
from pipeline.base.text import show_names
from pipeline.config.schema import DatasetConfig, Missing
from pipeline.data.arrays import IntArray
from pipeline.data.columns import choose_columns, order_columns
from pipeline.data.dates import read_times
from pipeline.data.spelling import Spelling
from pipeline.data.validate import fill_missing, numeric_values

_NO_VALUE = "__HIVE_DEFAULT_PARTITION__"
_ROWS_AT_ONCE = 2**20
_BROKEN = (OSError, ValueError, pa.ArrowException)


@dataclass(frozen=True)
class Part:
    """A file of the folder.

    Attributes:
        path: Where it is.
        partition: Columns that the names of its folders give, with their values.
        kinds: What each column holds, in words, by its name.
        num_rows: Of the file.
    """

    path: Path
    partition: tuple[tuple[str, str], ...]
    kinds: dict[str, str]
    num_rows: int


@dataclass(frozen=True)
class Folder:
    """A folder whose files fit each other.

    Attributes:
        path: Where it is.
        parts: Its files, by path.
        dataset: As it was configured, with the columns that are used: features and targets.
        notes: What a person should know of the choice.
    """

    path: Path
    parts: tuple[Part, ...]
    dataset: DatasetConfig
    notes: tuple[str, ...]

    @property
    def num_rows(self) -> int:
        """Rows of all files."""
        return sum(part.num_rows for part in self.parts)

    def read(self) -> Iterator[tuple[int, pd.DataFrame]]:
        """Read one file after another, a large one in batches.

        Yields:
            The number of the file, and the columns that are used: the lane as a category of texts, the time as the file
            has it, numbers as float64.

        Raises:
            UserError: If a file holds what cannot be used; the text names it.
        """
        for number, part in enumerate(self.parts):
            for first, frame in _read(part, columns_of(self.dataset)):
                place = f"{part.path} after row {first}" if first else str(part.path)
                yield number, _tidy(frame, self.dataset, place)

    def find_lanes(self, part: Part) -> set[str]:
        """Return the names of the lanes in a file."""
        column = self.dataset.lane_column
        assert column is not None
        named = dict(part.partition).get(column, _NO_VALUE).strip()
        if named not in (_NO_VALUE, ""):  # no row need be read
            return {named}
        frames = _read(part, [column])
        return {
            name for _, frame in frames for name in name_lanes(frame[column], str(part.path), column).cat.categories
        }


def open_folder(path: Path, dataset: DatasetConfig) -> Folder:
    """Find the files of a folder, and check that they fit each other; of their rows only those of the first are read.

    Raises:
        UserError: If the folder holds no parquet file, or one that is damaged, empty, a link, or of another kind than
            the first; the text names the file.
    """
    parts = tuple(_look_at(file, path) for file in _find_files(path))
    first = parts[0]
    _, frame = next(_read(first, list(first.kinds)))
    features, targets, notes = choose_columns(frame, dataset, str(first.path))
    named = [name for name in (dataset.lane_column, dataset.time_column) if name is not None]
    for part in parts[1:]:
        _check_alike(part, first, [*named, *features, *targets], named)
    past = [name for name in features if name not in (*dataset.future_columns, *dataset.static)]
    return Folder(path, parts, replace(dataset, features=past, targets=list(targets)), notes)


def order_lanes(
    names: Sequence[str],
    slices: Sequence[IntArray],
    timestamps: pd.Index,
    folder: Folder,
) -> tuple[tuple[str, ...], list[IntArray]]:
    """Put lanes in order by name, and the rows of each by time.

    Args:
        names: Of the lanes; empty for a single series.
        slices: Rows of each in the table of all files.
        timestamps: Of every row of that table.
        folder: Its files, one after another.

    Raises:
        UserError: If a lane has a timestamp twice, or several files and no time column.
    """
    files = np.repeat(np.arange(len(folder.parts)), [part.num_rows for part in folder.parts])
    numbers = timestamps.asi8 if isinstance(timestamps, pd.DatetimeIndex) else timestamps.to_numpy()
    ordered = []
    for lane, rows in enumerate(slices):
        who = f"lane '{names[lane]}' has" if names else "the series has"
        if folder.dataset.time_column is None and files[rows[0]] != files[rows[-1]]:
            one, other = (folder.parts[files[row]].path for row in (rows[0], rows[-1]))
            raise UserError(
                f"{who} rows in {one} and in {other}, and a folder has no order; set dataset.time_column to the column "
                "that says which come first"
            )
        in_order = rows[np.argsort(numbers[rows], kind="stable")]
        twice = np.flatnonzero(numbers[in_order][1:] == numbers[in_order][:-1])
        if twice.size:
            one, other = in_order[twice[0] : twice[0] + 2]
            here, there = folder.parts[files[one]].path, folder.parts[files[other]].path
            where = f"{here} and in {there}" if here != there else f"{here}, twice"
            raise UserError(f"{who} the timestamp {timestamps[one]} in {where}; keep one row per time step")
        ordered.append(in_order)
    by_name = sorted(range(len(names)), key=names.__getitem__)
    return tuple(names[lane] for lane in by_name), [ordered[lane] for lane in by_name] if names else ordered


def _find_files(folder: Path) -> list[Path]:
    """Return every file by path; what begins with . or _ is the business of the tools that wrote the folder."""
    found = []

    def refuse(error: OSError) -> None:
        raise UserError(f"{error.filename} cannot be read: {error.strerror}")

    for root, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = sorted(name for name in folders if name[0] not in "._")
        for name in (*folders, *names):
            path = Path(root, name)
            if name[0] in "._":
                continue
            if path.is_symlink():
                raise UserError(
                    f"{path} is a symbolic link; of a folder only its own files are read: put the file there, or leave "
                    "the link out"
                )
            if name in names:
                found.append(path)
    if not found:
        raise UserError(f"dataset.path={folder} is a folder without a file; it must hold .parquet files")
    return sorted(found)


def _look_at(path: Path, folder: Path) -> Part:
    """Read what a file says about itself."""
    if path.suffix.lower() != ".parquet" or not path.is_file():
        raise UserError(f"{path} is no .parquet file; a folder that dataset.path names must hold nothing else")
    try:
        with pq.ParquetFile(path) as file:
            schema, num_rows = file.schema_arrow, file.metadata.num_rows
    except _BROKEN as error:
        raise UserError(f"{path} cannot be read as .parquet: {_reason(error)}; write it anew") from error
    if num_rows == 0:
        raise UserError(f"{path} holds no rows; delete it, or write it anew")
    segments = [segment.partition("=") for segment in path.relative_to(folder).parts[:-1]]
    partition = tuple((unquote(key), unquote(value)) for key, equals, value in segments if equals)
    fields = [(field.name.strip(), _kind(field.type)) for field in schema] + [(key, "text") for key, _ in partition]
    names = [name for name, _ in fields]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UserError(
            f"{path} has the column '{twice}' twice, or the name of its folder gives it as well; rename one of them"
        )
    return Part(path, partition, dict(fields), num_rows)


def _kind(stored: pa.DataType) -> str:
    """Return what a column holds, as far as it matters whether two files fit each other."""
    if isinstance(stored, pa.DictionaryType):
        return _kind(stored.value_type)
    if pa.types.is_timestamp(stored):
        return f"times in {stored.tz}" if stored.tz else "times"
    names = {
        "text": pa.types.is_string(stored) or pa.types.is_large_string(stored) or pa.types.is_string_view(stored),
        "whole numbers": pa.types.is_integer(stored),
        "numbers": pa.types.is_floating(stored),
        "nothing": pa.types.is_null(stored),
    }
    return next((name for name, fits in names.items() if fits), str(stored))


def _check_alike(part: Part, first: Part, used: Sequence[str], order: Sequence[str]) -> None:
    missing, surplus = (
        [name for name in one.kinds if name not in other.kinds] for one, other in ((first, part), (part, first))
    )
    if missing or surplus:
        more = [f"lacks {show_names(missing)}"] if missing else []
        more += [f"has {show_names(surplus)} as well"] if surplus else []
        raise UserError(
            f"{part.path} does not have the columns of {first.path}: it {' and '.join(more)}; all files of a folder "
            "must have the same"
        )
    for name in used:
        held, expected = part.kinds[name], first.kinds[name]
        both_numbers = {held, expected} <= {"whole numbers", "numbers", "nothing"} and name not in order
        if held != expected and not both_numbers:
            raise UserError(
                f"{part.path}: the column '{name}' holds {held}, but in {first.path} {expected}; all files of a folder "
                "must have the same"
            )


def columns_of(dataset: DatasetConfig) -> list[str]:
    """Return the columns that are used, those that are named for lanes and times first."""
    named = [name for name in (dataset.lane_column, dataset.time_column) if name is not None]
    return [*named, *values_of(dataset)]


def values_of(dataset: DatasetConfig) -> tuple[str, ...]:
    """Return the columns of numbers that are used."""
    return order_columns(dataset.features or (), dataset.targets or (), (*dataset.future_columns, *dataset.static))


def _read(part: Part, columns: Sequence[str]) -> Iterator[tuple[int, pd.DataFrame]]:
    """Read columns of a file in batches. Yields the number of rows before each, and its rows."""
    first = 0
    try:
        with pq.ParquetFile(part.path) as file:
            stored = [name for name in file.schema_arrow.names if name.strip() in columns]
            # Threads only cost time where files are small, and a panel may be one of 100,000 files.
            for batch in file.iter_batches(_ROWS_AT_ONCE, columns=stored, use_threads=False):
                frame = batch.to_pandas(ignore_metadata=True)
                frame.columns = pd.Index([str(name).strip() for name in frame.columns])
                for key, value in part.partition:
                    if key in columns:
                        frame[key] = None if value == _NO_VALUE else value
                yield first, frame
                first += len(frame)
    except _BROKEN as error:
        raise UserError(f"{part.path} cannot be read as .parquet: {_reason(error)}; write it anew") from error


def _reason(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _tidy(frame: pd.DataFrame, dataset: DatasetConfig, place: str) -> pd.DataFrame:
    """Check the cells of one file while it is known which one it is."""
    tidy: dict[str, object] = {}
    if dataset.lane_column is not None:
        tidy[dataset.lane_column] = name_lanes(frame[dataset.lane_column], place, dataset.lane_column)
    if dataset.time_column is not None:
        times = tidy[dataset.time_column] = frame[dataset.time_column]
        if times.isna().any():
            read_times(times, dataset.date_format, None, [], f"{place}: the time column '{dataset.time_column}'")
    columns = values_of(dataset)
    spelling = Spelling(",", dataset.decimal or ".", dataset.thousands or "")
    numbers = numeric_values(frame, columns, place, spelling)  # (rows, columns)
    if dataset.missing is Missing.error and not dataset.future_columns:  # the last rows may only say what is ahead
        fill_missing(numbers, columns, dataset.missing, place, np.arange(len(numbers)))
    return pd.DataFrame(tidy | {name: numbers[:, number] for number, name in enumerate(columns)})


def name_lanes(column: "pd.Series[Any]", origin: str, name: str) -> "pd.Series[Any]":
    """Return the lane of every row as a category of texts, whatever it looks like: 007 and 7 are two series.

    Raises:
        UserError: If a row names none.
    """
    found, cells = pd.factorize(column)
    codes, texts = pd.factorize(pd.Series(cells, dtype=object).map(str).str.strip())
    names = pd.Series(pd.Categorical.from_codes(np.append(codes, -1)[found], categories=texts))
    empty = np.flatnonzero((names.isna() | (names == "")).to_numpy())
    if empty.size:
        raise UserError(
            f"{origin}, data row {empty[0] + 1}: the lane column '{name}' is empty; every row must say which series it "
            "belongs to"
        )
    return names
