"""Rows that arrive together, read at once: as columns, where each is plain; anything else is read row by row.

Nothing is refused here: what is not plain is left to `Header.read`, which knows what to say.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from pipeline.data.arrays import FloatArray
from pipeline.data.validate import LARGEST
from pipeline.serving.rows import Header, Row


class RowBlock(NamedTuple):
    """Rows as columns.

    Attributes:
        names: Of their lanes. Length n.
        timestamps: As they came; empty texts where rows are numbered. Length n.
        values: As `Row` has them. Shape (n, columns).
    """

    names: Sequence[str]
    timestamps: Sequence[str]
    values: FloatArray

    def select(self, rows: slice) -> "RowBlock":
        """Return some of them."""
        return RowBlock(self.names[rows], self.timestamps[rows], self.values[rows])


def cut_steps(names: Sequence[str]) -> Iterator[slice]:
    """Yield which rows can be read together: neighbours of different lanes."""
    first, seen = 0, set[str]()
    for place, name in enumerate(names):
        if name in seen:
            yield slice(first, place)
            first, seen = place, set()
        seen.add(name)
    yield slice(first, len(names))


def gather_rows(rows: Sequence[Row]) -> RowBlock:
    """Return rows, at least one, as columns."""
    values = np.array([row.values for row in rows])
    return RowBlock([row.lane for row in rows], [row.timestamp for row in rows], values)


def read_lines(header: Header, lines: Sequence[str]) -> RowBlock | None:
    """Read lines of a CSV, without their ends, to the numbers of `Header.read`; None if one needs a closer look."""
    separator = header.spelling.separator
    if header.lane is None or header.levels or not header.spelling.is_plain:
        return None
    together = separator.join(lines)
    if '"' in together or any(line.count(separator) != header.width - 1 for line in lines):
        return None
    cells = together.split(separator)
    columns = [cells[place :: header.width] for place in range(header.width)]
    used = [columns[place] for place in header.values if place is not None]
    if any("_" in "".join(column) for column in used):  # Python reads 1_000 as a number, no CSV does
        return None
    return make_block(header, columns)


def make_block(header: Header, columns: Sequence[Sequence[str | float]]) -> RowBlock | None:
    """Make a block of the columns that a header names, lanes and timestamps texts; None as `read_lines` does."""
    if header.lane is None or header.levels:
        return None
    places = [position for position, place in enumerate(header.values) if place is not None]
    values = np.full((len(columns[header.lane]), len(header.values)), np.nan)
    try:
        for position in places:
            values[:, position] = list(map(float, columns[header.values[position] or 0]))
    except (ValueError, OverflowError):
        return None
    read = values[:, places]
    if not (np.abs(read) <= LARGEST).all() or not (read[:, : sum(each < header.positive for each in places)] > 0).all():
        return None
    names = [str(name).strip() for name in columns[header.lane]]
    times = [""] * len(names) if header.time is None else [str(time).strip() for time in columns[header.time]]
    return RowBlock(names, times, values)
