"""Rows of a CSV that arrives bit by bit: each line becomes a lane, a timestamp and values, or one clear complaint."""

import csv
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from pipeline.base.errors import UserError
from pipeline.config.schema import Config, Missing, Transform, Unseen
from pipeline.data.categories import sources_of
from pipeline.data.series import Series
from pipeline.data.spelling import Spelling
from pipeline.data.validate import LARGEST
from pipeline.data.window_spec import make_window_spec
from pipeline.serving.frames import value_columns

LANE = "lane"
LONGEST_NAME = 200  # characters of a lane's name
_NO_VALUE = frozenset(("", "nan", "na", "n/a", "null", "none"))  # in small letters; what stands for an empty cell


class RowError(Exception):
    """A row that cannot be used; the text says why."""


class Row(NamedTuple):
    """One row as it was read.

    Attributes:
        lane: Name of its lane.
        timestamp: As it stands in the file; of numbered rows the number, which the stream knows.
        values: Of the series' columns; NaN where a cell is empty, or a column is not needed.
    """

    lane: str
    timestamp: str
    values: list[float]


@dataclass(frozen=True)
class Header:
    """Where the columns of the dataset stand in the rows that arrive.

    Attributes:
        width: Cells of a row.
        time: Position of the timestamp; None when rows are numbered.
        lane: Position of the lane; None: all rows are one series.
        values: Position of each column; None where it is not needed.
        columns: Names of the series' columns, and of what a row carries of those after it.
        single: Name of the lane when there is no lane column.
        positive: Columns at the beginning whose values must be above zero, for a logarithm.
        filled: Columns at the beginning whose empty cells take the last value of their lane.
        spelling: How the rows write numbers and separate cells: as the dataset's file does.
        ahead: Columns at the end that a row carries of those after it.
        levels: Of columns that say whether a category has a value, the category and the value, by position.
        values_of: Of each category the values that are learnt from.
        refuse_unseen: Whether another value is refused; else it is none of them.
    """

    width: int
    time: int | None
    lane: int | None
    values: Sequence[int | None]
    columns: Sequence[str]
    single: str
    positive: int
    filled: int
    spelling: Spelling
    ahead: int = 0
    levels: Mapping[int, tuple[str, str]] = field(default_factory=dict)
    values_of: Mapping[str, Sequence[str]] = field(default_factory=dict)
    refuse_unseen: bool = True

    def read(self, line: str, last_values: Callable[[str], Sequence[float] | None]) -> Row:
        """Read one line.

        Args:
            line: Without its end.
            last_values: Gives the last values of a lane, for cells that are filled.

        Raises:
            RowError: If it cannot be used.
        """
        separator = self.spelling.separator
        cells = _split_quoted(line, separator) if '"' in line else line.split(separator)
        if len(cells) != self.width:
            raise RowError(f"has {len(cells)} cells, but the header has {self.width}")
        return self.read_cells(cells, last_values)

    def read_cells(self, cells: Sequence[str | float], last_values: Callable[[str], Sequence[float] | None]) -> Row:
        """Read cells, as many as the header has, as `read` does; a number needs no spelling."""
        lane = self.single if self.lane is None else str(cells[self.lane]).strip()
        if not lane:
            raise RowError("names no lane")
        if len(lane) > LONGEST_NAME:
            raise RowError(f"names a lane of {len(lane)} characters, more than {LONGEST_NAME}")
        values = [
            math.nan if place is None else self._number(cells[place], position, lane, last_values)
            for position, place in enumerate(self.values)
        ]
        return Row(lane, "" if self.time is None else str(cells[self.time]).strip(), values)

    def _number(
        self, cell: str | float, position: int, lane: str, last_values: Callable[[str], Sequence[float] | None]
    ) -> float:
        if self.levels and position in self.levels and str(cell).strip():
            return self._find_level(str(cell).strip(), *self.levels[position])
        value = cell if isinstance(cell, float) else self._spelled(cell)
        if -LARGEST <= value <= LARGEST and (value > 0 or position >= self.positive):  # nearly always
            return value
        name = self.columns[position]
        if math.isnan(value):
            cell = str(cell)
            if cell.strip().lower() not in _NO_VALUE:
                raise RowError(f"has '{shorten(cell)}' in the column '{name}', which is not a number")
            last = last_values(lane)
            fills = position < self.filled
            if not fills or last is None:
                ahead = position >= len(self.columns) - self.ahead
                how = (
                    "which must be known ahead"
                    if ahead
                    else "and nothing came before it"
                    if fills
                    else "and dataset.missing is not forward_fill"
                )
                raise RowError(f"has no value in the column '{name}', {how}")
            return last[position]
        if abs(value) > LARGEST:
            raise RowError(f"has {shorten(str(cell))} in the column '{name}', which is too large to compute with")
        raise RowError(f"has {value:g} in the column '{name}', which has no logarithm")

    def _spelled(self, cell: str) -> float:
        try:
            # Python reads 1_000 as a number, no CSV does.
            return math.nan if "_" in cell else float(self.spelling.rewrite(cell))
        except ValueError:
            return math.nan

    def _find_level(self, text: str, category: str, value: str) -> float:
        """Return 1 if a cell holds a value of a category, else 0."""
        if self.refuse_unseen and text not in self.values_of[category]:
            raise RowError(
                f"has '{shorten(text)}' in the column '{category}', none of the values that the run learnt from"
            )
        return float(text == value)


