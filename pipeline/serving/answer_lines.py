"""Answers to rows as lines of a CSV, as pipeline.stream prints them and pipeline.serve sends them."""

import csv
import io
import re
from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from itertools import chain

import numpy as np

from pipeline.data.arrays import FloatArray
from pipeline.serving.rows import Row

_MARKS = re.compile(r'[,"\r\n]')


def write_answer(row: Row, numbers: FloatArray, note: str | None) -> str:
    """Return the line of a row: lane, timestamp, numbers, empty where there is none, and a note if any."""
    return _write(row.lane, row.timestamp, numbers, note)


def _write(lane: str, timestamp: str, numbers: FloatArray, note: str | None) -> str:
    values = numbers.tolist()
    shown = _format(len(values)) % tuple(values)
    if "n" in shown:  # nan; inf is written as it is
        shown = shown.replace("nan", "")
    end = "\n" if note is None else f",{note}\n"
    return f"{_write_place(lane, timestamp)},{shown}{end}"


def write_answers(
    lanes: Sequence[str], timestamps: Sequence[str], numbers: FloatArray, note_of: Callable[[str], str | None]
) -> str:
    """Return the lines of some rows, as `write_answer` writes each, and faster.

    Args:
        lanes: Names of their lanes. Length n.
        timestamps: Length n.
        numbers: Shape (n, outputs).
        note_of: Gives the note of a lane.
    """
    notes = [note_of(lane) for lane in lanes]
    if np.isnan(numbers).any() or _MARKS.search("".join([*lanes, *timestamps])) is not None:
        return "".join(map(_write, lanes, timestamps, numbers, notes))
    ends = ["\n" if note is None else f",{note}\n" for note in notes]
    line = f"%s,%s,{_format(numbers.shape[1])}%s"
    cells = zip(lanes, timestamps, *numbers.T.tolist(), ends, strict=True)
    return line * len(lanes) % tuple(chain.from_iterable(cells))


def write_number(value: float) -> str:
    """Return a number as it stands in such a line."""
    return "" if value != value else f"{value:.9g}"


def _write_place(lane: str, timestamp: str) -> str:
    """Return the first two cells, quoted where they must be."""
    return f"{lane},{timestamp}" if _is_plain(lane) and _is_plain(timestamp) else write_cells([lane, timestamp])[:-1]


@lru_cache(maxsize=1 << 14)
def _is_plain(cell: str) -> bool:
    return _MARKS.search(cell) is None


@cache
def _format(count: int) -> str:
    return ",".join(["%.9g"] * count)


def write_cells(cells: Sequence[str]) -> str:
    """Return a line of a CSV, quoted where it must be."""
    text = io.StringIO()
    # Before Python 3.13 a carriage return alone is no reason to quote.
    alone = any("\r" in cell for cell in cells)
    csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL if alone else csv.QUOTE_MINIMAL).writerow(cells)
    return text.getvalue()
