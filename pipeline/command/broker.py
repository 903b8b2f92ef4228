"""Rows of a broker answered into a broker, or as lines: each answer once, whenever the process dies."""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from pipeline.base.broker_address import Address
from pipeline.base.errors import UserError
from pipeline.base.interrupt import check_interrupt, wait_for_safe_point
from pipeline.base.terminal import say
from pipeline.command.kept_state import KeptState
from pipeline.data.arrays import FloatArray
from pipeline.serving.answer_lines import write_answer, write_cells, write_number
from pipeline.serving.entries import Entries
from pipeline.serving.lane_book import LaneBook
from pipeline.serving.redis_streams import FIRST, RedisStream, order
from pipeline.serving.rows import Row, shorten

Answers = Iterable[tuple[str, Row, FloatArray]]


class Broker:
    """The streams of one command.

    Args:
        rows: Where rows come from.
        forecasts: Where answers go; None: the standard output.

    Raises:
        UserError: If one of them cannot be used.
    """

    def __init__(self, rows: Address, forecasts: Address | None) -> None:
        if forecasts is not None and (rows.server, rows.stream) == (forecasts.server, forecasts.stream):
            raise UserError(f"output={forecasts.shown} is the input; choose another stream")
        self._rows, self._forecasts = rows, forecasts
        self._source = RedisStream(rows, say)
        self._sink = None if forecasts is None else RedisStream(forecasts, say)
        self._newest = FIRST if self._sink is None else self._sink.newest()

    def answer_all(self, entries: Entries, state: Path | None, follow: bool, ends_on_drift: bool = False) -> None:
        """Answer entry after entry, from where the state file is.

        What is saved as consumed has been answered, in one file with the place in the stream. What was answered and not
        saved when the process died is answered again, to the same numbers; a stream of Redis has these answers already.

        Args:
            entries: Reads them.
            state: The file; None: none.
            follow: Whether to wait for entries to come.
            ends_on_drift: Whether to end when the forecasts of a lane have become worse.
        """
        kept = KeptState(entries.book, state)
        after = saved = self._find_start(kept.resume())
        self._check_newest(after)
        if self._sink is None:
            print(write_cells(_names(entries.book)), end="", flush=True)
        all_answered = True
        try:
            while (some := self._source.read(after, waits=follow)) or follow:
                all_answered = False
                with wait_for_safe_point():
                    self._send(entries.answer(some), entries.book)
                    after = some[-1].id if some else after
                    all_answered = True  # inside: an interrupt that waited ends the block
                check_interrupt()
                if ends_on_drift and entries.book.alarms:
                    break
                if after != saved and kept.save_sometimes(self._write_position(after)):  # not while nothing comes
                    saved = after
        finally:
            if all_answered:
                with wait_for_safe_point():
                    kept.save(self._write_position(after))

    def _send(self, answers: Answers, book: LaneBook) -> None:
        if self._sink is not None:
            self._newest = self._sink.write(list(_as_cells(answers, book)), self._newest)
            return
        sys.stdout.write("".join(write_answer(row, each, book.note_of(row.lane)) for _, row, each in answers))
        sys.stdout.flush()

    def _write_position(self, after: str) -> str:
        return json.dumps([self._rows.stream, after])

    def _find_start(self, position: str) -> str:
        """Return the id after which rows are read; rows that lanes have read before are known by their timestamps.

        Raises:
            UserError: If the position is one of another stream.
        """
        if not position:
            return FIRST
        remedy = "give another state file"
        try:
            stream, after = json.loads(position)
            order(after)
        except (ValueError, TypeError, AttributeError):
            raise UserError(
                f"the state file holds '{shorten(position)}', which is no place in a stream; {remedy}"
            ) from None
        if stream != self._rows.stream:
            raise UserError(
                f"the state file goes on in the stream '{stream}', not in input={self._rows.shown}; {remedy}"
            )
        if order(self._source.newest()) < order(after):
            raise UserError(
                f"input={self._rows.shown} was made anew: it ends before {after} of the state file; {remedy}"
            )
        if after != FIRST and not self._source.has(after):
            say(
                f"input={self._rows.shown}: the entry {after}, where the state file is, was removed since; what was "
                "removed behind it is missing"
            )
        return str(after)

    def _check_newest(self, after: str) -> None:
        """Check that what the sink has was answered to rows of the source: its newest entry has the id of one.

        Raises:
            UserError: If not: then answers would be taken for written.
        """
        if self._forecasts is None or order(self._newest) <= order(max(after, self._source.oldest(), key=order)):
            return
        if not self._source.has(self._newest):
            raise UserError(
                f"output={self._forecasts.shown} has the entry {self._newest}, which answers no row of "
                f"input={self._rows.shown}; choose a stream of its own"
            )


def _names(book: LaneBook) -> list[str]:
    return ["lane", "timestamp", *book.output_names(), *([] if book.note_of("") is None else ["note"])]


def _as_cells(answers: Answers, book: LaneBook) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Yield answers as cells with names, each with its id."""
    names = _names(book)
    for id, row, numbers in answers:
        note = book.note_of(row.lane)
        cells = [row.lane, row.timestamp, *map(write_number, numbers.tolist()), *([] if note is None else [note])]
        yield id, dict(zip(names, cells, strict=True))
