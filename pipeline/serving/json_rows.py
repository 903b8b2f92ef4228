"""Rows that come as JSON objects, one member for each column: cells as a CSV would have them."""

import json
from typing import Any

from pipeline.serving.rows import RowError, shorten


def parse_json(text: bytes) -> Any:
    """Return what a JSON document holds.

    Raises:
        ValueError: If it is none; NaN and Infinity are no JSON.
        RecursionError: If it is too deep.
    """
    return json.loads(text, parse_constant=_refuse_constant)


def read_object(row: Any) -> dict[str, str | float]:
    """Return the cells of a row by the names of their columns: numbers as they are, nothing for null.

    Raises:
        RowError: If it is no object, or a member is no text or number.
    """
    if not isinstance(row, dict):
        raise RowError(f"is {shorten(json.dumps(row))}, where an object with the columns is required")
    return {name: _read_cell(name, each) for name, each in row.items()}


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON")


def _read_cell(name: str, value: Any) -> str | float:
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise RowError(f"has {shorten(json.dumps(value))} in the column '{shorten(name)}', which is no text or number")
    return value if isinstance(value, float) else _Whole(value)


class _Whole(float):
    """A whole number: a timestamp or a lane that was sent as a number is written without .0."""

    def __new__(cls, value: int) -> "_Whole":
        try:
            made = super().__new__(cls, value)
        except OverflowError:
            raise RowError(f"has {shorten(str(value)[:100])}, which is too large to compute with") from None
        made.text = str(value)
        return made

    text: str

    def __str__(self) -> str:
        return self.text
