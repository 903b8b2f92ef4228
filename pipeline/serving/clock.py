"""Timestamps of rows that arrive: which is later, which was left out, and how the series' own frequency goes on."""

import math
import re
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from pipeline.base.errors import UserError
from pipeline.data.calendar import find_calendar, next_times
from pipeline.data.series import Series

_PLAIN_DATE = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?)?")
_FIRST_KEY, _LAST_KEY = -62_135_596_800_000_000, 253_402_300_799_000_000  # of the years 1 to 9999
_REMEMBERED = 1 << 14  # texts whose meaning is kept: lanes that are served side by side share the newest ones
_FEW_FIRST = (16, 500)  # missing rows that are looked for before many
MOST_COUNTED = 10_000  # missing rows; counting those before a year 9999 would take minutes


class Clock:
    """Reads timestamps as the time column of a dataset holds them.

    Attributes:
        numbered: True when the dataset has no time column: rows are numbered.
    """

    def __init__(self, series: Series, numbered: bool) -> None:
        self.numbered = numbered
        self._dates = isinstance(series.timestamps, pd.DatetimeIndex)
        self._zone = series.timestamps.tz if isinstance(series.timestamps, pd.DatetimeIndex) else None
        self._reading = series.reading
        self._frequency = _find_frequency(series)
        self._keys: dict[str, float] = {}
        self._again: dict[str, float] = {}  # keys of local times when they come for the second time
        self._expected: dict[float, float] = {}
        self._missing: dict[tuple[float, float], int] = {}
        self._names: dict[tuple[float, bool, int], list[str | None]] = {}

    @property
    def has_calendar(self) -> bool:
        """Whether the next timestamps are known."""
        return self._frequency is not None

    def read(self, text: str, after: float | None = None) -> float:
        """Return a number that is larger for a later timestamp: microseconds, or the number itself.

            clocks go back at 3:00     01:30  02:00  02:30  02:00  02:30  03:00     texts
                                         0     30     60     90    120    150       minutes

        Args:
            text: As the time column would hold it.
            after: The number of the row before it in the same lane: where a local time comes twice in autumn, one that
                is not later than this is the second one. None: it is the first.

        Raises:
            ValueError: If the text is no timestamp like those of the dataset.
        """
        key = self._keys.get(text)
        if key is None:
            try:
                key = self._parse(text)
            except (ValueError, OverflowError):
                raise ValueError(f"'{text}' is no timestamp like those of the dataset") from None
            if len(self._keys) > _REMEMBERED:
                self._keys.clear()
            self._keys[text] = key
        if after is None or key > after or self._reading.zone is None:
            return key
        return self._read_again(text)

    def key_of(self, timestamp: Any) -> float:
        """Return the number of a timestamp of the dataset."""
        return _microseconds(pd.Timestamp(timestamp)) if self._dates else float(timestamp)

    def count_missing(self, last: float, key: float) -> int:
        """Return how many timestamps of the dataset's frequency lie between two; 0 where it has none.

        More than MOST_COUNTED are not counted further.
        """
        if self._frequency is None:
            return 0
        expected = self._expected.get(last)
        if expected is None:
            if len(self._expected) > _REMEMBERED:
                self._expected.clear()
            expected = self._expected[last] = self._after(last)
        if key <= expected:
            return 0
        if not self._dates:
            return min(round((key - expected) / self._frequency), MOST_COUNTED + 1)
        if (expected, key) not in self._missing:  # lanes share their gaps
            if len(self._missing) > _REMEMBERED:
                self._missing.clear()
            self._missing[expected, key] = self._count_dates(expected, key)
        return self._missing[expected, key]

    def go_on(self, last: Any, count: int) -> pd.Index:
        """Return the timestamps after the last one in the dataset's calendar; without one, how many steps ahead."""
        if not self.has_calendar:
            return pd.Index([f"+{step}" for step in range(1, count + 1)])
        return next_times(last, self._frequency, count)

    def check(self, keys: Iterable[float]) -> None:
        """Check that numbers, as far as they are some, are timestamps that can be written.

        Raises:
            UserError: If one is none.
        """
        for key in keys:
            if math.isinf(key) or (self._dates and not math.isnan(key) and not _FIRST_KEY <= key <= _LAST_KEY):
                raise UserError(f"{key:g} is no timestamp")

    def name(self, key: float) -> str:
        """Return a timestamp as a text, from its number."""
        if not self._dates:
            return str(key)
        time = self.time_of(key).tz_localize(None)  # as rows of the dataset have it: local
        return f"{time:%Y-%m-%d}" if time == time.normalize() else str(time)

    def name_next(self, key: float, text: str, count: int) -> list[str | None]:
        """Return the timestamps after one, as texts; None where the dataset has no regular frequency.

        Args:
            key: Number of the one before them.
            text: The same as it came: with a time of day, or without one.
            count: How many.
        """
        if self.numbered:
            return [str(int(text) + step) for step in range(1, count + 1)]
        if not self.has_calendar:
            return [None] * count
        asked = key, ":" in text, count
        if asked not in self._names:
            if len(self._names) > _REMEMBERED:
                self._names.clear()
            times = self.go_on(self.time_of(key) if self._dates else key, count)
            shown = [f"{time:%Y-%m-%d}" if self._dates and not asked[1] else str(time) for time in times]
            self._names[asked] = [*shown, *[None] * (count - len(shown))]
        return self._names[asked]

    def _read_again(self, text: str) -> float:
        """Return the number of a text that is known to be a timestamp, when it comes for the second time in autumn."""
        key = self._again.get(text)
        if key is None:
            if len(self._again) > _REMEMBERED:
                self._again.clear()
            key = self._again[text] = _microseconds(self._reading.parse(text, summer=False))
        return key

    def _parse(self, text: str) -> float:
        if self.numbered or not self._dates:
            number = float(text)
            if not np.isfinite(number):
                raise ValueError(text)
            return number
        if not text:
            raise ValueError(text)
        if self._zone is None and self._reading.kind == "iso" and _PLAIN_DATE.fullmatch(text):  # twenty times as fast
            return float(np.datetime64(text, "us").astype(np.int64))
        if self._reading.kind == "iso" and not text[0].isdigit():  # NaT, now, today
            raise ValueError(text)
        time = self._reading.parse(text)
        if (time.tzinfo is None) != (self._zone is None):
            raise ValueError(text)
        return _microseconds(time)

    def _after(self, last: float) -> float:
        if not self._dates:
            return last + float(self._frequency)
        if self._is_tick():
            return last + self._frequency.nanos / 1000
        try:
            return self.key_of(self.time_of(last) + self._frequency)
        except (ValueError, OverflowError):  # beyond the years that there are
            return np.inf

    def _count_dates(self, expected: float, key: float) -> int:
        if self._is_tick():
            return min(math.ceil((key - expected) / (self._frequency.nanos / 1000)), MOST_COUNTED + 1)
        try:
            first, late = self.time_of(expected), self.time_of(key)
            for periods in (*_FEW_FIRST, MOST_COUNTED + 1):  # making dates of a calendar takes 5 microseconds each
                dates = pd.date_range(first, periods=periods, freq=self._frequency)
                if dates[-1] >= late or periods > MOST_COUNTED:
                    return int(dates.searchsorted(late))
        except (ValueError, OverflowError):
            pass
        return MOST_COUNTED + 1

    def _is_tick(self) -> bool:
        """Return whether all steps are equally long."""
        return self._zone is None and isinstance(self._frequency, pd.tseries.offsets.Tick)

    def time_of(self, key: float) -> pd.Timestamp:
        """Return the date of a number, in the time zone of the dataset."""
        return pd.Timestamp(int(key), unit="us", tz=self._zone)


def _microseconds(time: pd.Timestamp) -> float:
    """Return the microseconds since 1970, in UTC; exact in a float until the year 2255."""
    return float(time.asm8.astype("datetime64[us]").astype(np.int64))


def _find_frequency(series: Series) -> Any:
    """Return the frequency of the longest lane: a calendar offset, a number, or None."""
    rows = max(series.slices(), key=lambda rows: rows.stop - rows.start)
    calendar = find_calendar(series.timestamps[rows])
    return None if calendar is None else calendar.step
