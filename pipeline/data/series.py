"""A validated series: values in time order, with the columns that go in and the columns that are predicted.

Many series that share one network (400 stocks) lie one after another, each a series of the panel:

    rows   0 .. 4  5 .. 7  8 .. 11      series_ends (5, 8, 12)
    series a       b       c            no window, transform or baseline reaches over a border
"""

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from pipeline.data.arrays import BoolArray, FloatArray, IntArray
from pipeline.data.dates import TimeReading
from pipeline.data.spelling import Spelling

if TYPE_CHECKING:
    from pipeline.data.panel import Panel


Levels = tuple[tuple[str, tuple[str, ...]], ...]  # of each category its values


@dataclass(frozen=True)
class Series:
    """Values in time order, in the data's own units, finite everywhere.

    Attributes:
        timestamps: One label per step, sorted and unique in each series: dates, or numbers when the file has no dates.
        values: Shape (time, columns), float64, in the data's own units.
        columns: Name of each column of `values`.
        features: The columns the network sees.
        targets: The columns that are predicted.
        future: Features whose next values are known ahead. They and what is computed stand at the end of `columns` and
            of `features`; no transform changes them.
        static: Features that are the same in every row of a series; as those known ahead, at the end.
        filled: Shape (time, columns); True where the file had no value and one was filled in.
        origin: Where the values came from: a path, or the name of the generator.
        series_ids: Name of each series of a panel; empty for a single series.
        series_ends: Row after the last one of each series of a panel; empty for a single series.
        short_lanes: Names of the series that were left out because they are too short to be trained on.
        rows_read: Rows of the file that it was made from; None if it came from no file.
        notes: What a person should know of how the file was read, sentences without a final stop.
        spelling: How the file writes numbers and separates cells; rows that arrive later are written alike.
        reading: How it writes times.
        step: Where the calendar is read ahead: how timestamps go on, as `write_step` says it; "" where nobody knows.
        computed: The last of `columns` and of `features`, made from the timestamps: neither transformed nor scaled.
        beyond: What the data tell of the rows after the end of each series. Shape (series, rows, columns of
            `future_told`); NaN where nobody knows.
        levels: Of each category its values. As read, a column of `values` holds their numbers; encoded, each value has
            a column of its own, `weather=rain`, at the end of `columns`.
        digest_read: Of a series whose categories are encoded: its digest as it was read.
        words: Of a text: the tokens that its values number; empty where they are code points or bytes.
        steps: All time steps of the panel that it is a part of, by which it is split; None: its own.
        panel: The panel on disk that its lanes are a sample of; None: it is all there is.
    """

    timestamps: pd.Index
    values: FloatArray
    columns: tuple[str, ...]
    features: tuple[str, ...]
    targets: tuple[str, ...]
    filled: BoolArray
    origin: str
    series_ids: tuple[str, ...] = ()
    series_ends: tuple[int, ...] = ()
    short_lanes: tuple[str, ...] = ()
    rows_read: int | None = None
    notes: tuple[str, ...] = ()
    spelling: Spelling = field(default_factory=Spelling)
    reading: TimeReading = field(default_factory=TimeReading)
    step: str = ""
    computed: tuple[str, ...] = ()
    future: tuple[str, ...] = ()
    static: tuple[str, ...] = ()
    levels: Levels = ()
    digest_read: str = ""
    words: tuple[str, ...] = ()
    beyond: FloatArray = field(default_factory=lambda: np.empty((0, 0, 0)))
    steps: pd.Index | None = None
    panel: "Panel | None" = None

    def __len__(self) -> int:
        """Return the number of steps."""
        return len(self.timestamps)

    def column_numbers(self, names: tuple[str, ...]) -> list[int]:
        """Return the position in `values` of each named column."""
        return [self.columns.index(name) for name in names]

    def slices(self) -> list[slice]:
        """Return the rows of each series of a panel; of a single series, all."""
        ends = self.series_ends or (len(self),)
        return [slice(first, end) for first, end in zip((0, *ends[:-1]), ends, strict=True)]

    def series_of_rows(self) -> IntArray:
        """Return the number of the series of every row. Shape (time,)."""
        return np.repeat(np.arange(len(self.slices())), [rows.stop - rows.start for rows in self.slices()])

    def describe_series(self, number: int) -> str:
        """Return `, lane 'NAME'` for an error text; nothing for a single series."""
        return f", lane '{self.series_ids[number]}'" if self.series_ids else ""

    def describe_row(self, row: int) -> str:
        """Return `, data row N` for an error text; of a panel, whose rows are reordered, `, lane 'NAME', TIME`."""
        if not self.series_ids:
            return f", data row {row + 1}"
        place = self.describe_series(int(self.series_of_rows()[row]))
        name = "row" if self.timestamps.name is None else self.timestamps.name
        return f"{place}, {name} {self.timestamps[row]}"

    @property
    def untransformed(self) -> tuple[str, ...]:
        """The last of `columns` and of `features`: those that transforms leave as they are."""
        known = {*self.future, *self.static, *self.unscaled, *(name for name, _ in self.levels)}
        return tuple(name for name in self.columns if name in known)

    @property
    def unscaled(self) -> tuple[str, ...]:
        """The last of them: those that are not scaled either, the values of categories and what is computed."""
        encoded = {f"{name}={value}" for name, values in self.levels for value in values}
        return tuple(name for name in self.columns if name in encoded or name in self.computed)

    def transformable(self) -> FloatArray:
        """Return the values that transforms change: past inputs and targets. Shape (time, columns that change)."""
        return self.values[:, : len(self.columns) - len(self.untransformed)]

    @property
    def future_told(self) -> tuple[str, ...]:
        """The first of `future`: columns of the data, which must tell their next values."""
        return tuple(name for name in self.future if name not in self.computed)

    @property
    def future_computed(self) -> tuple[str, ...]:
        """The last of `future`: made from the timestamps that come next."""
        return tuple(name for name in self.future if name in self.computed)

    def known_beyond(self, number: int) -> FloatArray:
        """Return what the data tell of the rows after the end of a series. Shape (rows, columns of `future_told`)."""
        return self.beyond[number] if len(self.beyond) else np.empty((0, len(self.future_told)))

    def actual(self) -> FloatArray:
        """Return the target columns, shape (time, targets), in the data's own units."""
        return self.values[:, self.column_numbers(self.targets)]  # (time, targets)

    def scorable(self) -> BoolArray:
        """Return True where a target was measured, not filled in. Shape (time, targets)."""
        return ~self.filled[:, self.column_numbers(self.targets)]  # (time, targets)

    def digest(self) -> str:
        """Return the sha256 of names, timestamps and values that were read: what decides a result, in any format.

        Of a sample of a panel it is that of the panel.
        """
        if self.panel is not None:
            return self.panel.digest
        if self.digest_read:
            return self.digest_read
        read = len(self.columns) - len(self.computed)  # what is computed from the timestamps is no value of the data
        features = self.features[: len(self.features) - len(self.computed)]
        names: tuple[object, ...] = (self.columns[:read], features, self.targets)
        if self.series_ids:
            names = (*names, self.series_ids, self.series_ends)
        if self.levels:
            used = [int(np.nanmax(self.values[:, self.columns.index(name)])) + 1 for name, _ in self.levels]
            names = (*names, [values[:count] for (_, values), count in zip(self.levels, used, strict=True)])
        if self.words:
            names = (*names, self.words)
        identity = hashlib.sha256(repr(names).encode())
        for part in (plain_times(self.timestamps), self.values[:, :read], self.filled[:, :read]):
            identity.update(np.ascontiguousarray(part).tobytes())
        return identity.hexdigest()


def plain_times(timestamps: pd.Index) -> np.ndarray:
    """Return times as numbers that do not depend on how a file format stores them: microseconds in UTC, or steps."""
    if isinstance(timestamps, pd.DatetimeIndex):
        return timestamps.as_unit("us").asi8
    return timestamps.to_numpy(dtype=float)
