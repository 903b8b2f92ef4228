"""The regular calendar that timestamps follow, also when some are missing: ticks, business days, month ends, numbers.

given     Mon 1   Tue 2           Thu 4   Fri 5   Mon 8    every day a weekday, one weekday missing
calendar  B       B       B       B       B       B        business days; the Wednesday is missing
"""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from pandas.tseries.frequencies import to_offset

_LEAST_KNOWN = 0.5  # of the calendar's dates: with fewer, it is not the calendar of these timestamps
_MOST_WRITTEN = 20  # dates of a sparse calendar for each one given
_WORDS = {"B": "business days", "D": "days", "h": "hours", "min": "minutes", "s": "seconds", "W": "weeks"}
_WORDS |= {"MS": "months", "ME": "months", "BMS": "months", "BME": "months"}
_WORDS |= {"QS": "quarters", "QE": "quarters", "BQS": "quarters", "BQE": "quarters"}
_WORDS |= {"YS": "years", "YE": "years", "BYS": "years", "BYE": "years"}


@dataclass(frozen=True)
class Calendar:
    """A rule for the next timestamp.

    Attributes:
        step: A pandas offset for dates, a number for numbers.
        missing: The timestamps of the rule, from the first to the last one given, that were not given.
    """

    step: Any
    missing: pd.Index

    def word(self) -> str:
        """Name what is counted: `days`, `business days`, `months`, or `steps` of a calendar without a word."""
        if type(self.step) is pd.DateOffset:  # the same day of every month
            return "months" if self.step.kwds == {"months": 1} else "steps"
        name = getattr(self.step, "rule_code", "")
        many = getattr(self.step, "n", 1) != 1
        return "steps" if many else _WORDS.get(str(name).split("-")[0], "steps")


def find_calendar(times: pd.Index, sparse: bool = False) -> Calendar | None:
    """Return the calendar of ascending timestamps; None for fewer than three, or where no rule fits.

    Of several rules that hold all timestamps, the one with the fewest missing; at least half must be there.

    Args:
        times: Dates or numbers.
        sparse: Also take a calendar of which more than half is missing, if most neighbours are one step apart: years
            without a row between two regular pieces, or the nights between the minutes of a stock exchange.
    """
    if len(times) < 3:
        return None
    if not isinstance(times, pd.DatetimeIndex):
        return _find_numbers(times, sparse)
    with warnings.catch_warnings():  # pandas 4 will give the offset itself, pandas 3 warns of it
        warnings.simplefilter("ignore", DeprecationWarning)
        found = pd.infer_freq(times)
    if found is not None:
        # pandas finds the third Friday of a month also where some are missing
        missing = _missing(times, to_offset(found), sparse)
        return Calendar(to_offset(found), times[:0] if missing is None else missing)
    best: Calendar | None = None
    for step in (*_ticks(times, sparse), *_business_days(times, sparse), *_months(times, sparse)):
        missing = _missing(times, step, sparse)
        if missing is not None and (best is None or len(missing) < len(best.missing)):
            best = Calendar(step, missing)
    return best


def next_times(last: Any, step: Any, count: int) -> pd.Index:
    """Return the timestamps that come after a last one.

    Args:
        last: A date or a number.
        step: Of a `Calendar`.
        count: How many.
    """
    if isinstance(last, pd.Timestamp):
        dates = pd.date_range(last, periods=count + 1, freq=step)
        return dates[dates > last][:count]  # a last one between two dates is not among them
    return pd.Index(last + step * np.arange(1, count + 1))


def write_step(step: Any) -> str:
    """Return a step of dates as a text: `B`, `15min`, `3 months`.

    Example:
        >>> write_step(pd.DateOffset(months=3)), write_step(read_step("W-SUN"))
        ('3 months', 'W-SUN')
    """
    return f"{step.kwds['months']} months" if type(step) is pd.DateOffset else str(step.freqstr)


def read_step(text: str) -> Any:
    """Read what `write_step` wrote."""
    months = text.removesuffix(" months")
    return to_offset(text) if months == text else pd.DateOffset(months=int(months))


