"""Load a dataset: a packaged CSV, the user's own .csv or .parquet, or a computed one. Nothing read is executed."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.config import COMPUTED, DatasetConfig, Source
from pipeline.data.computed import compute_table
from pipeline.data.series import IntArray, Series
from pipeline.data.validate import check_timestamps, fill_missing, numeric_values
from pipeline.errors import UserError
from pipeline.paths import data_dir

_REMEDIES = {".csv": "; save it as UTF-8 text with commas between cells", ".parquet": ""}


def load_series(dataset: DatasetConfig, first_rows: int | None = None) -> Series:
    """Load and validate the series that a configuration names.

    Args:
        dataset: The `dataset` node of the configuration.
        first_rows: How many rows of the file are read, so that a file which has grown gives what it held before; None:
            all.

    Returns:
        The series, with missing values filled if `dataset.missing` says so.

    Raises:
        UserError: If the file cannot be read or holds something that cannot be trained on; the text names the
            column, the row and the remedy.
    """
    if dataset.source in COMPUTED:
        frame, origin = compute_table(dataset), dataset.source.value
    else:
        assert dataset.path is not None
        path = data_dir() / dataset.path if dataset.source is Source.packaged else Path(dataset.path).expanduser()
        frame, origin = _read_table(path), str(path)
    frame = frame if first_rows is None else frame.iloc[:first_rows]
    if frame.empty:
        raise UserError(
            f"{origin} holds no rows; dataset.path must name a file with a header and one row per time step"
        )
    features, targets = _choose_columns(frame, dataset, origin)
    names, lanes = _lanes(frame, dataset, origin)
    timestamps = _timestamps(frame, dataset, origin, lanes)
    columns = tuple(dict.fromkeys((*features, *targets)))
    numbers = numeric_values(frame, columns, origin)  # (time, columns)
    values, filled = [], []
    for lane, rows in enumerate(lanes):
        place = f"{origin}, lane '{names[lane]}'" if names else origin
        check_timestamps(timestamps[rows], place, rows)
        both = fill_missing(numbers[rows], columns, dataset.missing, place, rows)
        values.append(both[0])
        filled.append(both[1])
    return Series(
        timestamps=timestamps if not names else timestamps[np.concatenate(lanes)],
        values=np.concatenate(values),
        columns=columns,
        features=features,
        targets=targets,
        filled=np.concatenate(filled),
        origin=origin,
        lane_names=names,
        lane_ends=tuple(int(end) for end in np.cumsum([len(rows) for rows in lanes])) if names else (),
    )


def _lanes(frame: pd.DataFrame, dataset: DatasetConfig, origin: str) -> tuple[tuple[str, ...], list[IntArray]]:
    """Return the name of each lane, in order of appearance, and its rows in the file; for a single series no name."""
    if dataset.lane_column is None:
        return (), [np.arange(len(frame))]
    column = frame[dataset.lane_column]
    empty = np.flatnonzero(column.isna())
    if empty.size:
        raise UserError(
            f"{origin}, data row {empty[0] + 1}: the lane column '{dataset.lane_column}' is empty; every row must say "
            "which series it belongs to"
        )
    codes, names = pd.factorize(column)
    in_order = np.argsort(codes, kind="stable")
    return tuple(map(str, names)), list(np.split(in_order, np.cumsum(np.bincount(codes))[:-1]))


def _read_table(path: Path) -> pd.DataFrame:
    readers: dict[str, Callable[[Path], pd.DataFrame]] = {".csv": _read_csv, ".parquet": _read_parquet}
    if path.suffix.lower() not in readers:
        raise UserError(f"dataset.path must end in .csv or .parquet, but got dataset.path={path}")
    if not path.is_file():
        raise UserError(f"dataset.path={path} is not a file that can be read from {Path.cwd()}; check the path")
    try:
        frame = readers[path.suffix.lower()](path)
    except pd.errors.EmptyDataError:
        raise UserError(f"{path} is empty; it must hold a header and one row per time step") from None
    except (OSError, ValueError) as error:  # ParserError, UnicodeDecodeError and ArrowInvalid are ValueErrors
        reason = str(error).strip().splitlines()[0]
        raise UserError(
            f"{path} cannot be read as {path.suffix.lower()}: {reason}{_REMEDIES[path.suffix.lower()]}"
        ) from error
    frame.columns = [str(name).strip() for name in frame.columns]
    return frame


def _read_csv(path: Path) -> pd.DataFrame:
    frame = pd.read_csv(path, encoding="utf-8-sig")
    if not isinstance(frame.index, pd.RangeIndex):  # pandas takes the surplus cells for row labels
        raise ValueError("its rows have more cells than its header has names")
    header = pd.read_csv(path, encoding="utf-8-sig", header=None, nrows=1, dtype=str)
    if len(header.columns) == len(frame.columns):
        # pandas renames a repeated column, and the wrong one would be used.
        frame.columns = header.iloc[0].where(header.iloc[0].notna().to_numpy(), frame.columns)
    return frame


def _read_parquet(path: Path) -> pd.DataFrame:
    frame = pd.read_parquet(path)
    return frame if isinstance(frame.index, pd.RangeIndex) else frame.reset_index()


def _choose_columns(
    frame: pd.DataFrame, dataset: DatasetConfig, origin: str
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    present = [name for name in frame.columns if name not in (dataset.time_column, dataset.lane_column)]
    features = tuple(dataset.features) if dataset.features is not None else tuple(present)
    targets = tuple(dataset.targets) if dataset.targets is not None else features[:1]
    if dataset.targets is None and len(features) > 1:
        raise UserError(
            f"dataset.targets is required when there are several features; choose from {', '.join(features)}"
        )
    wanted = {
        "time_column": [dataset.time_column] if dataset.time_column else [],
        "lane_column": [dataset.lane_column] if dataset.lane_column else [],
        "features": features,
        "targets": targets,
    }
    for key, names in wanted.items():
        for name in names:
            if name not in frame.columns:
                raise UserError(
                    f"dataset.{key} names the column '{name}', but {origin} has: {', '.join(map(str, frame.columns))}"
                )
            if list(frame.columns).count(name) > 1:
                raise UserError(f"{origin} has the column '{name}' twice; rename one of them")
    if not features:
        raise UserError(f"{origin} has no column besides the time column; dataset.features needs at least one")
    return features, targets


def _timestamps(frame: pd.DataFrame, dataset: DatasetConfig, origin: str, lanes: list[IntArray]) -> pd.Index:
    if dataset.time_column is None:
        if len(lanes) == 1:
            return pd.RangeIndex(len(frame), name="row")
        numbers = np.empty(len(frame), dtype=int)
        for rows in lanes:
            numbers[rows] = np.arange(len(rows))
        return pd.Index(numbers, name="row")
    column = frame[dataset.time_column]
    if pd.api.types.is_numeric_dtype(column) and column.notna().all():
        return pd.Index(column, name=dataset.time_column)
    try:
        # ISO dates only: nobody can tell whether 01/02/2024 is in January or in February.
        dates = pd.to_datetime(column, format="ISO8601", errors="coerce")
    except (ValueError, TypeError) as error:
        raise UserError(
            f"{origin}: the time column '{dataset.time_column}' mixes time zones or formats: {error}"
        ) from error
    if dates.isna().any():
        row = int(np.flatnonzero(dates.isna())[0])
        raise UserError(
            f"{origin}, data row {row + 1}: '{column.iloc[row]}' in the time column '{dataset.time_column}' "
            "is not a date; write dates as YYYY-MM-DD"
        )
    return pd.DatetimeIndex(dates, name=dataset.time_column)
