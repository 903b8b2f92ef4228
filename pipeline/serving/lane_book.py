"""The book of a served model's lanes: what each has read, what it remembers, and what it answers to its next row.

Rows come here one by one, from wherever: a row that cannot be used touches nothing.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from pipeline.base.errors import UserError
from pipeline.data.arrays import FloatArray, IntArray
from pipeline.data.calendar_ahead import values_ahead
from pipeline.data.cycles import calendar_values
from pipeline.serving.beyond import check_known
from pipeline.serving.clock import MOST_COUNTED, Clock
from pipeline.serving.drift import LaneDrift, describe_alarm
from pipeline.serving.drift_start import find_start
from pipeline.serving.lane_bounds import LaneBounds, list_quantiles, name_all_around, warm_bounds
from pipeline.serving.lanes import Lanes, answer_last, warm_lanes
from pipeline.serving.model import ServedModel
from pipeline.serving.row_block import RowBlock
from pipeline.serving.rows import Row, RowError, shorten
from pipeline.serving.state_file import SavedState, load_state, save_state

_HISTORY = ""  # a lane of no name: how every new lane begins when the run's history is one series

UNKNOWN = "unknown lane"  # what the answer to a row of such a lane says
_MOST_NAMED = 20  # unknown lanes that are told one by one
_MOST_ALARMS = 100  # that are told


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


class BlockArrival(NamedTuple):
    """Rows of different lanes, each the next one of a lane that there is, before these have read them.

    Attributes:
        block: The rows.
        lanes: Numbers of their lanes. Shape (n,).
        keys: Of their timestamps, as `Arrival` has them. Length n.
    """

    block: RowBlock
    lanes: IntArray
    keys: Sequence[float]


class Step(NamedTuple):
    """Rows of different lanes that were read together.

    Attributes:
        names: Of their lanes. Length n.
        timestamps: Of the rows; where rows are numbered, their numbers. Length n.
        lanes: Numbers of their lanes. Shape (n,).
        values: What they hold. Shape (n, columns of a row).
        numbers: What they are answered, as `LaneBook.output_names` has it. Shape (n, outputs).
    """

    names: Sequence[str]
    timestamps: Sequence[str]
    lanes: IntArray
    values: FloatArray
    numbers: FloatArray


class LaneBook:
    """The lanes of one model, and the rows they have read.

    Attributes:
        skipped: Rows that were known already and were passed over.
        unknown: Lanes that are none of the run's.
        alarms: That began since this book was opened.
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
        self._lanes = warm_lanes(model) if warm else Lanes(model)
        watches = warn is not None
        last = answer_last(model) if warm and (watches or model.conformal is not None) else None
        self._bounds = _begin_bounds(model, last)
        self._warn = warn
        self._drift = _begin_drift(model, last) if watches else None
        if warm and not series.series_ids:  # the only history there is: every lane that comes begins with it
            self._open(_HISTORY, like=dataset.name)
        self._rows: Counter[str] = Counter()  # that came, by lane
        self._last: dict[str, float] = {}
        self._targets = series.column_numbers(series.targets)
        self._known: dict[str, float] = {}  # timestamps up to here were read before this book was opened
        self._passed: dict[str, float] = {}  # the latest of them that was sent again, where any was
        self._values: dict[str, list[float]] = {}  # of rows that were accepted, and that no lane has read yet
        self._made = find_made(model)
        self._computed: tuple[float, list[float]] = (math.nan, [])  # of the latest timestamp: lanes share it
        self._named = frozenset(series.series_ids)
        self._zoned = series.reading.zone is not None
        self._tell_second = series.reading.zone is not None  # local times come twice in autumn: told once
        self.skipped = self.unknown = self.alarms = 0
        if warm and dataset.time_column is not None:
            for name, rows in zip(series.series_ids or (dataset.name,), series.slices(), strict=True):
                self._last[name] = self._known[name] = self._clock.key_of(series.timestamps[rows.stop - 1])

    def __len__(self) -> int:
        """Return how many lanes there are."""
        return len(self._lanes.numbers) - (_HISTORY in self._lanes.numbers)

    @property
    def consumed(self) -> dict[str, int]:
        """Rows that came and each lane has read, its history not counted."""
        return {name: self._rows.get(name, 0) for name in self._lanes.numbers if name != _HISTORY}

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
        self._lanes = Lanes(self._model)
        own = len(self._lanes.arrays)
        self._lanes.restore(state.names, state.arrays[:own])
        if self._bounds is not None:
            self._bounds.restore(state.names, state.arrays[own : own + len(self._bounds.arrays)])
        if self._drift is not None:
            self._drift.restore(state.names, state.drift)
        self._values = {}
        self._rows = Counter(dict(zip(state.names, state.rows, strict=True)))
        self._last = {name: key for name, key in zip(state.names, state.last, strict=True) if not math.isnan(key)}
        self._known = dict(self._last)

    def save(self, path: Path, position: str = "") -> None:
        """Save what every lane remembers, atomically, and where its source is, if that knows."""
        save_state(path, self._model.digest, replace(self.remember(), position=position))

    def remember(self) -> SavedState:
        """Return what every lane remembers at this moment; its arrays are those of the book, which change."""
        names = list(self._lanes.numbers)
        last = [self._last.get(name, math.nan) for name in names]
        rows = [self._rows.get(name, 0) for name in names]
        arrays = self._lanes.arrays + ([] if self._bounds is None else self._bounds.arrays)
        return SavedState(names, rows, last, arrays, drift=[] if self._drift is None else self._drift.arrays)

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
        return self._lanes.last_values(lane if lane in self._lanes.numbers else _HISTORY)

    def number_of(self, lane: str) -> int | None:
        """Return the number of a lane, which it keeps; None if there is none of this name."""
        return self._lanes.numbers.get(lane)

    def rows_of(self, lane: str) -> int:
        """Return how many rows of a lane came, its history not counted."""
        return self._rows.get(lane, 0)

    def last_key(self, lane: str) -> float | None:
        """Return the key of the newest row of a lane; None where rows are numbered, or it has none."""
        return self._last.get(lane)

    def name_next(self, key: float, timestamp: str, count: int) -> list[str | None]:
        """Return the timestamps after a row, as texts; None where the dataset has no regular frequency."""
        return self._clock.name_next(key, timestamp, count)

    def name_time(self, key: float) -> str:
        """Return a timestamp as a text, from its key."""
        return self._clock.name(key)

    def name_last(self, lane: str) -> str | None:
        """Return the timestamp of the newest row of a lane, or its number; None if it has none."""
        key = self._last.get(lane)
        number = self._lanes.numbers[lane]
        if self._clock.numbered:
            count = int(self._lanes.consumed[number])
            return str(count - 1) if count else None
        return None if key is None else self._clock.name(key)

    def drift_of(self, lane: str) -> dict[str, Any] | None:
        """Return what became of the forecasts of a lane: see `LaneDrift.facts`; None where nobody watches that."""
        return None if self._drift is None else self._drift.facts(self._lanes.numbers[lane], self._name_key)

    def drift_of_all(self) -> dict[str, Any] | None:
        """Return the same of all lanes together: see `LaneDrift.totals`."""
        return None if self._drift is None else self._drift.totals(len(self._lanes.numbers))

    def remember_lane(self, lane: str) -> SavedState:
        """Return what one lane remembers, copied."""
        number, state = self._lanes.numbers[lane], self.remember()
        rows, last = [self.rows_of(lane)], [self._last.get(lane, math.nan)]
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
        (lane,), own = state.names, self.remember().arrays
        self.check_keys(state.last)
        if [(each.dtype, each.shape[1:]) for each in own] != [(each.dtype, each.shape[1:]) for each in state.arrays]:
            raise UserError("the state does not have the shapes of this model")
        if self._bounds is not None:
            self._bounds.check(state.arrays[len(self._lanes.arrays) :])
        if self._drift is not None and state.drift:
            self._drift.check(state.drift)
            self.check_keys(self._drift.keys_of(state.drift))
        self._lanes.check_known(lane)
        if lane not in self._lanes.numbers:
            self._open(lane, like=None)
        number = self._lanes.numbers[lane]
        self._lanes.put(number, state.arrays[: len(self._lanes.arrays)])
        for mine, given in zip(
            self.remember().arrays[len(self._lanes.arrays) :], state.arrays[len(self._lanes.arrays) :], strict=True
        ):
            mine[number] = given[0]
        if self._drift is not None:
            self._drift.put(number, state.drift)
        self._rows[lane] = state.rows[0]
        self._values.pop(lane, None)
        self._passed.pop(lane, None)
        self._last.pop(lane, None)
        self._known.pop(lane, None)
        if not math.isnan(state.last[0]):
            self._last[lane] = self._known[lane] = state.last[0]

    def look(self, row: Row, last: float | None = None) -> Arrival:
        """Say what a row is to its lane, which notes nothing yet.

        Args:
            row: The row.
            last: Key of the row before it in its lane, where that was looked at and not accepted yet.

        Raises:
            RowError: If its timestamp is no timestamp, or its lane cannot be opened.
        """
        if row.lane not in self._lanes.numbers:
            try:
                self._lanes.check_known(row.lane)
            except UserError as error:
                raise RowError(str(error)) from None
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
        return self.arrive(row.lane, key, last)

    def arrive(self, lane: str, key: float, last: float | None = None) -> Arrival:
        """Say what a row that is not late is to its lane, by the key of its timestamp; for `last` see `look`."""
        last = self._last.get(lane) if last is None else last
        if last is None:
            return Arrival(key)
        if key <= self._known.get(lane, -math.inf):
            return Arrival(key, known=True)
        return Arrival(key, False, self._clock.count_missing(last, key))

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
            self._pass_over(row, arrival.key)
            return False
        if not self._clock.numbered:
            self._note_time(row, arrival)
        if row.lane not in self._lanes.numbers:
            self._tell_unknown(row.lane)
            self._open(row.lane, like=_HISTORY if _HISTORY in self._lanes.numbers else None)
        if self._made:
            for place, value in zip(self._made, self._compute(self._last[row.lane]), strict=True):
                row.values[place] = value
        self._rows[row.lane] += 1
        self._values[row.lane] = row.values
        return True

    def look_together(self, block: RowBlock) -> BlockArrival | None:
        """Say what rows are to their lanes, which note nothing yet, where there is nothing to be said of any.

        Returns:
            None where one needs a closer look: of a new lane, known already, late, with others missing before it, or
            where a lane comes twice or has accepted rows that it has not read.
        """
        names = block.names
        numbers = [self._lanes.numbers.get(name) for name in names]
        if None in numbers or len(set(numbers)) < len(numbers) or "" in names:
            return None
        if not self._values.keys().isdisjoint(names):
            return None
        lanes = np.array(numbers)
        if self._clock.numbered:
            return BlockArrival(block, lanes, [math.nan] * len(names))
        if self._zoned:
            return None
        try:
            of_times = {text: self._clock.read(text) for text in set(block.timestamps)}
        except ValueError:
            return None
        keys = [of_times[text] for text in block.timestamps]
        for last, key in set(zip(map(self._last.get, names), keys, strict=True)):
            if last is None or key <= last or self._clock.count_missing(last, key):
                return None
        return BlockArrival(block, lanes, keys)

    def read_together(self, arrival: BlockArrival) -> Step:
        """Accept rows that `look_together` said nothing of, and let their lanes read them, in one step."""
        (names, times, values), lanes, keys = arrival
        if not self._clock.numbered:
            self._last.update(zip(names, keys, strict=True))
            for before in (self._known, self._passed):
                if before:
                    for name in names:
                        before.pop(name, None)
        if self._made:
            values[:, self._made] = [self._compute(key) for key in keys]
        self._rows.update(names)
        return self._read(names, times, lanes, values)

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
        names = [row.lane for row in rows]
        lanes = np.array([self._lanes.numbers[name] for name in names])
        for row in rows:
            if self._values.get(row.lane) is row.values:  # else a later row of the lane was accepted meanwhile
                del self._values[row.lane]
        return self._read(names, [row.timestamp for row in rows], lanes, np.array([row.values for row in rows]))

    def _read(self, names: Sequence[str], timestamps: Sequence[str], lanes: IntArray, values: FloatArray) -> Step:
        answers = self._lanes.advance_answers(lanes, values)
        numbers = self._model.data.head.points(answers).reshape(len(lanes), -1)
        if self._bounds is not None:
            bounds = self._bounds.advance(lanes, values, answers)
            numbers = np.concatenate([numbers, bounds.reshape(len(lanes), -1)], axis=1)
        if self._model.data.head.levels:
            numbers = np.concatenate([numbers, list_quantiles(answers)], axis=1)
        if self._clock.numbered:  # the first row of a lane is row 0
            timestamps = [str(place) for place in (self._lanes.consumed[lanes] - 1).tolist()]
        step = Step(names, timestamps, lanes, values, numbers)
        if self._drift is not None:
            self._watch(self._drift, step)
        return step

    def _open(self, name: str, like: str | None) -> None:
        """Make room for a new lane."""
        self._lanes.open(name, like)
        if self._bounds is not None:
            self._bounds.open(name)
        if self._drift is not None:
            self._drift.open(self._lanes.numbers[name], name, None if like is None else self._lanes.numbers[like])

    def _watch(self, drift: LaneDrift, step: Step) -> None:
        """Learn what became of the forecasts for some rows, and keep those made from them."""
        actual = step.values[:, self._targets]

        def key_of(place: int) -> float:
            time = step.timestamps[place]
            return float(time) if self._clock.numbered else self._clock.read(time)

        nearest = step.numbers[:, : actual.shape[1]]
        with np.errstate(over="ignore", invalid="ignore"):  # a forecast that is none is not scored
            began = drift.advance(step.lanes, actual, nearest, self._lanes.last_inputs(step.lanes), key_of)
        for place in began:
            self.alarms += 1
            if self._warn is not None and self.alarms <= _MOST_ALARMS:
                more = "; further alarms are only counted" if self.alarms == _MOST_ALARMS else ""
                facts = drift.facts(int(step.lanes[place]), self._name_key)
                self._warn(f"{describe_alarm(step.names[place], facts)}{more}")

    def _name_key(self, key: float) -> str:
        return str(int(key)) if self._clock.numbered else self._clock.name(key)

    def _compute(self, key: float) -> list[float]:
        """Return what is made from the timestamp of a row, and of those that come next; see `find_made`."""
        if key != self._computed[0]:
            series, steps = self._model.data.series, len(self._model.data.windows.spec.future_steps)
            time = pd.DatetimeIndex([self._clock.time_of(key)])
            own = calendar_values(time, self._model.config.dataset.calendar)[0]
            ahead = values_ahead(time, series.step, series.future_computed, steps)[0]
            self._computed = key, [*own.tolist(), *ahead.ravel().tolist()]
        return self._computed[1]

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

    def _note_time(self, row: Row, arrival: Arrival) -> None:
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

    def _pass_over(self, row: Row, key: float) -> None:
        """Skip a row that was read before; say so once per lane."""
        self.skipped += 1
        before = self._passed.get(row.lane)
        self._passed[row.lane] = key if before is None else max(key, before)
        if before is None:
            self._tell(f" ({_where(row)}) was read before this stream began: skipped, as are all such rows")


