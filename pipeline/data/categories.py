"""dataset.categories: columns of text or codes. A column becomes one for each value that the training part holds.

weather   ->   weather=rain  weather=sun
sun            0             1
rain           1             0
snow           0             0      in the training part there was none: dataset.unseen=unknown
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from pipeline.base.errors import UserError
from pipeline.base.text import show_name, show_names
from pipeline.config.schema import DatasetConfig, Unseen
from pipeline.data.arrays import BoolArray, FloatArray
from pipeline.data.series import Levels, Series

_MOST = 100  # values of a column: more are names of something, which no network can tell apart by so many columns


def read_codes(column: "pd.Series[str]") -> tuple[FloatArray, tuple[str, ...]]:
    """Number the values of a column in the order in which they appear.

    Args:
        column: Texts or numbers. Shape (time,).

    Returns:
        The number of each value, NaN where a cell is empty, shape (time,); and the values as texts.

    Example:
        >>> read_codes(pd.Series(["sun", None, " rain", "sun"]))[1]
        ('sun', 'rain')
    """
    texts = column.astype(object).map(write_value)
    codes, values = pd.factorize(texts.where(column.notna() & (texts != ""), None))
    return np.where(codes < 0, np.nan, codes), tuple(map(str, values))


def write_value(cell: object) -> str:
    """Return how a value is written: 1 and 1.0 are one code."""
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell).strip()


def continue_codes(column: "pd.Series[str]", values: tuple[str, ...]) -> tuple[FloatArray, tuple[str, ...]]:
    """Number the values of a column as those before it; new ones come after them. As `read_codes`."""
    codes, found = read_codes(column)
    every = tuple(dict.fromkeys((*values, *found)))
    numbers = np.array([every.index(value) for value in found] or [0])
    known = ~np.isnan(codes)
    return np.where(known, numbers[np.where(known, codes, 0).astype(int)], np.nan), every


def sources_of(levels: Levels) -> dict[str, tuple[str, str]]:
    """Return of each column such as `weather=rain` the column and the value that it says."""
    return {f"{name}={value}": (name, value) for name, values in levels for value in values}


def find_levels(dataset: DatasetConfig, series: Series, in_train: BoolArray) -> Levels:
    """Return the values of each column that the training part holds, in alphabetical order.

    Raises:
        UserError: If it holds only one, or too many.
    """
    found = []
    for name, values in series.levels:
        codes = np.unique(series.values[in_train, series.columns.index(name)]).astype(int)
        if len(codes) < 2:
            raise UserError(
                f"dataset '{dataset.name}': the column '{name}' of dataset.categories is the same in the whole "
                "training part, so nothing can be learnt from it; leave it out, or change the split"
            )
        if len(codes) > _MOST:
            raise UserError(
                f"dataset '{dataset.name}': the column '{name}' of dataset.categories holds {len(codes)} values, more "
                f"than {_MOST}; leave it out, or put rare ones together"
            )
        found.append((name, tuple(sorted(values[code] for code in codes))))
    return tuple(found)


def encode_categories(dataset: DatasetConfig, series: Series, levels: Levels) -> Series:
    """Put a column for each value in place of the columns of dataset.categories.

    Args:
        dataset: Says what happens to values that are none of these.
        series: As it was read: its `levels` are those of its own values.
        levels: Values that have a column.

    Raises:
        UserError: If another value is found, and dataset.unseen=error.
    """
    values, filled = series.values, series.filled
    beyond = series.beyond
    made: dict[str, tuple[str, ...]] = {}
    for name, chosen in levels:
        made[name] = tuple(f"{name}={value}" for value in chosen)
        own, place = dict(series.levels)[name], series.columns.index(name)
        hot = _one_hot(dataset, name, values[:, place], own, chosen, series.describe_row)
        values = np.concatenate([values, hot], axis=1)
        filled = np.concatenate([filled, np.repeat(filled[:, [place]], len(chosen), axis=1)], axis=1)
        if name in series.future and len(beyond):
            ahead = beyond[:, :, series.future_told.index(name)]
            hot = _one_hot(dataset, name, ahead.ravel(), own, chosen, lambda _: ", beyond its end")
            hot = hot.reshape(*ahead.shape, len(chosen))
            beyond = np.concatenate([beyond, hot], axis=2)
    columns = (*series.columns, *sources_of(levels))
    kept = [name for name in columns if name not in made and name not in series.computed]
    order = (*kept, *series.computed)
    future = _replace_names(series.future, made)
    told = [name for name in future if name not in series.computed]
    ahead_columns = (
        *series.future_told,
        *(each for name, many in made.items() if name in series.future for each in many),
    )
    return replace(
        series,
        values=values[:, [columns.index(name) for name in order]],
        filled=filled[:, [columns.index(name) for name in order]],
        columns=order,
        features=_order_features(series, made, order),
        future=future,
        static=_replace_names(series.static, made),
        beyond=beyond[:, :, [ahead_columns.index(name) for name in told]] if len(beyond) else beyond,
        levels=levels,
        digest_read=series.digest(),
    )


def _order_features(series: Series, made: Mapping[str, Sequence[str]], order: Sequence[str]) -> tuple[str, ...]:
    """Return the features, those that transforms leave as they are last, as they stand among the columns."""
    replaced = _replace_names(series.features, made)
    plain = [name for name in series.features if name not in series.untransformed]
    return (*plain, *(name for name in order if name in replaced and name not in plain))


def _replace_names(names: Sequence[str], made: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    return tuple(each for name in names for each in made.get(name, (name,)))


def _one_hot(
    dataset: DatasetConfig,
    name: str,
    codes: FloatArray,
    own: Sequence[str],
    chosen: Sequence[str],
    describe: Callable[[int], str],
) -> FloatArray:
    """Return 1 in the column of each value. Shape (rows, chosen); NaN where nobody knows."""
    places = {value: place for place, value in enumerate(chosen)}
    place_of = np.array([places.get(value, -1) for value in own] or [-1])
    known = ~np.isnan(codes)
    at = np.where(known, place_of[np.where(known, codes, 0).astype(int)], -1)
    strange = np.flatnonzero(known & (at < 0))
    if strange.size and dataset.unseen is Unseen.error:
        row = int(strange[0])
        raise UserError(refuse_unseen(name, own[int(codes[row])], chosen, dataset, describe(row)))
    hot = np.zeros((len(codes), len(chosen)))
    rows = np.flatnonzero(at >= 0)
    hot[rows, at[rows]] = 1.0
    hot[~known] = np.nan
    return hot


def refuse_unseen(name: str, value: str, chosen: Sequence[str], dataset: DatasetConfig, where: str) -> str:
    """Say that a value was not among those that are learnt from."""
    return (
        f"dataset '{dataset.name}'{where}: the column '{name}' holds {show_name(value)}, but the training part only "
        f"{show_names(list(chosen))}; set dataset.unseen=unknown, which reads it as none of them, or change the split"
    )
