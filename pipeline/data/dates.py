"""How a file writes its times: one reader for the time column, for the dates of the split, and for rows that arrive.

Days and months that could be exchanged are never guessed: the error proposes the dataset.date_format that fits.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

from pipeline.base.errors import UserError
from pipeline.base.text import show_setting
from pipeline.config.schema import DATE_NAMES
from pipeline.data.arrays import IntArray
from pipeline.data.zones import to_zone

_SECONDS = (100_000_000, 4_102_444_800)  # 1973 to 2100: smaller numbers count steps
_NUMBER = r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?"
_ZEROS = r"\.0*$"  # of whole numbers that other tools write as floats
_YEARS = (-62_135_596_800, 253_402_300_800)  # seconds from 1970 to the years 1 and 10000
_LARGEST, _NOT_A_TIME = 2**63 - 1, -(2**63)  # as pandas stores times
_UNITS = {"s": 1, "ms": 1000, "us": 10**6, "ns": 10**9}
_PATTERNS = {
    "month": r"(1[6-9]|20|21)\d\d(0[1-9]|1[0-2])",
    "day": r"(1[6-9]|20|21)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])",
    "quarter": r"\d{4}[- ]?[Qq][1-4]",
    "week": r"\d{4}-?[Ww]\d\d(-?[1-7])?",
}
_TOLD = {
    "month": "as months (202401 is January 2024)",
    "day": "as days (20240131 is 31 January 2024)",
    "quarter": "as quarters, by their first day",
    "week": "as ISO weeks, by their Monday",
    "s": "as seconds since 1970, UTC",
    "ms": "as milliseconds since 1970, UTC",
    "us": "as microseconds since 1970, UTC",
    "ns": "as nanoseconds since 1970, UTC",
}
_OFFSET = r":\d\d(?:\.\d+)? ?(Z|[+-]\d\d(?::?\d\d)?)$"
_DAYS = ("%d{0}%m{0}%Y", "%m{0}%d{0}%Y", "%d{0}%m{0}%y", "%m{0}%d{0}%y")
_CLOCKS = ("", " %H:%M", " %H:%M:%S", " %I:%M %p")
_CANDIDATES = (
    *(day.format(mark) + clock for mark in "./-" for day in (*_DAYS, "%Y{0}%m{0}%d") for clock in _CLOCKS),
    *("%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%d-%b-%Y", "%d-%b-%y", "%b %Y", "%B %Y", "%b-%Y", "%b-%y"),
    *("%m/%Y", "%m.%Y", "%m-%Y"),
)


@dataclass(frozen=True)
class TimeReading:
    """How times are written.

    Attributes:
        kind: A name of DATE_NAMES, or a format such as `%d.%m.%Y`.
        zone: Where local times are, or how times with an offset are shown; None: as written.
    """

    kind: str = "iso"
    zone: str | None = None

    def parse(self, text: str, summer: bool = True) -> Any:
        """Return one time: a pandas Timestamp, or a number.

        Args:
            text: As the time column would hold it.
            summer: Whether a local time of the hour that comes twice in autumn is summer's; else it is winter's.

        Raises:
            ValueError: If the text is not written like the others.
        """
        text = text.strip()
        if self.kind == "number":
            return _number(text)
        plain = re.match(r"\d{4}-\d\d(-\d\d|$)", text)  # an ISO date is understood beside every other form
        times = _parse(pd.Series([text], dtype=str), "iso" if plain else self.kind)
        if times.isna().any():
            raise ValueError(f"'{text}' is no time like those of the dataset")
        if self.zone is not None:
            times, _ = to_zone(times, self.zone, (), summer)
        return times[0]


def read_times(
    column: "pd.Series[Any]", asked: str | None, zone: str | None, slices: Sequence[IntArray], place: str
) -> tuple[pd.Index, TimeReading, tuple[str, ...]]:
    """Read a time column.

    Args:
        column: Texts, integers, floats or dates. Shape (time,).
        asked: dataset.date_format; None: recognised, if nothing is left open.
        zone: dataset.time_zone.
        slices: Rows of each series, for the hour that comes twice in autumn.
        place: File and column, for error texts.

    Returns:
        The times, how they were read, and what a person should know of it.

    Raises:
        UserError: If a cell is no time, or could be two; the text names the row and the remedy.
    """
    notes: tuple[str, ...] = ()
    if pd.api.types.is_datetime64_any_dtype(column) and asked is None:
        times, kind = pd.DatetimeIndex(column), "iso"
        _check_cells(times.isna(), column, place, "is empty")
    elif asked == "number":
        _check_cells(column.isna().to_numpy(), column, place, "is empty")
        return _numbers(column, place), TimeReading("number"), ()
    else:
        _check_cells((column.isna() | (column.astype(str).str.strip() == "")).to_numpy(), column, place, "is empty")
        texts = column.astype(str).str.strip()
        is_float = pd.api.types.is_float_dtype(column)
        if is_float:
            texts = texts.str.replace(_ZEROS, "", regex=True)
        kind = asked or _recognise(texts, place)
        if kind == "number":
            return _numbers(column if is_float else texts, place), TimeReading("number"), ()
        times, notes = _read_texts(texts, kind, place, asked)
    if zone is not None:
        try:
            times, told = to_zone(times, zone, slices)
        except ValueError as error:
            raise UserError(f"{place}, {error}") from error
        notes = (*(note for note in notes if "offsets" not in note), *told)
    return times, TimeReading(kind, zone), notes


def _read_texts(
    texts: "pd.Series[str]", kind: str, place: str, asked: str | None
) -> tuple[pd.DatetimeIndex, tuple[str, ...]]:
    offsets = texts.str.extract(_OFFSET, expand=False)
    with_offset = offsets.notna().to_numpy()
    if kind == "iso" and with_offset.any() and not with_offset.all():
        row = int(np.flatnonzero(with_offset != with_offset[0])[0])
        raise UserError(
            f"{place} mixes times with and without an offset from UTC: data row 1 is '{texts.iloc[0]}', data row "
            f"{row + 1} is '{texts.iloc[row]}'; write all of them in one way"
        )
    try:
        times = _parse(texts, kind)
    except ValueError as error:
        raise UserError(f"{place} cannot be read with dataset.date_format={kind}: {error}") from error
    bad = np.flatnonzero(times.isna())
    if bad.size:
        row = int(bad[0])
        remedy = _propose(texts) if asked is None else f"does not fit {show_setting('dataset.date_format', kind)}"
        raise UserError(_complain(texts, row, place, remedy))
    notes = (f"{place} was read {_TOLD[kind]}; dataset.date_format=number keeps numbers",) if kind in _TOLD else ()
    if kind in ("quarter", "week"):
        notes = (f"{place} was read {_TOLD[kind]}",)
    if kind == "iso" and with_offset.all() and offsets.nunique() > 1:
        notes = (f"{place} has offsets that change: read as UTC; dataset.time_zone shows it as local time",)
    return times, notes if asked is None else ()


def _recognise(texts: "pd.Series[str]", place: str) -> str:
    """Return how every text is written; `iso` when nothing else fits, which then says what does not."""
    first = texts.iloc[0]
    whole = texts.str.replace(_ZEROS, "", regex=True)
    if not whole.str.fullmatch(r"[+-]?\d+").all():
        for kind in ("quarter", "week"):
            if re.fullmatch(_PATTERNS[kind], first):
                return kind
        is_number = re.fullmatch(r"[+-]?([\d.]+([eE][+-]?\d+)?|inf)", first) and _all_numbers(texts)
        return _find_unit(texts) if is_number else "iso"
    if texts.str.fullmatch(r"0\d+").any():
        raise UserError(_complain(texts, 0, place, f"could be a number or a date; {_propose(texts)}"))
    for kind in ("month", "day"):
        if whole.str.fullmatch(_PATTERNS[kind]).all() and whole.nunique() > 1:
            return kind
    return _find_unit(texts)


def _find_unit(texts: "pd.Series[str]") -> str:
    """Return the unit in which numbers, whole or not, count from 1970; `number` if they do not look like that."""
    numbers = pd.to_numeric(texts, errors="coerce").astype(np.float64)
    for unit, factor in _UNITS.items():
        if ((numbers >= _SECONDS[0] * factor) & (numbers <= _SECONDS[1] * factor)).all():
            return unit
    return "number"


def _all_numbers(texts: "pd.Series[str]") -> bool:
    return bool(pd.to_numeric(texts, errors="coerce").notna().all())


def _parse(texts: "pd.Series[str]", kind: str) -> pd.DatetimeIndex:
    """Return the times; NaT where a text does not fit."""
    if kind == "iso":
        texts = texts.where(texts.str.match(r"\d"))  # pandas takes `now` and `today` for times
        several = texts.str.extract(_OFFSET, expand=False).nunique() > 1
        return pd.DatetimeIndex(pd.to_datetime(texts, format="ISO8601", errors="coerce", utc=several))
    if kind in _UNITS:
        return _since_1970(texts, kind)
    if kind in ("month", "day"):
        texts = texts.str.replace(_ZEROS, "", regex=True)
    fits = texts.str.fullmatch(_PATTERNS[kind]) if kind in _PATTERNS else None
    if kind == "quarter":
        texts = texts.str.replace(r"(\d{4}).*([1-4])$", lambda m: f"{m[1]}-{3 * int(m[2]) - 2:02d}", regex=True)
    if kind == "week":
        texts = texts.str.replace(
            r"(\d{4})-?[Ww](\d\d)(?:-?(\d))?$", lambda m: f"{m[1]}-{m[2]}-{m[3] or 1}", regex=True
        )
    if fits is not None:
        texts = texts.where(fits)
    form = {"quarter": "%Y-%m", "week": "%G-%V-%u", "month": "%Y%m", "day": "%Y%m%d"}.get(kind, kind)
    return pd.DatetimeIndex(pd.to_datetime(texts, format=form, errors="coerce"))


def _since_1970(texts: "pd.Series[str]", unit: str) -> pd.DatetimeIndex:
    """Return the times that numbers count, exactly to the nanosecond; NaT where a text is no such number."""
    fits = texts.str.fullmatch(_NUMBER)
    numbers = [Decimal(text) for text in texts.where(fits, "1e30")]  # no float: nanoseconds have 19 digits
    if any(number != number.to_integral_value() for number in numbers):
        numbers, unit = [number * (10**9 // _UNITS[unit]) for number in numbers], "ns"
    first, end = (max(min(seconds * _UNITS[unit], _LARGEST), -_LARGEST) for seconds in _YEARS)
    counts = [int(number) if first <= number < end else _NOT_A_TIME for number in numbers]
    return pd.DatetimeIndex(pd.Index(np.array(counts, dtype=np.int64).view(f"M8[{unit}]")).tz_localize("UTC"))


def _numbers(column: "pd.Series[Any]", place: str) -> pd.Index:
    numbers = pd.to_numeric(column, errors="coerce")
    bad = np.flatnonzero(~np.isfinite(numbers.to_numpy(dtype=float, na_value=np.nan)))
    if bad.size:
        raise UserError(_complain(column, int(bad[0]), place, "is not a number"))
    return pd.Index(numbers)


def _number(text: str) -> float:
    number = float(text)
    if not np.isfinite(number):
        raise ValueError(f"'{text}' is no number")
    return number


def _check_cells(bad: Any, column: "pd.Series[Any]", place: str, fault: str) -> None:
    rows = np.flatnonzero(bad)
    if rows.size:
        raise UserError(f"{place}, data row {rows[0] + 1}: the cell {fault}; every row needs its time")


def _complain(texts: "pd.Series[Any]", row: int, place: str, remedy: str) -> str:
    origin, _, column = place.partition(": ")
    return f"{origin}, data row {row + 1}: '{texts.iloc[row]}' in {column or 'the time column'} {remedy}"


def _propose(texts: "pd.Series[str]") -> str:
    """Say which formats fit all texts."""
    some = pd.Series(texts.unique())
    fits = [form for form in _CANDIDATES if pd.to_datetime(some, format=form, errors="coerce").notna().all()]
    if not fits:
        return (
            "is not a date that is recognised; write dates as YYYY-MM-DD, or say how they are written, e.g. "
            f"{show_setting('dataset.date_format', '%d.%m.%Y %H:%M')} (or {', '.join(DATE_NAMES)})"
        )
    shown = [show_setting("dataset.date_format", form) for form in fits[:2]]
    if len(fits) == 1:
        return f"is not a date as YYYY-MM-DD; all of them fit {shown[0]}"
    return f"is not a date as YYYY-MM-DD, and could be two: say which with {' or '.join(shown)}"