def find_made(model: ServedModel) -> list[int]:
    """Return the places in a row of what is made from timestamps: its own columns, then those of the next rows."""
    series, spec = model.data.series, model.data.windows.spec
    width = len(series.columns)
    made = {f"{name}+{step}" for step in spec.future_steps for name in series.future_computed}
    carried = [width + place for place, name in enumerate(spec.carried) if name in made]
    return [*range(width - len(series.computed), width), *carried]


def _begin_bounds(model: ServedModel, last: FloatArray | None) -> LaneBounds | None:
    """Return the intervals of no lane, or of the run's after what they answered last."""
    if model.conformal is None:
        return None
    return LaneBounds(model, model.conformal) if last is None else warm_bounds(model, model.conformal, last)


def _begin_drift(model: ServedModel, last: FloatArray | None) -> LaneDrift:
    """Return what becomes of the forecasts of no lane, or of the run's after what they answered last."""
    series, start = model.data.series, find_start(model)
    drift = LaneDrift(start)
    if last is not None:
        for number, name in enumerate(series.series_ids or (model.config.dataset.name,)):
            drift.open(number, name)
        nearest = np.stack([model.data.head.points(each)[:, 0] for each in last[-start.ahead :]])
        drift.read_history([series.actual()[rows] for rows in series.slices()], nearest)
    return drift


def _where(row: Row) -> str:
    return f"lane {shorten(row.lane)}, {row.timestamp}"
