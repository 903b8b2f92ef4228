"""A stream of CSV lines and the forecasts it gives: rows of different lanes that are there together are one step.

A row that cannot be used is answered with a complaint and touches nothing; the rows of the other lanes go on.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

from pipeline.base.errors import UserError
from pipeline.data.arrays import FloatArray
from pipeline.serving.lane_book import LaneBook
from pipeline.serving.lane_memory import Step
from pipeline.serving.model import ServedModel
from pipeline.serving.row_block import RowBlock, cut_steps, read_lines
from pipeline.serving.rows import Header, Row, RowError, read_header


def gather(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Yield rows in their order, neighbours of different lanes together."""
    together: dict[str, Row] = {}
    for row in rows:
        if row.lane in together:
            yield list(together.values())
            together = {}
        together[row.lane] = row
    if together:
        yield list(together.values())


class Stream:
    """One stream into one model.

    Attributes:
        book: What its lanes have read and remember.
        refused: Rows that could not be used.
    """

    def __init__(self, model: ServedModel, warm: bool, complain: Callable[[str], None]) -> None:
        """Begin after the run's history, or with lanes that have seen nothing.

        Args:
            model: The served model.
            warm: Whether lanes begin after the run's history.
            complain: Told one line about each row that cannot be used, and each lane whose forecasts become worse.
        """
        self.book = LaneBook(model, warm, self._tell, warn=complain)
        self.refused = 0
        self._model = model
        self._complain = complain
        self._header: Header | None = None
        self._line = 0

    @property
    def has_header(self) -> bool:
        """Whether the header came."""
        return self._header is not None

    @property
    def encoding(self) -> str | None:
        """How the run's own file is encoded, as dataset.encoding says; rows that arrive are like it."""
        return self._model.config.dataset.encoding

    def answer(self, lines: Sequence[str | RowError]) -> Iterator[tuple[Row, FloatArray]]:
        """Read lines as they came and yield each usable row with its numbers, (columns,); NaN while it warms up.

        Args:
            lines: Without their ends; of a line that is no text, why it is none.

        Raises:
            UserError: If the first line is no header with the dataset's columns.
        """
        for step in self.answer_together(lines):
            for name, time, values, numbers in zip(*step[:2], step.values.tolist(), step.numbers, strict=True):
                yield Row(name, time, values), numbers

    def answer_together(self, lines: Sequence[str | RowError]) -> Iterator[Step]:
        """Do the same, and yield the rows that are read in one step of the network together."""
        block = self._read_block(lines)
        if block is None:
            yield from map(self.book.advance_together, gather(self._read_all(lines)))
            return
        before = self._line
        for rows in cut_steps(block.names):
            arrival = self.book.look_together(block.select(rows))
            if arrival is not None:
                yield self.book.read_together(arrival)
            else:
                self._line = before + rows.start
                yield from map(self.book.advance_together, gather(self._read_all(lines[rows])))
        self._line = before + len(lines)

    def _read_block(self, lines: Sequence[str | RowError]) -> RowBlock | None:
        """Return the rows of lines, if each line is a plain row."""
        texts = [line for line in lines if isinstance(line, str)]
        return None if self._header is None or len(texts) < len(lines) else read_lines(self._header, texts)

    def _read_all(self, lines: Sequence[str | RowError]) -> Iterator[Row]:
        for line in lines:
            self._line += 1
            row = self._read(line)
            if row is not None:
                yield row

    def _read(self, line: str | RowError) -> Row | None:
        """Return the row of a line, if it is one that is new and can be used."""
        if isinstance(line, RowError):
            self._refuse_text(line)
            return None
        if not line or line.isspace():
            return None
        if self._header is None:
            self._header = read_header(line, self._model.config, self._model.data.series)
            return None
        try:
            row = self._header.read(line, self.book.last_values)
            return row if self.book.accept(row) else None
        except RowError as error:
            self._refuse(error)
            return None

    def _tell(self, how_it_goes_on: str) -> None:
        self._complain(f"line {self._line}{how_it_goes_on}")

    def _refuse(self, error: RowError) -> None:
        self.refused += 1
        self._tell(f" {error}: skipped")

    def _refuse_text(self, error: RowError) -> None:
        """Refuse a line that is no text; without a header nothing after it can be used."""
        if self._header is None:
            raise UserError(f"the header {error}; write the rows in the encoding of the run's own file")
        self._refuse(error)