def _ticks(times: pd.DatetimeIndex, sparse: bool) -> list[Any]:
    """Return the largest step that divides every distance, as local days where the clock is changed in between."""
    steps = []
    for each in (times,) if times.tz is None else (times, _wall(times)):
        unit = _common_step(each.asi8, sparse)
        if unit:
            span = pd.Timedelta(unit, unit=each.unit)
            days = span // pd.Timedelta(days=1)
            whole = days > 0 and span == days * pd.Timedelta(days=1)
            week = to_offset(f"W-{each[0].strftime('%a').upper()}") if days == 7 else None
            steps.append(week if whole and week is not None else pd.offsets.Day(days) if whole else to_offset(span))
    return steps


def _business_days(times: pd.DatetimeIndex, sparse: bool) -> list[Any]:
    wall = _wall(times)
    if (wall.day_of_week > 4).any():
        return []
    dates = wall.to_numpy().astype("datetime64[D]")
    unit = _common_step(np.busday_count(dates[0], dates), sparse)
    return [pd.offsets.BusinessDay(unit)] if unit else []


def _months(times: pd.DatetimeIndex, sparse: bool) -> list[Any]:
    """Return steps of whole months between first, last or equal days of the month; 3 are quarters, 12 are years."""
    wall = _wall(times)
    unit, first = _common_step((wall.year * 12 + wall.month).to_numpy(), sparse), wall[0]
    if not unit:
        return []
    same_day = [pd.DateOffset(months=unit)] if 1 < first.day <= 28 else []
    name = first.strftime("%b").upper()
    count, suffix = (unit // 12, f"-{name}") if unit % 12 == 0 else (unit, "")
    rules = ("YS", "YE", "BYS", "BYE") if suffix else ("MS", "ME", "BMS", "BME")
    if unit == 3:
        count, suffix, rules = 1, f"-{name}", ("QS", "QE", "BQS", "BQE")
    return [*(to_offset(f"{count}{rule}{suffix}") for rule in rules), *same_day]


def _wall(times: pd.DatetimeIndex) -> pd.DatetimeIndex:
    """Return the times that clocks on the wall show."""
    return times if times.tz is None else times.tz_localize(None)


def _common_step(places: np.ndarray, sparse: bool) -> int:
    """Return the largest step that divides every distance; 0 if too few of its places are taken, or not ascending.

    This comes before any calendar is written out: that of microseconds over a year would not fit into memory.
    """
    apart = np.diff(places.astype(np.int64))
    if not len(apart) or (apart <= 0).any():
        return 0
    unit = int(np.gcd.reduce(apart))
    return unit if _is_known((places - places[0]) // unit, sparse) else 0


def _is_known(places: np.ndarray, sparse: bool) -> bool:
    """Return whether enough of a calendar is there, by the ascending places of timestamps in it, the first one 0."""
    dates = int(places[-1]) + 1
    if dates * _LEAST_KNOWN <= len(places):
        return True
    return sparse and dates <= _MOST_WRITTEN * len(places) and bool(np.mean(np.diff(places) == 1) > _LEAST_KNOWN)


def _missing(times: pd.DatetimeIndex, step: Any, sparse: bool) -> pd.DatetimeIndex | None:
    """Return the dates of a calendar that were not given; None if it is not the calendar of these timestamps."""
    if not step.is_on_offset(times[0]) or not step.is_on_offset(times[-1]):
        return None
    every = pd.date_range(times[0], times[-1], freq=step)
    places = every.get_indexer(times)
    if (places < 0).any() or not _is_known(places, sparse):
        return None
    return every[~every.isin(times)]


def _find_numbers(times: pd.Index, sparse: bool) -> Calendar | None:
    given = times.to_numpy()
    with np.errstate(over="ignore", invalid="ignore"):  # a distance beyond the largest number is no step
        away = (given - given[0]).astype(float)  # whole numbers are exact, also beyond 2 ** 53
        step = float(np.diff(away).min())
    if not (step > 0 and np.isfinite(away).all()) or away[-1] / step > _MOST_WRITTEN * len(times):
        return None
    places = np.round(away / step)
    if not np.allclose(away / step, places, rtol=1e-6, atol=1e-5) or not _is_known(places, sparse):
        return None
    absent = np.setdiff1d(np.arange(places[-1] + 1), places)
    if pd.api.types.is_integer_dtype(times.dtype):
        whole = int(step)
        return Calendar(whole, pd.Index(given[0] + absent.astype(np.int64) * whole, dtype=times.dtype, name=times.name))
    step = float(away[-1] / places[-1])  # of all distances: one alone is as inexact as the last digit of 9.9
    missing = pd.Index(given[0] + absent * step, name=times.name)
    return Calendar(int(step) if step.is_integer() else step, missing)