def shorten(text: str) -> str:
    """Return a text as an error message can show it: one line, not too long."""
    plain = " ".join(text.split())
    return plain if len(plain) <= 60 else f"{plain[:57]}..."


def _split_quoted(line: str, separator: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=separator), [])
    except csv.Error as error:
        raise RowError(f"is no row of a CSV ({error})") from None


def read_header(line: str, config: Config, series: Series, needs_lane: bool = True) -> Header:
    """Find the dataset's columns in a header.

    Args:
        line: The first line.
        config: Of the run.
        series: Of the run.
        needs_lane: Whether the rows of a run of many lanes must name theirs.

    Raises:
        UserError: If one that is needed is missing; the text names it.
    """
    spelling = series.spelling
    if spelling.separator not in line:  # rows from elsewhere, as computing writes them
        spelling = Spelling()
    separator = spelling.separator
    try:
        names = [name.strip() for name in _split_quoted(line.removeprefix("\ufeff"), separator)]
    except RowError as error:
        raise UserError(f"the header {error}; the first line must name the columns of the dataset") from error
    return find_columns(names, config, series, spelling, needs_lane)


def needed_columns(config: Config, series: Series) -> list[str]:
    """Return the columns that every row must have, beside that of the lane."""
    time = config.dataset.time_column
    spec = make_window_spec(config, series)
    computed = {f"{name}+{step}" for step in spec.future_steps for name in series.computed}
    carried = [cell for cell, _ in _find_cells(config, series)[len(series.columns) :] if cell not in computed]
    return list(dict.fromkeys([*value_columns(config, series), *carried, *([] if time is None else [time])]))


def _find_cells(config: Config, series: Series) -> list[tuple[str, tuple[str, str] | None]]:
    """Return of each column of a row the cell that it is read from, and of a category which value it says."""
    spec, encoded = make_window_spec(config, series), sources_of(series.levels)
    columns = [(name, "") for name in series.columns]
    columns += [(name, f"+{step}") for step in spec.future_steps for name in spec.future_columns]
    return [
        (f"{encoded[name][0]}{ending}", encoded[name]) if name in encoded else (f"{name}{ending}", None)
        for name, ending in columns
    ]


def find_columns(
    names: Sequence[str], config: Config, series: Series, spelling: Spelling, needs_lane: bool = True
) -> Header:
    """Find the dataset's columns among names, as `read_header` does in a line; `spelling` is that of the cells."""
    dataset, line = config.dataset, spelling.separator.join(names)
    needed = needed_columns(config, series)
    missing = [name for name in dict.fromkeys(needed) if name not in names]
    if missing:
        raise UserError(
            f"the rows need the column(s) {', '.join(missing)}, but their header is: {shorten(line) or 'empty'}"
        )
    twice = [name for name in needed if names.count(name) > 1]
    if twice:
        raise UserError(f"the header has the column '{twice[0]}' twice; rename one of them")
    carried = make_window_spec(config, series).carried
    cells = _find_cells(config, series)
    series_ids = [name for name in (dataset.lane_column, LANE) if name is not None and name in names]
    if needs_lane and dataset.lane_column is not None and not series_ids:
        raise UserError(
            f"the run has many lanes: the rows need the column {dataset.lane_column} (or {LANE}), but their header is: "
            f"{shorten(line)}"
        )
    return Header(
        width=len(names),
        time=names.index(dataset.time_column) if dataset.time_column is not None else None,
        lane=names.index(series_ids[0]) if series_ids else None,
        values=[names.index(name) if name in needed else None for name, _ in cells],
        columns=[name for name, _ in cells],
        single=dataset.name,
        positive=len(series.columns) - len(series.untransformed) if Transform.log in dataset.transforms else 0,
        filled=len(series.columns) if dataset.missing is Missing.forward_fill else 0,
        ahead=len(carried),
        levels={place: level for place, (_, level) in enumerate(cells) if level is not None},
        values_of=dict(series.levels),
        refuse_unseen=dataset.unseen is Unseen.error,
        spelling=spelling,
    )
