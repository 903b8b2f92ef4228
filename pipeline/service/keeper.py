"""Keeps the lanes of a desk over the end of its process: a state file from time to time, and journals between."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from pipeline.base.errors import UserError
from pipeline.service.batcher import Batcher
from pipeline.service.desk import Desk
from pipeline.service.journal import Journal, check_free, find_journals, read_journals, were_never_used
from pipeline.serving.state_file import SavedState, load_state, save_state


class Keeper:
    """The state file of a desk.

    Args:
        path: The state file; its journals lie beside it.
        say: Told what goes wrong.
    """

    def __init__(self, path: Path, say: Callable[[str], None]) -> None:
        self._path = path
        self._say = say
        self._saving = asyncio.Lock()  # an older state must not be written over a newer one
        self._saved: tuple[Desk, int] | None = None  # the desk, and the rows that it had taken, when it was last saved

    def restore(self, desk: Desk, follows: bool = False) -> int:
        """Let a fresh desk remember what was kept, and begin its journal.

        Args:
            desk: The desk.
            follows: Whether the lanes of another model may be taken over: they read its newest rows again.

        Returns:
            How many rows of the journals its lanes have read again.

        Raises:
            UserError: If file or journals are damaged, or of another model.
        """
        if found := find_journals(self._path):
            check_free(found[-1], self._path)
        first, again = 0, 0
        if self._path.exists():
            state = load_state(self._path, None if follows else desk.model.digest)
            first = state.journal
            if state.digest == desk.model.digest:
                own = len(desk.book.remember().arrays)
                desk.book.restore(state)
                desk.recent.restore(state.arrays[own:])
            else:
                again += desk.read_kept(state.names, desk.recent.like(state.arrays))
        elif found and not were_never_used(found):
            raise UserError(
                f"{found[0]} belongs to a state file that is not there; put state={self._path} back, or remove the "
                "journal to start anew"
            )
        for rows in read_journals(self._path, first):
            desk.replay(rows)
            again += len(rows)
        desk.journal = Journal(self._path, first)
        self.save(desk)
        return again

    def save(self, desk: Desk) -> None:
        """Save what the lanes remember, and leave the journals before it behind."""
        assert desk.journal is not None
        number = desk.journal.turn()
        self._write(desk, _gather(desk, number, copied=False))
        self._saved = desk, desk.rows

    async def save_beside(self, batcher: Batcher) -> None:
        """Save while requests go on: what the lanes remember is copied at once, and written in a thread.

        Raises:
            OSError: If it cannot be written; the journals still have the rows.
        """
        async with self._saving:
            await self._save_beside(batcher)

    async def _save_beside(self, batcher: Batcher) -> None:
        desk = batcher.desk
        if self._saved == (desk, desk.rows):
            return
        copied: list[tuple[int, SavedState]] = []

        def copy() -> None:
            assert desk.journal is not None
            copied.append((desk.rows, _gather(desk, desk.journal.turn(), copied=True)))

        await batcher.pause(copy)
        ((rows, state),) = copied
        await asyncio.to_thread(self._write, desk, state)
        self._saved = desk, rows

    async def save_for_ever(self, batcher: Batcher, seconds: float) -> None:
        """Save every so many seconds."""
        while True:
            await asyncio.sleep(seconds)
            await self.try_to_save(batcher)

    async def try_to_save(self, batcher: Batcher) -> None:
        """Save, or say why not: the journals still have the rows."""
        try:
            await self.save_beside(batcher)
        except OSError as error:
            self._say(f"state={self._path} could not be saved: {error}")

    def close(self, desk: Desk) -> None:
        """Take no more rows."""
        if desk.journal is not None:
            desk.journal.close()

    def _write(self, desk: Desk, state: SavedState) -> None:
        save_state(self._path, desk.model.digest, state)
        assert desk.journal is not None
        desk.journal.forget(state.journal)


def _gather(desk: Desk, journal: int, copied: bool) -> SavedState:
    state = desk.book.remember()
    count = len(state.names)
    desk.recent.make_room(count)
    arrays = [array[:count].copy() if copied else array for array in (*state.arrays, *desk.recent.arrays)]
    drift = [array[:count].copy() if copied else array for array in state.drift]
    return replace(state, arrays=arrays, journal=journal, drift=drift)
