"""Timestamps that arrive: their order, what is missing between them, and how they go on."""

from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.data.dates import TimeReading
from pipeline.data.series import Series
from pipeline.serving.clock import MOST_COUNTED, Clock


def make_clock(timestamps: pd.Index, numbered: bool = False, zone: str | None = None) -> Clock:
    values = np.ones((len(timestamps), 1))
    series = Series(timestamps, values, ("a",), ("a",), ("a",), values < 0, "test")
    return Clock(replace(series, reading=TimeReading(zone=zone)), numbered)


MONTHS = pd.date_range("1949-01-01", periods=144, freq="MS")
BUSINESS_DAYS = pd.date_range("1991-07-01", periods=100, freq="B")
HOURS = pd.date_range("2024-03-30", periods=100, freq="h")
BERLIN = pd.date_range("2024-03-30", periods=20, freq="h", tz="Europe/Berlin")  # the clocks change in between
NUMBERS = pd.Index(np.arange(0, 50, 5))
FRACTIONS = pd.Index(np.arange(10) * 0.25)


@pytest.mark.parametrize(
    ("timestamps", "expected"),
    [
        (MONTHS, ["1961-01-01", "1961-02-01", "1961-03-01"]),
        (BUSINESS_DAYS, ["1991-11-18", "1991-11-19", "1991-11-20"]),
        (BUSINESS_DAYS[:10], ["1991-07-15", "1991-07-16", "1991-07-17"]),  # over a weekend
        (HOURS, ["2024-04-03 04:00", "2024-04-03 05:00", "2024-04-03 06:00"]),
        (pd.date_range("2023-01-31", periods=12, freq="ME"), ["2024-01-31", "2024-02-29", "2024-03-31"]),
        (pd.date_range("2024-01-01", periods=9, freq="W-MON"), ["2024-03-04", "2024-03-11", "2024-03-18"]),
        (pd.date_range("2000-01-01", periods=5, freq="YS"), ["2005-01-01", "2006-01-01", "2007-01-01"]),
    ],
)
def test_dates_go_on_in_their_own_calendar(timestamps: pd.DatetimeIndex, expected: list[str]) -> None:
    """Forecasts of months are dated thirty days apart, or those of shares on a Sunday."""
    clock = make_clock(timestamps)
    assert list(clock.go_on(timestamps[-1], 3)) == [pd.Timestamp(text) for text in expected]


def test_numbers_go_on_in_their_own_steps() -> None:
    """Forecasts of a series without dates carry the wrong numbers."""
    assert make_clock(NUMBERS).go_on(45, 3).tolist() == [50, 55, 60]
    assert make_clock(FRACTIONS).go_on(2.25, 2).tolist() == [2.5, 2.75]
    assert make_clock(pd.RangeIndex(10), numbered=True).go_on(9, 2).tolist() == [10, 11]


def test_hours_go_on_over_a_change_of_the_clocks() -> None:
    """An hour is lost or doubled when summer begins."""
    dates = make_clock(BERLIN).go_on(BERLIN[-1], 10)
    assert (np.diff(dates.asi8) == np.diff(BERLIN.asi8)[0]).all()
    assert dates[0] - BERLIN[-1] == pd.Timedelta("1h")


def test_a_date_between_two_of_the_calendar_goes_on_with_the_next() -> None:
    """A lane that reports on Tuesdays loses a week, because the longest lane reports on Mondays."""
    clock = make_clock(pd.date_range("2024-01-01", periods=9, freq="W-MON"))
    assert list(clock.go_on(pd.Timestamp("2024-01-02"), 2)) == [pd.Timestamp("2024-01-08"), pd.Timestamp("2024-01-15")]


@pytest.mark.parametrize("timestamps", [pd.DatetimeIndex(["2024-01-01", "2024-01-02", "2024-01-17"]), NUMBERS[:2]])
def test_irregular_timestamps_go_on_by_their_number(timestamps: pd.Index) -> None:
    """Timestamps are invented where nobody can know them, or every gap of an irregular series is complained about."""
    clock = make_clock(timestamps)
    assert not clock.has_calendar
    assert list(clock.go_on(timestamps[-1], 2)) == ["+1", "+2"]
    assert clock.count_missing(0.0, 1e15) == 0


@pytest.mark.parametrize(
    ("timestamps", "last", "now", "missing"),
    [
        (MONTHS, "1960-12-01", "1961-01-01", 0),
        (MONTHS, "1960-12-01", "1961-04-01", 3),
        (MONTHS, "1960-12-01", "1960-12-15", 0),  # between two months: nothing is left out
        (BUSINESS_DAYS, "1991-07-05", "1991-07-08", 0),  # Friday, Monday
        (BUSINESS_DAYS, "1991-07-05", "1991-07-10", 2),
        (HOURS, "2024-03-30 00:00", "2024-03-30 03:00", 2),
        (HOURS, "2024-03-30 00:00", "2024-03-30 02:30", 2),
        (BERLIN, "2024-03-31T01:00+01:00", "2024-03-31T03:00+02:00", 0),
        (BERLIN, "2024-03-31T01:00+01:00", "2024-03-31T05:00+02:00", 2),
        (NUMBERS, "45", "50", 0),
        (NUMBERS, "45", "65", 3),
        (MONTHS, "1960-12-01", "9999-12-01", MOST_COUNTED + 1),
        (HOURS, "2024-03-30 00:00", "9999-12-01", MOST_COUNTED + 1),
        (BERLIN, "2024-03-31T01:00+01:00", "9999-12-01T00:00Z", MOST_COUNTED + 1),
        (NUMBERS, "45", "1e18", MOST_COUNTED + 1),
        (MONTHS, "9999-12-01", "9999-12-31", 0),  # no month comes after the first
        (MONTHS, "0000-01-01", "1961-01-01", MOST_COUNTED + 1),
    ],
)
def test_missing_rows_are_counted(timestamps: pd.Index, last: str, now: str, missing: int) -> None:
    """A gap is not told, a weekend is told as one, or one wild date stops the stream for minutes."""
    clock = make_clock(timestamps)
    assert clock.count_missing(clock.read(last), clock.read(now)) == missing


