"""What requests hold and answers say: rows as JSON or CSV come in, forecasts as JSON or CSV go out."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.base.errors import UserError
from pipeline.config.schema import Config
from pipeline.data.series import Series
from pipeline.serving.json_rows import parse_json, read_object
from pipeline.serving.row_block import RowBlock, make_block, read_lines
from pipeline.serving.rows import LANE, Header, Row, RowError, find_columns, needed_columns, read_header, shorten

LastValues = Callable[[str], Sequence[float] | None]

_FEWEST = 8  # rows of a block: fewer are read one by one, so that those of many requests are one step

_MOST_HEADERS = 1000  # orders of columns that are remembered
_LONGEST_HEADER = 1000  # characters of a line that is


@dataclass(frozen=True)
class ReadRows:
    """The rows of a request.

    Attributes:
        one_by_one: Reads them, and says why one cannot be used.
        block: All of them, where each is plain.
    """

    one_by_one: Callable[[LastValues], Iterator[Row]]
    block: RowBlock | None = None


class BodyError(Exception):
    """A body that holds no rows; the text says why."""


class Bodies:
    """Reads rows of one model.

    Args:
        config: Of its run.
        series: Of its run.
    """

    def __init__(self, config: Config, series: Series) -> None:
        self._config, self._series = config, series
        self._lane_column = config.dataset.lane_column or LANE
        self._headers: dict[tuple[tuple[str, ...], bool], Header] = {}
        self._csv_headers: dict[tuple[str, bool], Header] = {}

    def rows_of(self, body: bytes, is_csv: bool, lane: str | None, most: int) -> ReadRows:
        """Return the rows of a body.

        Args:
            body: JSON, `{"rows": [{"month": "1961-01-01", "passengers": 450}]}`, or CSV with a header.
            is_csv: Whether it is CSV.
            lane: All rows are of this one; None: each names its own.
            most: Rows that are allowed.

        Raises:
            BodyError: If it is neither, or holds too many rows.
        """
        return self._csv_rows(body, lane, most) if is_csv else self._json_rows(body, lane, most)

    def _json_rows(self, body: bytes, lane: str | None, most: int) -> ReadRows:
        rows = read_json(body, "rows")
        if not isinstance(rows, list) or not rows:
            raise BodyError("'rows' must be a list with at least one row")
        _check_number(len(rows), most)

        def read(last_values: LastValues) -> Iterator[Row]:
            for row in rows:
                cells = read_object(row)
                header = self._header(tuple(cells), lane is None)
                yield _of_lane(header, header.read_cells(list(cells.values()), _of(last_values, lane)), lane)

        return ReadRows(read, None if lane is not None or len(rows) < _FEWEST else self._block_of(rows))

    def _block_of(self, rows: Sequence[Any]) -> RowBlock | None:
        """Return rows as columns, where all have the same, and in each only texts or only numbers."""
        if set(map(type, rows)) != {dict} or len(set(map(tuple, rows))) > 1:
            return None
        names = tuple(rows[0])
        try:
            header = self._header(names, True)
        except RowError:
            return None
        columns = [[row[name] for row in rows] for name in names]
        texts = (header.lane, header.time)
        for place, column in enumerate(columns):
            if not set(map(type, column)) <= ({str} if place in texts else {int, float}):
                return None
        return make_block(header, columns)

    def _header(self, names: tuple[str, ...], needs_lane: bool) -> Header:
        header = self._headers.get((names, needs_lane))
        if header is None:
            needed = [*needed_columns(self._config, self._series), self._lane_column, LANE]
            unknown = [name for name in names if name not in needed]
            if unknown:
                raise RowError(f"has the column '{shorten(unknown[0])}', which is none of {', '.join(needed[:-1])}")
            try:
                header = find_columns(names, self._config, self._series, self._series.spelling, needs_lane)
            except UserError as error:
                raise RowError(f"cannot be read: {error}") from None
            if len(self._headers) > _MOST_HEADERS:
                self._headers.clear()
            self._headers[names, needs_lane] = header
        return header

    def _csv_header(self, line: str, needs_lane: bool) -> Header:
        header = self._csv_headers.get((line, needs_lane))
        if header is None:
            try:
                header = read_header(line, self._config, self._series, needs_lane)
            except UserError as error:
                raise BodyError(str(error)) from None
            if len(line) <= _LONGEST_HEADER:
                if len(self._csv_headers) >= _MOST_HEADERS:
                    self._csv_headers.clear()
                self._csv_headers[line, needs_lane] = header
        return header

    def _csv_rows(self, body: bytes, lane: str | None, most: int) -> ReadRows:
        try:
            text = body.decode(self._config.dataset.encoding or "utf-8-sig")
        except UnicodeError as error:
            raise BodyError(
                f"the rows are not written in {self._config.dataset.encoding or 'UTF-8'}: {error}"
            ) from None
        first, *lines = text.splitlines() or [""]
        if not any(line and not line.isspace() for line in lines):
            raise BodyError("there is no row after the header")
        _check_number(len(lines), most)
        header = self._csv_header(first, lane is None)

        def read(last_values: LastValues) -> Iterator[Row]:
            for line in lines:
                if line and not line.isspace():
                    yield _of_lane(header, header.read(line, _of(last_values, lane)), lane)

        return ReadRows(read, None if lane is not None or len(lines) < _FEWEST else read_lines(header, lines))


def read_json(body: bytes, *names: str, optional: str | None = None) -> Any:
    """Return the member of that name of a JSON object, which has no other members; of several names, the object.

    The last member may be an optional one.

    Raises:
        BodyError: If it is none.
    """
    try:
        found = parse_json(body)
    except (ValueError, RecursionError) as error:
        raise BodyError(f"the body is no JSON: {shorten(str(error))}") from None
    if not isinstance(found, dict) or list(found) not in (list(names), [*names, optional]):
        raise BodyError(f"the body must be a JSON object with {' and '.join(repr(name) for name in names)} alone")
    return found[names[0]] if len(names) == 1 else found


def _check_number(rows: int, most: int) -> None:
    if rows > most:
        raise BodyError(f"there are {rows} rows, more than the {most} of one request; send them in parts")


def _of(last_values: LastValues, lane: str | None) -> LastValues:
    return last_values if lane is None else lambda _: last_values(lane)


def _of_lane(header: Header, row: Row, lane: str | None) -> Row:
    if lane is None or row.lane == lane:
        return row
    if header.lane is not None:
        raise RowError(f"names the lane '{shorten(row.lane)}', but was sent to the lane '{shorten(lane)}'")
    return row._replace(lane=lane)
