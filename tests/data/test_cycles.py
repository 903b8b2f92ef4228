"""dataset.calendar: sine and cosine of a timestamp's place in its cycles, made for each row from itself alone."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.base.errors import UserError
from pipeline.config.schema import Config, Cycle, DatasetConfig, Gaps, Missing, Source, Transform, hash_config
from pipeline.data.auto_transforms import resolve_transforms
from pipeline.data.cycles import calendar_names, calendar_values
from pipeline.data.notes import describe_data
from pipeline.data.prepare import prepare_data
from pipeline.data.series import Series
from pipeline.data.sources import load_series

HIDDEN = int(np.random.SeedSequence().generate_state(1)[0])
HALF = np.sqrt(0.5)
BY_HAND: dict[tuple[Cycle, str], tuple[float, float]] = {
    (Cycle.quarter, "2024-03-31"): (0, 1),
    (Cycle.quarter, "2024-10-01"): (-1, 0),
    (Cycle.month, "2024-01-31"): (0, 1),
    (Cycle.month, "2024-04-01"): (1, 0),
    (Cycle.month, "2024-07-15"): (0, -1),
    (Cycle.month, "2024-12-01"): (-0.5, np.sqrt(0.75)),
    (Cycle.day_of_year, "2023-01-01"): (0, 1),
    (Cycle.day_of_year, "2024-07-02"): (0, -1),  # day 184 of 366: 183 have passed
    (Cycle.day_of_month, "2024-04-16"): (0, -1),  # 15 of 30 have passed
    (Cycle.day_of_month, "2023-02-08"): (1, 0),  # 7 of 28
    (Cycle.day_of_week, "2024-01-01"): (0, 1),  # a Monday
    (Cycle.day_of_week, "2024-01-07"): (np.sin(12 * np.pi / 7), np.cos(12 * np.pi / 7)),
    (Cycle.hour, "2024-01-01 06:00"): (1, 0),
    (Cycle.hour, "2024-01-01 13:30"): (np.sin(2 * np.pi * 13.5 / 24), np.cos(2 * np.pi * 13.5 / 24)),
    (Cycle.hour, "2024-01-01 21:00"): (-HALF, HALF),
}


def load(frame: pd.DataFrame, **dataset: Any) -> tuple[Config, Series]:
    given = {"name": "test", "source": Source.frame, "time_column": "day", "features": ["a"], "targets": ["a"]}
    config = Config(dataset=DatasetConfig(**given | dataset))
    return config, load_series(config.dataset, data=frame)


def daily(count: int = 120, freq: str = "D", begin: str = "2024-01-01") -> pd.DataFrame:
    times = pd.date_range(begin, periods=count, freq=freq)
    return pd.DataFrame({"day": times, "a": np.random.default_rng(1).normal(size=count)})


@pytest.mark.parametrize(("cycle", "time"), BY_HAND)
def test_values_computed_by_hand(cycle: Cycle, time: str) -> None:
    """Breaks the inputs: a date stands at the place of another one, or December far from January."""
    found = calendar_values(pd.DatetimeIndex([time]), [cycle])
    np.testing.assert_allclose(found, [BY_HAND[cycle, time]], atol=1e-12)
    assert calendar_names([cycle]) == (f"{cycle.value}_sin", f"{cycle.value}_cos")


def test_the_clock_on_the_wall_counts() -> None:
    """Breaks local hours: noon in Berlin would be ten or eleven o'clock, and jump twice a year."""
    noon = pd.DatetimeIndex(["2024-01-15 12:00", "2024-07-15 12:00"]).tz_localize("Europe/Berlin")
    np.testing.assert_allclose(calendar_values(noon, [Cycle.hour]), [[0, -1], [0, -1]], atol=1e-12)


HOLIDAYS = {
    ("holiday:DE", "2024-10-03"): 1,
    ("holiday:DE", "2024-10-04"): 0,
    ("holiday:DE", "2024-04-01"): 1,  # Easter Monday moves
    ("holiday:DE", "2023-04-10"): 1,
    ("holiday:DE", "2024-05-30"): 0,
    ("holiday:DE-BY", "2024-05-30"): 1,  # Corpus Christi
    ("holiday:DE-BY", "2024-10-03"): 1,
    ("holiday:US", "2021-12-31"): 1,  # stands in for New Year's Day, a Saturday
    ("holiday:US", "2023-01-02"): 1,
    ("holiday:US", "2024-07-04 23:59"): 1,
}


