"""From the rows of a table to a validated series: checks, gaps and empty cells, lane by lane."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from pipeline.base.errors import UserError
from pipeline.base.text import show_names
from pipeline.config.schema import DatasetConfig
from pipeline.data.arrays import FloatArray, IntArray
from pipeline.data.columns import known_columns, order_columns
from pipeline.data.cycles import add_cycles
from pipeline.data.dates import TimeReading
from pipeline.data.gaps import treat_gaps
from pipeline.data.known_ahead import count_history, lay_beyond
from pipeline.data.series import Levels, Series
from pipeline.data.spelling import Spelling
from pipeline.data.validate import check_timestamps, fill_missing


@dataclass(frozen=True)
class Rows:
    """Rows as a table held them.

    Attributes:
        origin: Where they came from, for error texts.
        names: Name of each lane; empty for a single series.
        slices: Rows of each lane; of a single series, one entry.
        timestamps: Of every row.
        reading: How times are written.
        numbers: Shape (rows, columns), NaN where a cell is empty.
        features: The columns the network sees.
        targets: The columns that are predicted.
        future: The features that are known ahead.
        static: Those with one value for each lane.
        levels: Of each category its values, whose numbers stand in `numbers`.
        notes: What a person should know of the reading.
        spelling: How numbers are written.
    """

    origin: str
    names: tuple[str, ...]
    slices: Sequence[IntArray]
    timestamps: pd.Index
    reading: TimeReading
    numbers: FloatArray
    features: tuple[str, ...]
    targets: tuple[str, ...]
    future: tuple[str, ...] = ()
    static: tuple[str, ...] = ()
    levels: Levels = ()
    notes: tuple[str, ...] = ()
    spelling: Spelling = field(default_factory=Spelling)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns of `numbers`."""
        return order_columns(self.features, self.targets, known_columns(self.future, self.static, self.levels))


def assemble_series(rows: Rows, dataset: DatasetConfig, first_rows: int | None = None) -> Series:
    """Check the rows of every lane, and put the lanes one after another.

    Args:
        rows: What was read.
        dataset: What is asked for.
        first_rows: Rows of the table that were history when a run read it; None: all may be.

    Raises:
        UserError: If they cannot be trained on; the text names the row and the remedy.
    """
    for some, place in zip(rows.slices, _places(rows.origin, rows.names), strict=True):
        check_timestamps(rows.timestamps[some], place, some)
    _check_static(rows)
    names, slices, later = _cut_ahead(rows, first_rows)
    places = _places(rows.origin, names)
    beyond = lay_beyond(
        [rows.timestamps[some] for some in slices],
        [rows.timestamps[some] for some in later],
        [rows.numbers[some][:, [rows.columns.index(name) for name in rows.future]] for some in later],
        places,
    )
    members = [(rows.timestamps[some], rows.numbers[some], some) for some in slices]
    treated, gaps = treat_gaps(members, places, dataset)
    filled = [
        fill_missing(values, rows.columns, dataset.missing, place, some)
        for (_, values, some), place in zip(treated, places, strict=True)
    ]  # of each lane the values, and where they were filled
    times = [lane_times for lane_times, _, _ in treated]
    series = Series(
        timestamps=times[0].append(times[1:]) if names else times[0],
        values=np.concatenate([values for values, _ in filled]),
        columns=rows.columns,
        features=rows.features,
        targets=rows.targets,
        filled=np.concatenate([where for _, where in filled]),
        origin=rows.origin,
        series_ids=names,
        series_ends=tuple(int(end) for end in np.cumsum([len(each) for each in times])) if names else (),
        notes=(*rows.notes, *gaps),
        future=rows.future,
        static=rows.static,
        levels=rows.levels,
        beyond=beyond,
        rows_read=max(int(some.max()) for some in slices) + 1 if rows.future else len(rows.timestamps),
        spelling=rows.spelling,
        reading=rows.reading,
    )
    return add_cycles(series, dataset)


def _places(origin: str, names: Sequence[str]) -> list[str]:
    return [f"{origin}, lane '{name}'" for name in names] or [origin]


def _check_static(rows: Rows) -> None:
    """Check that a static column has one value in each lane; empty cells are another's to check."""
    for name in rows.static:
        for some, place in zip(rows.slices, _places(rows.origin, rows.names), strict=True):
            found = np.unique(rows.numbers[some, rows.columns.index(name)])
            found = found[~np.isnan(found)]
            if len(found) > 1:
                values = dict(rows.levels).get(name)
                one, other = (f"{each:g}" if values is None else values[int(each)] for each in found[:2])
                raise UserError(
                    f"{place}: the column '{name}' of dataset.static holds {one} and {other}, but a lane "
                    "has one value of it; name it in dataset.features"
                )


def _cut_ahead(rows: Rows, first_rows: int | None) -> tuple[tuple[str, ...], Sequence[IntArray], Sequence[IntArray]]:
    """Cut off the rows at the end of each lane that hold nothing but what is known ahead.

    Returns:
        The lanes with a history, its rows in the table, and the rows after it.
    """
    names, slices, columns = rows.names, rows.slices, rows.columns
    if not rows.future:
        return names, slices, [some[:0] for some in slices]
    named = rows.targets or [name for name in columns if name not in (*rows.future, *rows.static)] or columns
    told = [columns.index(name) for name in named]
    counts = [count_history(rows.numbers[some][:, told], some, first_rows) for some in slices]
    empty = [number for number, count in enumerate(counts) if not count]
    if len(empty) == len(counts) or (empty and first_rows is None):
        lane = f", lane '{names[empty[0]]}'" if names else ""
        raise UserError(
            f"{rows.origin}{lane}: no row holds a value of {show_names(rows.targets)}; give at least one past row"
        )
    kept = [number for number, count in enumerate(counts) if count]
    cut = [(slices[number][: counts[number]], slices[number][counts[number] :]) for number in kept]
    return tuple(names[number] for number in kept if names), [one for one, _ in cut], [later for _, later in cut]
