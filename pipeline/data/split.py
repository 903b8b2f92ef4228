"""The chronological split, made on the raw series so that every configuration is scored on the same timestamps.

|-------- train --------|-- validation --|-- test --|
                   validation_start   test_start

A rolling origin (evaluation.origins=3) cuts the test part into blocks. Before each, everything moves on, and rows
after the block are not looked at:

    origin 0   |--- train ---|-- validation --|- test -|
    origin 1   |------- train -------|-- validation --|- test -|
    origin 2   |----------- train ------------|-- validation --|- test -|

With protocol=tutorial or dataset.validation_fraction=0 there is no validation part: all that comes before the test is
trained on.

The series of a panel share the two timestamps: none is trained on what comes after the test of another began.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.base.errors import UserError
from pipeline.config.schema import DatasetConfig, Protocol
from pipeline.data.arrays import BoolArray, IntArray
from pipeline.data.dates import TimeReading
from pipeline.data.series import Series

PARTS = ("train", "validation", "test")
_LATER = "later"  # after the block of a rolling origin


@dataclass(frozen=True)
class Split:
    """The part of every row.

    Attributes:
        parts: 0 train, 1 validation, 2 test, 3 later; ascending in each series. Shape (time,).
        validates: Whether there is a validation part; None: where a row lies in it. A part of a panel may have no row.
    """

    parts: IntArray
    validates: bool | None = None

    def rows(self, part: str) -> BoolArray:
        """Return True for the rows of `train`, `validation` or `test`. Shape (time,)."""
        return self.parts == PARTS.index(part)

    def count(self, part: str) -> int:
        """Return the number of rows of a part."""
        return int(self.rows(part).sum())

    @property
    def judge(self) -> str:
        """The part that says how good a training is: validation; train, where there is none."""
        validates = bool(self.rows("validation").any()) if self.validates is None else self.validates
        return "validation" if validates else "train"

    def part_names(self) -> np.ndarray:
        """Return the part of every row. Shape (time,)."""
        return np.array([*PARTS, _LATER])[self.parts]


def split_series(
    series: Series,
    dataset: DatasetConfig,
    protocol: Protocol = Protocol.fair,
    origin: int = 0,
    origins: int = 1,
) -> Split:
    """Cut the series by date if dates are given, otherwise by fraction of its time steps.

    A fraction is taken as the tutorial takes it: the part before the test has int(length * (1 - test_fraction)) steps,
    so airline with 0.33 has 96 rows before the test and 48 test rows.

    Args:
        series: The series.
        dataset: Dates or fractions.
        protocol: With `tutorial`, no validation part.
        origin: Number of the block of the test part, from 0.
        origins: How many blocks the test part is cut into.

    Raises:
        UserError: If a date lies outside the series, or a part is empty.
    """
    times = series.timestamps.unique().sort_values() if series.series_ids else series.timestamps
    times = times if series.steps is None else series.steps
    length = len(times)
    if dataset.test_start is not None and dataset.validation_start is not None:
        test_start = _step_of(times, series.reading, dataset.test_start, "test_start")
        validation_start = _step_of(times, series.reading, dataset.validation_start, "validation_start")
    else:
        test_start = round_down(length * (1 - dataset.test_fraction))
        validation_start = test_start - round_down(length * dataset.validation_fraction)
    if protocol is Protocol.tutorial:
        validation_start = test_start
    for part, steps in zip(PARTS, np.diff((0, validation_start, test_start, length)), strict=True):
        may_be_empty = part == "validation" and (protocol is Protocol.tutorial or dataset.validation_fraction == 0)
        if steps < 1 and not may_be_empty:
            raise UserError(
                f"dataset '{dataset.name}' with {length} time steps leaves no {part} part; change "
                "dataset.validation_fraction and dataset.test_fraction, or the dates validation_start and test_start"
            )
    if length - test_start < origins:
        raise UserError(
            f"evaluation.origins={origins} needs as many steps in the test part, but dataset '{dataset.name}' has "
            f"{length - test_start}; lower evaluation.origins"
        )
    blocks = test_start + np.arange(origins + 1) * (length - test_start) // origins
    moved = blocks[origin] - test_start
    borders = [validation_start + moved, test_start + moved, blocks[origin + 1]]
    step_of_rows = times.get_indexer(series.timestamps) if series.series_ids else np.arange(length)
    parts = np.searchsorted(borders, step_of_rows, side="right")
    return Split(parts, None if series.steps is None else validation_start < test_start)


def train_on_all(series: Series) -> Split:
    """Return the split of a series whose network is scored elsewhere: every row is trained on."""
    return Split(np.zeros(len(series), dtype=np.int64), validates=False)


def round_down(number: float) -> int:
    """Round down, but take 0.9999999999 for the 1 that was meant: 10 * (1 - 0.9) is not quite 1."""
    return int(number + 1e-9)


def _step_of(timestamps: pd.Index, reading: TimeReading, text: str, key: str) -> int:
    dates = isinstance(timestamps, pd.DatetimeIndex)
    try:
        first = reading.parse(text) if dates else float(text)  # as the time column, so that both mean one day
        if first != first:  # not a number
            raise ValueError
        step = int(timestamps.searchsorted(first))
    except (ValueError, TypeError):  # TypeError: a time zone on one side only
        written = reading.kind if "%" in reading.kind else "YYYY-MM-DD"
        kind = f"a date ({written}), with a time zone if the time column has one," if dates else "a number"
        raise UserError(f"dataset.{key} must be {kind} like the time column, but got dataset.{key}={text}") from None
    if not 0 < step < len(timestamps):
        raise UserError(
            f"dataset.{key}={text} must lie inside the series, which goes from {timestamps[0]} to {timestamps[-1]}"
        )
    return step