def test_public_holidays_computed_by_hand() -> None:
    """Breaks the inputs: a holiday is missed, another country's is taken, or that of a year is for every year."""
    for (entry, time), expected in HOLIDAYS.items():
        np.testing.assert_array_equal(calendar_values(pd.DatetimeIndex([time]), [entry]), [[expected]])
    assert calendar_values(pd.DatetimeIndex([]), ["holiday:DE"]).shape == (0, 1)


def test_a_holiday_begins_at_midnight_of_its_clock() -> None:
    """Breaks hourly rows: the first and the last hours of a holiday would belong to another day."""
    times = pd.date_range("2024-10-02 20:00", periods=30, freq="h", tz="UTC").tz_convert("Europe/Berlin")
    found = calendar_values(times, ["holiday:DE"])[:, 0]
    np.testing.assert_array_equal(found, times.strftime("%m-%d") == "10-03")
    assert found.sum() == 24


@pytest.mark.parametrize(
    ("frame", "entry", "complaint"),
    [
        ({"freq": "W"}, "holiday:DE", "holiday:DE says whether a day is a public holiday, .* 7 days apart; leave holi"),
        (
            {"begin": "1989-12-01"},
            "holiday:DE",
            "holiday:DE are known from 1991 to 2100, but .* from 1989 to 1990; lea",
        ),
        ({"begin": "2024-06-01"}, "holiday:DE", "holiday:DE is the same in every row of the training part; leave hol"),
    ],
)
def test_holidays_that_say_nothing_or_are_not_known_are_refused(
    frame: dict[str, str], entry: str, complaint: str
) -> None:
    """Breaks silently: days of which nobody knows whether they were holidays would be working days."""
    config, series = load(daily(**frame), calendar=[entry])
    with pytest.raises(UserError, match=complaint):
        prepare_data(config, series)


@pytest.mark.parametrize("as_text", [True, False])
def test_a_few_rows_have_the_calendar_of_the_whole_table(as_text: bool) -> None:
    """Breaks forecasts of new rows: their offset, read alone, is another clock than that of the training table."""
    times = pd.date_range("2024-03-28", periods=120, freq="h", tz="Europe/Berlin")  # the offset changes on the 31st
    frame = pd.DataFrame({"day": [time.isoformat() for time in times] if as_text else times, "a": np.arange(120.0)})
    with pytest.raises(UserError, match=r"needs the clock that counts, .*set dataset\.time_zone, e\.g\. Europe/Berlin"):
        load(frame, calendar=[Cycle.hour])
    zoned = {"calendar": [Cycle.hour], "time_zone": "Europe/Berlin"}
    (config, whole), (_, few) = load(frame, **zoned), load(frame.tail(24), **zoned)
    np.testing.assert_array_equal(few.values, whole.values[-24:])
    np.testing.assert_allclose(few.values[:, 1:], calendar_values(times[-24:], [Cycle.hour]))
    abroad, other = load(frame, **zoned | {"time_zone": "UTC"})
    assert (other.values != whole.values).any() and other.digest() == whole.digest()
    assert hash_config(abroad, other.digest()) != hash_config(config, whole.digest())  # resume=true reads another run


def test_the_columns_are_inputs_and_nothing_else() -> None:
    """Breaks training: a calendar would be forecast, differenced, squeezed by the scaler, or left out."""
    cycles = [Cycle.month, Cycle.day_of_week]
    transforms = [Transform.difference]
    config, series = load(daily(), calendar=cycles, transforms=transforms)
    data = prepare_data(config, series)
    names = ("month_sin", "month_cos", "day_of_week_sin", "day_of_week_cos")
    assert (series.features, series.targets) == (("a", *names), ("a",))
    assert isinstance(series.timestamps, pd.DatetimeIndex)
    expected = calendar_values(series.timestamps, cycles).astype(np.float32)
    starts = data.windows.starts
    sample = data.windows.gather_inputs(starts)  # (windows, 3, 5)
    np.testing.assert_array_equal(sample[:, :, 1:], expected[data.windows.spec.past_rows(starts)[..., 0]])
    assert not [note for note in describe_data(config, data) if "_sin" in note or "_cos" in note]


