"""dataset.future in a file: rows behind the last target are no rows of the series, and say what is known ahead."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.base.errors import UserError
from pipeline.config.schema import DatasetConfig, Gaps, Missing, Scaler, Source
from pipeline.data.future_file import add_beyond
from pipeline.data.known_ahead import carry_ahead
from pipeline.data.past import cut_series
from pipeline.data.scaling import fit_scaling
from pipeline.data.series import Series
from pipeline.data.series_file import read_series, write_series
from pipeline.data.sources import load_series

DAYS = [f"2024-01-{day:02}" for day in range(1, 11)]
ROWS = [f"{day},{number},{number + 100}" for number, day in enumerate(DAYS)]
AHEAD = ["2024-01-11,,110", "2024-01-12,,111", "2024-01-13,,"]
SHOPS = {"lane_column": "shop"}


def name(**settings: Any) -> DatasetConfig:
    chosen = {"time_column": "day", "future": ["price"], "path": "sales.csv", **settings}
    return DatasetConfig(name="sales", source=Source.file, **chosen)


def load(folder: Path, rows: list[str], first_rows: int | None = None, header: str = "", **settings: Any) -> Series:
    file = folder / "sales.csv"
    file.write_text("\n".join([header or "day,sales,price", *rows]) + "\n")
    return load_series(name(**settings | {"path": str(file)}), first_rows)


def in_shops(rows: list[str], shops: str = "ab") -> list[str]:
    return [f"{shop},{row}" for shop in shops for row in rows]


def test_rows_ahead_are_no_rows_of_the_series(tmp_path: Path) -> None:
    """A forecast is scored on rows that have not come, or what is known of them is lost."""
    series = load(tmp_path, ROWS + AHEAD)
    assert (len(series), series.features, series.targets) == (10, ("sales", "price"), ("sales",))
    np.testing.assert_array_equal(series.known_beyond(0)[:, 0], [110, 111, np.nan])
    np.testing.assert_array_equal(carry_ahead(series, 3)[-3:, 2], [110, 111, np.nan])
    (arrived,) = read_series(write_series({"": series})).values()
    np.testing.assert_array_equal(arrived.beyond, series.beyond)
    assert cut_series(series, 8).known_beyond(0).size == 0  # of a fold the rows after it are not those beyond the end


def test_a_file_that_grows_gives_what_it_held_and_more_is_known_ahead(tmp_path: Path) -> None:
    """The next forecast of a run fails once its file holds the values that were forecast, or reads them as known."""
    before = load(tmp_path, ROWS + AHEAD)
    grown = load(tmp_path, [*ROWS, "2024-01-11,7,110", "2024-01-12,,99"], before.rows_read)
    assert (before.rows_read, grown.digest()) == (10, before.digest())
    np.testing.assert_array_equal(grown.known_beyond(0)[:, 0], [110, 99])


@pytest.mark.parametrize("by_time", [False, True])
def test_each_lane_has_rows_ahead_of_its_own(tmp_path: Path, by_time: bool) -> None:
    """A shop is forecast with the prices of another one."""
    rows = [f"a,{row}" for row in ROWS + AHEAD[:1]] + [f"b,{row}" for row in ROWS[:8]]
    rows = sorted(rows, key=lambda row: row.split(",")[1]) if by_time else rows
    series = load(tmp_path, rows, header="shop,day,sales,price", **SHOPS)
    assert (series.series_ids, series.series_ends) == (("a", "b"), (10, 18))
    np.testing.assert_array_equal(series.beyond[:, :, 0], [[110], [np.nan]])
    np.testing.assert_array_equal(carry_ahead(series, 1)[[8, 9, 16, 17], 0], [109, 110, 107, np.nan])


@pytest.mark.parametrize(
    ("rows", "settings", "complaint"),
    [
        ([*ROWS, AHEAD[1]], {}, "the rows ahead have 2024-01-12.* where 2024-01-11.* comes next; .*one row for"),
        ([row.split(",")[0] + ",,1" for row in ROWS], {}, "no row holds a value of sales; give at least one past row"),
        ([*ROWS, AHEAD[0].replace("110", "cheap")], {}, "'cheap' in the column 'price' is not a number"),
        ([*ROWS[:5], "2024-01-06,,105", *ROWS[6:]], {}, "the column 'sales' has no value .1 missing in all"),
        ([*in_shops(ROWS, "a"), "b,2024-01-11,,1"], SHOPS, "lane 'b': no row holds a value of sales"),
    ],
)  # fmt: skip
def test_rows_ahead_that_cannot_be_are_told_in_one_line(
    tmp_path: Path, rows: list[str], settings: dict[str, Any], complaint: str
) -> None:
    """A gap moves every later price by a day."""
    header = "shop,day,sales,price" if settings else ""
    with pytest.raises(UserError, match=complaint):
        load(tmp_path, rows, header=header, **settings)


@pytest.mark.parametrize("changes", [{}, {"missing": Missing.forward_fill}, {"gaps": Gaps.error}])
def test_a_table_of_what_is_known_takes_the_place_of_the_files_own(tmp_path: Path, changes: dict[str, Any]) -> None:
    """A forecast is made with the old prices, though new ones were given."""
    series = load(tmp_path, ROWS + AHEAD, **changes)
    file = tmp_path / "prices.csv"
    file.write_text("note;price;day\nx;1,5;2024-01-11\ny;2,5;2024-01-12\n")
    for given in (file, pd.DataFrame({"price": [1.5, 2.5]}, index=pd.to_datetime(DAYS[:2]) + pd.Timedelta(days=10))):
        told = add_beyond(series, name(**changes), given)
        np.testing.assert_array_equal(told.known_beyond(0)[:, 0], [1.5, 2.5])


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("day,price\n2024-01-11,1\n2024-01-13,2\n", "ahead have 2024-01-13.* where 2024-01-12.* comes next"),
        ("day,price\n2024-01-10,1\n2024-01-11,2\n", "2024-01-10.* is no time ahead, .* ends at 2024-01-10"),
        ("day,price\n2024-01-11,1\n2024-01-11,2\n", "data row 2: the timestamp 2024-01-11 00:00:00 appears twice"),
        ("day,price\n2024-01-12,1\n2024-01-11,2\n", "data row 2: .* comes after .*; sort the file by time"),
        ("day,price\n2024-01-11,cheap\n", "data row 1: 'cheap' in the column 'price' is not a number"),
        ("day,price\nsoon,1\n", "prices.csv.*soon"),
        ("day,cost\n2024-01-11,1\n", r"prices.csv lacks the column.s. price; it has: day, cost"),
        ("day,price\n", "prices.csv holds no rows; give one for each time step ahead"),
        ("", "prices.csv is empty"),
    ],
)  # fmt: skip
def test_a_table_that_is_not_that_of_the_next_rows_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    """A forecast is made with prices of other days, or fails with pages of Python."""
    series = load(tmp_path, ROWS)
    file = tmp_path / "prices.csv"
    file.write_text(text)
    with pytest.raises(UserError, match=complaint) as refused:
        add_beyond(series, name(), file)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("shops", "complaint"),
    [
        ("a", "no row of the lane.s. b; give those of every"),
        ("abc", "has the lane.s. c, which the run does not; leave"),
    ],
)
def test_a_table_of_other_lanes_is_refused(tmp_path: Path, shops: str, complaint: str) -> None:
    """A shop is forecast without its prices."""
    series = load(tmp_path, in_shops(ROWS), header="shop,day,sales,price", **SHOPS)
    file = tmp_path / "prices.csv"
    file.write_text("shop,day,price\n" + "".join(f"{shop},2024-01-11,1\n" for shop in shops))
    with pytest.raises(UserError, match=complaint):
        add_beyond(series, name(**SHOPS), file)


def test_a_run_that_reads_nothing_ahead_takes_no_table(tmp_path: Path) -> None:
    """What somebody says is known would silently not be read."""
    with pytest.raises(UserError, match=r"the run's dataset.future names no column of a file: leave it out"):
        add_beyond(load(tmp_path, ROWS, future=[], targets=["sales"]), name(future=[]), tmp_path / "prices.csv")


# ------------------------------------------------------------------------------------------------- one value for a lane


def test_a_lane_has_one_value_of_a_static_column(tmp_path: Path) -> None:
    """A shop is forecast as if it were of another size, or its size is differenced away."""
    rows = [f"{shop},{row},{size}" for shop, size in (("a", 3), ("b", 7)) for row in ROWS + AHEAD[:2]]
    series = load(tmp_path, rows, header="shop,day,sales,price,size", static=["size"], **SHOPS)
    assert series.features == ("sales", "price", "size") and series.untransformed == ("price", "size")
    np.testing.assert_array_equal(series.values[:, 2], np.repeat([3, 7], 10))
    rows[4] = rows[4][:-1] + "4"
    with pytest.raises(UserError, match=r"lane 'a': the column 'size' of dataset.static holds 3 and 4, but a lane has"):
        load(tmp_path, rows, header="shop,day,sales,price,size", static=["size"], **SHOPS)


@pytest.mark.parametrize("kind", [Scaler.minmax, Scaler.standard])
def test_a_scaler_for_each_lane_keeps_what_tells_lanes_apart(kind: Scaler) -> None:
    """A division by zero, for in one lane a size does not change; or all shops would be of the same size."""
    lanes = [np.stack([np.arange(4.0) * size, np.full(4, size)], axis=1) for size in (1.0, 3.0)]
    scaling = fit_scaling(kind, lanes, per_series=True, shared=[1])
    whole = fit_scaling(kind, lanes)
    np.testing.assert_array_equal(scaling.offset[:, 1], whole.offset[:, 1])
    np.testing.assert_array_equal(scaling.scale[:, 1], whole.scale[:, 1])
    assert scaling.scale[1, 0] == 3 * scaling.scale[0, 0] and scaling.scale[0, 1] > 0
