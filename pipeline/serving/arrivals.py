"""Which rows of each lane came: how many, up to when, and so which row is new, known already, late, or after a gap."""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from pipeline.serving.clock import MOST_COUNTED, Clock
from pipeline.serving.rows import Row, RowError, shorten


class Arrival(NamedTuple):
    """What a row is to its lane, before the lane has read it.

    Attributes:
        key: Its timestamp as a number, later ones larger; NaN where rows are numbered.
        known: Whether the lane had read it before this book was opened.
        missing: Rows that were left out before it; at most MOST_COUNTED + 1.
        fault: Why the lane cannot read it any more; empty if it can.
    """

    key: float
    known: bool = False
    missing: int = 0
    fault: str = ""

    @property
    def is_new(self) -> bool:
        """Whether the lane can read it."""
        return not self.known and not self.fault


class Arrivals:
    """The rows that came, by the names of their lanes.

    Args:
        clock: Reads their timestamps.
        zoned: Whether these are local times of a zone with summer time.
        tell: Told how a sentence goes on that begins with the place of a row.

    Attributes:
        rows: How many came in each lane.
        skipped: Rows that were known already and were passed over.
    """

    def __init__(self, clock: Clock, zoned: bool, tell: Callable[[str], None]) -> None:
        self.rows: Counter[str] = Counter()
        self.skipped = 0
        self._clock = clock
        self._tell = tell
        self._last: dict[str, float] = {}
        self._known: dict[str, float] = {}  # timestamps up to here were read before
        self._passed: dict[str, float] = {}  # the latest of them that was sent again, where any was
        self._tell_second = zoned  # local times come twice in autumn: told once

    def begin(self, rows: Mapping[str, int], last: Mapping[str, float]) -> None:
        """Begin where lanes were once: how many rows had come, and the key of the last one; NaN or none without any."""
        self.rows = Counter(rows)
        self._last = {name: key for name, key in last.items() if not math.isnan(key)}
        self._known = dict(self._last)

    def begin_lane(self, name: str, rows: int, last: float) -> None:
        """Do the same for one lane, whatever came of it before."""
        self.rows[name] = rows
        for each in (self._passed, self._last, self._known):
            each.pop(name, None)
        if not math.isnan(last):
            self._last[name] = self._known[name] = last

    def last_key(self, name: str) -> float | None:
        """Return the key of the newest row of a lane; None where rows are numbered, or it has none."""
        return self._last.get(name)

    def look(self, row: Row, last: float | None = None) -> Arrival:
        """Say what a row is to its lane; for `last` see `LaneBook.look`.

        Raises:
            RowError: If its timestamp is no timestamp.
        """
        if self._clock.numbered:
            return Arrival(math.nan)
        last = self._last.get(row.lane) if last is None else last
        try:
            # Rows that are sent again are read as they were before: after each other, not after the last known one.
            key = self._clock.read(row.timestamp, after=self._passed.get(row.lane, last))
        except ValueError:
            raise RowError(
                f"has '{shorten(row.timestamp)}' for a time, which is none like those of the dataset"
            ) from None
        if last is not None and self._known.get(row.lane, -math.inf) < key <= last:
            fault = "repeats a timestamp" if key == last else "is late: a later one came before"
            return Arrival(key, fault=f"({_where(row)}) {fault}")
        return self.look_at_key(row.lane, key, last)

    def look_at_key(self, name: str, key: float, last: float | None = None) -> Arrival:
        """Say what a row that is not late is to its lane, by the key of its timestamp."""
        last = self._last.get(name) if last is None else last
        if last is None:
            return Arrival(key)
        if key <= self._known.get(name, -math.inf):
            return Arrival(key, known=True)
        return Arrival(key, False, self._clock.count_missing(last, key))

    def look_together(self, names: Sequence[str], timestamps: Sequence[str]) -> list[float] | None:
        """Return the keys of rows of different lanes that have read some, if each is simply the next; else None."""
        if self._clock.numbered:
            return [math.nan] * len(names)
        try:
            of_times = {text: self._clock.read(text) for text in set(timestamps)}
        except ValueError:
            return None
        keys = [of_times[text] for text in timestamps]
        for last, key in set(zip(map(self._last.get, names), keys, strict=True)):
            if last is None or key <= last or self._clock.count_missing(last, key):
                return None
        return keys

    def note(self, row: Row, arrival: Arrival) -> None:
        """Note that a new row came, and tell what is to be known of it."""
        self.rows[row.lane] += 1
        if self._clock.numbered:
            return
        missing = arrival.missing
        if missing:
            count = f"{missing} row(s)" if missing <= MOST_COUNTED else f"more than {MOST_COUNTED} rows"
            self._tell(f" ({_where(row)}): {count} are missing before it; the state goes on as if they did not exist")
        if row.lane in self._last:
            self._known.pop(row.lane, None)
            self._passed.pop(row.lane, None)
            if self._tell_second and arrival.key != self._clock.read(row.timestamp):
                self._tell_second = False
                self._tell(
                    f" ({_where(row)}) comes twice in autumn and is read as the second, winter's: so are all such "
                    "rows that are not later than the one before them in their lane"
                )
        self._last[row.lane] = arrival.key

    def note_together(self, names: Sequence[str], keys: Sequence[float]) -> None:
        """Note rows of which `look_together` gave the keys."""
        self.rows.update(names)
        if self._clock.numbered:
            return
        self._last.update(zip(names, keys, strict=True))
        for before in (self._known, self._passed):
            if before:
                for name in names:
                    before.pop(name, None)

    def pass_over(self, row: Row, key: float) -> None:
        """Skip a row that was read before; say so once per lane."""
        self.skipped += 1
        before = self._passed.get(row.lane)
        self._passed[row.lane] = key if before is None else max(key, before)
        if before is None:
            self._tell(f" ({_where(row)}) was read before this stream began: skipped, as are all such rows")


def _where(row: Row) -> str:
    return f"lane {shorten(row.lane)}, {row.timestamp}"
