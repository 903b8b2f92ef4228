"""Which columns are used: those that are named, or all but the times, the lanes and the row numbers of other tools."""

import re
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from pipeline.base.errors import UserError
from pipeline.base.text import show_names, show_setting
from pipeline.config.schema import DatasetConfig

_INDEX = re.compile(r"(Unnamed: \d+(\.\d+)?(_level_\d+)?|index|level_0|__index_level_0__)?")  # of pandas; or no name
_LOOKED_AT = 20  # rows that show what a column holds
_COUNTERS = ("x", "rownames", "row.names", "row_names", "rn", "row", "row_number", "rownum", "obs")  # 1, 2, 3, ...


def choose_columns(
    frame: pd.DataFrame, dataset: DatasetConfig, origin: str
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Return the features, the targets, and what a person should know of the choice.

    The features known ahead, then the static ones, stand last.

    Raises:
        UserError: If a column that is named is not there, or is there twice, or nothing is left.
    """
    apart = (dataset.time_column, dataset.lane_column, *dataset.future_columns, *dataset.static)
    present = [name for name in frame.columns if name not in apart]
    counters = [] if dataset.features is not None else [name for name in present if _counts_rows(frame, name)]
    if dataset.targets is not None:
        counters = [name for name in counters if name not in dataset.targets]
    kept = [name for name in present if name not in counters]
    if not kept:  # it is all there is
        kept, counters = present, []
    past = tuple(dataset.features) if dataset.features is not None else tuple(kept)
    targets = tuple(dataset.targets) if dataset.targets is not None else past[:1]
    if dataset.targets is None and len(past) > 1:
        raise UserError(_ask_for_target(frame, dataset, past))
    named = {
        "time_column": [dataset.time_column] if dataset.time_column else [],
        "lane_column": [dataset.lane_column] if dataset.lane_column else [],
        "features": past,
        "future": dataset.future_columns,
        "static": dataset.static,
        "targets": targets,
        "categories": dataset.categories,
    }
    for key, names in named.items():
        for name in names:
            if name not in frame.columns:
                raise UserError(
                    f"dataset.{key} names the column '{name}', but {origin} has: {', '.join(map(str, frame.columns))}"
                    f"{_quoted(key, name, frame)}"
                )
            if list(frame.columns).count(name) > 1:
                raise UserError(f"{origin} has the column '{name}' twice; rename one of them")
    both = [entry for entry in dataset.calendar_ahead if entry in present]
    if both:
        raise UserError(
            f"dataset.future names {show_names(both)}, an entry of dataset.calendar and a column of {origin}; rename "
            "the column"
        )
    if not past and dataset.targets is None:
        raise UserError(f"{origin} has no column besides the time column; dataset.features needs at least one")
    notes = [
        f"the column '{name}' only numbers the rows and is left out; dataset.features can name it" for name in counters
    ]
    return (*past, *dataset.future_columns, *dataset.static), targets, tuple(notes)


def known_columns(
    future: Sequence[str], static: Sequence[str], levels: Iterable[tuple[str, object]]
) -> tuple[str, ...]:
    """Return the columns that transforms leave as they are: known ahead, static, and categories."""
    return tuple(dict.fromkeys((*future, *static, *(name for name, _ in levels))))


def order_columns(features: Sequence[str], targets: Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
    """Return every column that is used once, those that are known before last: ahead, and the static ones."""
    return (*dict.fromkeys(name for name in (*features, *targets) if name not in known), *known)


def _ask_for_target(frame: pd.DataFrame, dataset: DatasetConfig, features: tuple[str, ...]) -> str:
    """Ask which column is forecast; where no column holds the times, ask for that one first, for it is none of them."""
    times = [name for name in features if dataset.time_column is None and _looks_like_times(frame, name)][:1]
    choice = [name for name in features if name not in times]
    numbers = [name for name in choice if pd.api.types.is_numeric_dtype(frame.loc[:, [name]].dtypes.iloc[0])]
    target = show_setting("dataset.targets", (numbers or choice)[:1])
    required = f"dataset.targets is required when there are several features; choose from {', '.join(choice)}, e.g. "
    if not times:
        return f"{required}{target}"
    first = f"the column '{times[0]}' looks like times: set {show_setting('dataset.time_column', times[0])}"
    return first if len(choice) == 1 else f"{first}; and {required}{target}"


def _looks_like_times(frame: pd.DataFrame, name: str) -> bool:
    """Return whether the first cells of a column are dates, or texts that pandas can read as such."""
    cells = frame.loc[:, [name]].iloc[:_LOOKED_AT, 0].dropna()
    if pd.api.types.is_datetime64_any_dtype(cells):
        return True
    texts = cells.astype(str)
    if texts.empty or pd.to_numeric(texts, errors="coerce").notna().any() or not texts.str.contains(r"\d").all():
        return False
    return bool(pd.to_datetime(texts, errors="coerce", format="mixed", utc=True).notna().all())


def _quoted(key: str, name: str, frame: pd.DataFrame) -> str:
    """Propose quotes for a column whose name Hydra has read as a number: 007 became 7."""
    try:
        number = float(name)
        same = [each for each in frame.columns if re.fullmatch(r"[-+\d.eE_]+", each) and float(each) == number]
    except ValueError:
        return ""
    value = same[:1] if key in ("features", "targets") else same[0] if same else ""
    return f"; quote a name that looks like a number: {show_setting(f'dataset.{key}', value)}" if same else ""


def _counts_rows(frame: pd.DataFrame, name: str) -> bool:
    """Return whether a column holds the row numbers that another tool wrote."""
    is_index = _INDEX.fullmatch(name) is not None
    if not (is_index or name.lower() in _COUNTERS) or list(frame.columns).count(name) > 1:
        return False
    numbers = pd.to_numeric(frame[name], errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    steps = np.diff(numbers)
    if is_index:
        return bool(np.isfinite(numbers).all() and (steps > 0).all() and (numbers == np.floor(numbers)).all())
    return bool(numbers.size and numbers[0] in (0, 1) and (steps == 1).all())