def test_a_row_knows_its_own_timestamp_only() -> None:
    """Breaks honesty: what comes later, values or dates, would change the calendar of a row."""
    frame = daily()
    changed = frame.copy()
    changed.loc[60:, "day"] += pd.Timedelta(days=11)
    changed.loc[60:, "a"] = np.random.default_rng(HIDDEN).normal(size=60)
    one, other = (load(each, calendar=[Cycle.day_of_week, Cycle.day_of_month])[1] for each in (frame, changed))
    np.testing.assert_array_equal(one.values[:60, 1:], other.values[:60, 1:])
    assert (one.values[60:, 1:] != other.values[60:, 1:]).any()


def test_rows_that_were_put_in_have_a_calendar() -> None:
    """Breaks gaps: a row that the file has not would have no day."""
    frame = daily().drop(index=[20, 21])
    _, series = load(frame, calendar=[Cycle.day_of_week], gaps=Gaps.fill, missing=Missing.forward_fill)
    assert isinstance(series.timestamps, pd.DatetimeIndex) and len(series) == 120
    np.testing.assert_array_equal(series.values[:, 1:], calendar_values(series.timestamps, [Cycle.day_of_week]))


def test_runs_with_and_without_are_of_the_same_data() -> None:
    """Breaks compare and resume: a calendar makes other data, or is the same configuration."""
    bare, plain = load(daily())
    config, series = load(daily(), calendar=[Cycle.day_of_week])
    assert series.digest() == plain.digest()
    assert hash_config(config, series.digest()) != hash_config(bare, plain.digest())


def test_a_calendar_does_not_forbid_the_logarithm() -> None:
    """Breaks transforms=auto: a sine is below zero half of the time."""
    frame = daily(300)
    frame["a"] = np.exp(0.02 * np.arange(300) + 0.1 * frame["a"])
    config, series = load(frame, calendar=[Cycle.day_of_week], transforms=[Transform.auto])
    config, _ = resolve_transforms(config, series)
    assert config.dataset.transforms == [Transform.log, Transform.difference]
    prepare_data(config, series)


@pytest.mark.parametrize(
    ("freq", "cycle", "complaint"),
    [
        ("D", Cycle.hour, "hour says where in the day a row lies, but its rows lie 1 day apart; leave hour out"),
        ("W", Cycle.day_of_week, "in the week a row lies, but its rows lie 7 days apart"),
        ("MS", Cycle.day_of_month, "in the month a row lies, but its rows lie 31 days apart"),
        ("YS", Cycle.month, "in the year a row lies, but its rows lie 365 days apart"),
        ("min", Cycle.day_of_week, "day_of_week is the same in every row of the training part; leave day_of_week out"),
    ],
)
def test_a_cycle_that_says_nothing_is_refused(freq: str, cycle: Cycle, complaint: str) -> None:
    """Breaks silently: the network has two inputs that never change, or whose changes are noise."""
    config, series = load(daily(freq=freq), calendar=[cycle])
    with pytest.raises(UserError, match=complaint):
        prepare_data(config, series)


def test_two_hours_of_the_day_are_enough() -> None:
    """Breaks half days: the sine of 0 and 12 o'clock is zero, but their cosine is not."""
    config, series = load(daily(freq="12h"), calendar=[Cycle.hour])
    data = prepare_data(config, series)
    assert np.unique(data.windows.inputs[:, 2]).tolist() == [-1, 1]


def test_without_dates_there_is_no_calendar() -> None:
    """Breaks with a traceback, or reads step numbers as dates of 1970."""
    frame = daily().assign(day=np.arange(120))
    with pytest.raises(UserError, match=r"needs a time column with dates, but 'day' holds numbers; .*calendar=\[\]"):
        load(frame, calendar=[Cycle.month])
    with pytest.raises(UserError, match="needs a time column with dates, but there is none"):
        load(frame, calendar=[Cycle.month], time_column=None)


def test_a_column_of_the_same_name_is_refused() -> None:
    """Breaks silently: two inputs of one name, one of which is read for the other."""
    frame = daily().assign(month_sin=0.5)
    with pytest.raises(UserError, match=r"has a column month_sin, as dataset\.calendar names one of its own"):
        load(frame, calendar=[Cycle.month], features=["a", "month_sin"])
