"""Calendars are found although timestamps are missing, and gaps are told, refused or filled."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.base.errors import UserError
from pipeline.config.schema import Config, DatasetConfig, Gaps, Missing, ShortLanes, Source
from pipeline.data.calendar import find_calendar
from pipeline.data.gaps import treat_gaps
from pipeline.data.short_lanes import leave_out_short

STEPS = [
    *("250ms", "90s", "15min", "h", "6h", "D", "2D", "B", "2B", "W-WED", "2W-SUN", "MS", "ME", "BMS", "BME", "2MS"),
    *("QS-FEB", "QS-OCT", "QE-DEC", "BQS-MAR", "BQE-NOV", "6ME", "YS-APR", "YE-DEC", "YE-JUN", "BYE-DEC", "2YS"),
    *("WOM-3FRI", pd.DateOffset(months=1, day=15)),
]


def months(count: int, *absent: int) -> tuple[pd.Index, np.ndarray, np.ndarray]:
    """A lane without some of its months: timestamps, values, rows of the file."""
    times = pd.date_range("1949-01-01", periods=count, freq="MS").delete(list(absent))
    return times, np.arange(float(len(times)))[:, None], np.arange(len(times))


@given(
    step=st.sampled_from(STEPS),
    zone=st.sampled_from([None, "UTC", "Europe/Berlin"]),
    absent=st.sets(st.integers(3, 56), max_size=12),
)
@settings(deadline=None, max_examples=60)
def test_a_calendar_is_found_with_rows_left_out(step: str | pd.DateOffset, zone: str | None, absent: set[int]) -> None:
    """A daily file with days left out is called irregular: nothing is told, and it cannot be forecast."""
    every = pd.date_range("2021-02-01 12:00", periods=60, freq=step, tz=zone)
    found = find_calendar(every.delete(sorted(absent)))
    assert found is not None
    assert found.missing.tolist() == every[sorted(absent)].tolist()
    following = pd.date_range(every[-1], periods=6, freq=found.step)
    assert following.tolist() == pd.date_range(every[-1], periods=6, freq=step).tolist()


@pytest.mark.parametrize("unit", ["ns", "us"])
def test_an_event_log_has_no_calendar_and_costs_nothing(unit: str) -> None:
    """Irregular times with microseconds end in a MemoryError: every microsecond of a day is written out."""
    apart = np.random.default_rng(0).integers(10**6, 10**10, 500)
    times = pd.DatetimeIndex(pd.Timestamp("2024-01-01").as_unit("ns").value + np.cumsum(apart))
    assert find_calendar(times.floor(unit).as_unit(unit)) is None


def test_weekdays_without_holidays_are_business_days() -> None:
    """Prices of a stock exchange are called days with weekends missing, or cannot be forecast."""
    days = pd.bdate_range("2024-01-01", "2024-12-31").drop(pd.DatetimeIndex(["2024-03-29", "2024-12-25"]))
    found = find_calendar(days)
    assert found is not None and found.word() == "business days"
    assert [str(each.date()) for each in found.missing] == ["2024-03-29", "2024-12-25"]


def test_hours_and_days_over_the_change_of_the_clock() -> None:
    """Where the clock is changed an hour is missing or a day has 23, and a regular file is called irregular."""
    for step in ("h", "D"):
        times = pd.date_range("2024-03-25", periods=60, freq=step, tz="Europe/Berlin").delete([20, 30])
        found = find_calendar(times)
        assert found is not None and len(found.missing) == 2


@pytest.mark.parametrize("times", [pd.DatetimeIndex(["2020-01-01", "2020-01-03"]), pd.Index([1.0, 2.0, 3.7, 11.0])])
def test_where_no_rule_fits_there_is_no_calendar(times: pd.Index) -> None:
    """Gaps are counted in timestamps that follow no rule."""
    assert find_calendar(times) is None


def test_numbers_with_gaps() -> None:
    """Step numbers with holes are called irregular."""
    found = find_calendar(pd.Index([10, 20, 30, 60, 70]))
    assert found is not None and (found.step, found.missing.tolist()) == (10, [40, 50])


def test_numbers_are_exact_however_large() -> None:
    """Numbers beyond 2 ** 53 are rounded and called irregular, or tenths go on as 10.0, 10.09999."""
    large = find_calendar(pd.Index([10**18 + place for place in (0, 1, 2, 4, 5)]))
    assert large is not None and (large.step, large.missing.tolist()) == (1, [10**18 + 3])
    tenths = find_calendar(pd.Index(np.delete(np.arange(100) * 0.1, 5)))
    assert tenths is not None and tenths.step == 0.1 and tenths.missing.tolist() == [0.5]
    assert find_calendar(pd.Index([-1e308, 0.0, 1e308])) is None


def test_gaps_are_told_with_count_and_first_place() -> None:
    """Windows reach over 40 missing days, and nobody is told."""
    lane = months(60, 5, 6, 20)
    ((times, values, _),), told = treat_gaps([lane], ["f.csv"], DatasetConfig())
    assert times is lane[0] and values is lane[1]
    (sentence,) = told
    assert sentence.startswith("f.csv: 3 of 60 months are missing, the first is 1949-06-01")
    assert treat_gaps([months(60)], ["f.csv"], DatasetConfig(gaps=Gaps.error))[1] == []


def test_gaps_are_refused_on_demand() -> None:
    """A person who wants no gap gets one."""
    with pytest.raises(
        UserError, match=r"lane 'b': 1 of 30 months .*1949-04-01.*\(3 in all lanes\).*gaps=keep or fill"
    ):
        treat_gaps(
            [months(30), months(30, 3), months(30, 3, 4)], ["a", "lane 'b'", "c"], DatasetConfig(gaps=Gaps.error)
        )
    with pytest.raises(UserError, match=r"gaps=fill needs dataset\.missing=forward_fill or interpolate"):
        treat_gaps([months(30, 3)], ["a"], DatasetConfig(gaps=Gaps.fill))


@pytest.mark.parametrize("gaps", [Gaps.error, Gaps.fill])
def test_gaps_of_no_calendar_cannot_be_counted(gaps: Gaps) -> None:
    """A person who refuses gaps, or has them filled, trains on times that nobody could check."""
    times = pd.DatetimeIndex(["2024-01-01", "2024-01-02", "2024-01-17"])
    lane = (times, np.zeros((3, 1)), np.arange(3))
    with pytest.raises(UserError, match=rf"b: the timestamps follow no calendar.*gaps={gaps.value} cannot.*gaps=keep"):
        treat_gaps([lane], ["b"], DatasetConfig(gaps=gaps, missing=Missing.forward_fill))
    assert len(treat_gaps([lane], ["b"], DatasetConfig())[1]) == 1


def _two_pieces(step: str) -> pd.DatetimeIndex:
    """Twice 30 regular timestamps, with room for 100 between them."""
    every = pd.date_range("2020-01-06", periods=160, freq=step)
    return every[:30].append(every[130:])


@pytest.mark.parametrize(
    ("step", "word"), [("h", "hours"), ("D", "days"), ("B", "business days"), ("MS", "months"), ("QE", "quarters")]
)
def test_where_more_than_half_is_missing_it_is_told(step: str, word: str) -> None:
    """Years are missing from a daily file, the rows on both sides are read as neighbours, and nobody is told."""
    times = _two_pieces(step)
    lane = (times, np.arange(60.0)[:, None], np.arange(60))
    (sentence,) = treat_gaps([lane], ["f.csv"], DatasetConfig())[1]
    gap = pd.date_range(times[29], times[30], freq=step)[1]
    assert sentence == (
        f"f.csv: 100 of 160 {word} are missing, between only 60 rows, the first is {gap}; dataset.gaps=keep reads over "
        "them, dataset.gaps=fill inserts them, dataset.gaps=error refuses them, or leave out the rows on one side of a "
        "long gap"
    )
    with pytest.raises(UserError, match=rf"100 of 160 {word} are missing"):
        treat_gaps([lane], ["f.csv"], DatasetConfig(gaps=Gaps.error))
    fill = DatasetConfig(gaps=Gaps.fill, missing=Missing.forward_fill)
    ((filled, values, _),), (told,) = treat_gaps([lane], ["f.csv"], fill)
    assert filled.equals(pd.date_range("2020-01-06", periods=160, freq=step)) and np.isnan(values).sum() == 100
    assert told.endswith("inserted (dataset.gaps=fill)")
    assert find_calendar(times) is None  # a forecast cannot rely on it


def test_numbers_of_which_more_than_half_are_missing_are_told() -> None:
    """Step numbers jump, and nobody is told."""
    times = pd.Index([*range(0, 100, 10), *range(1000, 1100, 10)])
    (sentence,) = treat_gaps([(times, np.zeros((20, 1)), np.arange(20))], ["f.csv"], DatasetConfig())[1]
    assert sentence.startswith("f.csv: 90 of 110 steps are missing, between only 20 rows, the first is 100; ")


@pytest.mark.parametrize(
    ("times", "told"),
    [
        (
            pd.DatetimeIndex(["2024-01-01", "2024-01-02", "2024-01-17", "2024-01-20 12:00"]),
            "4 rows are irregular and taken as equally spaced steps; they are 1 days to 15 days apart, usually about 3 "
            "days 12:00:00, and farthest after 2024-01-02 00:00:00",
        ),
        (pd.Index([1.0, 2.0, 3.7, 11.0]), "they are 1 to 7.3 apart, usually about 1.7, and farthest after 3.7"),
        (pd.DatetimeIndex(pd.Timestamp("2024-01-01").value + np.cumsum(np.geomspace(1e6, 1e13, 50)).astype(int)), "ir"),
    ],
)
def test_irregular_timestamps_are_told_once(times: pd.Index, told: str) -> None:
    """An event log is trained on as if its rows were equally spaced, and nobody is told; or each lane tells it."""
    lane = (times, np.zeros((len(times), 1)), np.arange(len(times)))
    (sentence,) = treat_gaps([lane], ["f.csv"], DatasetConfig())[1]
    assert sentence.startswith("f.csv: the timestamps of ") and told in sentence
    (sentence,) = treat_gaps([months(9), lane, lane], ["a", "b", "c"], DatasetConfig())[1]
    assert sentence.startswith("b: the timestamps of ") and sentence.endswith(" (2 such lanes)")


@pytest.mark.parametrize(
    "times",
    [
        pd.date_range("2024-01-01", periods=50, freq="10s")
        + pd.to_timedelta(np.random.default_rng(0).integers(-900, 900, 50), unit="ms"),
        pd.DatetimeIndex(["2024-01-31", "2024-02-29", "2024-03-28", "2024-04-30", "2024-05-31", "2024-06-28"]),
        pd.DatetimeIndex(["2024-01-31", "2025-02-28"]),
        pd.Index([-1e308, 0.0, 1e308]),
    ],
)
def test_no_alarm_where_no_row_is_missing(times: pd.Index) -> None:
    """A clock that wavers, or last trading days of a month, are told as a defect of the file in every run."""
    assert treat_gaps([(times, np.zeros((len(times), 1)), np.arange(len(times)))], ["f"], DatasetConfig())[1] == []


def test_filled_gaps_are_empty_rows_in_their_places() -> None:
    """An inserted row has a value, stands in the wrong place, or an error about it names a row that is not there."""
    dataset = DatasetConfig(gaps=Gaps.fill, missing=Missing.forward_fill)
    ((times, values, rows),), _ = treat_gaps([months(12, 3, 7)], ["f.csv"], dataset)
    assert times.equals(months(12)[0].rename(times.name))
    assert np.flatnonzero(np.isnan(values[:, 0])).tolist() == [3, 7]
    assert rows.tolist() == [0, 1, 2, 2, 3, 4, 5, 5, 6, 7, 8, 9]


def test_short_lanes_are_left_out_by_name(make_panel) -> None:
    """One short stock refuses the whole panel, or vanishes without a word."""
    series = make_panel([np.arange(60.0), np.arange(4.0), np.arange(60.0)])
    dataset = DatasetConfig(source=Source.sine, lane_column="stock", short_lanes=ShortLanes.leave_out)
    kept = leave_out_short(Config(look_back=6, dataset=dataset), series)
    assert kept.series_ids == ("lane0", "lane2") and kept.series_ends == (60, 120)
    assert kept.notes[-1].startswith("1 of 3 lanes have fewer than 7 training steps and are left out: lane1")
    assert kept.short_lanes == ("lane1",)
    assert leave_out_short(Config(look_back=6, dataset=dataset), kept) is kept


def test_leaving_out_a_lane_moves_the_split_once(make_panel) -> None:
    """A lane that ended last moves the split of the others, so that serving leaves out lanes which were trained on."""
    series = make_panel([np.arange(20.0), np.arange(60.0), np.arange(60.0)], starts=[68, 8, 0])
    dataset = DatasetConfig(source=Source.sine, lane_column="stock", short_lanes=ShortLanes.leave_out)
    for look_back in range(2, 40):
        config = Config(look_back=look_back, dataset=dataset)
        kept = leave_out_short(config, series)
        assert leave_out_short(config, kept) is kept


@pytest.mark.parametrize(
    ("lengths", "told"),
    [
        ([60, 1, 60], None),
        ([60, 4, 60], "; a shorter look_back would keep it, so runs with another look_back may be scored on other"),
        ([60, 1, 4], "; a shorter look_back would keep 1 of them, so runs with another look_back may be scored on"),
    ],
)
def test_other_lanes_under_another_look_back_are_told_beforehand(
    make_panel, lengths: list[int], told: str | None
) -> None:
    """A sweep over look_back trains for hours, and compare then refuses its runs: they were scored on other lanes."""
    series = make_panel([np.arange(float(length)) for length in lengths])
    dataset = DatasetConfig(source=Source.sine, lane_column="stock", short_lanes=ShortLanes.leave_out)
    note = leave_out_short(Config(look_back=6, dataset=dataset), series).notes[-1]
    assert "left out: lane1" in note
    assert ("look_back" not in note) if told is None else (told in note)
    kept = [leave_out_short(Config(look_back=each, dataset=dataset), series).series_ids for each in (1, 6)]
    assert (kept[0] == kept[1]) == (told is None)
