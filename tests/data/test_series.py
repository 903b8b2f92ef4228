"""The digest that names the data of a run."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from pipeline.data.series import Series


def series(**changes: object) -> Series:
    plain = Series(
        timestamps=pd.date_range("2024-01-01", periods=4, unit="us"),
        values=np.array([[1.0, 10.0], [2.0, 20.0], [3.0, 30.0], [4.0, 40.0]]),
        columns=("a", "b"),
        features=("a", "b"),
        targets=("b",),
        filled=np.zeros((4, 2), dtype=bool),
        origin="test",
    )
    return dataclasses.replace(plain, **changes)


VALUES = series().values
FILLED = series().filled


def test_columns_of_the_targets() -> None:
    """Breaks scores of several features: actual values and what may be scored belong to the targets only."""
    filled = FILLED.copy()
    filled[2] = [False, True]
    some = series(filled=filled)
    assert some.actual().ravel().tolist() == [10, 20, 30, 40]
    assert some.scorable().ravel().tolist() == [True, True, False, True]
    assert some.column_numbers(("b", "a")) == [1, 0]
    assert len(some) == 4


@pytest.mark.parametrize(
    "changes",
    [
        {"values": VALUES + np.array([[0, 0], [0, 0], [0, 1e-12], [0, 0]])},
        {"filled": ~FILLED},
        {"columns": ("a", "c")},
        {"features": ("b",)},
        {"targets": ("a",)},
        {"timestamps": pd.date_range("2024-01-02", periods=4, unit="us")},
        {"timestamps": pd.RangeIndex(4)},
    ],
)
def test_digest_changes_with_the_data(changes: dict[str, object]) -> None:
    """Breaks resume=true: after a change of the data an old run would be read back."""
    assert series(**changes).digest() != series().digest()


def test_digest_is_repeated() -> None:
    """Breaks resume=true: the same data, from whatever file, must have the same name in every process."""
    assert series(origin="elsewhere").digest() == series(values=VALUES.copy()).digest() == series().digest()
    assert len(series().digest()) == 64


@pytest.mark.parametrize("unit", ["s", "ms", "ns"])
def test_digest_ignores_the_resolution_of_dates(unit: str) -> None:
    """Breaks resume=true between .csv and .parquet: the same dates are stored in seconds there, microseconds here."""
    assert series(timestamps=series().timestamps.as_unit(unit)).digest() == series().digest()


@pytest.mark.parametrize("dtype", ["int32", "float64"])
def test_digest_ignores_the_type_of_step_numbers(dtype: str) -> None:
    """Breaks resume=true between .csv and .parquet: the same step numbers may be stored in another type."""
    steps = np.arange(4)
    assert series(timestamps=pd.Index(steps.astype(dtype))).digest() == series(timestamps=pd.Index(steps)).digest()
