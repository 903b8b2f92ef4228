"""Short names of rows: dates without the parts that never change, and rows counted from t."""

import numpy as np
import pandas as pd

from pipeline.base.text import show_excerpt
from pipeline.data.series import Series
from pipeline.data.vocabulary import Vocabulary

_DAY = 86_400.0  # seconds
_READ = 48  # characters of a text that are shown
_ENOUGH_STEPS = 1000  # to know how long a step is
# Names of a step by its median length in days, from and up to.
_STEPS = {
    "hourly": (1 / 24, 1 / 24),
    "daily": (1, 1),
    "weekly": (7, 7),
    "monthly": (28, 31),
    "quarterly": (89, 93),
    "yearly": (365, 366),
}


class Labels:
    """Names the time steps of a series: `1949-03`, `1991-07-01`, `1991-07-01 14:30`, or the number of the step.

    Args:
        series: Whose rows are named.
        vocabulary: Of a text, whose tokens are shown where they can be read.
    """

    def __init__(self, series: Series, vocabulary: Vocabulary | None = None) -> None:
        self._series, self._vocabulary = series, vocabulary
        self._timestamps = timestamps = series.timestamps
        self._format = _shortest_format(timestamps) if isinstance(timestamps, pd.DatetimeIndex) else None

    def __getitem__(self, row: int) -> str:
        """Return the label of a row."""
        label = self._timestamps[row]
        return str(label.strftime(self._format)) if self._format is not None else f"{label:.15g}"

    def lane(self, row: int) -> str:
        """Return the name of the series that a row belongs to, and a blank; nothing where there is one series only."""
        if not self._series.series_ids:
            return ""
        ends = np.array(self._series.series_ends)
        return f"{tidy(self._series.series_ids[int(np.searchsorted(ends, row, side='right'))])} "

    def span(self, first: int, last: int) -> str:
        """Return the label of consecutive rows: `1949-01..1949-03`."""
        return self[first] if first == last else f"{self[first]}..{self[last]}"

    def read(self, first: int, last: int) -> str:
        """Return the text of consecutive tokens, `'First⏎'`; of a series, the label of the rows."""
        if self._vocabulary is None:
            return self.span(first, last)
        ids = self._series.values[first : last + 1, 0].astype(int)
        return f"'{show_excerpt(self._vocabulary.decode(ids), _READ)}'"


def _shortest_format(times: pd.DatetimeIndex) -> str:
    if (times != times.normalize()).any():
        return "%Y-%m-%d %H:%M"
    return "%Y-%m-%d" if (times.day != 1).any() else "%Y-%m"


def name_frequency(timestamps: pd.Index) -> str:
    """Return `monthly`, `daily` and so on, or nothing for steps of another length."""
    if not isinstance(timestamps, pd.DatetimeIndex) or len(timestamps) < 2:
        return ""
    steps = pd.Series(timestamps[:_ENOUGH_STEPS]).diff()
    days = float(steps.median().total_seconds()) / _DAY
    return next((name for name, (low, high) in _STEPS.items() if low - 1e-6 <= days <= high + 1e-6), "")


def name_rows(rows: tuple[int, ...]) -> str:
    """Name rows counted from t, the last row that a forecast may know.

    Example:
        >>> [name_rows(rows) for rows in ((-2,), (0,), (1, 2, 3), (-2, -1, 0))]
        ['t-2', 't', 't+1..t+3', 't-2..t']
    """
    names = [f"t{row:+d}" if row else "t" for row in (rows[0], rows[-1])]
    return names[0] if len(rows) == 1 else "..".join(names)


def name_some(names: tuple[str, ...], most: int = 4, longest: int = 24) -> str:
    """Name the first few of many, each cut to a readable length: `DAX, SMI, CAC and 17 more`."""
    cut = [name if len(name) <= longest else f"{name[: longest - 1]}…" for name in map(tidy, names)]
    if len(cut) <= most:
        return ", ".join(cut)
    kept = max(most - 1, 1)
    return f"{', '.join(cut[:kept])} and {len(cut) - kept} more"


def tidy(text: str) -> str:
    """Return a text without line breaks and control characters, which a column name may have and a drawing may not."""
    return " ".join("".join(character if character.isprintable() else " " for character in text).split())


def show_few(count: int, most: int) -> list[int | None]:
    """Return the positions that a drawing shows, None for those left out: the first few, and always the last.

    Example:
        >>> show_few(3, most=4), show_few(9, most=4)
        ([0, 1, 2], [0, 1, 2, None, 8])
    """
    return [*range(count)] if count <= most else [*range(most - 1), None, count - 1]
