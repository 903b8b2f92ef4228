"""Gathers what arrives at the same time: many requests become one step of the network and one write to the disk."""

import asyncio
import os
from collections.abc import Callable, Sequence

from pipeline.base.errors import JournalError
from pipeline.base.terminal import say
from pipeline.service.answered import Reply
from pipeline.service.bodies import ReadRows
from pipeline.service.desk import Desk

_MOST_WAITING = 5_000


class BusyError(Exception):
    """Too many requests wait already."""


def end_process(error: JournalError) -> None:
    """End the service as a kill would: lanes are ahead of the journal by rows that nobody was answered.

    A state that is saved now, or one more row, would make these rows known, and refused when they are sent again.
    """
    say(f"error: {error}")
    os._exit(1)


class Batcher:
    """Asks a desk, from one event loop.

    Args:
        desk: Where rows are taken.
        durable: Whether rows must be on the disk before they are answered.
    """

    def __init__(self, desk: Desk, durable: bool) -> None:
        self.desk = desk
        self._durable = durable
        self._waiting: list[tuple[ReadRows, asyncio.Future[tuple[Desk, Reply]]]] = []
        self._busy = False
        self._idle = asyncio.Event()
        self._idle.set()

    async def ask(self, read: ReadRows) -> tuple[Desk, Reply]:
        """Return the answer to the rows of a request, and the desk that gave it.

        Raises:
            BusyError: If too many wait.
        """
        if len(self._waiting) >= _MOST_WAITING:
            raise BusyError
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[tuple[Desk, Reply]] = loop.create_future()
        self._waiting.append((read, answer))
        if not self._busy:
            self._busy = True
            self._idle.clear()
            loop.call_soon(self._take)  # after the requests that the same look at the network brought
        return await answer

    async def pause(self, do: Callable[[], None]) -> None:
        """Do something between two takes, when nothing is half done."""
        while self._busy:
            await self._idle.wait()
        do()

    def _take(self) -> None:
        taken, self._waiting = self._waiting, []
        try:
            replies = self.desk.take([read for read, _ in taken])
        except Exception as error:
            if isinstance(error, JournalError):
                end_process(error)
            for _, answer in taken:
                if not answer.done():
                    answer.set_exception(error)
            self._end()
            return
        if not self._durable or self.desk.journal is None:
            self._answer(taken, replies)
            return
        syncing = asyncio.get_running_loop().run_in_executor(None, self.desk.journal.sync)
        syncing.add_done_callback(lambda done: self._answer(taken, replies, done.exception()))

    def _answer(
        self,
        taken: Sequence[tuple[ReadRows, "asyncio.Future[tuple[Desk, Reply]]"]],
        replies: Sequence[Reply],
        failure: BaseException | None = None,
    ) -> None:
        if isinstance(failure, JournalError):
            end_process(failure)
        for (_, answer), reply in zip(taken, replies, strict=True):
            if answer.done():  # its client is gone
                continue
            if failure is not None:
                answer.set_exception(failure)
            else:
                answer.set_result((self.desk, reply))
        self._end()

    def _end(self) -> None:
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._take)
        else:
            self._busy = False
            self._idle.set()
