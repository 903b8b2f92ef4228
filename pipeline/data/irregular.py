"""Timestamps that follow no calendar: told if a row could be missing between them, as each row counts as one step."""

import numpy as np
import pandas as pd

from pipeline.data.arrays import FloatArray


def may_lack_rows(times: pd.Index) -> bool:
    """Return whether distances differ by more than half of the usual one.

    Clocks that waver and last trading days of a month differ by less: none of their rows is missing, and nothing is to
    be told.

    Args:
        times: Ascending dates or numbers.
    """
    apart = _distances(times)
    if len(apart) < 2:
        return False
    usual = _middle(apart)
    return bool(apart.min() < usual / 2 or apart.max() / 1.5 > usual)


def describe_irregular(times: pd.Index, place: str, count: int) -> str:
    """Say how unequal the distances are, and where the longest is.

    Args:
        times: Ascending dates or numbers, at least two.
        place: What the sentence calls them.
        count: How many series of a panel are irregular, this one among them.
    """
    apart = _distances(times)
    shortest, usual, longest = (_show(times, float(each)) for each in (apart.min(), _middle(apart), apart.max()))
    more = f" ({count} such lanes)" if count > 1 else ""
    return (
        f"{place}: the timestamps of {len(times)} rows are irregular and taken as equally spaced steps; they "
        f"are {shortest} to {longest} apart, usually about {usual}, and farthest after "
        f"{times[int(apart.argmax())]}{more}"
    )


def _distances(times: pd.Index) -> FloatArray:
    """Return microseconds for dates, else the differences themselves. Shape (time - 1,)."""
    if isinstance(times, pd.DatetimeIndex):
        return np.diff(times.as_unit("us").asi8).astype(float)
    with np.errstate(over="ignore"):
        return np.diff(times.to_numpy()).astype(float)


def _middle(apart: FloatArray) -> float:
    """Return one of the distances, half of which are shorter; a mean of two could be too large for a float."""
    return float(np.sort(apart)[len(apart) // 2])


def _show(times: pd.Index, distance: float) -> str:
    """Return `3 days 12:00:00`, `00:00:10` or a number."""
    if not isinstance(times, pd.DatetimeIndex):
        return f"{distance:g}"
    text = str(pd.Timedelta(round(distance), unit="us").round("s" if distance > 1e7 else "us"))
    return text.removesuffix(" 00:00:00").removeprefix("0 days ")
