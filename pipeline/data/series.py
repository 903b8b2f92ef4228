"""A validated series: values in time order, with the columns that go in and the columns that are predicted."""

import hashlib
from dataclasses import dataclass

import numpy as np
import pandas as pd

FloatArray = np.ndarray[tuple[int, ...], np.dtype[np.floating]]
IntArray = np.ndarray[tuple[int, ...], np.dtype[np.integer]]
BoolArray = np.ndarray[tuple[int, ...], np.dtype[np.bool_]]


@dataclass(frozen=True)
class Series:
    """Values in time order, in the data's own units, finite everywhere.

    Attributes:
        timestamps: One label per step, sorted and unique: dates, or numbers when the file has no dates.
        values: Shape (time, columns), float64, in the data's own units.
        columns: Name of each column of `values`.
        features: The columns the network sees.
        targets: The columns that are predicted.
        filled: Shape (time, columns); True where the file had no value and one was filled in.
        origin: Where the values came from: a path, or the name of the generator.
    """

    timestamps: pd.Index
    values: FloatArray
    columns: tuple[str, ...]
    features: tuple[str, ...]
    targets: tuple[str, ...]
    filled: BoolArray
    origin: str

    def __len__(self) -> int:
        """Return the number of steps."""
        return len(self.timestamps)

    def column_numbers(self, names: tuple[str, ...]) -> list[int]:
        """Return the position in `values` of each named column."""
        return [self.columns.index(name) for name in names]

    def actual(self) -> FloatArray:
        """Return the target columns, shape (time, targets), in the data's own units."""
        return self.values[:, self.column_numbers(self.targets)]  # (time, targets)

    def scorable(self) -> BoolArray:
        """Return True where a target was measured, not filled in. Shape (time, targets)."""
        return ~self.filled[:, self.column_numbers(self.targets)]  # (time, targets)

    def digest(self) -> str:
        """Return the sha256 of names, timestamps and values: what decides a result, whatever the file's format."""
        identity = hashlib.sha256(repr((self.columns, self.features, self.targets)).encode())
        for part in (_plain_times(self.timestamps), self.values, self.filled):
            identity.update(np.ascontiguousarray(part).tobytes())
        return identity.hexdigest()


def _plain_times(timestamps: pd.Index) -> np.ndarray:
    """Return times as numbers that do not depend on how a file format stores them: microseconds in UTC, or steps."""
    if isinstance(timestamps, pd.DatetimeIndex):
        return timestamps.as_unit("us").asi8
    return timestamps.to_numpy(dtype=float)