@given(
    st.datetimes(datetime(1700, 1, 1), datetime(2254, 1, 1)), st.integers(0, 10**15), st.sampled_from(["T", " ", "day"])
)
def test_a_later_text_is_a_larger_number(first: datetime, microseconds: int, separator: str) -> None:
    """Rows are late or repeated although they are not, because two ways to write a date are read differently."""
    clock = make_clock(MONTHS)
    second = min(first + timedelta(microseconds=microseconds), datetime(2255, 1, 1))
    if separator == "day":
        texts = [time.date().isoformat() for time in (first, second)]
        times = [pd.Timestamp(text) for text in texts]
    else:
        texts, times = [time.isoformat(separator) for time in (first, second)], list(map(pd.Timestamp, (first, second)))
    keys = [clock.read(text) for text in texts]
    assert (keys[0] < keys[1]) == (times[0] < times[1])
    assert keys == [clock.key_of(time) for time in times]


@pytest.mark.parametrize(
    ("timestamps", "text"),
    [
        (MONTHS, ""),
        (MONTHS, "NaT"),
        (MONTHS, "nan"),
        (MONTHS, "now"),
        (MONTHS, "today"),
        (MONTHS, "12"),
        (MONTHS, "1961-13-01"),
        (MONTHS, "1961-02-30"),
        (MONTHS, "01/02/1961"),
        (MONTHS, "January"),
        (MONTHS, "1961-01-01T00:00Z"),  # the dataset has no time zone
        (MONTHS, "٢٠٢٠-01-01"),
        (BERLIN, "2024-04-01 00:00"),  # the dataset has one
        (NUMBERS, "nan"),
        (NUMBERS, "inf"),
        (NUMBERS, "2024-01-01"),
        (NUMBERS, ""),
    ],
)
def test_what_is_no_timestamp_of_the_dataset_is_refused(timestamps: pd.Index, text: str) -> None:
    """A row is put at a time that it does not have."""
    with pytest.raises(ValueError, match="is no timestamp like those of the dataset"):
        make_clock(timestamps).read(text)


def test_one_moment_in_two_time_zones_is_the_same() -> None:
    """A sender in another time zone is late by hours."""
    clock = make_clock(BERLIN)
    assert (
        clock.read("2024-04-01T00:00+02:00")
        == clock.read("2024-03-31T22:00Z")
        == clock.key_of(pd.Timestamp("2024-04-01", tz="Europe/Berlin"))
    )


@pytest.mark.parametrize(
    ("zone", "start"),
    [
        ("Europe/Berlin", "2024-10-26T20:00Z"),
        ("America/New_York", "2024-11-03T02:00Z"),
        ("Europe/Dublin", "2024-10-26T21:00Z"),  # whose winter is called its summer
        ("Australia/Lord_Howe", "2024-04-06T12:00Z"),  # half an hour comes twice
        ("Europe/Moscow", "2014-10-25T20:00Z"),  # for the last time, without a summer
    ],
)
@pytest.mark.parametrize("minutes", [10, 30])
def test_local_times_in_order_are_the_moments_they_were(zone: str, start: str, minutes: int) -> None:
    """A stream reads local times of autumn otherwise than `run` does, or refuses an hour of them."""
    moments = pd.date_range(start, periods=8 * 60 // minutes, freq=f"{minutes}min").tz_convert(zone)
    clock, last = make_clock(moments, zone=zone), 0.0
    texts = [f"{moment:%Y-%m-%d %H:%M}" for moment in moments]
    assert len(set(texts)) < len(texts)
    for text, moment in zip(texts, moments, strict=True):
        last = clock.read(text, after=last)
        assert last == clock.key_of(moment)
    for text, moment in zip(texts, moments, strict=True):  # both are used up
        assert clock.key_of(moment) <= clock.read(text, after=last) <= last
        assert clock.read(f"{moment:%Y-%m-%dT%H:%M%z}", after=last) == clock.key_of(moment)


def test_what_was_read_is_forgotten_before_it_fills_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream that runs for months keeps every timestamp it saw."""
    monkeypatch.setattr("pipeline.serving.clock._REMEMBERED", 10)
    clock = make_clock(NUMBERS)
    for number in range(0, 500, 5):
        assert clock.read(str(number)) == number
        assert clock.count_missing(number, number + 10) == 1
    assert len(clock._keys) <= 12 and len(clock._expected) <= 12
    local = make_clock(BERLIN, zone="Europe/Berlin")
    for minute in range(50):
        local.read(f"2024-10-27 02:{minute:02d}", after=2e15)
    assert len(local._again) <= 12
