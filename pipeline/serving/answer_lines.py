"""Answers to rows as lines of a CSV, as pipeline.stream prints them and pipeline.serve sends them."""

import csv
import io
import re
from collections.abc import Sequence
from functools import cache

from pipeline.data.arrays import FloatArray
from pipeline.serving.rows import Row

_MARKS = re.compile(r'[,"\r\n]')


def write_answer(row: Row, numbers: FloatArray, note: str | None) -> str:
    """Return the line of a row: lane, timestamp, numbers, empty where there is none, and a note if any."""
    values = numbers.tolist()
    shown = _format(len(values)) % tuple(values)
    if "n" in shown:  # nan; inf is written as it is
        shown = shown.replace("nan", "")
    end = "\n" if note is None else f",{note}\n"
    if _MARKS.search(row.lane) or _MARKS.search(row.timestamp):
        return f"{write_cells([row.lane, row.timestamp])[:-1]},{shown}{end}"
    return f"{row.lane},{row.timestamp},{shown}{end}"


def write_number(value: float) -> str:
    """Return a number as it stands in such a line."""
    return "" if value != value else f"{value:.9g}"


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
