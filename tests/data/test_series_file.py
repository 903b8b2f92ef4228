"""Series that travel to another process arrive as they were, and nothing that travels can be executed."""

import io
import pickle
from dataclasses import fields

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.data.dates import TimeReading
from pipeline.data.series import Series
from pipeline.data.series_file import read_series, write_series
from pipeline.data.spelling import Spelling

DAYS = pd.date_range("2024-03-29", periods=4, freq="D", name="day")
INDEXES = {
    "days": DAYS,
    "without a frequency": DAYS[[0, 1, 3, 3]].unique().append(DAYS[2:3] + pd.Timedelta(days=9)),
    "local times over the change of the hour": pd.date_range("2024-10-27", periods=4, freq="h", tz="Europe/Berlin"),
    "an offset": pd.date_range("2024-10-27", periods=4, freq="h", tz="UTC+02:00").as_unit("ns"),
    "rows": pd.RangeIndex(4),
    "numbers": pd.Index([1.5, 2.5, 4.0, 8.0], name="t"),
    "whole numbers": pd.Index([1, 2, 4, 8]),
}


def make(index: pd.Index, **more) -> Series:
    values = np.random.default_rng(1).standard_normal((len(index), 2))
    return Series(index, values, ("a", "b"), ("a", "b"), ("b",), values > 0, "sales.csv", **more)


@pytest.mark.parametrize("index", INDEXES.values(), ids=INDEXES)
def test_a_series_arrives_as_it_was(index) -> None:
    """A worker on another node would train on other times, and its run would not be the one that is looked for."""
    sent = make(
        index, series_ids=("007", "1e5"), series_ends=(2, 4), rows_read=9, notes=("a note",), computed=("b",),
        spelling=Spelling(";", ",", "."), reading=TimeReading("%d.%m.%Y", "Europe/Berlin"),
    )  # fmt: skip
    arrived = read_series(write_series({"key": sent, "other": make(pd.RangeIndex(3))}))
    assert list(arrived) == ["key", "other"]
    got = arrived["key"]
    pd.testing.assert_index_equal(got.timestamps, sent.timestamps, exact=True)
    if isinstance(index, pd.DatetimeIndex):
        assert (got.timestamps.freqstr, got.timestamps.unit) == (index.freqstr, index.unit)
    for field in fields(Series):
        mine, theirs = getattr(got, field.name), getattr(sent, field.name)
        if not isinstance(theirs, np.ndarray | pd.Index):
            assert mine == theirs and type(mine) is type(theirs), field.name
    assert got.digest() == sent.digest()


@given(st.lists(st.text(min_size=1), min_size=2, max_size=2, unique=True))
def test_names_arrive_whatever_they_are(names) -> None:
    """A column with quotes, line breaks or other alphabets would lose its name on the way."""
    values = np.zeros((3, 2))
    sent = Series(pd.RangeIndex(3), values, tuple(names), tuple(names), (names[0],), values > 0, names[1])
    assert read_series(write_series({names[0]: sent}))[names[0]].digest() == sent.digest()


def test_nothing_that_travels_is_executed() -> None:
    """Whoever can write the file of a worker would run what he likes as its user."""
    for written in (pickle.dumps({"key": make(DAYS)}), _with_object()):
        with pytest.raises(ValueError, match="allow_pickle"):
            read_series(written)


def _with_object() -> bytes:
    file = io.BytesIO()
    np.savez(file, about=np.array([{"key": "a"}], dtype=object))
    return file.getvalue()
