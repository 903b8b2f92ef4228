"""Local times: the hour that comes twice in autumn, the one that spring leaves out."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from pipeline.data.arrays import IntArray


def to_zone(
    times: pd.DatetimeIndex, zone: str, slices: Sequence[IntArray], summer: bool | None = None
) -> tuple[pd.DatetimeIndex, tuple[str, ...]]:
    """Read local times in a zone, or show times with an offset in it.

    Args:
        times: With or without an offset. Shape (time,).
        zone: Such as Europe/Berlin.
        slices: Rows of each series: a local time that comes twice in a series is first summer's, then winter's.
        summer: Of times that stand alone: whether one that could be both is summer's; None: the order of the rows says.

    Returns:
        The times, and what a person should know of them.

    Raises:
        ValueError: If a local time does not exist, or could be two; the text names the row.
    """
    if times.tz is not None:
        return times.tz_convert(zone), (f"times with an offset are shown in dataset.time_zone={zone}",)
    exist = times.tz_localize(zone, ambiguous=np.full(len(times), summer is not False), nonexistent="NaT")
    missing = np.flatnonzero(exist.isna())
    if missing.size:
        row = int(missing[0])
        raise ValueError(
            f"data row {row + 1}: {times[row]} does not exist in dataset.time_zone={zone}, whose clocks skip it in "
            "spring; correct the time, or the zone"
        )
    if summer is not None:
        return exist, ()
    twice = np.asarray(times.tz_localize(zone, ambiguous="NaT", nonexistent="NaT").isna())
    if not twice.any():
        return exist, ()
    is_summer = np.ones(len(times), bool)
    for rows in slices:
        mine = rows[twice[rows]]
        order = pd.Series(times[mine]).groupby(times[mine]).cumcount().to_numpy()
        is_summer[mine] = order == 0
        alone = np.flatnonzero(~times[mine].duplicated(keep=False))
        if alone.size:
            row = int(mine[alone[0]])
            raise ValueError(
                f"data row {row + 1}: {times[row]} comes twice in dataset.time_zone={zone} in autumn, but stands here "
                "once: nobody can say which it is; write the time with its offset, e.g. +01:00"
            )
    told = f"{int(twice.sum())} local times of the hour that comes twice in autumn: the first is summer's"
    return times.tz_localize(zone, ambiguous=is_summer), (told,)
