"""Timestamps that are missing between the first and the last of a series: told, refused, or inserted as empty rows.

dataset.gaps=keep     1 2 . 4 5      the rows stay next to each other, and a window reaches over the gap
dataset.gaps=fill     1 2 - 4 5      an empty row, which dataset.missing fills and which is never scored
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from pipeline.base.errors import UserError
from pipeline.config.schema import DatasetConfig, Gaps, Missing
from pipeline.data.arrays import FloatArray, IntArray
from pipeline.data.calendar import Calendar, find_calendar
from pipeline.data.irregular import describe_irregular, may_lack_rows

Member = tuple[pd.Index, FloatArray, IntArray]  # timestamps, values with NaN where empty, row in the file


def treat_gaps(
    panel: Sequence[Member], places: Sequence[str], dataset: DatasetConfig
) -> tuple[list[Member], list[str]]:
    """Treat the gaps of every series as `dataset.gaps` says.

    Args:
        panel: Of each series its timestamps, its values, shape (time, columns), and where each row stands in the file.
        places: What error texts call each series.
        dataset: Decides what happens.

    Returns:
        The series, and what a person should be told.

    Raises:
        UserError: If there is a gap and none may be, or it cannot be filled.
    """
    known: dict[bytes, Calendar | None] = {}  # most lanes of a panel have the same times
    calendars = [_find_once(times, known) for times, _, _ in panel]
    for (times, _, _), calendar, place in zip(panel, calendars, places, strict=True):
        if calendar is None and dataset.gaps is not Gaps.keep and len(times) > 2:
            raise UserError(
                f"{place}: the timestamps follow no calendar (days, business days, months, ...), or most of it is "
                f"missing, so dataset.gaps={dataset.gaps.value} cannot know what is; set dataset.gaps=keep"
            )
    absent = [
        times[:0] if calendar is None else calendar.missing
        for (times, _, _), calendar in zip(panel, calendars, strict=True)
    ]
    irregular = [
        (times, place)
        for (times, _, _), calendar, place in zip(panel, calendars, places, strict=True)
        if calendar is None and may_lack_rows(times)
    ]
    told = [describe_irregular(*irregular[0], len(irregular))] if irregular else []
    first = next((number for number, each in enumerate(absent) if len(each)), None)
    if first is None:
        return list(panel), told
    times, calendar = panel[first][0], calendars[first]
    assert calendar is not None
    sentence = f"{places[first]}: {_count_missing(times, calendar)}"
    if len(panel) > 1:
        sentence += f" ({sum(map(len, absent))} in all lanes)"
    if dataset.gaps is Gaps.error:
        raise UserError(f"{sentence}; fix the file, or set dataset.gaps=keep or fill")
    if dataset.gaps is Gaps.keep:
        cut = ", or leave out the rows on one side of a long gap" if len(absent[first]) > len(times) else ""
        keys = "dataset.gaps=keep reads over them, dataset.gaps=fill inserts them, dataset.gaps=error refuses them"
        return list(panel), [*told, f"{sentence}; {keys}{cut}"]
    if dataset.missing is Missing.error:
        raise UserError(f"{sentence}; dataset.gaps=fill needs dataset.missing=forward_fill or interpolate as well")
    filled = [_insert(*member, missing) for member, missing in zip(panel, absent, strict=True)]
    return filled, [f"{sentence}; inserted (dataset.gaps=fill)"]


def _find_once(times: pd.Index, known: dict[bytes, Calendar | None]) -> Calendar | None:
    key = times.to_numpy().tobytes()
    if key not in known:
        known[key] = find_calendar(times, sparse=True)
    return known[key]


def _count_missing(times: pd.Index, calendar: Calendar) -> str:
    """Return `3 of 60 months are missing, the first is 1949-06-01`."""
    absent = calendar.missing
    rows = f", between only {len(times)} rows" if len(absent) > len(times) else ""
    return f"{len(absent)} of {len(times) + len(absent)} {calendar.word()} are missing{rows}, the first is {absent[0]}"


def _insert(times: pd.Index, values: FloatArray, rows: IntArray, absent: pd.Index) -> Member:
    if not len(absent):
        return times, values, rows
    every = times.append(absent)
    order = np.argsort(every.asi8 if isinstance(every, pd.DatetimeIndex) else every.to_numpy(), kind="stable")
    empty = np.full((len(absent), values.shape[1]), np.nan)
    before = rows[np.searchsorted(times, absent) - 1]  # an error about an inserted row names the one before it
    return every[order], np.concatenate([values, empty])[order], np.concatenate([rows, before])[order]
