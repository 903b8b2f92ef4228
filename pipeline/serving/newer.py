"""Rows that arrived since a run ended: read as the run reads its data, and forecast as it would have been served.

history  1 2 3 4 5                  what the run was trained, chosen and scored on
file           4 5 6 7 8            rows up to the end are compared, those after it are read one after another
forecasts            6 7 8          the first of them was made at the end of the history
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.base.errors import UserError
from pipeline.base.text import show_names, show_time
from pipeline.config.schema import DatasetConfig, Gaps, Missing
from pipeline.data.arrays import BoolArray, FloatArray, IntArray
from pipeline.data.prepare import prepare_data
from pipeline.data.series import Series, plain_times
from pipeline.serving.clock import Clock
from pipeline.serving.frames import lay_rows, read_rows, value_columns
from pipeline.serving.model import ServedModel

_SAME = 1e-12  # relative; a column may have been written by another program


@dataclass(frozen=True)
class Newer:
    """The rows of a table after the end of a run's data; those of several lanes lie one after another, as the run's do.

    Attributes:
        timestamps: Of each row.
        values: As the lanes of the model take them; NaN in targets that a stream does not ask for. Shape (rows,
            columns).
        actual: The targets. Shape (rows, targets).
        measured: False where a target was filled in. Shape (rows, targets).
        slices: Rows of each lane of the run.
        notes: What a person should know of the reading, sentences without a final stop.
    """

    timestamps: pd.Index
    values: FloatArray
    actual: FloatArray
    measured: BoolArray
    slices: Sequence[slice]
    notes: tuple[str, ...]


def read_newer(model: ServedModel, given: Path | pd.DataFrame) -> tuple[ServedModel, Newer]:
    """Read the rows of a table that arrived since a run ended.

    Args:
        model: Of the run, with its data.
        given: A file or a table: rows as the run's dataset has them, from the row after its end at the latest.

    Returns:
        The model, which knows what the new rows tell of what was ahead at the end of its history, and these rows.

    Raises:
        UserError: If the table cannot be read, or rows are missing between the history and its first one.
    """
    reading = _as_it_is_served(model.config.dataset, model.data.series)
    series = read_rows(replace(model, config=replace(model.config, dataset=reading)), given, model.data.series.targets)
    origin = str(given) if isinstance(given, Path) else "data"
    known = model.data.series
    if isinstance(series.timestamps, pd.DatetimeIndex) != isinstance(known.timestamps, pd.DatetimeIndex):
        raise UserError(f"{origin} has no times like those of the run's dataset; give rows as its own file has them")
    places = [_find_lane(series, name) for name in known.series_ids or ("",)]
    firsts, notes = _find_firsts(model, series, places, origin)
    rows: list[IntArray] = [
        np.arange(first, 0 if place is None else series.slices()[place].stop)
        for first, place in zip(firsts, places, strict=True)
    ]
    every = np.concatenate(rows)
    if not len(every):
        raise UserError(
            f"{origin} holds no row after {show_time(known.timestamps.max())}, where the run's data end; give a file "
            "that has grown since: data=FILE"
        )
    _check_filled(model, series, every, origin)
    ends = np.cumsum([len(each) for each in rows])
    values = lay_rows(model, series)[every]
    served = value_columns(model.config, known)
    values[:, known.column_numbers(tuple(name for name in known.targets if name not in served))] = np.nan
    newer = Newer(
        timestamps=series.timestamps[every],
        values=values,
        actual=series.actual()[every],
        measured=series.scorable()[every],
        slices=[slice(int(end) - len(each), int(end)) for end, each in zip(ends, rows, strict=True)],
        notes=(*notes, *_note_strange(series, known)),
    )
    return _know_ahead(model, series, places, rows), newer


def _as_it_is_served(dataset: DatasetConfig, known: Series) -> DatasetConfig:
    """Return how rows are read that arrive: none is inserted, and times are written as the whole history has shown."""
    written = known.reading.kind if isinstance(known.timestamps, pd.DatetimeIndex) else "number"
    gaps = Gaps.keep if dataset.gaps is Gaps.fill else dataset.gaps
    return replace(dataset, gaps=gaps, date_format=dataset.date_format or written)


def _find_lane(series: Series, name: str) -> int | None:
    if not series.series_ids:
        return 0
    return series.series_ids.index(name) if name in series.series_ids else None


def _find_firsts(
    model: ServedModel, series: Series, places: Sequence[int | None], origin: str
) -> tuple[list[int], list[str]]:
    """Return the first new row of each lane, and what a person should know of the rows before it."""
    known, dataset = model.data.series, model.config.dataset
    clock = Clock(known, numbered=dataset.time_column is None)
    old, new = plain_times(known.timestamps), plain_times(series.timestamps)
    firsts, changed = [], 0
    for lane, (rows, place) in enumerate(zip(known.slices(), places, strict=True)):
        if place is None:
            firsts.append(0)
            continue
        theirs, last = series.slices()[place], old[rows.stop - 1]
        first = theirs.start + int(np.searchsorted(new[theirs], last, side="right"))
        firsts.append(first)
        changed += _count_changed(known, rows, series, slice(theirs.start, first))
        where = known.describe_series(lane)
        if first == theirs.start and dataset.time_column is None:
            raise UserError(
                f"{origin}{where}: its rows are numbered from 0, so it must begin with the {rows.stop - rows.start} "
                "that the run was trained on"
            )
        missing = clock.count_missing(float(last), float(new[first])) if first == theirs.start else 0
        if missing:
            raise UserError(
                f"{origin}{where} begins at {show_time(series.timestamps[first])}, {missing} row(s) too late: the data "
                f"of the run end at {show_time(known.timestamps[rows.stop - 1])}; give a file that holds the rows "
                "between as well"
            )
    if changed and dataset.time_column is None:
        raise UserError(
            f"{origin} does not begin with the rows that the run was trained on ({changed} differ), and without a time "
            "column nobody knows which rows are new; give the run's own file with rows added at its end"
        )
    told = f"{changed} row(s) of {origin} up to the end of the run's data are not those that the run was trained on"
    return firsts, [told] if changed else []


def _count_changed(known: Series, old: slice, series: Series, new: slice) -> int:
    """Count the rows of a lane that both have, with other values."""
    _, mine, theirs = np.intersect1d(
        plain_times(known.timestamps[old]), plain_times(series.timestamps[new]), return_indices=True
    )
    names = tuple(name for name in series.columns if name in known.columns)
    ours, others = known.column_numbers(names), series.column_numbers(names)
    before, now = known.values[old][mine][:, ours], series.values[new][theirs][:, others]
    filled = known.filled[old][mine][:, ours] | series.filled[new][theirs][:, others]
    return int((~np.isclose(before, now, rtol=_SAME, atol=0.0) & ~filled).any(axis=1).sum())


def _check_filled(model: ServedModel, series: Series, rows: IntArray, origin: str) -> None:
    """Refuse what a served network cannot know: a cell that is filled from what comes after it."""
    bad = np.argwhere(series.filled[rows])
    if model.config.dataset.missing is Missing.interpolate and len(bad):
        row, column = bad[0].tolist()
        raise UserError(
            f"{origin}{series.describe_row(int(rows[row]))}: the column '{series.columns[column]}' has no value, and "
            "dataset.missing=interpolate fills it from what comes after it, which nobody knows when the row comes; "
            "fill the cell"
        )


def _note_strange(series: Series, known: Series) -> list[str]:
    strange = [name for name in series.series_ids if name not in known.series_ids]
    return [f"the lane(s) {show_names(strange)} are none of the run's and are left out"] if strange else []


def _know_ahead(
    model: ServedModel, series: Series, places: Sequence[int | None], rows: Sequence[IntArray]
) -> ServedModel:
    """Return a model whose history knows what the new rows tell of dataset.future, as it did when it was served."""
    known = model.data.series
    if not known.future_told:
        return model
    told = series.column_numbers(known.future_told)
    ahead = [
        known.known_beyond(lane)
        if place is None
        else np.concatenate([series.values[each][:, told], series.known_beyond(place)])
        for lane, (place, each) in enumerate(zip(places, rows, strict=True))
    ]
    beyond = np.full((len(ahead), max(map(len, ahead)), len(told)), np.nan)
    for lane, each in enumerate(ahead):
        beyond[lane, : len(each)] = each
    origin = model.config.evaluation.origins - 1 if model.scored is None else None
    data = prepare_data(model.config, replace(known, beyond=beyond), model.data.scaling, origin)
    return replace(model, data=data)
