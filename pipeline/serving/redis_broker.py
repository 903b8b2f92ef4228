"""Rows from one stream of a Redis server, answers into another.

An answer has the id of the entry that it answers. Redis refuses an id that is not larger than the newest one, so an
answer that was written before a kill is not written again, whoever asks.

    rows        1-0  2-0  3-0  4-0
    forecasts   1-0  2-0  3-0       killed before the state file knew of 2-0 and 3-0: both are computed, none is written
"""

import json
from collections.abc import Sequence

from pipeline.base.broker_address import Address
from pipeline.base.errors import UserError
from pipeline.serving.answer_lines import write_number
from pipeline.serving.broker import REMEDY, Answer, Entry, Tell
from pipeline.serving.redis_streams import FIRST, RedisStream, order
from pipeline.serving.rows import shorten


class RedisBroker:
    """The streams of one command; see `pipeline.serving.broker.Broker`.

    Args:
        rows: Where rows come from.
        forecasts: Where answers go; None: nowhere.
        tell: Told when a server goes away, and when entries were removed.

    Raises:
        UserError: If one of them cannot be used.
    """

    def __init__(self, rows: Address, forecasts: Address | None, tell: Tell) -> None:
        self._rows, self._forecasts, self._tell = rows, forecasts, tell
        self._source = RedisStream(rows, tell)
        self._sink = None if forecasts is None else RedisStream(forecasts, tell)
        self._newest = FIRST if self._sink is None else self._sink.newest()
        self._after = FIRST

    @property
    def takes_answers(self) -> bool:
        """Whether there is a stream for them."""
        return self._sink is not None

    @property
    def position(self) -> str:
        """The stream and the id of the last entry that was read."""
        return json.dumps([self._rows.stream, self._after])

    def start(self, position: str) -> None:
        """Read on behind the position; rows that lanes have read before are known by their timestamps."""
        self._after = self._find_start(position) if position else FIRST
        self._check_newest()

    def read(self, waits: bool) -> Sequence[Entry]:
        """Return the next entries."""
        found = self._source.read(self._after, waits)
        if found:
            self._after = found[-1].id
        return found

    def write(self, answers: Sequence[Answer]) -> None:
        """Write answers that are not there yet."""
        if self._sink is not None:
            entries = [(id, {name: _write_cell(cell) for name, cell in cells.items()}) for id, cells in answers]
            self._newest = self._sink.write(entries, self._newest)

    def _find_start(self, position: str) -> str:
        shown = f"input={self._rows.shown}"
        try:
            stream, after = json.loads(position)
            order(after)
        except (ValueError, TypeError, AttributeError):
            raise UserError(
                f"the state file holds '{shorten(position)}', which is no place in a stream; {REMEDY}"
            ) from None
        if stream != self._rows.stream:
            raise UserError(f"the state file goes on in the stream '{stream}', not in {shown}; {REMEDY}")
        if order(self._source.newest()) < order(after):
            raise UserError(f"{shown} was made anew: it ends before {after} of the state file; {REMEDY}")
        if after != FIRST and not self._source.has(after):
            self._tell(
                f"{shown}: the entry {after}, where the state file is, was removed since; what was removed behind it "
                "is missing"
            )
        return str(after)

    def _check_newest(self) -> None:
        """Check that what the sink has was answered to rows of the source: its newest entry has the id of one.

        Raises:
            UserError: If not: then answers would be taken for written.
        """
        known = max(self._after, self._source.oldest(), key=order)
        if self._forecasts is not None and order(self._newest) > order(known) and not self._source.has(self._newest):
            raise UserError(
                f"output={self._forecasts.shown} has the entry {self._newest}, which answers no row of "
                f"input={self._rows.shown}; choose a stream of its own"
            )


def _write_cell(cell: str | float) -> str:
    return write_number(cell) if isinstance(cell, float) else cell
