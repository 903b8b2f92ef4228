"""Rows on disk before they are answered: after a kill the lanes read them again and are where they were.

    sales.state              what every lane remembered at some moment, and the number of the first journal after it
    sales.state.journal-7    rows since then, in the order in which lanes read them, one JSON line for those that came
                             together

A line that was being written when the process died was not answered, and is left out. One that cannot be written, on a
full disk, must be the last: then the process has to end, as by a kill.
"""

import fcntl
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from pipeline.base.errors import JournalError, UserError
from pipeline.serving.rows import Row

_MARK = ".journal-"


class Journal:
    """The journals beside one state file.

    Args:
        state: The state file.
        first: Number of the first journal with rows that came after it.
    """

    def __init__(self, state: Path, first: int) -> None:
        self._state = state
        self.number = max([first - 1, *_numbers(state)]) + 1
        self._file = _begin(_path(state, self.number))

    def write(self, rows: Sequence[Row | tuple[str, str, list[float]]]) -> None:
        """Give rows to the system: then they outlive this process.

        Raises:
            JournalError: If they cannot be written.
        """
        with self._must_write():
            self._file.write(json.dumps(rows, separators=(",", ":")).encode() + b"\n")
            self._file.flush()

    def sync(self) -> None:
        """Wait until they are on the disk: then they outlive the machine. May be called from a thread.

        Raises:
            JournalError: If they do not reach it.
        """
        with self._must_write():
            os.fsync(self._file.fileno())

    @contextmanager
    def _must_write(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise JournalError(
                f"{_path(self._state, self.number)} cannot be written ({error.strerror}), so rows could be lost: the "
                "service ends, and its lanes are as they were last answered. Make room, and start it again with the "
                "same words"
            ) from error

    def turn(self) -> int:
        """Begin a new journal and return its number: a state of this moment knows all rows of those before it."""
        following = _begin(_path(self._state, self.number + 1))  # where that fails, rows go on in this one
        self._file.close()
        self._file = following
        self.number += 1
        return self.number

    def forget(self, before: int) -> None:
        """Remove journals that a saved state has made needless."""
        for number in _numbers(self._state):
            if number < before:
                with suppress(OSError):
                    _path(self._state, number).unlink()

    def close(self) -> None:
        """Close it; what was written stays."""
        self._file.close()


def _begin(path: Path) -> IO[bytes]:
    """Create a journal that no other process can write, so that it outlives the machine as its rows do."""
    file = path.open("ab")
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    folder = os.open(path.absolute().parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return file


def check_free(journal: Path, state: Path) -> None:
    """Check that no other process writes a journal.

    Raises:
        UserError: If one does: two services would overwrite each other's lanes.
    """
    with journal.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(
                f"state={state} is that of a service which is running; stop it, or choose another file"
            ) from None


def read_journals(state: Path, first: int) -> Iterator[list[Row]]:
    """Yield rows that came together, from a journal to the last.

    Raises:
        UserError: If a line is none of a journal.
    """
    for number in _numbers(state):
        if number < first:
            continue
        path = _path(state, number)
        lines = path.read_bytes().split(b"\n")[:-1]  # what has no end was never answered
        for place, line in enumerate(lines, 1):
            try:
                yield _read_rows(json.loads(line))
            except (ValueError, TypeError) as error:
                raise UserError(
                    f"line {place} of {path} is none of a journal ({error}); remove the state file and its journals to "
                    "start anew"
                ) from error


def _read_rows(found: Any) -> list[Row]:
    if not isinstance(found, list):
        raise TypeError("no list")
    return [Row(str(lane), str(time), [float(each) for each in values]) for lane, time, values in found]


def find_journals(state: Path) -> list[Path]:
    """Return the journals beside a state file, oldest first."""
    return [_path(state, number) for number in _numbers(state)]


def were_never_used(journals: Sequence[Path]) -> bool:
    """Return whether the first state was never saved, on a full disk, so that no row was ever taken."""
    return _number(journals[0]) == 0 and not any(path.stat().st_size for path in journals)


def _path(state: Path, number: int) -> Path:
    return state.with_name(f"{state.name}{_MARK}{number}")


def _number(journal: Path) -> int:
    return int(journal.name.rpartition(_MARK)[2])


def _numbers(state: Path) -> list[int]:
    found = (path.name.removeprefix(f"{state.name}{_MARK}") for path in state.absolute().parent.iterdir())
    return sorted(int(each) for each in found if each.isdecimal())
