"""Which columns are used: those that are named, or all but the times, the lanes and the row numbers of other tools."""

import re

import numpy as np
import pandas as pd

from pipeline.base.errors import UserError
from pipeline.base.text import show_setting
from pipeline.config.schema import DatasetConfig

_INDEX = re.compile(r"(Unnamed: \d+(\.\d+)?(_level_\d+)?|index|level_0|__index_level_0__)?")  # of pandas; or no name
_COUNTERS = ("x", "rownames", "row.names", "row_names", "rn", "row", "row_number", "rownum", "obs")  # 1, 2, 3, ...


def choose_columns(
    frame: pd.DataFrame, dataset: DatasetConfig, origin: str
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Return the features, the targets, and what a person should know of the choice.

    Raises:
        UserError: If a column that is named is not there, or is there twice, or nothing is left.
    """
    present = [name for name in frame.columns if name not in (dataset.time_column, dataset.lane_column)]
    counters = [] if dataset.features is not None else [name for name in present if _counts_rows(frame, name)]
    if dataset.targets is not None:
        counters = [name for name in counters if name not in dataset.targets]
    kept = [name for name in present if name not in counters]
    if not kept:  # it is all there is
        kept, counters = present, []
    features = tuple(dataset.features) if dataset.features is not None else tuple(kept)
    targets = tuple(dataset.targets) if dataset.targets is not None else features[:1]
    if dataset.targets is None and len(features) > 1:
        example = show_setting("dataset.targets", [features[0]])
        raise UserError(
            f"dataset.targets is required when there are several features; choose from {', '.join(features)}, "
            f"e.g. {example}"
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
                    f"{_quoted(key, name, frame)}"
                )
            if list(frame.columns).count(name) > 1:
                raise UserError(f"{origin} has the column '{name}' twice; rename one of them")
    if not features:
        raise UserError(f"{origin} has no column besides the time column; dataset.features needs at least one")
    notes = [
        f"the column '{name}' only numbers the rows and is left out; dataset.features can name it" for name in counters
    ]
    return features, targets, tuple(notes)


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
