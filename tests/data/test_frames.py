"""A DataFrame of a notebook becomes the table that a file would hold, and the same series."""

import numpy as np
import pandas as pd
import pytest

from pipeline.base.errors import UserError
from pipeline.config.schema import DatasetConfig, Source
from pipeline.data.frames import find_time_column, tidy_frame
from pipeline.data.sources import load_series

DATES = pd.date_range("2024-01-01", periods=4, freq="MS")
VALUES = [3.0, 4.0, 5.0, 7.0]


@pytest.mark.parametrize(
    ("frame", "columns", "time"),
    [
        (pd.DataFrame({"a": VALUES}), ["a"], None),
        (pd.DataFrame({"a": VALUES}, index=DATES), ["time", "a"], "time"),
        (pd.DataFrame({"a": VALUES}, index=DATES.rename("month")), ["month", "a"], "month"),
        (pd.DataFrame({"a": VALUES}, index=DATES.to_period()), ["time", "a"], "time"),
        (pd.DataFrame({"day": DATES, " a ": VALUES}), ["day", "a"], "day"),
        (pd.DataFrame({"day": DATES, "until": DATES, "a": VALUES}), ["day", "until", "a"], None),
        (pd.Series(VALUES, index=DATES, name="a"), ["time", "a"], "time"),
    ],
)
def test_an_index_of_dates_is_a_column(frame: pd.DataFrame, columns: list[str], time: str | None) -> None:
    """The dates of a table are lost, and every calendar, gap and frequency with them."""
    before = frame.copy()
    tidy = tidy_frame(frame)
    assert tidy.columns.tolist() == columns
    assert find_time_column(tidy) == time
    assert before.equals(frame)


def test_what_is_no_table_is_refused() -> None:
    """A list, or columns of two levels, ends in a traceback from pandas."""
    with pytest.raises(UserError, match="must be a pandas DataFrame, but got list"):
        tidy_frame(VALUES)
    with pytest.raises(UserError, match="several levels"):
        tidy_frame(pd.DataFrame({("a", "b"): VALUES}))


def test_a_table_is_the_series_of_a_file_with_the_same_content(tmp_path) -> None:
    """Breaks comparability: the digest of a table must be that of its values, as for a file."""
    frame = pd.DataFrame({"day": DATES, "a": VALUES})
    frame.to_csv(tmp_path / "a.csv", index=False)
    named = {"time_column": "day", "features": ["a"]}
    of_file = DatasetConfig(name="x", source=Source.file, path=str(tmp_path / "a.csv"), **named)
    of_table = DatasetConfig(name="x", source=Source.frame, **named)
    series = load_series(of_table, data=frame)
    assert series.digest() == load_series(of_file).digest()
    assert load_series(of_table, data=frame.assign(a=np.arange(4.0))).digest() != series.digest()


def test_a_table_is_needed_where_it_is_read_and_nowhere_else() -> None:
    """A command with dataset=frame ends in a traceback, or data=frame is ignored and another dataset is trained on."""
    with pytest.raises(UserError, match=r"only Python can give.*dataset=csv dataset\.path=FILE"):
        load_series(DatasetConfig(name="x", source=Source.frame))
    with pytest.raises(UserError, match="dataset=sine reads no table"):
        load_series(DatasetConfig(name="sine", source=Source.sine), data=pd.DataFrame({"a": VALUES}))
