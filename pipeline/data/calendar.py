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
_MOST_DATES = 20_000_000  # a calendar with more, for example of seconds over years, is not written out
_OFFSETS = (
    *("YS-JAN", "YE-DEC", "QS-JAN", "QS-FEB", "QS-MAR", "QE-OCT", "QE-NOV", "QE-DEC"),
    *("MS", "ME", "BMS", "BME", "BQE-DEC", "B"),
)
_WORDS = {"B": "business days", "D": "days", "h": "hours", "min": "minutes", "s": "seconds", "W": "weeks"}
_WORDS |= {"MS": "months", "ME": "months", "BMS": "months", "BME": "months", "YS": "years", "YE": "years"}
_WORDS |= {"QS": "quarters", "QE": "quarters", "BQE": "quarters"}


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
        name = getattr(self.step, "rule_code", "")
        many = getattr(self.step, "n", 1) != 1
        return "steps" if many else _WORDS.get(str(name).split("-")[0], "steps")


def find_calendar(times: pd.Index) -> Calendar | None:
    """Return the calendar of ascending timestamps; None for fewer than three, or where no rule fits.

    Of several rules that hold all timestamps, the one with the fewest missing; at least half must be there.
    """
    if len(times) < 3:
        return None
    if not isinstance(times, pd.DatetimeIndex):
        return _find_numbers(times)
    with warnings.catch_warnings():  # pandas 4 will give the offset itself, pandas 3 warns of it
        warnings.simplefilter("ignore", DeprecationWarning)
        found = pd.infer_freq(times)
    if found is not None:
        return Calendar(to_offset(found), times[:0])
    best: Calendar | None = None
    for step in (*_tick(times), *map(to_offset, _OFFSETS)):
        missing = _missing(times, step)
        if missing is not None and (best is None or len(missing) < len(best.missing)):
            best = Calendar(step, missing)
    return best


def _tick(times: pd.DatetimeIndex) -> list[Any]:
    """Return the largest step that divides every distance, as local days where the clock is changed in between."""
    wall = times if times.tz is None else times.tz_localize(None)
    steps = []
    for each in (times, wall):
        apart = np.diff(each.asi8)
        unit = int(np.gcd.reduce(apart)) if len(apart) and (apart > 0).all() else 0
        if unit:
            span = pd.Timedelta(unit, unit=each.unit)
            days = span // pd.Timedelta(days=1)
            whole = days > 0 and span == days * pd.Timedelta(days=1)
            weekday = each[0].strftime("%a").upper()
            week = days == 7
            steps.append(to_offset(f"W-{weekday}") if week else pd.offsets.Day(days) if whole else to_offset(span))
    return steps


def _missing(times: pd.DatetimeIndex, step: Any) -> pd.DatetimeIndex | None:
    """Return the dates of a calendar that were not given; None if it is not the calendar of these timestamps."""
    shortest = np.diff(times.asi8).min() if isinstance(step, pd.tseries.offsets.Tick) else None
    if shortest is not None and (times.asi8[-1] - times.asi8[0]) // max(int(shortest), 1) > _MOST_DATES:
        return None
    if not step.is_on_offset(times[0]) or not step.is_on_offset(times[-1]):
        return None
    every = pd.date_range(times[0], times[-1], freq=step)
    if len(every) * _LEAST_KNOWN > len(times) or not times.isin(every).all():
        return None
    return every[~every.isin(times)]


def _find_numbers(times: pd.Index) -> Calendar | None:
    numbers = times.to_numpy(dtype=float)
    apart = np.diff(numbers)
    step = float(apart.min())
    places = np.round((numbers - numbers[0]) / step) if step > 0 else numbers
    known = len(times) >= _LEAST_KNOWN * (places[-1] + 1)
    if step <= 0 or not known or not np.allclose(numbers, numbers[0] + places * step):
        return None
    absent = np.setdiff1d(np.arange(places[-1] + 1), places)
    whole = step.is_integer() and pd.api.types.is_integer_dtype(times.dtype)
    missing = pd.Index(numbers[0] + absent * step, name=times.name)
    return Calendar(int(step) if step.is_integer() else step, missing.astype(times.dtype) if whole else missing)
