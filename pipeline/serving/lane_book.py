"""The book of a served model's lanes: what each has read, what it remembers, and what it answers to its next row.

Rows come here one by one, from wherever: a row that cannot be used touches nothing.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.base.errors import UserError
from pipeline.data.arrays import FloatArray
from pipeline.serving.arrivals import Arrival, Arrivals
from pipeline.serving.beyond import check_known
from pipeline.serving.clock import Clock
from pipeline.serving.lane_bounds import name_all_around
from pipeline.serving.lane_memory import LaneMemory, Step
from pipeline.serving.made_columns import MadeColumns
from pipeline.serving.model import ServedModel
from pipeline.serving.row_block import RowBlock, gather_rows
from pipeline.serving.rows import Row, RowError, shorten
from pipeline.serving.state_file import SavedState, load_state, save_state

_HISTORY = ""  # a lane of no name: how every new lane begins when the run's history is one series

UNKNOWN = "unknown lane"  # what the answer to a row of such a lane says
_MOST_NAMED = 20  # unknown lanes that are told one by one


class BlockArrival(NamedTuple):
    """Rows of different lanes, each the next one of a lane that there is, before these have read them.

    Attributes:
        block: The rows.
        keys: Of their timestamps, as `Arrival` has them. Length n.
    """

    block: RowBlock
    keys: Sequence[float]


class LaneBook:
    """The lanes of one model, and the rows they have read.

    Attributes:
        unknown: Lanes that are none of the run's.
    """

    def __init__(
        self, model: ServedModel, warm: bool, tell: Callable[[str], None], warn: Callable[[str], None] | None = None
    ) -> None:
        """Begin after the run's history, or with lanes that have seen nothing.

        Args:
            model: The served model.
            warm: Whether lanes begin after the run's history.
            tell: Told what is to be known of a row that is read: how a sentence goes on that begins with its place.
            warn: Told of lanes whose forecasts have become worse; None: nobody watches that.
        """
        series, dataset = model.data.series, model.config.dataset
        self._model = model
        self._tell = tell
        self._clock = Clock(series, numbered=dataset.time_column is None)
        if warm:
            check_known(model, self._clock, len(model.data.windows.spec.future_steps), "the stream begins there")
        self._memory = LaneMemory(model, warm, self._clock, warn)
        if warm and not series.series_ids:  # the only history there is: every lane that comes begins with it
            self._memory.open(_HISTORY, like=dataset.name)
        self._arrivals = Arrivals(self._clock, series.reading.zone is not None, tell)
        self._values: dict[str, list[float]] = {}  # of rows that were accepted, and that no lane has read yet
        self._made = MadeColumns(model, self._clock)
        self._named = frozenset(series.series_ids)
        self.unknown = 0
        if warm and dataset.time_column is not None:
            names = series.series_ids or (dataset.name,)
            ends = [self._clock.key_of(series.timestamps[rows.stop - 1]) for rows in series.slices()]
            self._arrivals.begin({}, dict(zip(names, ends, strict=True)))

    def __len__(self) -> int:
        """Return how many lanes there are."""
        return len(self._memory.numbers) - (_HISTORY in self._memory.numbers)

    @property
    def consumed(self) -> dict[str, int]:
        """Rows that came and each lane has read, its history not counted."""
        return {name: self._arrivals.rows[name] for name in self._memory.numbers if name != _HISTORY}

    @property
    def skipped(self) -> int:
        """Rows that were known already and were passed over."""
        return self._arrivals.skipped

    @property
    def alarms(self) -> int:
        """How many began since this book was opened."""
        return self._memory.alarms

    def resume(self, path: Path) -> str:
        """Go on from a saved state, and return the position in its source that was saved with it.

        Raises:
            UserError: If the file is damaged or belongs to another model.
        """
        state = load_state(path, self._model.digest)
        self.restore(state)
        return state.position

    def restore(self, state: SavedState) -> None:
        """Go on from what `remember` gave; of arrays behind its own nothing is read.

        Raises:
            UserError: If it has not the shapes of this model.
        """
        self._memory.restore(state.names, state.arrays, state.drift)
        self._values = {}
        self._arrivals.begin(
            dict(zip(state.names, state.rows, strict=True)), dict(zip(state.names, state.last, strict=True))
        )

    def save(self, path: Path, position: str = "") -> None:
        """Save what every lane remembers, atomically, and where its source is, if that knows."""
        save_state(path, self._model.digest, replace(self.remember(), position=position))

    def remember(self) -> SavedState:
        """Return what every lane remembers at this moment; its arrays are those of the book, which change."""
        names = list(self._memory.numbers)
        rows, last = [self.rows_of(name) for name in names], [self._last_or_nan(name) for name in names]
        return SavedState(names, rows, last, self._memory.arrays, drift=self._memory.drift)

    def output_names(self) -> list[str]:
        """Return the names of the columns: `forecast`, `low_95`, `quantile_0.05`, ...; with several steps, of each."""
        return self._model.output_names() + name_all_around(self._model)

    def note_of(self, lane: str) -> str | None:
        """Return what the answer to a row says of its lane; None where the run has no lanes to know."""
        return None if not self._named else "" if lane in self._named else UNKNOWN

    def last_values(self, lane: str) -> Sequence[float] | None:
        """Return the last values of a lane, for cells that are filled."""
        if lane in self._values:
            return self._values[lane]
        return self._memory.last_values(lane if lane in self._memory.numbers else _HISTORY)

    def number_of(self, lane: str) -> int | None:
        """Return the number of a lane, which it keeps; None if there is none of this name."""
        return self._memory.numbers.get(lane)

    def rows_of(self, lane: str) -> int:
        """Return how many rows of a lane came, its history not counted."""
        return self._arrivals.rows[lane]

    def last_key(self, lane: str) -> float | None:
        """Return the key of the newest row of a lane; None where rows are numbered, or it has none."""
        return self._arrivals.last_key(lane)

    def name_next(self, key: float, timestamp: str, count: int) -> list[str | None]:
        """Return the timestamps after a row, as texts; None where the dataset has no regular frequency."""
        return self._clock.name_next(key, timestamp, count)

    def name_time(self, key: float) -> str:
        """Return a timestamp as a text, from its key."""
        return self._clock.name(key)

    def name_last(self, lane: str) -> str | None:
        """Return the timestamp of the newest row of a lane, or its number; None if it has none."""
        if self._clock.numbered:
            count = self._memory.consumed(lane)
            return str(count - 1) if count else None
        key = self.last_key(lane)
        return None if key is None else self._clock.name(key)

    def drift_of(self, lane: str) -> dict[str, Any] | None:
        """Return what became of the forecasts of a lane: see `LaneDrift.facts`; None where nobody watches that."""
        return self._memory.drift_of(lane)

    def drift_of_all(self) -> dict[str, Any] | None:
        """Return the same of all lanes together: see `LaneDrift.totals`."""
        return self._memory.drift_of_all()

    def remember_lane(self, lane: str) -> SavedState:
        """Return what one lane remembers, copied."""
        number, state = self._memory.numbers[lane], self.remember()
        rows, last = [self.rows_of(lane)], [self._last_or_nan(lane)]
        arrays, drift = ([each[number : number + 1].copy() for each in some] for some in (state.arrays, state.drift))
        return SavedState([lane], rows, last, arrays, drift=drift)

    def check_keys(self, keys: Iterable[float]) -> None:
        """Check that numbers are keys of timestamps, or NaN.

        Raises:
            UserError: If one is not.
        """
        self._clock.check(keys)

    def put_lane(self, state: SavedState) -> None:
        """Let a lane, which is opened if need be, remember what `remember_lane` gave.

        Raises:
            UserError: If it is none of this model.
        """
        (lane,) = state.names
        self.check_keys(state.last)
        self._memory.check(state.arrays, state.drift)
        self._memory.check_known(lane)
        self._memory.put(lane, state.arrays, state.drift)
        self._values.pop(lane, None)
        self._arrivals.begin_lane(lane, state.rows[0], state.last[0])

    def look(self, row: Row, last: float | None = None) -> Arrival:
        """Say what a row is to its lane, which notes nothing yet.

        Args:
            row: The row.
            last: Key of the row before it in its lane, where that was looked at and not accepted yet.

        Raises:
            RowError: If its timestamp is no timestamp, or its lane cannot be opened.
        """
        if row.lane not in self._memory.numbers:
            try:
                self._memory.check_known(row.lane)
            except UserError as error:
                raise RowError(str(error)) from None
        return self._arrivals.look(row, last)

    def look_at_key(self, lane: str, key: float) -> Arrival:
        """Say what a row that is not late is to its lane, by the key of its timestamp."""
        return self._arrivals.look_at_key(lane, key)

    def accept(self, row: Row, arrival: Arrival | None = None) -> bool:
        """Note that a row came; it must be given to `advance` then. False if it was read before, and is passed over.

        Args:
            row: The row.
            arrival: What `look` said of it, if it was asked.

        Raises:
            RowError: If it cannot be used; then nothing is noted.
        """
        arrival = arrival or self.look(row)
        if arrival.fault:
            raise RowError(arrival.fault)
        if arrival.known:
            self._arrivals.pass_over(row, arrival.key)
            return False
        self._arrivals.note(row, arrival)
        if row.lane not in self._memory.numbers:
            self._tell_unknown(row.lane)
            self._memory.open(row.lane, like=_HISTORY if _HISTORY in self._memory.numbers else None)
        self._made.put(row.values, self.last_key(row.lane))
        self._values[row.lane] = row.values
        return True

    def look_together(self, block: RowBlock) -> BlockArrival | None:
        """Say what rows are to their lanes, which note nothing yet, where there is nothing to be said of any.

        Returns:
            None where one needs a closer look: of a new lane, known already, late, with others missing before it, or
            where a lane comes twice or has accepted rows that it has not read.
        """
        different = set(block.names)
        if not 0 < len(block.names) == len(different) or _HISTORY in different:
            return None
        if not different <= self._memory.numbers.keys() or not different.isdisjoint(self._values):
            return None
        keys = self._arrivals.look_together(block.names, block.timestamps)
        return None if keys is None else BlockArrival(block, keys)

    def read_together(self, arrival: BlockArrival) -> Step:
        """Accept rows that `look_together` found nothing about, and let their lanes read them, in one step."""
        (names, times, values), keys = arrival
        self._arrivals.note_together(names, keys)
        self._made.put_together(values, keys)
        return self._memory.read(names, times, values)

    def advance(self, rows: Sequence[Row]) -> Iterator[tuple[Row, FloatArray]]:
        """Let lanes read accepted rows, in one step of the network.

        Args:
            rows: Of different lanes.

        Yields:
            Each row, now with its number where rows are numbered, and its numbers, (columns,), as `output_names` has
            them; NaN while its lane warms up.
        """
        if rows:
            step = self.advance_together(rows)
            if self._clock.numbered:
                rows = [row._replace(timestamp=time) for row, time in zip(rows, step.timestamps, strict=True)]
            yield from zip(rows, step.numbers, strict=True)

    def advance_together(self, rows: Sequence[Row]) -> Step:
        """Do the same with at least one row, and return all of them together."""
        for row in rows:
            if self._values.get(row.lane) is row.values:  # else a later row of the lane was accepted meanwhile
                del self._values[row.lane]
        return self._memory.read(*gather_rows(rows))

    def _last_or_nan(self, lane: str) -> float:
        key = self.last_key(lane)
        return math.nan if key is None else key

    def _tell_unknown(self, lane: str) -> None:
        """Say that a lane is none of the run's: usually its name is written in another way, or it is new."""
        if self.note_of(lane) != UNKNOWN:
            return
        self.unknown += 1
        if self.unknown <= _MOST_NAMED:
            last = "; further ones are not named" if self.unknown == _MOST_NAMED else ""
            self._tell(
                f": unknown lane '{shorten(lane)}', none of those the run was trained on: it begins with no "
                f"history{last}"
            )
