"""Rows that a broker keeps, one in each entry with a name for every cell, and the forecasts they give."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence

from pipeline.base.errors import UserError
from pipeline.data.arrays import FloatArray
from pipeline.serving.broker import Entry
from pipeline.serving.lane_book import LaneBook
from pipeline.serving.model import ServedModel
from pipeline.serving.rows import Header, Row, RowError, find_columns
from pipeline.serving.stream import gather

_MOST_HEADERS = 1000  # orders of columns that are remembered


class Entries:
    """Reads entries into the lanes of one model.

    Args:
        model: The served model.
        warm: Whether lanes begin after the run's history.
        complain: Told one line about each entry that cannot be used.

    Attributes:
        book: What its lanes have read and remember.
        refused: Entries that could not be used.
    """

    def __init__(self, model: ServedModel, warm: bool, complain: Callable[[str], None]) -> None:
        self.book = LaneBook(model, warm, self._tell, warn=complain)
        self.refused = 0
        self._model = model
        self._complain = complain
        self._at = ""
        self._headers: dict[tuple[str, ...], Header] = {}

    def answer(self, entries: Sequence[Entry]) -> Iterator[tuple[str, Row, FloatArray]]:
        """Yield the id of each usable entry, its row and its numbers, as `Stream.answer` does for lines."""
        accepted: deque[str] = deque()
        for rows in gather(self._read_all(entries, accepted)):
            for row, numbers in self.book.advance(rows):
                yield accepted.popleft(), row, numbers

    def _read_all(self, entries: Sequence[Entry], accepted: deque[str]) -> Iterator[Row]:
        for entry in entries:
            self._at = entry.id
            try:
                row = self._read(entry)
                if self.book.accept(row):
                    accepted.append(entry.id)
                    yield row
            except RowError as error:
                self.refused += 1
                self._tell(f" {error}: skipped")

    def _read(self, entry: Entry) -> Row:
        if isinstance(entry.cells, RowError):
            raise entry.cells
        names = tuple(entry.cells)
        header = self._headers.get(names)
        if header is None:
            series, config = self._model.data.series, self._model.config
            try:
                header = find_columns(names, config, series, series.spelling)
            except UserError as error:
                raise RowError(f"cannot be used: {error}") from None
            if len(self._headers) > _MOST_HEADERS:
                self._headers.clear()
            self._headers[names] = header
        return header.read_cells(list(entry.cells.values()), self.book.last_values)

    def _tell(self, how_it_goes_on: str) -> None:
        self._complain(f"entry {self._at}{how_it_goes_on}")
