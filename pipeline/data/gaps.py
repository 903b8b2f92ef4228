"""Timestamps that are missing between the first and the last of a series: told, refused, or inserted as empty rows.

dataset.gaps=keep     1 2 . 4 5      the rows stay next to each other, and a window reaches over the gap
dataset.gaps=fill     1 2 - 4 5      an empty row, which dataset.missing fills and which is never scored
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from pipeline.config import DatasetConfig, Gaps, Missing
from pipeline.data.arrays import FloatArray, IntArray
from pipeline.data.calendar import find_calendar
from pipeline.errors import UserError

Lane = tuple[pd.Index, FloatArray, IntArray]  # timestamps, values with NaN where empty, row in the file


def treat_gaps(lanes: Sequence[Lane], places: Sequence[str], dataset: DatasetConfig) -> tuple[list[Lane], list[str]]:
    """Treat the gaps of every lane as `dataset.gaps` says.

    Args:
        lanes: Of each lane its timestamps, its values, shape (time, columns), and where each row stands in the file.
        places: What error texts call each lane.
        dataset: Decides what happens.

    Returns:
        The lanes, and what a person should be told.

    Raises:
        UserError: If there is a gap and none may be, or it cannot be filled.
    """
    treated, missing = [], 0
    first = ""
    for (times, values, rows), place in zip(lanes, places, strict=True):
        calendar = find_calendar(times)
        if calendar is None and dataset.gaps is not Gaps.keep and len(times) > 2:
            raise UserError(
                f"{place}: the timestamps follow no calendar (days, business days, months, ...), or more than half "
                f"of it is missing, so dataset.gaps={dataset.gaps.value} cannot know what is; set dataset.gaps=keep"
            )
        absent = times[:0] if calendar is None else calendar.missing
        if len(absent) and calendar is not None and not missing:
            first = (
                f"{place}: {len(absent)} of {len(times) + len(absent)} {calendar.word()} are missing, the first is "
                f"{absent[0]}"
            )
        missing += len(absent)
        treated.append(_insert(times, values, rows, absent) if dataset.gaps is Gaps.fill else (times, values, rows))
    if not missing:
        return treated, []
    total = f" ({missing} in all lanes)" if len(lanes) > 1 else ""
    if dataset.gaps is Gaps.error:
        raise UserError(f"{first}{total}; fix the file, or set dataset.gaps=keep or fill")
    if dataset.gaps is Gaps.keep:
        return treated, [
            f"{first}{total}; dataset.gaps=keep reads over them, dataset.gaps=fill inserts them, dataset.gaps=error "
            "refuses them"
        ]
    if dataset.missing is Missing.error:
        raise UserError(f"{first}{total}; dataset.gaps=fill needs dataset.missing=forward_fill or interpolate as well")
    return treated, [f"{first}{total}; inserted (dataset.gaps=fill)"]


def _insert(times: pd.Index, values: FloatArray, rows: IntArray, absent: pd.Index) -> Lane:
    if not len(absent):
        return times, values, rows
    every = times.append(absent)
    order = np.argsort(every.asi8 if isinstance(every, pd.DatetimeIndex) else every.to_numpy(), kind="stable")
    empty = np.full((len(absent), values.shape[1]), np.nan)
    before = rows[np.searchsorted(times, absent) - 1]  # an error about an inserted row names the one before it
    return every[order], np.concatenate([values, empty])[order], np.concatenate([rows, before])[order]
