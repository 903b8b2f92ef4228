"""A piece of a series: what was known before a time step, without a trace of what came later."""

from dataclasses import replace

import numpy as np

from pipeline.config.schema import Config
from pipeline.data.series import Series
from pipeline.data.split import split_series


def count_steps(series: Series) -> int:
    """Return the number of time steps; the series of a panel share them."""
    return int(series.timestamps.nunique()) if series.series_ids else len(series)


def count_past(config: Config, series: Series) -> int:
    """Return the number of time steps before the test part."""
    test = split_series(series, config.dataset, config.protocol).rows("test")
    if not series.series_ids:
        return int(np.argmax(test))
    times = series.timestamps.unique().sort_values()
    return int(times.searchsorted(series.timestamps[test].min()))


def cut_series(series: Series, end: int, first: int = 0) -> Series:
    """Return the time steps from `first` to before `end`; series of a panel that have none of them are left out.

    first=1, end=4    a  *|* * *|* *        a  * * *
                      b   |  * *|* * *  ->  b    * *
                      c   |     |* *
    """
    times = series.timestamps.unique().sort_values() if series.series_ids else series.timestamps
    steps = times.get_indexer(series.timestamps) if series.series_ids else np.arange(len(series))
    kept = (steps >= first) & (steps < end)
    counts = [int(kept[rows].sum()) for rows in series.slices()]
    return replace(
        series,
        timestamps=series.timestamps[kept],
        values=series.values[kept],
        filled=series.filled[kept],
        series_ids=tuple(name for name, count in zip(series.series_ids, counts, strict=False) if count),
        series_ends=tuple(int(end) for end in np.cumsum([count for count in counts if count]))
        if series.series_ids
        else (),
        rows_read=None,
        beyond=series.beyond[:0],
    )
