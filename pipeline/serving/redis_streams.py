"""Streams of a Redis server; the only place that imports redis."""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from pipeline.base.broker_address import PASSWORD, Address
from pipeline.base.errors import PipelineError, UserError
from pipeline.serving.broker import Entry, Tell, ask_patiently
from pipeline.serving.rows import RowError

FIRST = "0-0"  # before every entry
_AT_ONCE = 4000  # entries
_SECONDS_BETWEEN_LOOKS = 1  # for an interrupt, while nothing comes
_SECONDS_TO_CONNECT = 5.0

Found = TypeVar("Found")


class RedisStream:
    """One stream of a server, to read from or to write to.

    Args:
        address: Where it is.
        tell: Told when the server goes away.

    Raises:
        UserError: If it cannot be used.
    """

    def __init__(self, address: Address, tell: Tell) -> None:
        try:
            import redis
            import redis.backoff
            import redis.retry
        except ImportError:
            raise UserError("redis:// needs the package redis: pip install 'lstm-pipeline[redis]'") from None
        self._lost = (redis.ConnectionError, redis.TimeoutError)
        self._refused: type[Exception] = redis.ResponseError
        self._address, self._tell = address, tell
        try:
            self._server: Any = redis.Redis.from_url(
                address.server,
                password=os.environ.get(PASSWORD) or None,
                socket_connect_timeout=_SECONDS_TO_CONNECT,
                socket_timeout=_SECONDS_TO_CONNECT + _SECONDS_BETWEEN_LOOKS,
                retry=redis.retry.Retry(redis.backoff.NoBackoff(), 0),  # ours knows what was written
            )
            kind: Any = self._server.type(address.stream)
        except (redis.RedisError, ValueError) as error:
            raise UserError(f"{address.shown} cannot be used ({error}); is the server there?") from None
        if kind not in (b"stream", b"none"):
            raise UserError(f"{address.shown}: '{address.stream}' is a {kind.decode()} of Redis, no stream")

    def newest(self) -> str:
        """Return the id that every new entry must be above, which deleting does not lower."""
        try:
            found: Any = self._try(lambda: self._server.xinfo_stream(self._address.stream))
        except self._refused:  # there is no stream yet
            return FIRST
        return str(found["last-generated-id"].decode())

    def oldest(self) -> str:
        """Return the id of the first entry; that of no one where there is none."""
        found = self._try(lambda: self._server.xrange(self._address.stream, count=1))
        return str(found[0][0].decode()) if found else FIRST

    def has(self, entry: str) -> bool:
        """Return whether an entry is still there."""
        return bool(self._try(lambda: self._server.xrange(self._address.stream, entry, entry)))

    def read(self, after: str, waits: bool) -> list[Entry]:
        """Return the entries after one, a few thousand at once.

        Args:
            after: Its id.
            waits: Whether to wait a second for one, where there is none.
        """
        found = self._try(
            lambda: self._server.xread(
                {self._address.stream: after}, _AT_ONCE, _SECONDS_BETWEEN_LOOKS * 1000 if waits else None
            )
        )
        return [Entry(id.decode(), _read_cells(cells)) for _, entries in found for id, cells in entries]

    def write(self, entries: Sequence[tuple[str, Mapping[str, str]]], newest: str) -> str:
        """Write entries that are not there yet, and return the id of the newest one.

        Args:
            entries: Ids, larger from one to the next, and cells.
            newest: What this returned last, or `newest()`.

        Raises:
            PipelineError: If somebody else writes to the stream.
        """

        def try_to_write() -> str:
            found = self.newest() if lost else newest  # the server may have kept some before it went away
            lost.append(True)
            new = [(id, cells) for id, cells in entries if order(id) > order(found)]
            pipeline = self._server.pipeline(transaction=False)
            for id, cells in new:
                pipeline.xadd(self._address.stream, dict(cells), id=id)
            pipeline.execute()
            return new[-1][0] if new else found

        lost: list[bool] = []
        try:
            return self._try(try_to_write)
        except self._refused as error:
            who = " (someone else writes there)" if "equal or smaller" in str(error) else ""
            raise PipelineError(f"{self._address.shown} takes no answers any more{who}: {error}") from None

    def _try(self, ask: Callable[[], Found]) -> Found:
        return ask_patiently(ask, self._lost, self._address.shown, self._tell)


def order(id: str) -> tuple[int, int]:
    """Return what ids are sorted by.

    Example:
        >>> order("9-1") < order("10-0")
        True
    """
    milliseconds, _, number = id.partition("-")
    return int(milliseconds), int(number)


def _read_cells(cells: Mapping[bytes, bytes]) -> Mapping[str, str] | RowError:
    try:
        return {name.decode(): cell.decode() for name, cell in cells.items()}
    except UnicodeDecodeError:
        return RowError("cannot be read as utf-8")
