"""A stream of rows and the forecasts it gives: rows of different lanes that are there together are one step.

A row that cannot be used is answered with a complaint and touches nothing; the rows of the other lanes go on.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.base.errors import UserError
from pipeline.data.cycles import cycle_values
from pipeline.serving.clock import MOST_COUNTED, Clock
from pipeline.serving.lane_bounds import LaneBounds, name_bounds, warm_bounds
from pipeline.serving.lanes import Lanes, warm_lanes
from pipeline.serving.model import ServedModel
from pipeline.serving.rows import Header, Row, RowError, read_header, shorten
from pipeline.serving.state_file import SavedState, load_state, save_state

_HISTORY = ""  # a lane of no name: how every new lane begins when the run's history is one series

UNKNOWN = "unknown lane"  # what the answer to a row of such a lane says
_MOST_NAMED = 20  # unknown lanes that are told one by one


@dataclass
class _Wave:
    """Rows of different lanes that are read in one step."""

    lanes: list[int] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    seen: set[int] = field(default_factory=set)


class Stream:
    """One stream into one model.

    Attributes:
        skipped: Rows that were known already and were passed over.
        refused: Rows that could not be used.
        unknown: Lanes that are none of the run's.
    """

    def __init__(self, model: ServedModel, warm: bool, complain: Callable[[str], None]) -> None:
        """Begin after the run's history, or with lanes that have seen nothing.

        Args:
            model: The served model.
            warm: Whether lanes begin after the run's history.
            complain: Told one line about each row that cannot be used.
        """
        series, dataset = model.data.series, model.config.dataset
        self._model = model
        self._complain = complain
        self._clock = Clock(series, numbered=dataset.time_column is None)
        self._lanes = warm_lanes(model) if warm else Lanes(model)
        self._bounds = _begin_bounds(model, warm)
        if warm and not series.series_ids:  # the only history there is: every lane that comes begins with it
            self._open(_HISTORY, like=dataset.name)
        self._header: Header | None = None
        self._line = 0
        self._rows: dict[str, int] = {}  # of the stream, by lane
        self._last: dict[str, float] = {}
        self._known: dict[str, float] = {}  # timestamps up to here were read before this stream began
        self._passed: dict[str, float] = {}  # the latest of them that was sent again, where any was
        self._values: dict[str, list[float]] = {}
        self._computed: tuple[float, list[float]] = (math.nan, [])  # of the latest timestamp: lanes share it
        self._tell_second = series.reading.zone is not None  # local times come twice in autumn: told once
        self.skipped = self.refused = self.unknown = 0
        if warm and dataset.time_column is not None:
            for name, rows in zip(series.series_ids or (dataset.name,), series.slices(), strict=True):
                self._last[name] = self._known[name] = self._clock.key_of(series.timestamps[rows.stop - 1])

    @property
    def has_header(self) -> bool:
        """Whether the header came."""
        return self._header is not None

    @property
    def encoding(self) -> str | None:
        """How the run's own file is encoded, as dataset.encoding says; rows that arrive are like it."""
        return self._model.config.dataset.encoding

    @property
    def consumed(self) -> dict[str, int]:
        """Rows of the stream that each lane has read, its history not counted."""
        return {name: self._rows.get(name, 0) for name in self._lanes.numbers if name != _HISTORY}

    def resume(self, path: Path) -> None:
        """Go on from a saved state.

        Raises:
            UserError: If the file is damaged or belongs to another model.
        """
        state = load_state(path, self._model.digest)
        self._lanes = Lanes(self._model)
        own = len(self._lanes.arrays)
        self._lanes.restore(state.names, state.arrays[:own])
        if self._bounds is not None:
            self._bounds.restore(state.names, state.arrays[own:])
        self._values = {}
        self._rows = dict(zip(state.names, state.rows, strict=True))
        self._last = {name: key for name, key in zip(state.names, state.last, strict=True) if not math.isnan(key)}
        self._known = dict(self._last)

    def save(self, path: Path) -> None:
        """Save what every lane remembers, atomically."""
        names = list(self._lanes.numbers)
        last = [self._last.get(name, math.nan) for name in names]
        rows = [self._rows.get(name, 0) for name in names]
        arrays = self._lanes.arrays + ([] if self._bounds is None else self._bounds.arrays)
        save_state(path, self._model.digest, SavedState(names, rows, last, arrays))

    def output_names(self) -> list[str]:
        """Return the names of the columns: `forecast`, then `low_95` and the like; with several steps, of each."""
        return self._model.output_names() + name_bounds(self._model)

    def note_of(self, lane: str) -> str | None:
        """Return what the answer to a row says of its lane; None where the run has no lanes to know."""
        known = self._model.data.series.series_ids
        return None if not known else "" if lane in known else UNKNOWN

    def answer(self, lines: Sequence[str | RowError]) -> Iterator[tuple[Row, np.ndarray]]:
        """Read lines as they came and yield each usable row with its numbers, (columns,); NaN while it warms up.

        Args:
            lines: Without their ends; of a line that is no text, why it is none.

        Raises:
            UserError: If the first line is no header with the dataset's columns.
        """
        wave = _Wave()
        for line in lines:
            self._line += 1
            if isinstance(line, RowError):
                self._refuse_text(line)
                continue
            if not line or line.isspace():
                continue
            if self._header is None:
                self._header = read_header(line, self._model.config, self._model.data.series)
                continue
            row = self._accept(self._header, line)
            if row is None:
                continue
            lane = self._lanes.numbers[row.lane]
            if lane in wave.seen:
                yield from self._advance(wave)
                wave = _Wave()
            wave.lanes.append(lane)
            wave.rows.append(row)
            wave.seen.add(lane)
        yield from self._advance(wave)

    def _advance(self, wave: _Wave) -> Iterator[tuple[Row, np.ndarray]]:
        if not wave.rows:
            return
        lanes, values = np.array(wave.lanes), np.array([row.values for row in wave.rows])
        forecasts, rows = self._lanes.advance(lanes, values), wave.rows
        numbers = forecasts.reshape(len(rows), -1)
        if self._bounds is not None:
            bounds = self._bounds.advance(lanes, values, forecasts)
            numbers = np.concatenate([numbers, bounds.reshape(len(rows), -1)], axis=1)
        if self._clock.numbered:
            places = self._lanes.consumed[wave.lanes] - 1  # the first row of a lane is row 0
            rows = [row._replace(timestamp=str(place)) for row, place in zip(rows, places.tolist(), strict=True)]
        yield from zip(rows, numbers, strict=True)

    def _open(self, name: str, like: str | None) -> None:
        """Make room for a new lane."""
        self._lanes.open(name, like)
        if self._bounds is not None:
            self._bounds.open(name)

    def _accept(self, header: Header, line: str) -> Row | None:
        """Return the row if it can be used, after noting that it came."""
        try:
            row = header.read(line, self._last_values)
            if row.lane not in self._lanes.numbers:
                self._lanes.check_known(row.lane)
            if not self._clock.numbered and not self._check_time(row):
                return None
        except (RowError, UserError) as error:
            self._refuse(error)
            return None
        if row.lane not in self._lanes.numbers:
            self._tell_unknown(row.lane)
            self._open(row.lane, like=_HISTORY if _HISTORY in self._lanes.numbers else None)
        if computed := self._model.data.series.computed:
            row.values[-len(computed) :] = self._compute(self._last[row.lane])
        self._rows[row.lane] = self._rows.get(row.lane, 0) + 1
        self._values[row.lane] = row.values
        return row

    def _compute(self, key: float) -> list[float]:
        """Return what is made from the timestamp of a row: the columns of dataset.calendar."""
        if key != self._computed[0]:
            time = pd.DatetimeIndex([self._clock.time_of(key)])
            self._computed = key, cycle_values(time, self._model.config.dataset.calendar)[0].tolist()
        return self._computed[1]

    def _refuse(self, error: RowError | UserError) -> None:
        self.refused += 1
        self._complain(f"line {self._line} {error}: skipped")

    def _refuse_text(self, error: RowError) -> None:
        """Refuse a line that is no text; without a header nothing after it can be used."""
        if self._header is None:
            raise UserError(f"the header {error}; write the rows in the encoding of the run's own file")
        self._refuse(error)

    def _tell_unknown(self, lane: str) -> None:
        """Say that a lane is none of the run's: usually its name is written in another way, or it is new."""
        if self.note_of(lane) != UNKNOWN:
            return
        self.unknown += 1
        if self.unknown <= _MOST_NAMED:
            last = "; further ones are not named" if self.unknown == _MOST_NAMED else ""
            self._complain(
                f"line {self._line}: unknown lane '{shorten(lane)}', none of those the run was trained on: it begins "
                f"with no history{last}"
            )

    def _check_time(self, row: Row) -> bool:
        """Return whether the row is new; note its time if so.

        Raises:
            RowError: If its timestamp is no timestamp, late, or repeated.
        """
        last = self._last.get(row.lane)
        try:
            # Rows that are sent again are read as they were before: after each other, not after the last known one.
            key = self._clock.read(row.timestamp, after=self._passed.get(row.lane, last))
        except ValueError:
            raise RowError(
                f"has '{shorten(row.timestamp)}' for a time, which is none like those of the dataset"
            ) from None
        if last is not None:
            if key <= self._known.get(row.lane, -math.inf):
                self._pass_over(row, key)
                return False
            if key <= last:
                fault = "repeats a timestamp" if key == last else "is late: a later one came before"
                raise RowError(f"({_where(row)}) {fault}")
            missing = self._clock.count_missing(last, key)
            if missing:
                count = f"{missing} row(s)" if missing <= MOST_COUNTED else f"more than {MOST_COUNTED} rows"
                self._complain(
                    f"line {self._line} ({_where(row)}): {count} are missing before it; the state goes on as if they "
                    "did not exist"
                )
            if self._known:
                self._known.pop(row.lane, None)
                self._passed.pop(row.lane, None)
            if self._tell_second and key != self._clock.read(row.timestamp):
                self._tell_second = False
                self._complain(
                    f"line {self._line} ({_where(row)}) comes twice in autumn and is read as the second, winter's: so "
                    "are all such rows that are not later than the one before them in their lane"
                )
        self._last[row.lane] = key
        return True

    def _pass_over(self, row: Row, key: float) -> None:
        """Skip a row that was read before this stream began; say so once per lane."""
        self.skipped += 1
        before = self._passed.get(row.lane)
        self._passed[row.lane] = key if before is None else max(key, before)
        if before is None:
            self._complain(
                f"line {self._line} ({_where(row)}) was read before this stream began: skipped, as are all such rows"
            )

    def _last_values(self, lane: str) -> Sequence[float] | None:
        """Return the last values of a lane, for cells that are filled."""
        if lane in self._values:
            return self._values[lane]
        return self._lanes.last_values(lane if lane in self._lanes.numbers else _HISTORY)


def _begin_bounds(model: ServedModel, warm: bool) -> LaneBounds | None:
    if model.conformal is None:
        return None
    return warm_bounds(model, model.conformal) if warm else LaneBounds(model, model.conformal)


def _where(row: Row) -> str:
    return f"lane {shorten(row.lane)}, {row.timestamp}"
