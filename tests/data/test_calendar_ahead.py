"""dataset.future=[month]: the calendar of the rows that come next is read from the series' own, not from these rows."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.base.errors import UserError
from pipeline.config.schema import Config, DatasetConfig, Horizons, Source
from pipeline.data.calendar_ahead import values_ahead
from pipeline.data.cycles import calendar_values
from pipeline.data.known_ahead import carry_ahead
from pipeline.data.prepare import prepare_data
from pipeline.data.series import Series
from pipeline.data.series_file import read_series, write_series
from pipeline.data.sources import load_series

WEEKDAY = ("day_of_week_sin", "day_of_week_cos")
BY_HAND: dict[tuple[str, str], list[str]] = {
    ("B", "2024-04-05"): ["2024-04-08", "2024-04-09"],  # a Friday
    ("MS", "2024-11-01"): ["2024-12-01", "2025-01-01"],
    ("3 months", "2024-11-15"): ["2025-02-15", "2025-05-15"],
    ("12h", "2024-04-30 12:00"): ["2024-05-01", "2024-05-01 12:00"],
    ("W-SUN", "2024-12-22"): ["2024-12-29", "2025-01-05"],
}


def daily(times: pd.DatetimeIndex | None = None) -> pd.DataFrame:
    days = pd.date_range("2024-01-01", periods=120) if times is None else times
    random = np.random.default_rng(1)
    return pd.DataFrame({"day": days, "a": random.normal(size=len(days)), "price": random.normal(size=len(days))})


def load(frame: pd.DataFrame, root: dict[str, Any] | None = None, **dataset: Any) -> tuple[Config, Series]:
    given = {"name": "test", "source": Source.frame, "time_column": "day", "features": ["a"], "targets": ["a"]}
    config = Config(dataset=DatasetConfig(**given | {"calendar": ["day_of_week", "holiday:DE"]} | dataset))
    for key, value in (root or {}).items():
        setattr(config, key, value)
    return config, load_series(config.dataset, data=frame)


@pytest.mark.parametrize(("step", "time"), BY_HAND)
def test_the_next_timestamps_by_hand(step: str, time: str) -> None:
    """Breaks the inputs: a Friday would be followed by a Saturday that no row has."""
    names = ("month_sin", "month_cos", "hour_sin", "hour_cos", *WEEKDAY)
    times = pd.DatetimeIndex(BY_HAND[step, time])
    expected = calendar_values(times, ["month", "hour", "day_of_week"])
    np.testing.assert_allclose(values_ahead(pd.DatetimeIndex([time]), step, names, 2), expected[None], atol=1e-12)
    nobody = values_ahead(times, "", WEEKDAY, 3)
    assert nobody.shape == (2, 3, 2) and np.isnan(nobody).all()


def test_a_row_reads_the_calendar_of_the_rows_it_forecasts() -> None:
    """Breaks forecasts: an input that is known ahead would be that of another day, or blank at the end."""
    frame = daily()
    frame.loc[117:, "a"] = np.nan  # three rows ahead, of which the price is known
    config, series = load(frame, {"horizon": 2}, future=["holiday:DE", "price"])
    assert series.future == ("price", "holiday:DE") and series.step == "D"
    carried = carry_ahead(series, 2).reshape(117, 2, 2)  # (rows, steps, price and holiday)
    for step in (1, 2):
        np.testing.assert_array_equal(carried[:, step - 1, 0], frame["price"][step : 117 + step])
        days = pd.DatetimeIndex(frame["day"][:117] + pd.Timedelta(days=step))
        np.testing.assert_array_equal(carried[:, step - 1, 1], calendar_values(days, ["holiday:DE"])[:, 0])
    windows = prepare_data(config, series).windows
    assert windows.spec.columns[-4:] == ("price+1", "holiday:DE+1", "price+2", "holiday:DE+2")
    np.testing.assert_array_equal(windows.inputs[:, [-3, -1]], carried[:, :, 1])  # not scaled
    (arrived,) = read_series(write_series({"": series})).values()
    np.testing.assert_array_equal(carry_ahead(arrived, 2), carry_ahead(series, 2))


def test_what_comes_next_is_not_read_from_what_came() -> None:
    """Breaks honesty: a row before a gap would know of the gap, which a stream cannot."""
    days = pd.bdate_range("2024-01-01", periods=120)
    gap = days.delete([60, 61])
    _, whole = load(daily(days), future=["day_of_week"])
    _, series = load(daily(gap), future=["day_of_week"])
    assert whole.step == series.step == "B"
    np.testing.assert_array_equal(carry_ahead(series, 2), carry_ahead(whole, 2)[days.isin(gap)])
    assert not np.isnan(carry_ahead(series, 2)).any()


def test_the_calendar_ahead_takes_no_row_from_the_scores() -> None:
    """Breaks compare: runs with and without it would be scored on other timestamps, and no run sees the other."""
    every: dict[str, Any] = {"horizons": Horizons.all}
    plain, ahead = (
        prepare_data(*load(daily(), {"horizon": 3}, **every, future=future)) for future in ([], ["day_of_week"])
    )
    np.testing.assert_array_equal(plain.windows.starts, ahead.windows.starts)
    np.testing.assert_array_equal(plain.scored_rows("test"), ahead.scored_rows("test"))
    assert plain.series.digest() == ahead.series.digest() and plain.windows.spec.carried == ()


def test_each_lane_of_a_panel_goes_on_by_itself(tmp_path: Path) -> None:
    """Breaks panels: the last row of a lane would read the first day of the next one."""
    long, short = daily(), daily().head(110)
    frame = pd.concat([long.assign(lane="x"), short.assign(lane="y")], ignore_index=True)
    config, series = load(frame, lane_column="lane", future=["day_of_week"])
    after = pd.DatetimeIndex([long["day"].iloc[-1], short["day"].iloc[-1]]) + pd.Timedelta(days=1)
    np.testing.assert_array_equal(carry_ahead(series, 1)[[119, 229]], calendar_values(after, ["day_of_week"]))
    prepare_data(config, series)


IRREGULAR = pd.date_range("2024-01-01", periods=120) + pd.to_timedelta(np.arange(120) ** 2 % 23, unit="h")


@pytest.mark.parametrize(
    ("frame", "dataset", "complaint"),
    [
        (
            daily(IRREGULAR),
            {},
            "reads day_of_week of timestamps that come next, .* follow no calendar, .*; leave day_of",
        ),
        (
            pd.concat([daily().assign(lane="x"), daily(IRREGULAR[:100]).assign(lane="y")]),
            {"lane_column": "lane"},
            r"dataset 'test', lane 'y' do not follow the calendar of the longest lane \(D\); leave day_of_week out",
        ),
        (
            daily().assign(day_of_week=1.0),
            {},
            "names day_of_week, an entry of dataset.calendar and a column of .*; ren",
        ),
    ],
)
def test_a_calendar_that_nobody_knows_ahead_is_refused(
    frame: pd.DataFrame, dataset: dict[str, Any], complaint: str
) -> None:
    """Breaks silently: days would be guessed, or a column of the file is read for the calendar."""
    with pytest.raises(UserError, match=complaint):
        prepare_data(*load(frame, calendar=["day_of_week"], future=["day_of_week"], **dataset))
