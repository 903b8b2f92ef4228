"""How a CSV writes its numbers: the decimal mark, and what groups the digits of large ones."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from pipeline.base.errors import UserError
from pipeline.base.text import show_setting
from pipeline.data.arrays import FloatArray

_SIGNED = r"\s*[-+]?"


@dataclass(frozen=True)
class Spelling:
    """How numbers and cells are written.

    Attributes:
        separator: Between cells.
        decimal: The decimal mark.
        thousands: Groups the digits of large numbers; empty: nothing does.
    """

    separator: str = ","
    decimal: str = "."
    thousands: str = ""

    @cached_property  # asked for every cell of a stream
    def is_plain(self) -> bool:
        """Whether numbers are written as everywhere in computing."""
        return self.decimal == "." and not self.thousands

    def rewrite(self, cell: str) -> str:
        """Return a number as computing writes it; a text that is none comes back so that it stays none."""
        if self.is_plain:
            return cell
        if re.fullmatch(self._pattern(), cell) is None:
            return cell if not re.search(r"\d", cell) else f"?{cell}"
        plain = cell.replace(self.thousands, "") if self.thousands else cell
        return plain.replace(self.decimal, ".")

    def parse(self, column: "pd.Series[Any]") -> FloatArray:
        """Return the numbers of a column, NaN where a cell is none. Shape (time,)."""
        if not self.is_plain and not pd.api.types.is_numeric_dtype(column):
            column = column.map(self.rewrite, na_action="ignore")
        return pd.to_numeric(column, errors="coerce").to_numpy(dtype=float, na_value=np.nan)

    def _pattern(self) -> str:
        mark = re.escape(self.decimal)
        whole = r"\d+"
        if self.thousands:
            group = re.escape(self.thousands)
            whole = rf"(?:\d{{1,3}}(?:{group}\d{{3}})+|\d+)"
        return rf"{_SIGNED}(?:{whole}(?:{mark}\d*)?|{mark}\d+)(?:[eE][-+]?\d+)?\s*"


def guess_spelling(cells: Iterable[str], separator: str, origin: str) -> Spelling:
    """Find decimal mark and thousands in the cells of a file whose cells are not separated by commas.

    Raises:
        UserError: If 1,234 could be both.
    """
    marked = {cell.strip() for cell in cells}
    marked = {cell for cell in marked if re.fullmatch(r"[-+]?[\d.,]*[.,][\d.,]*(?:[eE][-+]?\d+)?", cell)}
    commas = {cell for cell in marked if "," in cell}
    if not commas:
        dotted = [cell for cell in marked if not re.fullmatch(r"[-+]?[1-9]\d{0,2}\.\d{3}", cell)]
        if separator == ";" and marked and not dotted:
            raise _unclear(origin, min(marked))
        return Spelling(separator)
    for cell in commas:
        last_comma, last_dot = cell.rfind(","), cell.rfind(".")
        if cell.count(",") > 1 or (last_dot > last_comma):
            return Spelling(separator, ".", ",")
        if last_dot >= 0 or not re.fullmatch(r"[-+]?[1-9]\d{0,2},\d{3}", cell):
            has_groups = any(re.fullmatch(r"[-+]?[1-9]\d{0,2}(\.\d{3})+(,\d*)?", each) for each in marked)
            return Spelling(separator, ",", "." if has_groups else "")
    raise _unclear(origin, min(commas))


def _unclear(origin: str, cell: str) -> UserError:
    mark = "," if "," in cell else "."
    return UserError(
        f"{origin}: '{cell}' could be a decimal number or a large one in groups of digits; set "
        f"{show_setting('dataset.decimal', mark)} or {show_setting('dataset.thousands', mark)}"
        + (f" {show_setting('dataset.decimal', ',')}" if mark == "." else "")
    )


def propose_spelling(cell: str) -> str:
    """Return the keys with which a cell would be a number, for an error text; nothing if none would."""
    cell = cell.strip()
    ways = {
        Spelling(decimal=","): show_setting("dataset.decimal", ","),
        Spelling(thousands=","): show_setting("dataset.thousands", ","),
        Spelling(decimal=",", thousands="."): (
            f"{show_setting('dataset.decimal', ',')} {show_setting('dataset.thousands', '.')}"
        ),
        Spelling(thousands=" "): show_setting("dataset.thousands", " "),
        Spelling(thousands="'"): show_setting("dataset.thousands", "'"),
    }
    fits: dict[str, str] = {}
    for way, shown in ways.items():
        if re.search(r"\d", cell) and re.fullmatch(way._pattern(), cell):
            fits.setdefault(way.rewrite(cell), shown)
    return f"if it is one, set {' or '.join(fits.values())}; otherwise " if fits else ""
